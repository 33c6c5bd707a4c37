"""Time zones as the tables that the detector looks things up in."""

import time
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.daemon.timezone import LAST, local_time, zone_exists

DAY_S = 86_400
NAMES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]


def offset_of(name: str, second: int) -> int:
    ahead = datetime.fromtimestamp(second, UTC).astimezone(zoneinfo.ZoneInfo(name)).utcoffset()
    assert ahead is not None
    return int(ahead.total_seconds())


@given(st.sampled_from(NAMES), st.integers(10 * 365 * DAY_S, LAST))
def test_a_table_says_what_the_zone_says(name: str, second: int) -> None:
    assert local_time(name).offset(second) == offset_of(name, second)


@pytest.mark.parametrize("name", NAMES)
def test_a_change_is_known_to_the_second(name: str) -> None:
    table = local_time(name)
    for change in table.changes[table.changes > 10 * 365 * DAY_S].tolist():
        assert offset_of(name, change - 1) != offset_of(name, change)
        assert table.offset(change) == offset_of(name, change)
        assert table.offset(change - 1) == offset_of(name, change - 1)


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()
    local_time.cache_clear()


def test_the_machines_own_zone_is_the_default(restored: pytest.MonkeyPatch) -> None:
    restored.setenv("TZ", "Asia/Kolkata")
    local_time.cache_clear()
    assert local_time().offsets.tolist() == [19_800]
    assert zone_exists("system")


@pytest.mark.usefixtures("restored")
def test_without_a_database_there_is_utc() -> None:
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    local_time.cache_clear()
    try:
        assert local_time("UTC").offsets.tolist() == [0]
        assert not zone_exists("Europe/Berlin")
    finally:
        zoneinfo.reset_tzpath()


@pytest.mark.parametrize("name", ["Europe/Berln", "Europe", "", "../../etc/passwd", "/etc", "a\0b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert not zone_exists(name)
    with pytest.raises(ValueError):  # noqa: PT011  # some are zoneinfo's own
        local_time(name)
