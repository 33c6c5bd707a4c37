"""Limits: what counts, when to warn, when to refuse."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store.posting import NOW, post

from fluxd.store import Store
from fluxd.store.bounds import HOUR_S, Bounds, Growth, disk_space

GB = 10**9
ROOMY = 50 * GB, 100 * GB


def bounds_of(store: Store, disk: tuple[int, int] = ROOMY, **limits: int) -> Bounds:
    return Bounds(store, disk=lambda _folder: disk, **limits)


def fill(store: Store, metrics: int = 200) -> None:
    post(store, [(f"m{i}", NOW - 60 * j, float(i)) for i in range(metrics) for j in range(10)])


def test_what_is_used_is_pages_with_content_and_the_log(store: Store) -> None:
    bounds = bounds_of(store)
    bounds.measure(NOW)
    before = bounds.usage
    assert before is not None
    assert before.oldest is None
    fill(store)
    bounds.measure(NOW)
    full = bounds.usage
    assert full is not None
    assert full.used > before.used
    assert full.oldest == NOW - 540
    store.writer.run(lambda writer: writer.execute("CREATE TABLE ballast AS SELECT zeroblob(1e6)"))
    store.writer.run(lambda writer: writer.execute("DROP TABLE ballast"))
    bounds.measure(NOW)
    after = bounds.usage
    assert after is not None
    assert after.free >= 1_000_000  # in the file, but nothing is in it
    log = store.log_bytes
    assert after.used - log < full.used
    assert (after.disk_free, after.disk_size) == ROOMY


def test_the_space_of_the_disk_is_that_of_its_file_system(tmp_path: Path) -> None:
    free, size = disk_space(tmp_path)
    assert 0 < free < size


def test_without_a_limit_nothing_is_refused(store: Store) -> None:
    bounds = bounds_of(store)
    assert (bounds.refusing, bounds.warnings()) == (None, [])
    bounds.measure(NOW)
    assert (bounds.refusing, bounds.warnings()) == (None, [])


def test_at_the_limit_is_refused_below_it_warned(store: Store) -> None:
    bounds = bounds_of(store, max_bytes=1 << 30)
    fill(store)
    assert bounds.refusing is None  # not measured yet
    bounds.measure(NOW)
    assert bounds.usage is not None
    used = bounds.usage.used
    assert (bounds.refusing, bounds.warnings()) == (None, [])
    bounds.max_bytes = int(used / 0.89)
    assert bounds.warnings() == []
    bounds.max_bytes = int(used / 0.9)
    (warning,) = bounds.warnings()
    assert f"the store uses {used / 10**6:.1f} MB of" in warning
    assert bounds.refusing is None
    bounds.max_bytes = used
    assert bounds.refusing is not None
    assert bounds.refusing.startswith("the store has reached store.max_bytes - it uses its ")
    assert bounds.warnings() == []  # it is a failure now


def test_a_small_limit_keeps_the_log_small(store: Store) -> None:
    bounds = bounds_of(store, max_bytes=16 << 20)
    bounds.measure(NOW)
    assert store.writer.run(lambda writer: writer.pragma("journal_size_limit")) == 1 << 20
    fill(store, 9_000)
    assert store.log_bytes > 1 << 20
    store.writer.checkpoint()
    post(store, [("m0", NOW + 1, 1.0)])
    assert store.log_bytes <= 1 << 20
    bounds.measure(NOW)


def test_the_log_is_left_alone_where_there_is_no_limit(store: Store) -> None:
    bounds_of(store).measure(NOW)
    assert store.writer.run(lambda writer: writer.pragma("journal_size_limit")) == 64 << 20


@pytest.mark.parametrize(
    ("free", "size", "told"),
    [
        (50 * GB, 1_000 * GB, None),
        (50 * GB - 1, 1_000 * GB, "50.0 GB of 1,000.0 GB free"),
        (GB, 10 * GB, None),
        (GB - 10**6, 10 * GB, "999.0 MB of 10.0 GB free"),
    ],
)
def test_a_nearly_full_disk_is_told(store: Store, free: int, size: int, told: str | None) -> None:
    bounds = bounds_of(store, (free, size))
    bounds.measure(NOW)
    warnings = bounds.warnings()
    assert len(warnings) == (told is not None)
    assert told is None or told in warnings[0]


def test_metrics_are_counted(store: Store) -> None:
    bounds = bounds_of(store, max_metrics=10)
    post(store, [(f"m{i}", NOW, 1.0) for i in range(8)])
    assert (bounds.metrics_left, bounds.warnings()) == (2, [])
    assert bounds.refuse_new(10) is None
    assert "it holds its 10 metrics" in str(bounds.refuse_new(11))
    post(store, [("m8", NOW, 1.0)])
    (warning,) = bounds.warnings()
    assert "9 of 10 metrics, at the limit new ones are refused" in warning
    bounds.max_metrics = 5
    (warning,) = bounds.warnings()
    assert "9 of 5 metrics, new ones are refused" in warning
    assert bounds.metrics_left == 0


# ---- growth


def grown(used: list[int], *, began: int = NOW) -> Growth:
    growth = Growth()
    for at, amount in enumerate(used):
        growth.add(began + HOUR_S * at, amount)
    return growth


def test_how_long_there_is_room_needs_some_hours() -> None:
    assert Growth().full_in(100) is None
    assert grown(list(range(0, 700, 100))).full_in(100) is None
    assert grown(list(range(0, 800, 100))).full_in(100) == HOUR_S


def test_the_ups_and_downs_within_an_hour_do_not_count() -> None:
    growth = Growth()
    for hour in range(24):
        for minute in range(60):
            growth.add(NOW - NOW % HOUR_S + 3600 * hour + 60 * minute, 50 * hour + 7 * minute)
    assert growth.full_in(5_000) == 100 * HOUR_S


def test_a_clock_that_is_set_back_does_no_harm() -> None:
    growth = grown(list(range(0, 2_000, 100)))
    before = growth.full_in(500)
    growth.add(NOW - 10 * HOUR_S, 3_000)
    assert growth.full_in(500) == before


@given(st.lists(st.integers(0, 10**12), max_size=400), st.integers(-5, 10**13))
def test_it_is_never_negative(used: list[int], left: int) -> None:
    seconds = grown(used).full_in(left)
    assert seconds is None or seconds >= 0


def test_the_warnings_say_how_long(store: Store) -> None:
    bounds = bounds_of(store, (2 * GB, 100 * GB), max_bytes=1)
    for at in range(10):
        fill(store, 100 * (at + 1))
        bounds.measure(NOW + at * HOUR_S)
    assert bounds.usage is not None
    bounds.max_bytes = int(bounds.usage.used * 1.05)
    near, disk = bounds.warnings()
    assert "(none left in about " in near
    assert "at the present rate), at the limit" in near
    assert "days at the present rate): free some space" in disk
