"""Ranges over all tiers, against all datapoints that ever came."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from web.inprocess import NOW, InProcess

from fluxd.core.retention import DAY_S, HOUR_S, Retention
from fluxd.jobs.sealing import Sealer
from fluxd.store import tiers
from fluxd.store.bands import pack, write_bands
from fluxd.store.history import write_history
from fluxd.web import api_ranges
from fluxd.web.api_buckets import MAX_POINTS

ADDRESS = "/api/v1/metrics/cpu/datapoints"
KEPT = Retention(raw_s=10 * DAY_S)
TODAY = NOW - NOW % DAY_S


class Archive(InProcess):
    """A store of which a part is sealed and a part pruned, and all that it was ever given."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.sent: dict[int, float] = {}

    def note(self, datapoints: dict[int, float]) -> None:
        self.sent |= datapoints

    def load(self, datapoints: dict[int, float], *, now: int) -> None:
        """Write history, as if it had been sealed at `now` at the latest."""
        self.note(datapoints)
        series = self.store.catalog.id_of("cpu")
        assert series is not None
        times = np.array(sorted(datapoints))
        values = np.array([datapoints[time] for time in times.tolist()])
        self.store.writer.run(
            lambda writer: write_history(
                writer, series, times, values, now=now, levels=KEPT.levels()
            )
        )

    def post(self, datapoints: dict[int, float]) -> None:
        self.note(datapoints)
        self.store_datapoints("cpu", sorted(datapoints.items()))

    def tidy(self) -> None:
        """Seal, merge and prune all that is due."""
        sealer = Sealer(self.store, lambda: self.store.writer.last_seq, KEPT)
        while sealer.run(int(self.now)):
            pass

    def ask(self, query: str) -> dict[str, Any]:
        return dict(self.get(f"{ADDRESS}?{query}").json)

    def expected(self, since: int, until: int, step: int) -> dict[int, list[float]]:
        """Return the values in each bucket."""
        buckets: dict[int, list[float]] = {}
        for time, value in sorted(self.sent.items()):
            if since <= time <= until:
                buckets.setdefault(time // step * step, []).append(value)
        return buckets


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Forty days of every ten minutes, with gaps; the first thirty pruned, today not sealed."""
    archive = Archive(tmp_path)
    chance = random.Random(4)
    archive.store_datapoints("other", [(NOW, 1.0)])
    archive.post({NOW: 5.0})
    began = TODAY - 40 * DAY_S
    for day in range(began, TODAY, DAY_S):
        times = range(day + 7, day + DAY_S, 600)
        some = {time: chance.uniform(-5, 50) for time in times if chance.random() < 0.8}
        if day != TODAY - 20 * DAY_S:
            archive.load(some, now=day + 2 * DAY_S)
    archive.post({time: float(time % 11) for time in range(TODAY + 7, NOW, 600)})
    archive.tidy()
    yield archive
    archive.close()


def check(archive: Archive, answer: dict[str, Any], since: int, until: int) -> None:
    expected = archive.expected(since, until, answer["step"])
    assert answer["timestamps"] == list(expected)
    for at, inside in enumerate(expected.values()):
        assert answer["min"][at] == min(inside)
        assert answer["max"][at] == max(inside)
        assert answer["values"][at] == pytest.approx(sum(inside) / len(inside), rel=1e-5)


def test_any_range_in_hours_has_every_datapoint_once(archive: Archive) -> None:
    chance = random.Random(5)
    kept_from = NOW - 10 * DAY_S
    for _ in range(60):
        since, until = sorted(chance.randrange(TODAY - 40 * DAY_S, NOW) for _ in range(2))
        # Of pruned hours there are only whole ones; a block goes as a whole, up to a week late.
        if since < kept_from:
            since -= since % HOUR_S
        if until < kept_from:
            until += HOUR_S - 1 - until % HOUR_S
        step = HOUR_S * chance.choice([1, 2, 5, 24, 240])
        answer = archive.ask(f"from={since}&to={until}&step={step}")
        assert answer["step"] == step
        check(archive, answer, since, until)


def test_an_hour_of_which_only_the_rollup_is_left_is_told_as_a_whole(archive: Archive) -> None:
    since = TODAY - 30 * DAY_S
    answer = archive.ask(f"from={since + 1800}&to={since + 9000}")
    assert answer["step"] == 3600
    check(archive, answer, since, since + 3 * HOUR_S - 1)


def test_a_range_that_is_kept_is_told_as_it_was_sent(archive: Archive) -> None:
    answer = archive.ask(f"from={TODAY - 9 * DAY_S}&to={NOW}")
    assert answer["step"] is None
    assert dict(zip(answer["timestamps"], answer["values"], strict=True)) == {
        time: value for time, value in archive.sent.items() if time >= TODAY - 9 * DAY_S
    }
    answer = archive.ask(f"from={TODAY - 9 * DAY_S}&to={NOW}&step=1200")
    assert answer["step"] == 1200
    check(archive, answer, TODAY - 9 * DAY_S, NOW)


@pytest.mark.parametrize(
    ("asked", "told"), [("", 3600), ("&step=60", 3600), ("&step=3601", 7200), ("&step=7200", 7200)]
)
def test_where_a_part_is_pruned_the_whole_is_told_in_hours(
    archive: Archive, asked: str, told: int
) -> None:
    since = TODAY - 30 * DAY_S
    answer = archive.ask(f"from={since}&to={NOW}{asked}")
    assert answer["step"] == told
    check(archive, answer, since, NOW)


def test_a_metric_that_began_within_the_range_is_no_reason_for_hours(fluxd: InProcess) -> None:
    fluxd.learn("cpu", [(NOW - 60 * i, 1.0) for i in range(300, 0, -1)])
    answer = fluxd.get(f"{ADDRESS}?from={NOW - 400 * DAY_S}").json
    assert (answer["step"], len(answer["values"])) == (None, 300)


def test_history_that_came_lately_is_kept_however_old_it_is(archive: Archive) -> None:
    day = TODAY - 20 * DAY_S
    some = {day + 900 * i: float(i) for i in range(96)}
    archive.load(some, now=NOW)
    archive.tidy()
    answer = archive.ask(f"from={day}&to={day + DAY_S - 1}")
    assert answer["step"] is None
    assert answer["values"] == [some[time] for time in sorted(some)]


def test_late_datapoints_count_before_they_are_sealed(archive: Archive) -> None:
    day = TODAY - 5 * DAY_S
    archive.post({day + HOUR_S + 7: 1_000.0, day + 30: -1_000.0})
    assert archive.ask(f"from={day}&to={day + DAY_S - 1}&step=3600")["max"][1] == 1_000.0
    check(archive, archive.ask(f"from={day}&to={NOW}&step=3600"), day, NOW)
    archive.tidy()
    check(archive, archive.ask(f"from={day}&to={NOW}&step=3600"), day, NOW)


def test_a_late_datapoint_of_a_pruned_day_leaves_its_rollups(archive: Archive) -> None:
    day = TODAY - 35 * DAY_S
    before = archive.ask(f"from={day}&to={day + DAY_S - 1}")
    assert before["step"] == 3600
    archive.post({day + 30: 77.0})
    again = archive.ask(f"from={day}&to={day + DAY_S - 1}")
    assert (again["timestamps"], again["min"]) == (before["timestamps"], before["min"])
    archive.tidy()
    check(archive, archive.ask(f"from={day}&to={day + DAY_S - 1}"), day, day + DAY_S - 1)


def test_beyond_many_late_seconds_a_late_datapoint_counts_once_it_is_sealed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiers, "MAX_HOPS", 20)
    day = TODAY - 5 * DAY_S
    archive.store_datapoints("other", [(day + i, 1.0) for i in range(30)])
    query = f"from={day}&to={day + DAY_S - 1}&step=3600"
    before = archive.ask(query)
    archive.post({day + 40: 1_000.0})
    assert archive.ask(query) == before
    archive.tidy()
    check(archive, archive.ask(query), day, day + DAY_S - 1)


def test_dense_datapoints_are_told_in_hours_rather_than_read(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = TODAY - 5 * DAY_S
    archive.load({day + 10 * i: float(i) for i in range(8_640)}, now=NOW)
    archive.tidy()
    query = f"from={day}&to={day + DAY_S - 1}"
    assert archive.ask(query)["step"] == 20
    monkeypatch.setattr(api_ranges, "MAX_READ", 8_000)
    answer = archive.ask(query)
    assert answer["step"] == HOUR_S
    check(archive, answer, day, day + DAY_S - 1)
    assert "8000 datapoints or more" in archive.refusal(f"{ADDRESS}?{query}&step=1800")


def test_what_is_too_dense_is_foreseen_by_the_interval(
    fluxd: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    fluxd.learn("cpu", [(NOW - i, 1.0) for i in range(MAX_POINTS + 2, 0, -1)])
    query = f"{ADDRESS}?from={NOW - 6_500}"
    assert fluxd.get(query).json["step"] == 2
    monkeypatch.setattr(api_ranges, "MAX_READ", MAX_POINTS + 10)  # enough, but a minute may follow
    assert fluxd.get(query).json["step"] == HOUR_S


def test_years_are_told_in_as_many_steps_as_fit(fluxd: InProcess) -> None:
    fluxd.store_datapoints("cpu", [(NOW, 1.0)])
    began = TODAY - 730 * DAY_S
    times = np.arange(began, TODAY, 1800)
    fluxd.store.writer.run(
        lambda writer: write_history(
            writer, 1, times, np.sin(times / 40_000.0), now=TODAY - 100 * DAY_S
        )
    )
    sealer = Sealer(fluxd.store, lambda: fluxd.store.writer.last_seq, KEPT)
    while sealer.run(NOW):
        pass
    answer = fluxd.get(f"{ADDRESS}?from={began}").json
    assert (answer["step"], len(answer["values"])) == (4 * HOUR_S, 730 * 6 + 1)
    answer = fluxd.get(f"{ADDRESS}?from=0&step={DAY_S}").json
    assert len(answer["values"]) == 731
    assert "use 14400 or more" in fluxd.refusal(f"{ADDRESS}?from={began}&step=60")
    assert len(fluxd.get(f"{ADDRESS}?from={began}&step=14400").json["values"]) <= MAX_POINTS


def test_bands_come_from_memory_and_from_the_store(fluxd: InProcess) -> None:
    fluxd.learn("cpu", [(NOW - 60 * i, float(i % 7)) for i in range(300, 0, -1)])
    whole = fluxd.get(ADDRESS).json
    bands = fluxd.services.knowledge.bands
    series = fluxd.store.catalog.id_of("cpu")
    assert series is not None
    taken = bands.take(0, 256)
    rows = pack([(series, bands.read(series, 0, NOW).latest())])
    fluxd.store.writer.run(lambda writer: write_bands(writer, rows, now=NOW))
    assert fluxd.get(ADDRESS).json == whole  # what both have is told once, as memory has it
    bands.drop(taken)
    fluxd.learn("cpu", [(NOW, 3.0)])
    again = fluxd.get(ADDRESS).json
    assert again["timestamps"] == [*whole["timestamps"], NOW]
    assert again["expected"][-1] is not None
    for name in ("expected", "lower", "upper", "score"):
        known = [number is not None for number in whole[name]]
        assert [number is not None for number in again[name][:-1]] == known
        numbers = [number for number in whole[name] if number is not None]
        stored = [number for number in again[name][:-1] if number is not None]
        assert stored == pytest.approx(numbers, abs=1.0)  # rounded, the sooner the wider the band
    hourly = fluxd.get(f"{ADDRESS}?step=3600").json
    assert hourly["score"][-1] == max(again["score"][-(NOW % HOUR_S // 60 + 1) :])
