"""When fluxd could not receive anything, noted turn by turn: only other silence means something."""

from collections.abc import Callable

from fluxd.jobs.analysis import Analysis
from fluxd.store import Store
from fluxd.store.stops import read_missed, write_missed

# Turns come twice a second. After a pause like this the machine slept, or its clock was set.
PAUSE_S = 30


class Listener:
    """Keeps the spans in which nothing could be received, over restarts, too.

    `deaf()` says whether datapoints can't be taken now, for reasons of our own.
    """

    def __init__(self, store: Store, analysis: Analysis, deaf: Callable[[], bool]) -> None:
        self._store = store
        self._analysis = analysis
        self._deaf = deaf
        self._arrivals = analysis.knowledge.arrivals
        self._turn: int | None = None
        with store.read() as reader:
            self._saved = read_missed(reader)
        for span in self._saved:
            self._arrivals.listening.miss(*span)
        self.since = 0
        """From when on (Unix s) it has listened without a pause: senders get a while from there."""

    def listen(self, now: int) -> None:
        """Take a turn; each must come before what was received up to it is analysed."""
        before, self._turn = self._turn, now
        if before is None:
            self.since = now
            self._miss(self._last_sign(now), now)
        elif now < before:
            self._arrivals.turn_back(now)
            self.since = min(self.since, now)
        elif now - before > PAUSE_S or self._deaf():
            self._miss(before, now)

    def _last_sign(self, now: int) -> int:
        """Return when fluxd is known to have received something, before it was stopped."""
        marks = self._analysis.knowledge.bank.marks
        last = max(int(marks.max(initial=0)), int(self._arrivals.arrived.max(initial=0)))
        return min(last, now)

    def _miss(self, since: int, until: int) -> None:
        listening = self._arrivals.listening
        if since == 0:  # nothing was received ever
            return
        listening.miss(since, until)
        if listening.spans and listening.spans[-1][1] - listening.spans[-1][0] > PAUSE_S:
            self.since = until

    def wait(self, now: int) -> None:
        """Give senders a while from now on: when their datapoints came is known roughly."""
        self.since = now

    def save(self) -> None:
        """Write down what is new, if anything can be written."""
        spans = self._arrivals.listening.spans
        if spans != self._saved and not self._deaf():
            self._store.writer.run(lambda connection: write_missed(connection, spans))
            self._saved = spans
