"""`fluxd explain` without a daemon."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from running import fluxd
from store.posting import NOW, anomaly, opened, post

from fluxd.jobs.analysis import Analysis
from fluxd.jobs.evidence import EvidenceKeeper
from fluxd.store import Store
from fluxd.store.anomalies import write_anomalies

COUNT = 300


def learn(store: Store, values: list[float]) -> None:
    post(store, [("web.a", NOW - 60 * (COUNT - n), v) for n, v in enumerate(values)])
    analysis = Analysis(store)
    while analysis.step(NOW):
        pass
    EvidenceKeeper(store, analysis.knowledge).run(NOW)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data directory with one anomaly as it is found, and two as others write them."""
    noise = random.Random(7)
    values = [noise.gauss(10.0, 0.3) for _ in range(COUNT)]
    values[250:270] = [90.5] * 20
    with opened(tmp_path / "fluxd.db") as store:
        learn(store, values)
        stopped = replace(
            anomaly(1, NOW, None, 1.0),
            kind="stopped",
            explanation="agent is silent.",
            evidence={"sender": "agent", "metrics": 30, "members": [f"m{n}" for n in range(30)]},
        )
        earlier = replace(anomaly(1, NOW + 1, NOW + 60, 0.5), severity="low")
        store.writer.run(lambda c: write_anomalies(c, [stopped, earlier]))
    return tmp_path


def explain(data: Path, number: str) -> str:
    outcome = fluxd("explain", number, "--data", str(data))
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_it_prints_the_sentence_and_the_numbers_behind_it(data: Path) -> None:
    told = explain(data, "1")
    lines = told.splitlines()
    assert lines[0] == "web.a: spike"
    assert lines[1].startswith("90.5 at 21:23 UTC on 2023-11-14, high for ")
    assert "from      2023-11-14 21:23:20 UTC\n" in told
    assert "a datapoint this odd is expected about once in" in told or "less than once" in told
    assert "known     250 datapoints in 4 hours before it" in told
    chart = lines[lines.index("") :]
    odd = [line for line in chart if line.endswith("*")]
    assert odd
    assert all("90.5" in line for line in odd)
    usual = [line for line in chart if line.startswith("11-14") and "o" in line]
    assert len(usual) >= 12  # ten before, some after
    assert max(map(len, lines[2:])) <= 120


def test_the_band_of_what_was_always_0_is_0(tmp_path: Path) -> None:
    values = [0.0] * 150 + [20.19] * 3
    with opened(tmp_path / "fluxd.db") as store:
        post(store, [("web.a", NOW - 60 * (153 - n), v) for n, v in enumerate(values)])
        analysis = Analysis(store)
        while analysis.step(NOW):
            pass
    assert "expected  0, between 0 and 0\n" in explain(tmp_path, "1")


def test_what_is_no_verdict_of_the_detector_is_explained_by_its_own_numbers(data: Path) -> None:
    told = explain(data, "2")
    assert told.startswith("web.a: stopped\nagent is silent.\n")
    assert "to        it lasts" in told
    assert "sender    agent" in told
    assert "m19 and 10 more" in told


def test_an_anomaly_of_an_earlier_version_is_explained_as_far_as_it_goes(data: Path) -> None:
    told = explain(data, "3")
    assert told.startswith("web.a: spike, low severity\n0.5\n")
    assert "score     0.50" in told


def test_an_id_that_is_none_is_an_error_in_a_sentence(data: Path) -> None:
    outcome = fluxd("explain", "99", "--data", str(data))
    assert outcome.returncode == 1
    assert "there is no anomaly 99" in outcome.stderr
    assert "fluxd sql" in outcome.stderr
    for huge in ("9" * 18, "9223372036854775808", "9" * 5_000):
        outcome = fluxd("explain", huge, "--data", str(data))
        assert outcome.returncode == 1
        assert outcome.stderr.startswith(f"fluxd: there is no anomaly {huge}: fluxd sql")
    for other in ("x", "-1", "1.5", "\u0661"):
        outcome = fluxd("explain", other, "--data", str(data))
        assert outcome.returncode == 2
        assert f"{other!r} is no id: that is a whole number, such as 12 of" in outcome.stderr
    assert fluxd("explain", "1", "--data", str(data / "none")).returncode == 1


def test_of_a_counter_every_number_is_of_its_rate(tmp_path: Path) -> None:
    noise, total = random.Random(7), 1e7
    with opened(tmp_path / "fluxd.db") as store:
        for n in range(COUNT):
            total += noise.randint(590, 610) * (4 if 250 <= n < 260 else 1)
            post(store, [("web.a", NOW - 60 * (COUNT - n), total)])
        analysis = Analysis(store)
        while analysis.step(NOW):
            pass
        EvidenceKeeper(store, analysis.knowledge).run(NOW)
    told = explain(tmp_path, "1")
    assert "web.a: spike\n40" in told
    assert "\npeak      40" in told
    expected = next(line for line in told.splitlines() if line.startswith("expected  "))
    assert expected.count("/s") == 3
    assert "its rate per second" in told
    assert ",000" not in told


def test_the_table_has_the_peak_and_says_that_it_leaves_out_others(tmp_path: Path) -> None:
    noise = random.Random(7)
    values = [noise.gauss(100.0, 3.0) for _ in range(COUNT)]
    values[200:] = [200.0 + noise.gauss(0.0, 3.0) + n for n in range(COUNT - 200)]
    with opened(tmp_path / "fluxd.db") as store:
        learn(store, values)
    told = explain(tmp_path, "1")
    at = next(line for line in told.splitlines() if line.startswith("peak")).split()[4]
    assert any(line.startswith("11-14") and at in line for line in told.splitlines())
    assert "the oddest datapoints are shown, and its peak" in told
    assert "as before it began; each datapoint's own, below, follows what came" in told
