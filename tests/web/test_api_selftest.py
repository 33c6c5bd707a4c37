"""What the nightly self-tests found, over HTTP."""

import dataclasses
from typing import Any

import numpy as np
from web.inprocess import NOW, InProcess

from fluxd.core.selftest import CASES, Case, Outcome, SelfTest
from fluxd.store.selftests import write_outcome

DAY = NOW // 86_400


def write(fluxd: InProcess, outcome: Outcome) -> None:
    fluxd.store.writer.run(lambda connection: write_outcome(connection, outcome))


def run_test(day: int) -> Outcome:
    test = SelfTest(day)
    values = 50.0 + np.random.default_rng(1).normal(0.0, 2.0, 700)
    assert test.add("a", NOW - 60 * np.arange(700)[::-1], values)
    while test.step(500):
        pass
    return test.outcome()


def test_there_are_none_at_first(fluxd: InProcess) -> None:
    assert fluxd.get("/api/v1/selftest").json == {"selftests": [], "next": None}
    assert "fluxd_selftest" not in fluxd.client.simulate_get("/metrics").text


def test_the_latest_comes_first(fluxd: InProcess) -> None:
    outcome = run_test(DAY)
    write(fluxd, outcome)
    write(fluxd, dataclasses.replace(outcome, day=DAY + 1, alarms=3))
    answer = fluxd.get("/api/v1/selftest").json
    assert [found["day"] for found in answer["selftests"]] == [DAY + 1, DAY]
    assert answer["selftests"][0]["alarms"] == 3
    described: Any = dataclasses.asdict(outcome)
    assert answer["selftests"][1] == described
    assert [(case["kind"], case["size"]) for case in described["cases"]] == CASES


def test_parameters_and_other_keys_are_refused(fluxd: InProcess) -> None:
    assert "unknown parameter" in fluxd.refusal("/api/v1/selftest?limit=3")
    assert fluxd.get("/api/v1/selftest", fluxd.ingest_key).status_code == 401


def test_the_gauges_are_those_of_the_last_one(fluxd: InProcess) -> None:
    cases = [Case("spike", 8.0, 4, 3, 0.75, 0.0), Case("drop", 12.0, 0, 0, None, None)]
    outcome = Outcome(DAY, 1, 0.31, 1, 2.0, 1, 0.5, cases)
    object.__setattr__(fluxd.services, "selftest", lambda: dataclasses.asdict(outcome))
    lines = fluxd.client.simulate_get("/metrics").text.splitlines()
    assert 'fluxd_selftest_recall_ratio{kind="spike",size="8"} 0.75' in lines
    assert "fluxd_selftest_alarms_per_metric_day 0.5" in lines
    assert not any('kind="drop"' in line for line in lines)
