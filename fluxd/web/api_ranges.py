"""A metric's range out of the tiers that have it: datapoints while there are, else rollups."""

import math
from collections.abc import Iterator

import numpy as np

from fluxd.core.bands import Band, join
from fluxd.core.errors import BadRequestError
from fluxd.core.retention import DAY_S, HOUR_S
from fluxd.store.bands import read_bands
from fluxd.store.datapoints import read_datapoints
from fluxd.store.rollups import Rollups
from fluxd.store.tiers import Tiers, look, plan_hours
from fluxd.web.api_buckets import (
    MAX_POINTS,
    Points,
    align,
    as_rollups,
    bucket_points,
    fuller,
    regroup,
    smallest_step,
)
from fluxd.web.api_metrics import status_of
from fluxd.web.services import Services

# Ahead of the clock (s): ingestion accepts no later datapoint.
AHEAD_S = 60

# Datapoints read for one answer, a second's work; and in one read transaction: while one is open
# the log can't begin anew.
MAX_READ = 1_000_000
CHUNK = 250_000


class TooManyError(BadRequestError):
    """A range with more datapoints than are read for one answer."""


class Range:
    """The seconds [since, until] of one series, to be read once."""

    def __init__(self, services: Services, series: int, since: int, until: int) -> None:
        self._services = services
        self._series = series
        self._since = since
        self._until = until
        self._now = int(services.clock())
        self._status = status_of(services, series, self._now)
        self._first_hour: int | None = None
        self._left = MAX_READ

    def points(self, step: int | None) -> tuple[Points, int | None]:
        """Return the range as stored or in steps (s), and the step that was taken.

        That is the one asked for; or, where only rollups are left of a part, the next multiple of
        an hour. Without one it is chosen, where rollups are needed or the datapoints too many.
        Raises BadRequestError for a step that leaves too many buckets.
        """
        with self._services.store.read() as reader:
            tiers = look(reader, self._series, self._since, self._until)
        if len(tiers.rollups.timestamps):
            self._first_hour = int(tiers.rollups.timestamps[0])
        if step is not None:
            if tiers.coarse:
                step = -(-step // HOUR_S) * HOUR_S
            return self._in_steps(step, tiers), step
        if not tiers.coarse:
            points = self._as_stored()
            if points is not None:
                return points, None
            step = self._smallest_step(1)
            if step < HOUR_S and self._expected() <= MAX_READ:
                try:
                    return self._in_steps(step, tiers), step
                except TooManyError:
                    self._left = MAX_READ
        step = self._smallest_step(HOUR_S)
        return self._in_steps(step, tiers), step

    def _as_stored(self) -> Points | None:
        """Return the datapoints with their band, None where they are more than MAX_POINTS."""
        with self._services.store.read() as reader:
            times, values = read_datapoints(
                reader, self._series, self._since, self._until, MAX_POINTS + 1
            )
        if len(times) > MAX_POINTS:
            return None
        return align(times, values, self._band())

    def _in_steps(self, step: int, tiers: Tiers) -> Points:
        if step % HOUR_S == 0:
            buckets = regroup([self._hours(tiers)], step)
            self._check_count(len(buckets.timestamps), step)
        else:
            buckets = self._buckets(step)
        return bucket_points(buckets, self._band(), step)

    def _hours(self, tiers: Tiers) -> Rollups:
        """Return the hours of the range, out of both tiers."""
        with self._services.store.read() as reader:
            plan = plan_hours(reader, self._series, self._since, self._until, tiers)
        parts = [
            regroup([part], HOUR_S) for first, last in plan.raw for part in self._raw(first, last)
        ]
        if not parts:
            return plan.rollups
        return fuller(regroup(parts, HOUR_S), plan.rollups)

    def _buckets(self, step: int) -> Rollups:
        """Return buckets of datapoints alone; gives up as soon as there are too many."""
        parts = [_NOTHING]
        count = 0
        for part in self._raw(self._since, self._until):
            parts.append(regroup([part], step))
            count += len(parts[-1].timestamps) - 1  # the first one may be the last one's rest
            self._check_count(count, step)
        buckets = regroup(parts, step)
        self._check_count(len(buckets.timestamps), step)
        return buckets

    def _raw(self, since: int, until: int) -> Iterator[Rollups]:
        """Yield the datapoints in [since, until], part by part. Raises TooManyError."""
        while True:
            with self._services.store.read() as reader:
                times, values = read_datapoints(reader, self._series, since, until, CHUNK)
            self._left -= len(times)
            if self._left <= 0:
                raise TooManyError(
                    f"invalid from - {self._since} - from that time to {self._until} there are "
                    f"{MAX_READ} datapoints or more: ask for a shorter range, or for a step that "
                    f"is a multiple of {HOUR_S}, which rollups answer"
                )
            if len(times):
                yield as_rollups(times, values)
            if len(times) < CHUNK:
                return
            since = int(times[-1]) + 1

    def _band(self) -> Band:
        """Return the band, of a very dense range only its end: what memory has stands."""
        since = self._since
        if self._status.interval is not None:
            since = max(since, self._ends()[1] - int(MAX_READ * self._status.interval))
        newer = self._services.knowledge.bands.read(self._series, since, self._until)
        with self._services.store.read() as reader:
            older = read_bands(reader, self._series, since, self._until)
        return join([older, newer]).latest()

    def _check_count(self, count: int, step: int) -> None:
        """Raise BadRequestError where a step that was asked for leaves too many buckets."""
        if count > MAX_POINTS:
            raise BadRequestError(
                f"invalid step - {step} - the range has more than {MAX_POINTS} steps with "
                f"datapoints, and no more are answered: use {self._smallest_step(step)} or more, "
                "or a shorter range"
            )

    def _smallest_step(self, least: int) -> int:
        """Return a usual step that fits whatever the range has, without reading it."""
        first, last = self._ends()
        return smallest_step(first, last, least=least)

    def _expected(self) -> float:
        """Return how many datapoints the range may have, by the metric's usual spacing."""
        first, last = self._ends()
        return (last - first) / (self._status.interval or math.inf)

    def _ends(self) -> tuple[int, int]:
        """Return seconds of the range before and after which it has no datapoints."""
        known = [first for first in (self._status.first, self._first_hour) if first is not None]
        first = min(max(min(known, default=0), self._since), self._until)
        return first, max(first, min(self._until, newest(self._status.last, self._now)))


def newest(last: int | None, now: int) -> int:
    """Return the latest second that may have datapoints; `last` is the latest one analysed.

    Of a live metric there may be newer ones.
    """
    return now + AHEAD_S if last is None or last > now - DAY_S else last


_NOTHING = as_rollups(np.empty(0, np.int64), np.empty(0))
