"""One anomaly while it can still change, from its first datapoint to the last of it."""

from dataclasses import asdict, dataclass, field
from typing import Literal

from fluxd.core.anomaly import Anomaly
from fluxd.core.beyond import Beyond
from fluxd.core.budget import Standing
from fluxd.core.detect import Cause, Remark
from fluxd.core.excerpt import Excerpt, Row
from fluxd.core.explain import sentence
from fluxd.core.shift import Shift
from fluxd.core.story import Story

QUIET_ROWS = 5
JOIN_S, JOIN_INTERVALS = 3600, 12
ACCEPTED_S = 21_600  # after so long a new level counts as usual, and is over
RETOLD = 2.0  # a length of time is told again once it is so many times as long

KINDS: dict[Cause, str] = {
    "pattern": "unusual pattern",
    "course": "unusual pattern",
    "missing": "unusual pattern",
    "trend": "unusual pattern",
    "flat": "flat line",
}


@dataclass(slots=True)
class Stretch:
    """What is remembered of an anomaly, and what of it is told."""

    started: int
    known: int  # datapoints before it
    since: int  # timestamp of the first of them
    days: list[tuple[int, float, float]]  # lowest and highest by day before it, newest first
    place: int = 1  # among the anomalies of a week
    bar: float | None = None  # the score from which it is no minor one
    join_s: float = 0.0
    interval: float = 0.0
    last: int = 0
    above: Beyond = field(default_factory=Beyond)
    below: Beyond = field(default_factory=Beyond)
    quiet: int = 0
    ended: int | None = None
    datapoints: int = 0
    history: bool = True
    went_on: int | None = None
    shift: Shift | None = None  # its own
    earlier_shift: Shift | None = None  # of the anomaly before it, while that explains anything
    score: float = -1.0
    peak: int = 0
    value: float = 0.0
    banded: int = 0  # timestamp that the band below is of
    expected: float = 0.0
    lower: float = 0.0
    upper: float = 0.0
    forecast_rarity: float = 0.0
    novelty_rarity: float = 0.0
    cause: Cause = "value"
    pattern: Literal["", "day", "week"] = ""
    offset: int = 0
    rate: bool = False  # of a counter: all numbers are of its rate, per second
    lasted: float = 0.0  # of the peak's cause, up to `lasted_at`
    lasted_at: int = 0
    told: float = 0.0  # the length of time last told
    usual: float = 0.0
    limit: float = 0.0
    due: float = 0.0
    excerpt: Excerpt = field(default_factory=Excerpt)

    @classmethod
    def open(
        cls, started: int, remark: Remark, standing: Standing, earlier_shift: Shift | None
    ) -> "Stretch":
        """Begin with the remark on an anomalous datapoint, which is to be met next."""
        return cls(
            started=started,
            known=remark.datapoints,
            since=remark.since,
            days=remark.days,
            place=standing.place,
            bar=standing.bar,
            earlier_shift=earlier_shift,
        )

    @property
    def standing_shift(self) -> Shift | None:
        """The level shift, its own or that of the one before, that explains what comes."""
        for shift in (self.shift, self.earlier_shift):
            if shift is not None and shift.stands and not shift.over:
                return shift
        return None

    def is_line(self, row: Row, remark: Remark | None) -> bool:
        """Whether a datapoint shows that all of the anomaly is a flat line.

        At a value that the metric never had, that it is there says more.
        """
        if remark is None or remark.cause != "flat" or self.cause == "flat":
            return False
        had = min(low for _, low, _ in self.days) <= row.value <= max(h for _, _, h in self.days)
        return had and abs(remark.began(row.timestamp) - self.started) <= remark.interval

    def says_more(self, row: Row, remark: Remark | None) -> bool:
        """Whether a datapoint that its level shift explains is news all the same."""
        return remark is not None and (remark.cause == "trend" or self.is_line(row, remark))

    def reaches(self, timestamp: int, remark: Remark) -> bool:
        """Whether an anomalous datapoint at that time belongs to it.

        What no longer fits the new level is something else, however soon it comes; so is what a
        metric does once it has moved again after a flat line.
        """
        flat = remark.cause == "flat"
        shift = self.shift
        if shift is not None and shift.stands and not shift.over:
            return flat and abs(remark.began(timestamp) - self.started) <= remark.interval
        if self.cause == "flat" and self.ended is not None and (self.quiet or not flat):
            return False
        return timestamp - self.last <= self.join_s

    def settled(self, timestamp: int) -> bool:
        """Whether nothing that can come from that time on changes it."""
        if self.ended is None or timestamp - self.last <= self.join_s:
            return False
        shift = self.shift
        return not (shift is not None and shift.watched) and self.standing_shift is None

    def meet(self, row: Row, remark: Remark) -> bool:
        """Take an anomalous datapoint; whether what is told changes."""
        changed = self.ended is not None or self.datapoints == 0
        changed = changed or (self.history and not row.history)  # it happens now, not only then
        if changed and self.datapoints:
            self.went_on = row.timestamp
        self.ended, self.last, self.quiet = None, row.timestamp, 0
        self.interval = remark.interval
        self.join_s = max(JOIN_S, JOIN_INTERVALS * remark.interval)
        self.datapoints += 1
        self.history = self.history and row.history
        if self.datapoints > 1 and self._holds(row, remark):
            self.forecast_rarity = max(self.forecast_rarity, remark.forecast_rarity)
            if abs(row.value - self.expected) > abs(self.value - self.expected):
                changed, self.peak, self.value = True, row.timestamp, row.value
        elif self.is_line(row, remark) or self._is_peak(row, remark):
            changed = True
            self._take_peak(row, remark)
        self._measure(row)
        self.above.settle()
        self.below.settle()
        if row.score > self.score:
            changed, self.score = True, row.score
        if remark.cause == self.cause:
            changed = self._last(row, remark) or changed
        outside = not row.lower <= row.value <= row.upper
        if self.shift is None and remark.cause == "value" and outside:
            # The detector may not have come to terms with the last shift yet.
            was = row.expected if self.earlier_shift is None else self.earlier_shift.level
            self.shift = Shift.watch(row.value, was)
        return self._track(row) or changed

    def _last(self, row: Row, remark: Remark) -> bool:
        """Follow how long it lasts; whether that is to be told again.

        A course is remarked by its last hour, and has lasted since the first such hour began, if
        each of them began before the one before it was over.
        """
        lasted = remark.lasted
        if self.cause == "course" and row.timestamp - self.lasted_at <= lasted:
            lasted = max(lasted, row.timestamp - self.lasted_at + self.lasted)
        again = lasted >= RETOLD * self.told > 0.0
        if again:
            self.told = lasted
        self.lasted, self.lasted_at = lasted, row.timestamp
        self.limit, self.due = remark.limit, remark.due
        return again

    def _holds(self, row: Row, remark: Remark) -> bool:
        """Whether the peak's band still says what was to be expected, and a datapoint is beyond.

        The forecast follows what happens: a second value that is farther off is less of a surprise,
        by a band that the first one has bent. It is the farthest one that a person means, and what
        would have been, had nothing happened.
        """
        if self.cause != "value" or remark.cause not in ("value", "pattern"):
            return False
        if not self._timely(row):
            return False
        return row.value > self.upper if self.value > self.expected else row.value < self.lower

    def _timely(self, row: Row) -> bool:
        """Whether the peak's band is not of another time of the day."""
        return not self.pattern or row.timestamp - self.banded <= JOIN_S

    def _is_peak(self, row: Row, remark: Remark) -> bool:
        """Whether a datapoint is the strongest so far.

        The odd course after a value that is far off is its echo; so is the way back, by a forecast
        that went along, and what follows a flat line. Of two that are off to the same side it is
        the farther one, however seldom the other is. That it will hit a limit says more than all.
        """
        if "trend" in (self.cause, remark.cause):
            return self.cause != "trend"
        echo = self.cause == "flat" != remark.cause
        # What is a flat line altogether is found otherwise: `is_line`.
        echo |= self.cause == "value" and remark.cause in ("pattern", "flat")
        if self.datapoints > 1 and echo:
            return False
        if self.datapoints > 1 and self.cause == remark.cause == "value":
            if self._is_back(row):
                return False
            off, most = row.value - row.expected, self.value - self.expected
            if off * most > 0.0:
                return abs(off) > abs(most)
            return remark.forecast_rarity > self.forecast_rarity
        return row.score > self.score

    def _is_back(self, row: Row) -> bool:
        """Whether a datapoint is where the metric was before it went off, an hour ago at most."""
        soon = row.timestamp - self.banded <= JOIN_S
        return soon and self.lower <= row.value <= self.upper

    def _take_peak(self, row: Row, remark: Remark) -> None:
        self.peak, self.value, self.banded = row.timestamp, row.value, row.timestamp
        if remark.cause != self.cause:
            self.lasted_at = 0
        self.expected, self.lower, self.upper = row.expected, row.lower, row.upper
        self.forecast_rarity = remark.forecast_rarity
        self.novelty_rarity = remark.novelty_rarity
        self.cause, self.pattern, self.offset = remark.cause, remark.pattern, remark.offset
        self.rate = remark.rates is not None
        self.usual, self.told = remark.usual, remark.lasted

    def _measure(self, row: Row) -> None:
        """Note on which side of the peak's band a datapoint is, while that holds, or of its own."""
        bands = [(row.lower, row.upper)]
        if self.cause == "value" and self._timely(row):
            bands.insert(0, (self.lower, self.upper))
        for lower, upper in bands:
            if row.value > upper or row.value < lower:
                (self.above if row.value > upper else self.below).take(row.timestamp)
                return

    def rest(self, row: Row) -> bool:
        """Take a quiet datapoint; whether what is told changes."""
        if self.cause == "flat" and row.value == self.value and not self.quiet:
            return self._stand(row)
        self._measure(row)
        self.quiet += 1
        changed = self._track(row)
        if self.quiet < QUIET_ROWS or self.ended is not None:
            return changed
        level = self.shift
        if level is not None and level.stands and not level.over and level.returned is None:
            # The detector minds it no more, but people do.
            self.last = level.last
            if row.timestamp - self.started < ACCEPTED_S:
                return changed
        self.ended = self.last
        return True

    def _stand(self, row: Row) -> bool:
        """Take a datapoint that is still the same; a flat line lasts until it moves."""
        self.lasted += row.timestamp - self.lasted_at
        self.last = self.lasted_at = row.timestamp
        changed = self.lasted >= RETOLD * self.told > 0.0
        if changed:
            self.told = self.lasted
        return self._track(row) or changed

    def _track(self, row: Row) -> bool:
        """Follow a level shift; keep the row, if it is worth it."""
        shift = self.shift
        watched = shift is not None and shift.watched
        if watched or self.quiet <= QUIET_ROWS:
            self.excerpt.add(row)
        if self.earlier_shift is not None:
            self.earlier_shift.take(row.timestamp, row.value, self.interval)
            if self.earlier_shift.over:
                self.earlier_shift = None
        if shift is None or not shift.take(row.timestamp, row.value, self.interval):
            return False
        if shift.returned is not None:
            self.ended = max(shift.last, self.started)
        return True

    # ---- what is told

    def kind(self) -> str:
        """Return the kind, by what was strongest about it."""
        if self.shift is not None and self.shift.stands and self.cause != "flat":
            return "level shift"
        kind = KINDS.get(self.cause)
        if kind is not None or self.lower <= self.value <= self.upper:
            return kind or "unusual pattern"
        return "spike" if self.value > self.expected else "drop"

    def snapshot(self, slot: int) -> Anomaly:
        """Return it as it is now."""
        story, kind = self._story(), self.kind()
        shift = self.shift if kind == "level shift" else None
        up = shift.upward if shift is not None else self.value >= self.expected
        severity = Standing(self.place, self.bar).severity(self.score)
        return Anomaly(
            slot=slot,
            started=self.started,
            ended=self.ended,
            peak=self.peak,
            value=self.value,
            expected=story.expected,
            lower=story.lower,
            upper=story.upper,
            score=self.score,
            direction="up" if up else "down",
            kind=kind,
            explanation=sentence(kind, story, minor=severity == "low"),
            evidence=asdict(story) | {"datapoints": self.excerpt.columns()},
            datapoints=self.datapoints,
            history=self.history,
            severity=severity,
            went_on=self.went_on,
        )

    def _story(self) -> Story:
        shift = self.shift
        stands = shift is not None and shift.stands
        beyond = self.above if self.value > self.expected else self.below
        expected, lower, upper = self._possible()
        return Story(
            started=self.started,
            ended=self.ended,
            peak=self.peak,
            value=self.value,
            expected=expected,
            lower=lower,
            upper=upper,
            anomalous=self.datapoints,
            beyond=beyond.rows,
            beyond_s=beyond.length,
            interval=self.interval,
            known=self.known,
            known_s=self.started - self.since,
            lowest=min(low for _, low, _ in self.days),
            highest=max(high for _, _, high in self.days),
            days=self.days,
            cause=self.cause,
            pattern=self.pattern,
            offset=self.offset,
            rate=self.rate,
            lasted=self.lasted,
            lasted_at=self.lasted_at,
            usual=self.usual,
            limit=self.limit,
            due=self.due,
            old_level=shift.old if shift is not None and stands else None,
            new_level=shift.new if shift is not None and stands else None,
            returned=shift.returned if shift is not None and stands else None,
            place=self.place,
            forecast_rarity=self.forecast_rarity,
            novelty_rarity=self.novelty_rarity,
        )

    def _possible(self) -> tuple[float, float, float]:
        """Return what was expected, and the band, without what the metric can't be.

        What never was negative is not expected to be.
        """
        numbers = self.expected, self.lower, self.upper
        if self.upper <= 0.0 or min(low for _, low, _ in self.days) < 0.0:
            return numbers
        expected, lower, upper = (max(one, 0.0) for one in numbers)
        return expected, lower, upper
