from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web.inprocess import InProcess


@pytest.fixture(scope="module")
def fluxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """One store for all: nothing here writes to it."""
    running = InProcess(tmp_path_factory.mktemp("store"))
    running.store_datapoints("known", [(int(running.now), 1.0)])
    yield running
    running.close()


METRICS = "/api/v1/metrics"
DATAPOINTS = "/api/v1/metrics/known/datapoints"
ANOMALIES = "/api/v1/anomalies"
REJECTIONS = "/api/v1/rejections"
TESTS = "/api/v1/ingestion-tests"

PARAMETERS = [
    *((METRICS, name) for name in ("match", "state", "limit", "cursor")),
    *((DATAPOINTS, name) for name in ("from", "to", "step")),
    *((ANOMALIES, n) for n in ("metric", "from", "to", "min_score", "limit", "cursor")),
    *((address, name) for address in (REJECTIONS, TESTS) for name in ("limit", "cursor")),
]

NUMBERS = [
    (address, name) for address, name in PARAMETERS if name in {"from", "to", "step", "limit"}
]

NO_NUMBERS = [
    *(
        "-1",
        "+1",
        "1.0",
        "1e3",
        "0x10",
        "1_000",
        " 1",
        "1 ",
        "nan",
        "inf",
        "٣",
        "１",
        "true",
        "null",
    ),
    *("9" * 11, "9" * 20, "9" * 5_000, "1;2", "1,2", "%00", "%ff"),
]


@pytest.mark.parametrize(("address", "name"), NUMBERS)
@pytest.mark.parametrize("given", NO_NUMBERS, ids=lambda given: given[:8])
def test_what_is_no_integer_within_bounds_is_refused(
    fluxd: InProcess, address: str, name: str, given: str
) -> None:
    text = given if given.startswith("%") else quote(given)
    message = fluxd.refusal(f"{address}?{name}={text}")
    assert message.startswith(f"invalid {name} - ")
    assert f"{name} must be an integer from " in message
    assert len(message) < 250


@pytest.mark.parametrize(("address", "name"), PARAMETERS)
def test_empty_and_repeated_parameters_are_refused(
    fluxd: InProcess, address: str, name: str
) -> None:
    assert fluxd.refusal(f"{address}?{name}=").startswith(f'invalid {name} - "" - {name} must ')
    assert fluxd.refusal(f"{address}?{name}").startswith(f"invalid {name}")
    assert fluxd.refusal(f"{address}?{name}=1&{name}=1&{name}=2") == (
        f"invalid {name} - given 3 times - give it once"
    )


def test_the_message_shows_the_bounds_and_what_was_given(fluxd: InProcess) -> None:
    assert fluxd.refusal(f"{METRICS}?limit=1001") == (
        'invalid limit - "1001" - limit must be an integer from 1 to 1000'
    )
    assert fluxd.refusal(f"{METRICS}?state=asleep") == (
        'invalid state - "asleep" - state must be one of learning, analysed, constant, stale, '
        "irregular, counter, retired"
    )
    assert fluxd.refusal(f"{ANOMALIES}?min_score=1.01") == (
        'invalid min_score - "1.01" - min_score must be a number from 0 to 1'
    )
    assert fluxd.refusal(f"{ANOMALIES}?from=11&to=10") == (
        "invalid from - 11 - from must not be after to, 10"
    )


def test_what_is_unknown_is_refused_with_what_is_known(fluxd: InProcess) -> None:
    assert fluxd.refusal(f"{REJECTIONS}?form=1") == 'unknown parameter - "form" - use limit cursor'
    assert fluxd.refusal(f"{METRICS}/known?x=1") == 'unknown parameter - "x" - use none'


@pytest.mark.parametrize(
    "given", ["nan", "NaN", "inf", "-0.1", "1e999", "0x1", "1_0", "", "٠", "."]
)
def test_what_is_no_score_is_refused(fluxd: InProcess, given: str) -> None:
    assert "min_score must be a number from 0 to 1" in fluxd.refusal(
        f"{ANOMALIES}?min_score={quote(given)}"
    )


@pytest.mark.parametrize("given", ["0", "1", "0.5", ".5", "1.", "5e-1", "1e-300"])
def test_scores_are_written_as_people_write_them(fluxd: InProcess, given: str) -> None:
    assert fluxd.get(f"{ANOMALIES}?min_score={given}").status_code == 200


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(PARAMETERS),
    st.one_of(
        st.text(max_size=600).map(quote),
        st.integers().map(str),
        st.floats().map(str).map(quote),
        st.text("%0129afFx&=;+*?[]-", max_size=40),
    ),
)
def test_whatever_is_given_is_answered_or_refused(
    fluxd: InProcess, parameter: tuple[str, str], given: str
) -> None:
    address, name = parameter
    result = fluxd.get(address, query_string=f"{name}={given}")
    assert result.status_code in {200, 400}
    assert isinstance(result.json, dict)
