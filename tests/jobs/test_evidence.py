"""An anomaly keeps the datapoints around it, when all else is gone."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from store.posting import NOW, anomaly, fresh_store, memory_folder, opened, post

from fluxd.core.excerpt import NAMES
from fluxd.jobs import evidence as evidence_module
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.evidence import BEFORE_ROWS, EvidenceKeeper
from fluxd.jobs.saving import StateSaver
from fluxd.store import Store
from fluxd.store.anomalies import get_anomaly, get_evidence, write_anomalies
from fluxd.store.connection import FILE_NAME

COUNT = 300
BEGAN = NOW - 60 * COUNT


def send(store: Store) -> list[float]:
    """Send a calm metric with a spike of two datapoints; return its values."""
    noise = random.Random(7)
    values = [noise.gauss(10.0, 0.3) for _ in range(COUNT)]
    values[250:252] = [90.5, 91.25]
    post(store, [("a", BEGAN + 60 * n, value) for n, value in enumerate(values)])
    return values


def analyse(store: Store) -> Analysis:
    analysis = Analysis(store)
    while analysis.step(NOW):
        pass
    return analysis


def kept(store: Store, number: int = 1) -> dict[str, Any]:
    with store.read() as reader:
        found = get_evidence(reader, number)
    assert found is not None
    return found


def test_what_was_before_it_comes_with_its_band() -> None:
    with fresh_store() as store:
        values = send(store)
        keeper = EvidenceKeeper(store, analyse(store).knowledge)
        assert not keeper.run(NOW)
        columns = kept(store)["datapoints"]
        assert list(columns) == list(NAMES)
        first = 250 - BEFORE_ROWS
        shown = range(first, first + len(columns["values"]))
        assert columns["values"] == [values[n] for n in shown]
        assert columns["timestamps"] == [BEGAN + 60 * n for n in shown]
        assert len(shown) > BEFORE_ROWS + 2
        for name in ("expected", "lower", "upper", "score"):
            assert None not in columns[name]
        assert all(
            lower < 11 < upper
            for lower, upper in zip(columns["lower"][:30], columns["upper"][:30], strict=True)
        )
        assert len(json.dumps(kept(store))) < 8_192


def test_after_a_restart_it_comes_from_the_store() -> None:
    with memory_folder() as folder:
        path = Path(folder) / FILE_NAME
        with opened(path) as store:
            send(store)
            analysis = analyse(store)
            StateSaver(store, analysis).save_all(NOW, lambda: True)
            EvidenceKeeper(store, analysis.knowledge).run(NOW)
            before = kept(store)
            store.writer.run(lambda c: c.execute("UPDATE stretches SET before = NULL"))
        with opened(path) as store:
            assert not EvidenceKeeper(store, analyse(store).knowledge).run(NOW)
            after = kept(store)
    for name in ("timestamps", "values"):
        assert after["datapoints"][name] == before["datapoints"][name]
    assert after["datapoints"]["expected"] == pytest.approx(
        before["datapoints"]["expected"], abs=0.05
    )


def test_it_is_kept_once_and_for_good() -> None:
    with fresh_store() as store:
        send(store)
        keeper = EvidenceKeeper(store, analyse(store).knowledge)
        keeper.run(NOW)
        before = kept(store)
        for table in ("recent_0", "recent_1", "recent_2", "recent_3", "recent_late", "bands"):
            store.writer.run(lambda c, table=table: c.execute(f"DELETE FROM {table}"))
        assert not keeper.run(NOW)
        assert kept(store) == before


def test_without_anything_before_it_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_module, "BUDGET_S", 0.0)  # one at a time
    with fresh_store() as store:
        post(store, [("a", NOW, 1.0)])
        found = [anomaly(1, NOW + n, NOW + n, 0.5) for n in range(3)]
        store.writer.run(lambda c: write_anomalies(c, found))
        keeper = EvidenceKeeper(store, analyse(store).knowledge)
        assert [keeper.run(NOW) for _ in range(4)] == [True, True, False, False]
        assert kept(store, 1)["datapoints"]["values"] == []
        assert kept(store, 3)["datapoints"]["values"] == [1.0]
        assert kept(store, 3)["datapoints"]["expected"] == [None]


def test_a_flat_line_comes_whole_from_its_first_datapoint_on() -> None:
    noise = random.Random(7)
    values = [noise.gauss(10.0, 0.3) for _ in range(COUNT)]
    values[200:] = [10.125] * 100
    with fresh_store() as store:
        post(store, [("a", BEGAN + 60 * n, value) for n, value in enumerate(values)])
        keeper = EvidenceKeeper(store, analyse(store).knowledge)
        assert not keeper.run(NOW)
        with store.read() as reader:
            found = get_anomaly(reader, 1)
        assert found is not None
        assert (found.kind, found.started) == ("flat line", BEGAN + 60 * 200)
        assert "since" in found.explanation
        columns = kept(store)["datapoints"]
        shown = [round(((at or 0.0) - BEGAN) / 60) for at in columns["timestamps"]]
        assert shown[:71] == list(range(200 - BEFORE_ROWS, 241))


def test_of_a_counter_it_is_the_rate_that_was_before_it() -> None:
    noise = random.Random(7)
    steps = [noise.randint(280, 320) for _ in range(COUNT)]
    steps[250] = 9_000
    totals = [float(sum(steps[: n + 1])) for n in range(COUNT)]
    with fresh_store() as store:
        post(store, [("a", BEGAN + 60 * n, total) for n, total in enumerate(totals)])
        keeper = EvidenceKeeper(store, analyse(store).knowledge)
        assert not keeper.run(NOW)
        columns = kept(store)["datapoints"]
        shown = [round((at - BEGAN) / 60) for at in columns["timestamps"]]
        assert shown[:31] == list(range(250 - BEFORE_ROWS, 251))
        assert columns["values"] == pytest.approx([steps[n] / 60 for n in shown])
        assert all(3.0 < lower < 5.0 < upper < 7.0 for lower, upper in _limits(columns)[:31])


def test_of_a_counter_that_was_set_back_the_rate_is_not_known() -> None:
    steps = [300 + n % 7 for n in range(COUNT)]
    steps[250] = 9_000
    totals = [float(sum(steps[240 * (n >= 240) : n + 1])) for n in range(COUNT)]
    with fresh_store() as store:
        post(store, [("a", BEGAN + 60 * n, total) for n, total in enumerate(totals)])
        keeper = EvidenceKeeper(store, analyse(store).knowledge)
        assert not keeper.run(NOW)
        columns = kept(store)["datapoints"]
        values = dict(zip(columns["timestamps"], columns["values"], strict=True))
        assert values[BEGAN + 60 * 240] is None
        assert values[BEGAN + 60 * 241] == pytest.approx(steps[241] / 60)


def _limits(columns: dict[str, Any]) -> list[tuple[float, float]]:
    return list(zip(columns["lower"], columns["upper"], strict=True))
