"""The daemon: the one place that knows all parts, puts them together and takes them apart."""

import errno
import faulthandler
import functools
import gc
import logging
import os
import signal
import sys
import time
from collections import ChainMap
from collections.abc import Callable, Mapping
from pathlib import Path

from fluxd.core.errors import ConfigError
from fluxd.core.rate import Rate
from fluxd.core.retention import Retention
from fluxd.daemon import welcome
from fluxd.daemon.addresses import hosts_of
from fluxd.daemon.config import Config
from fluxd.daemon.detection import settings_of
from fluxd.daemon.links import reachable
from fluxd.daemon.lock import DataLock
from fluxd.daemon.logs import set_up_logging
from fluxd.daemon.notify import Notifier
from fluxd.daemon.paths import create_data_directory
from fluxd.daemon.telling import Telling
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.banding import BandKeeper
from fluxd.jobs.evidence import EvidenceKeeper
from fluxd.jobs.forgetting import Forgetter
from fluxd.jobs.listening import Listener
from fluxd.jobs.pace import Pace
from fluxd.jobs.rebuilding import Rebuilder
from fluxd.jobs.saving import StateSaver, SummarySaver, save_ledgers
from fluxd.jobs.scheduler import Job, Scheduler
from fluxd.jobs.sealing import Sealer
from fluxd.jobs.selftest import SelfTester
from fluxd.jobs.silence import SilenceWatch
from fluxd.store import Store, open_store, prune
from fluxd.store.bounds import Bounds
from fluxd.store.connection import FILE_NAME
from fluxd.store.logins import note_address
from fluxd.store.metrics import page_metrics
from fluxd.web.app import create_app
from fluxd.web.server import Server
from fluxd.web.services import Services

log = logging.getLogger(__name__)

# A stop may take 10 s in all: 5 to answer what was accepted, the rest to save.
SAVE_S = 2.0

# Decoded elements can't form cycles, and looking for some took 40 % of a loaded server's time: what
# stands after the start is never looked at, and the rest seldom.
GC_THRESHOLDS = (100_000, 20, 100)

# Web workers hold the GIL in turns; a shorter turn raised the ingest rate by a third.
SWITCH_INTERVAL_S = 0.0005


def serve(data: Path, config: Config, environ: Mapping[str, str]) -> int:
    """Run the daemon on a data directory until SIGTERM or SIGINT; return the exit code."""
    set_up_logging(environ)
    os.umask(0o077)  # the store has keys in it: its files are its owner's alone
    faulthandler.enable()  # the watchdog ends with SIGABRT: the log then shows every thread
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    create_data_directory(data)
    with DataLock(data) as lock:
        store = open_store(data / FILE_NAME, create=True)
        try:
            Daemon(store, lock, config, environ).run(data)
        finally:
            store.close()
    return 0


