import logging

import falcon
import pytest
from falcon import testing
from web.inprocess import InProcess

from fluxd.core.errors import (
    BadRequestError,
    ChannelError,
    ConfigError,
    FluxdError,
    NotFoundError,
    PayloadTooLargeError,
    StoreError,
    UnauthorisedError,
    UnavailableError,
)


class Failing:
    """Raises what it is given, on any method that has a responder."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def on_get(self, _req: falcon.Request, _resp: falcon.Response) -> None:
        raise self.error


def fail_with(fluxd: InProcess, error: Exception) -> testing.Result:
    fluxd.app.add_route("/failing", Failing(error))
    return fluxd.get("/failing?key=secret")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadRequestError("b"), 400),
        (ChannelError("c", field="url"), 400),
        (UnauthorisedError("u"), 401),
        (NotFoundError("n"), 404),
        (PayloadTooLargeError("p"), 413),
        (UnavailableError("s"), 503),
        (StoreError("s"), 503),
    ],
)
def test_each_error_has_its_status(fluxd: InProcess, error: FluxdError, status: int) -> None:
    result = fail_with(fluxd, error)
    assert result.status_code == status
    assert result.json == {"code": status, "message": error.message}


def test_a_bad_element_adds_its_index(fluxd: InProcess) -> None:
    error = BadRequestError("invalid metric", index=0, element="{}")
    result = fail_with(fluxd, error)
    assert result.json == {"code": 400, "message": "invalid metric", "index": 0}


def test_unauthorised_names_the_scheme(fluxd: InProcess) -> None:
    result = fail_with(fluxd, UnauthorisedError("invalid key"))
    assert result.headers["www-authenticate"] == "Bearer"


def test_unavailable_says_when_to_retry(fluxd: InProcess) -> None:
    result = fail_with(fluxd, UnavailableError("full", retry_after_s=17))
    assert result.headers["retry-after"] == "17"


@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), ConfigError("secret")])
def test_the_unexpected_is_logged_once_under_the_number_that_is_answered(
    fluxd: InProcess, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    with caplog.at_level(logging.DEBUG):
        result = fail_with(fluxd, error)
    assert result.status_code == 500
    assert result.json.keys() == {"code", "message"}
    assert "secret" not in result.text
    (record,) = caplog.records
    request_id = result.json["message"].split()[-1]
    assert request_id in record.getMessage()
    assert "key" not in record.getMessage()  # the query string may carry one
    assert record.exc_info is not None
    assert record.exc_info[1] is error


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png", "*/*", "nonsense"])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("DELETE", "/healthz", 405), ("PATCH", "/api/v1/nothing", 404)],
)
def test_falcons_own_errors_are_json_whatever_is_accepted(
    fluxd: InProcess, method: str, path: str, status: int, accept: str
) -> None:
    result = fluxd.client.simulate_request(method, path, headers={"Accept": accept})
    assert result.status_code == status
    assert result.headers["content-type"] == "application/json"
    assert result.json["code"] == status
    assert result.json["message"]


def test_a_person_who_mistypes_an_address_sees_a_page(fluxd: InProcess) -> None:
    result = fluxd.client.simulate_get("/nothing", headers={"Sec-Fetch-Mode": "navigate"})
    assert result.status_code == 404
    assert result.headers["content-type"].startswith("text/html")
    assert "There is nothing at this address." in result.text


def test_method_not_allowed_says_which_are(fluxd: InProcess) -> None:
    result = fluxd.client.simulate_get("/flux/metric_data_post")
    assert result.status_code == 405
    assert "POST" in result.headers["allow"]


def test_every_answer_forbids_guessing_and_keeping(fluxd: InProcess) -> None:
    for path in ("/nothing", "/healthz", "/metrics", "/api/v1/metrics", "/openapi.json"):
        headers = fluxd.client.simulate_get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
