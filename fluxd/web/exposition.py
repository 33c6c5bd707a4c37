"""GET /metrics: fluxd's own numbers in Prometheus' text format 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats/ . All but incidents and messages is in
memory or one system call away: it is told while the store can't be read too.
"""

import os
import platform
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import falcon
import numpy as np

import fluxd
from fluxd.store.deliveries import (
    count_incidents,
    count_messages,
    read_conditions,
    read_names,
)
from fluxd.web.auth import WrongKeys
from fluxd.web.services import Services

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_STATM = Path("/proc/self/statm")

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


class ExpositionResource:
    """GET /metrics: counters and gauges for a monitoring system; no key is asked for."""

    def __init__(self, services: Services, wrong_keys: WrongKeys) -> None:
        self._services = services
        self._wrong_keys = wrong_keys
        self._started = services.clock()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer all of them."""
        del req
        page = Exposition()
        self._add_ingestion(page)
        self._add_store(page)
        self._add_bounds(page)
        self._add_analysis(page)
        self._add_selftest(page)
        self._add_jobs(page)
        self._add_incidents(page)
        self._add_process(page)
        resp.content_type = CONTENT_TYPE
        resp.text = page.text()

    on_head = on_get

    def _add_ingestion(self, page: "Exposition") -> None:
        counts = self._services.counts
        statuses = {204: 0, **dict(counts.statuses)}
        page.add(
            "fluxd_requests_total",
            "counter",
            "Requests to the ingestion endpoints, by the status of the answer.",
            [({"status": str(status)}, statuses[status]) for status in sorted(statuses)],
        )
        page.counter(
            "fluxd_datapoints_accepted_total",
            "Elements of requests that were stored, overwrites included.",
            counts.accepted,
        )
        page.counter(
            "fluxd_datapoints_over_quota_total",
            "Elements that were refused because their key's quota was full.",
            counts.over_quota,
        )
        page.add(
            "fluxd_wrong_keys_total",
            "counter",
            "Requests with a key that is unknown, revoked or of the wrong scope.",
            [
                ({"endpoint": "api"}, self._wrong_keys.count),
                ({"endpoint": "flux"}, statuses.get(401, 0)),
            ],
        )

    def _add_store(self, page: "Exposition") -> None:
        store = self._services.store
        writer = store.writer
        page.counter("fluxd_commits_total", "Commits with datapoints.", writer.commits)
        page.counter(
            "fluxd_datapoints_committed_total",
            "Datapoints on stable storage, since the start.",
            writer.datapoints,
        )
        page.counter("fluxd_store_faults_total", "Transactions that failed.", writer.faults.count)
        page.gauge(
            "fluxd_store_failing",
            "1 while the last transaction failed (disk full, read-only, locked), else 0.",
            int(writer.faults.present is not None),
        )
        page.gauge(
            "fluxd_metrics", "Metrics that are known, retired ones apart.", len(store.catalog)
        )
        page.gauge(
            "fluxd_metrics_retired",
            "Metrics that left the analysis because they were silent.",
            len(store.catalog.retired_ids()),
        )
        page.add(
            "fluxd_metrics_in_state",
            "gauge",
            "Metrics by the state that the view `metrics` has; it may be some minutes old.",
            [({"state": state}, count) for state, count in self._services.states().items()],
        )
        page.gauge("fluxd_store_bytes", "Size of the store, its log included.", store.bytes)
        page.gauge("fluxd_wal_bytes", "Size of the write-ahead log.", store.log_bytes)
        page.counter(
            "fluxd_datapoints_sealed_total",
            "Datapoints moved from the recent tier into blocks, since the start.",
            self._services.sealed(),
        )
        page.counter(
            "fluxd_blocks_merged_total",
            "Blocks of a day or a week that were made of shorter ones, since the start.",
            self._services.merged(),
        )

    def _add_bounds(self, page: "Exposition") -> None:
        bounds = self._services.bounds
        page.gauge(
            "fluxd_metrics_limit", "store.max_metrics: more are refused.", bounds.max_metrics
        )
        page.gauge(
            "fluxd_store_limit_bytes",
            "store.max_bytes: beyond it datapoints are refused; 0 for no limit.",
            bounds.max_bytes,
        )
        page.add(
            "fluxd_limit_reached",
            "gauge",
            "1 while a limit refuses datapoints, else 0.",
            [
                ({"limit": "store.max_bytes"}, int(bounds.refusing is not None)),
                ({"limit": "store.max_metrics"}, int(bounds.metrics_left == 0)),
            ],
        )
        usage = bounds.usage
        if usage is None:
            return
        page.gauge(
            "fluxd_store_used_bytes",
            "What counts against store.max_bytes: pages in use, and the log.",
            usage.used,
        )
        page.gauge(
            "fluxd_store_free_bytes", "Pages of the store that hold nothing now.", usage.free
        )
        page.gauge(
            "fluxd_disk_free_bytes", "Free space on the store's file system.", usage.disk_free
        )
        if usage.oldest is not None:
            page.gauge(
                "fluxd_oldest_datapoint_timestamp_seconds",
                "Beginning of the oldest block of datapoints, in Unix s.",
                usage.oldest,
            )

    def _add_analysis(self, page: "Exposition") -> None:
        services = self._services
        page.counter(
            "fluxd_datapoints_analysed_total",
            "Datapoints that the detector has learnt, over all starts.",
            int(np.sum(services.knowledge.bank.counts)),
        )
        page.gauge(
            "fluxd_analysis_lag_seconds",
            "Age of the oldest datapoint that is not analysed yet, 0 if all are.",
            services.lag_s(services.clock()),
        )
        page.gauge(
            "fluxd_feed_waiting_datapoints",
            "Committed datapoints in the queue for the analysis.",
            services.store.feed.waiting,
        )
        page.gauge(
            "fluxd_scheduler_last_tick_timestamp_seconds",
            "When the scheduler last finished a turn.",
            services.last_tick(),
        )

    def _add_selftest(self, page: "Exposition") -> None:
        found = self._services.selftest()
        if found is None:
            return
        recall = {(one["kind"], f"{one['size']:g}"): one["recall"] for one in found["cases"]}
        page.add(
            "fluxd_selftest_recall_ratio",
            "gauge",
            "Share of the last self-test's events that were found; size in noises of the metric.",
            [({"kind": k, "size": s}, r) for (k, s), r in recall.items() if r is not None],
        )
        page.gauge(
            "fluxd_selftest_alarms_per_metric_day",
            "Anomalies on the last self-test's untouched copies; real ones are among them.",
            found["alarms_per_day"],
        )

    def _add_jobs(self, page: "Exposition") -> None:
        reports = sorted(self._services.reports.values(), key=lambda report: report.name)
        page.add(
            "fluxd_job_runs_total",
            "counter",
            "Runs of a background job, failed ones included.",
            [({"job": report.name}, report.runs) for report in reports],
        )
        page.add(
            "fluxd_job_failures_total",
            "counter",
            "Runs of a background job that failed.",
            [({"job": report.name}, report.failures) for report in reports],
        )
        page.add(
            "fluxd_job_last_duration_seconds",
            "gauge",
            "How long the latest run of a background job took.",
            [({"job": report.name}, report.took_s) for report in reports],
        )

    def _add_incidents(self, page: "Exposition") -> None:
        """Add what the store alone knows; while it can't be read, that is left out."""
        try:
            with self._services.store.read() as reader:
                incidents, messages = count_incidents(reader), count_messages(reader)
                names, conditions = read_names(reader), read_conditions(reader)
        except Exception:  # noqa: BLE001  # the rest is told whatever is broken
            return
        page.add(
            "fluxd_incidents",
            "gauge",
            "Incidents by state.",
            [({"state": state}, count) for state, count in incidents.items()],
        )
        page.add(
            "fluxd_notifications",
            "gauge",
            "Messages in the outbox, which keeps them for 90 days, by channel and state.",
            [({"channel": name, "state": state}, n) for (name, state), n in messages.items()],
        )
        page.add(
            "fluxd_channel_failing_since_timestamp_seconds",
            "gauge",
            "Since when all messages to a channel fail, in Unix s; none where it does well.",
            [({"channel": names[number]}, one.failing) for number, one in conditions.items()],
        )

    def _add_process(self, page: "Exposition") -> None:
        page.add(
            "fluxd_build_info",
            "gauge",
            "1, with the versions as labels.",
            [
                (
                    {
                        "version": fluxd.__version__,
                        "python": platform.python_version(),
                        "numpy": np.__version__,
                    },
                    1,
                )
            ],
        )
        page.gauge(
            "process_start_time_seconds", "When fluxd began to serve, in Unix s.", self._started
        )
        page.counter(
            "process_cpu_seconds_total", "Processor time, user and system.", time.process_time()
        )
        resident = resident_bytes()
        if resident is not None:
            page.gauge("process_resident_memory_bytes", "Memory in use (RSS).", resident)


class Exposition:
    """A page under construction, family by family."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(
        self,
        name: str,
        kind: Literal["counter", "gauge"],
        about: str,
        samples: Iterable[Sample],
    ) -> None:
        """Add a family; `about` is one line of plain text."""
        self._lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
        for labels, value in samples:
            inner = ",".join(f'{label}="{escaped(text)}"' for label, text in labels.items())
            self._lines.append(f"{name}{{{inner}}} {value}" if inner else f"{name} {value}")

    def counter(self, name: str, about: str, value: float) -> None:
        """Add a counter without labels."""
        self.add(name, "counter", about, [({}, value)])

    def gauge(self, name: str, about: str, value: float) -> None:
        """Add a gauge without labels."""
        self.add(name, "gauge", about, [({}, value)])

    def text(self) -> str:
        """Return the page; the format wants a line feed at the end."""
        return "\n".join(self._lines) + "\n"


def escaped(text: str) -> str:
    r"""Return a label's value as the format writes it.

    >>> escaped('a"b')
    'a\\"b'
    """
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def resident_bytes() -> int | None:
    """Return the memory that the process has in use, None where the system doesn't say."""
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
