"""What would be reported of a metric now, over HTTP."""

import http.client
import json
import threading

import numpy as np
import pytest
from web.inprocess import NOW, InProcess

from fluxd.core.detect import Bank
from fluxd.core.probe import Sensitivity, probe
from fluxd.web.server import Server

NUMBERS = list(Sensitivity.__dataclass_fields__)
VALUES = (200.0 + np.random.default_rng(4).normal(0.0, 5.0, 400)).tolist()


def learn(fluxd: InProcess, name: str, count: int) -> None:
    fluxd.learn(name, [(NOW - 60 * (count - n), VALUES[n]) for n in range(count)])


def test_the_numbers_are_those_of_the_detector(fluxd: InProcess) -> None:
    learn(fluxd, "a/b", 300)
    answer = fluxd.get("/api/v1/metrics/a%2Fb/sensitivity").json
    assert list(answer) == ["metric", *NUMBERS, "sentence"]
    assert (answer["metric"], answer["at"]) == ("a/b", NOW)
    assert answer["drop"]["value"] < 190.0 < answer["expected"] < 210.0 < answer["spike"]["value"]
    bank = Bank()
    bank.grow(1)
    times = NOW - 60 * (300 - np.arange(300))
    bank.advance(np.zeros(300, np.int64), times, np.array(VALUES[:300]))
    found = probe(bank.dump(0, 1))
    assert found is not None
    assert found.spike is not None
    assert answer["spike"] == {"value": found.spike.value, "distance": found.spike.distance}
    assert answer["sentence"].startswith("a spike above ")


def test_a_value_that_it_names_is_reported_indeed(fluxd: InProcess) -> None:
    learn(fluxd, "cpu", 300)
    answer = fluxd.get("/api/v1/metrics/cpu/sensitivity").json
    assert fluxd.get("/api/v1/anomalies").json["anomalies"] == []
    fluxd.learn("cpu", [(answer["at"], answer["spike"]["value"])])
    (anomaly,) = fluxd.get("/api/v1/anomalies").json["anomalies"]
    assert (anomaly["started"], anomaly["value"]) == (answer["at"], answer["spike"]["value"])


def test_amid_an_anomaly_it_says_nothing(fluxd: InProcess) -> None:
    learn(fluxd, "cpu", 300)
    fluxd.learn("cpu", [(NOW, 1e4)])
    answer = fluxd.get("/api/v1/metrics/cpu/sensitivity").json
    assert all(answer[name] is None for name in NUMBERS)
    assert answer["sentence"].startswith("it is odd now")


@pytest.mark.parametrize("count", [0, 1, 99])
def test_before_the_first_verdict_it_says_how_far_it_is(fluxd: InProcess, count: int) -> None:
    fluxd.store_datapoints("new", [(NOW - 60 * (count - n), VALUES[n]) for n in range(count or 1)])
    if count:
        fluxd.analyse()
    answer = fluxd.get("/api/v1/metrics/new/sensitivity").json
    assert all(answer[name] is None for name in NUMBERS)
    stored = count or 1
    assert answer["sentence"].startswith(f"nothing would be reported yet: {stored}/100 datapoints")


def test_an_unknown_metric_and_parameters_are_refused(fluxd: InProcess) -> None:
    learn(fluxd, "cpu", 3)
    assert "there is no" in fluxd.refusal("/api/v1/metrics/nothing/sensitivity", 404)
    assert "unknown parameter" in fluxd.refusal("/api/v1/metrics/cpu/sensitivity?x=1")
    assert fluxd.get("/api/v1/metrics/cpu/sensitivity", fluxd.ingest_key).status_code == 401


def test_while_the_analysis_does_not_rest_it_is_refused(fluxd: InProcess) -> None:
    learn(fluxd, "cpu", 150)
    with fluxd.services.knowledge._moving():
        assert "the analysis is busy" in fluxd.refusal("/api/v1/metrics/cpu/sensitivity", 503)
    assert fluxd.get("/api/v1/metrics/cpu/sensitivity").status_code == 200


def test_through_the_real_server_while_the_analysis_goes_on(fluxd: InProcess) -> None:
    """Every answer rests on a state between two datapoints, never on half of one."""
    learn(fluxd, "cpu", 200)
    server = Server(fluxd.app, "127.0.0.1", 0, threads=2)
    serving = threading.Thread(target=server.run)
    serving.start()
    allowed = {}
    bank = Bank()
    bank.grow(1)
    for n in range(400):
        bank.advance([0], [NOW - 60 * (200 - n)], [VALUES[n]])
        if n >= 199:
            found = probe(bank.dump(0, 1))
            assert found is not None
            allowed[found.at] = found.expected
    ended = threading.Event()

    def analyse() -> None:
        for n in range(200, 400):
            fluxd.learn("cpu", [(NOW - 60 * (200 - n), VALUES[n])])
        ended.set()

    analysing = threading.Thread(target=analyse)
    analysing.start()
    connection = http.client.HTTPConnection("127.0.0.1", int(server.effective_port))
    last = False
    while not last:
        last = ended.is_set()
        headers = {"Authorization": f"Bearer {fluxd.read_key}"}
        connection.request("GET", "/api/v1/metrics/cpu/sensitivity", headers=headers)
        answer = json.loads(connection.getresponse().read())
        assert allowed[answer["at"]] == answer["expected"]
    connection.close()
    analysing.join()
    server.stop()
    serving.join()
