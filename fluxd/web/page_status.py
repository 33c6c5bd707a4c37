"""GET /status: whether fluxd does its work, how much of it there is, and how long it can go on."""

import time

import falcon

import fluxd
from fluxd.core.retention import DAY_S
from fluxd.web.fixes import span
from fluxd.web.health import failures, warnings
from fluxd.web.pages import Page, render
from fluxd.web.services import Services

Figure = tuple[str, str, str]

MB, GB = 10**6, 10**9


class StatusPage(Page):
    """The page; its script asks for it again every few seconds."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show it."""
        del req
        services = self._services
        now = services.clock()
        selftest = services.selftest()
        render(
            resp,
            "status.html",
            failures=failures(services, now),
            warnings=warnings(services, now),
            figures=[
                self._rate(),
                self._lag(now),
                self._size(),
                self._metrics(),
                ("Version", fluxd.__version__, "of fluxd"),
            ],
            selftest=selftest,
            selftest_day=_day(selftest["day"]) if selftest else "",
            jobs=sorted(services.reports.values(), key=lambda job: job.last_error is None),
        )

    def _rate(self) -> Figure:
        rate = self._services.rate()
        count = self._services.store.writer.datapoints
        note = f"{count:,} since the start"
        return "Ingest rate", "measuring" if rate is None else f"{_number(rate)} / s", note

    def _lag(self, now: float) -> Figure:
        lag_s = self._services.lag_s(now)
        return (
            "Analysis lag",
            span(lag_s) if lag_s >= 1 else "none",
            "since the oldest datapoint not yet analysed came",
        )

    def _size(self) -> Figure:
        bounds = self._services.bounds
        usage = bounds.usage
        if usage is None:
            return "Store", "measuring", ""
        left = bounds.left
        seconds = bounds.full_in
        if seconds is None:
            note = f"{_bytes(left)} left; how long that lasts is known after some hours"
        else:
            note = f"{_bytes(left)} left, for about {span(seconds)} at the present rate"
        return "Store", _bytes(usage.used), note

    def _metrics(self) -> Figure:
        bounds = self._services.bounds
        count = len(self._services.store.catalog)
        return "Metrics", f"{count:,}", f"of {bounds.max_metrics:,} at most"


def _day(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * DAY_S))


def _number(number: float) -> str:
    """Write a rate.

    >>> _number(0.0), _number(0.04), _number(2.5), _number(1234.0)
    ('0', '0.04', '2.5', '1,234')
    """
    if number >= 10:  # noqa: PLR2004
        return f"{number:,.0f}"
    return f"{number:.2g}"


def _bytes(count: int) -> str:
    """Write bytes for a person.

    >>> _bytes(20 * 10**9), _bytes(16 << 20)
    ('20.0 GB', '16.8 MB')
    """
    return f"{count / GB:,.1f} GB" if count >= GB else f"{count / MB:.1f} MB"