class Daemon:
    """The parts of a running fluxd over an open store."""

    def __init__(
        self,
        store: Store,
        lock: DataLock,
        config: Config,
        environ: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self._clock = clock
        self._lock = lock
        self.notifier = Notifier(environ)
        self._environ = environ
        self._config = config
        settings = settings_of(config)
        self.analysis = Analysis(
            store, threshold=settings.threshold, local=settings.local, budget=settings.budget
        )
        self.states = StateSaver(store, self.analysis, band_s=config.retention.band)
        self.summaries = SummarySaver(store, self.analysis)
        retention = Retention(config.retention.raw, config.retention.rollup, config.retention.band)
        self.forgetter = Forgetter(store, self.analysis, self.states.save_slice, retention)
        self.bounds = Bounds(
            store, max_bytes=config.store.max_bytes, max_metrics=config.store.max_metrics
        )
        store.writer.refuse_new = self.bounds.refuse_new
        self.sealer = Sealer(store, lambda: self.states.saved_seq, retention)
        bank = self.analysis.knowledge.bank
        self.rate = Rate()
        self.selftester = SelfTester(store, threshold=bank.threshold, local=bank.local)
        self.listener = Listener(store, self.analysis, self._deaf)
        self.silence = SilenceWatch(store, self.analysis, self.listener)
        self.telling = Telling(store, bank.local, clock=clock)
        self.scheduler = Scheduler(
            self._analyse,
            self._jobs(),
            store.feed.wait,
            store.feed.wake,
            clock,
            rest=Pace(lambda: store.writer.datapoints).rest_s,
        )
        self.services = self._services()
        self.server = self._listen()

    def run(self, data: Path) -> None:
        """Serve until a signal, then stop in order: requests, analysis, state, store."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        now = int(self._clock())
        address = self.server.address
        self.store.writer.run(lambda connection: note_address(connection, address))
        url = self._config.server.url or reachable(address)
        self.telling.start(self._config.channels, url, now)
        text = welcome.greeting(self.store, address, data, self._environ, now)
        self.scheduler.start()
        self.notifier.ready(f"listening on {self.server.address}")
        if text is not None:
            print(text, flush=True)  # noqa: T201  # for the person, not for the log
        log.info("listening on %s, data in %s", self.server.address, data)
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self.server.run()
        log.info("stopping")
        self.notifier.stopping()
        self.scheduler.stop(SAVE_S)
        self.telling.sender.stop()
        self._save()
        log.info("stopped")

    def _jobs(self) -> list[Job]:
        """Return what is done beside the analysis, and how often (s)."""
        store, config = self.store, self._config
        return [
            Job("watchdog", self._ping, self.notifier.watchdog_s or 5.0),
            Job("measure", self._measure, 5.0),
            Job("probe", lambda _now: self._probe(), 2.0),
            Job("checkpoint", store.tend_log, 1.0),
            Job("save summaries", self.summaries.save, 2.0),
            Job("save states", self.states.save, 0.5),
            Job("save ledgers", lambda now: save_ledgers(store, now), 2.0),
            Job("seal", self.sealer.run, 2.0),
            Job("keep bands", BandKeeper(store, config.retention.band).run, 2.0),
            Job("rebuild", Rebuilder(store, self.analysis, self.states.save_slice).step, 2.0),
            Job("keep evidence", EvidenceKeeper(store, self.analysis.knowledge).run, 2.0),
            Job("forget", self.forgetter.run, 5.0),
            Job("silence", self.silence.run, 5.0),
            Job("self-test", self.selftester.step, 60.0),
            *self.telling.jobs(),
        ]

    def _services(self) -> Services:
        """Return what the web shows and asks of the other parts."""
        store, config = self.store, self._config
        return Services(
            store=store,
            knowledge=self.analysis.knowledge,
            clock=self._clock,
            lag_s=self.analysis.lag_s,
            last_tick=lambda: self.scheduler.last_tick,
            reports=ChainMap(self.scheduler.reports, self.telling.sender.reports),
            max_age=config.ingest.max_age,
            max_inflated_bytes=config.ingest.max_inflated_bytes,
            allow_get=config.ingest.allow_get,
            command=lambda what: welcome.typed(what, store.path.parent),
            hosts=hosts_of(config.server.listen, config.server.hosts),
            bounds=self.bounds,
            sealed=lambda: self.sealer.sealed,
            merged=lambda: self.sealer.merged,
            states=self.summaries.states,
            rate=lambda: self.rate.per_second,
            selftest=lambda: self.selftester.latest,
            send_test=self.telling.send_test,
        )

    def _listen(self) -> Server:
        settings = self._config.server
        listen = settings.listen
        try:
            return Server(
                create_app(self.services), listen.host, listen.port, threads=settings.threads
            )
        except OSError as error:
            held = "stop the program that does, or " if error.errno == errno.EADDRINUSE else ""
            raise ConfigError(
                f"can't listen on {listen}: {error.strerror or error}; "
                f"{held}choose another address with --listen"
            ) from error

    def _analyse(self, now: int) -> bool:
        self.listener.listen(now)
        return self.analysis.step(now)

    def _deaf(self) -> bool:
        """Whether POSTs are refused now, for reasons of our own."""
        writer = self.store.writer
        return writer.refusing is not None or writer.faults.present is not None

    def _measure(self, now: int) -> None:
        self.rate.add(now, self.store.writer.datapoints)
        self.bounds.measure(now)

    def _probe(self) -> None:
        """Look whether the files are still there, and whether a fault of the store is over."""
        refusing = self.store.misplaced() or self._lock.misplaced() or self.bounds.refusing
        if refusing is not None and refusing != self.store.writer.refusing:
            log.error("%s", refusing)
        self.store.writer.refusing = refusing
        self.store.writer.probe()

    def _stop(self) -> None:
        self.store.writer.hurry()
        self.server.stop()

    def _ping(self, now: int) -> None:
        """Ping systemd's watchdog while the store answers; that this is called shows the tick.

        A full disk or a held lock doesn't stop the pings: a restart can't mend them.
        """
        del now
        if self.store.writer.alive:
            with self.store.read() as reader:
                page_metrics(reader, limit=1)
            self.notifier.ping()

    def _save(self) -> None:
        """Save what only memory holds; what can't be saved is replayed or lost as after a crash."""
        if self.store.writer.faults.present is not None:
            log.warning(
                "the store can't be written; what is not saved is replayed at the next start"
            )
            return
        end = time.monotonic() + SAVE_S
        now = int(self._clock())
        try:
            save_ledgers(self.store, now)
            self.states.save_all(now, lambda: time.monotonic() < end)
            self.summaries.save_all(now, lambda: time.monotonic() < end)
            give_back = functools.partial(prune.give_back, cycle=None)
            while time.monotonic() < end and self.store.writer.run(give_back):
                pass
        except Exception:
            log.exception("not all could be saved; it is replayed at the next start")
