"""fluxd without its daemon: a real store, the real analysis, the app, and a clock that is set."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from falcon import testing
from store import posting

from fluxd.core.detect import UTC
from fluxd.core.reports import JobReport
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.grouping import Grouper
from fluxd.jobs.saving import SummarySaver
from fluxd.store import open_store
from fluxd.store.anomalies import write_anomalies
from fluxd.store.bounds import Bounds
from fluxd.store.handover import Batch, NewRow
from fluxd.store.keys import add_key
from fluxd.store.logins import add_link
from fluxd.web.app import create_app
from fluxd.web.services import Services
from fluxd.web.sessions import COOKIE, csrf_of

NOW = 1_700_000_000
HOST = "127.0.0.1:3589"


class InProcess:
    """What a test drives; `now` is the clock of all parts."""

    def __init__(self, path: Path, *, allow_get: bool = False, hosts: tuple[str, ...] = ()) -> None:
        self.now: float = NOW
        self.ticked: float = NOW
        self.store = open_store(path / "fluxd.db", create=True)
        self.analysis = Analysis(self.store)
        self.summaries = SummarySaver(self.store, self.analysis)
        self.grouper = Grouper(self.store, UTC)
        self.disk = 50 * 10**9, 100 * 10**9  # bytes free and in all
        self.bounds = Bounds(self.store, disk=lambda _folder: self.disk)
        self.store.writer.refuse_new = self.bounds.refuse_new
        self.reports = {"analyse": JobReport("analyse", runs=3, failures=1, took_s=0.25)}
        self.ingest_key = self.add_key("agent")
        self.read_key = self.add_key("page", scope="read")
        self.tested: list[tuple[bool, str]] = []  # what the next tests of channels come to
        self.services = Services(
            store=self.store,
            knowledge=self.analysis.knowledge,
            clock=lambda: self.now,
            lag_s=self.analysis.lag_s,
            last_tick=lambda: self.ticked,
            reports=self.reports,
            bounds=self.bounds,
            sealed=lambda: 70,
            merged=lambda: 8,
            states=self.summaries.states,
            send_test=lambda _channel: self.tested.pop(0),
            allow_get=allow_get,
            hosts=hosts,
        )
        self.app = create_app(self.services)
        self.client = testing.TestClient(self.app, headers={"Host": HOST})

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def add_key(self, name: str, **options: Any) -> str:
        def add(connection: Any) -> str:
            secret = add_key(connection, name, now=NOW, **options)
            self.store.keys.load(connection)
            return secret

        return self.store.writer.run(add)

    def store_datapoints(self, name: str, datapoints: Iterable[tuple[int, float]]) -> None:
        """Store them as one request would."""
        key = self.store.keys.find(self.ingest_key)
        assert key is not None
        rows = [
            NewRow(position, name, timestamp, value, history=False)
            for position, (timestamp, value) in enumerate(datapoints)
        ]
        self.store.writer.submit(Batch(key, int(self.now), len(rows), new=rows))

    def measure(self) -> None:
        """Do what the daemon's jobs do about limits."""
        self.bounds.measure(int(self.now))
        self.store.writer.refusing = self.bounds.refusing

    def analyse(self) -> None:
        """Analyse all that is stored."""
        while self.analysis.step(int(self.now)):
            pass

    def group(self) -> None:
        """Find the incidents of all anomalies that have none."""
        while self.grouper.step(int(self.now)):
            pass

    def happen(self, series: int, started: int, ended: int | None, score: float) -> None:
        """Let a series be odd, and group it."""
        found = posting.anomaly(series, started, ended, score)
        self.store.writer.run(lambda connection: write_anomalies(connection, [found]))
        self.group()

    def learn(self, name: str, datapoints: Iterable[tuple[int, float]]) -> None:
        """Store datapoints and analyse them."""
        self.store_datapoints(name, datapoints)
        self.analyse()

    def link(self) -> str:
        """Return the path of a fresh sign-in link."""
        token = self.store.writer.run(lambda writer: add_link(writer, int(self.now)))
        return f"/sign-in?token={token}"

    def sign_in(self) -> "Browser":
        """Open a fresh link as a browser does."""
        result = self.client.simulate_get(self.link())
        assert result.status_code == 303, result.text
        return Browser(self, result.cookies[COOKIE].value)

    def get(self, address: str, key: str | None = None, **options: Any) -> testing.Result:
        """Send a GET with the read key."""
        headers = {"Authorization": f"Bearer {key or self.read_key}"}
        return self.client.simulate_get(address, headers=headers, **options)

    def refusal(self, address: str, status: int = 400) -> str:
        """Send a GET that must be refused and return the message."""
        result = self.get(address)
        assert result.status_code == status, result.text
        assert result.headers["content-type"] == "application/json"
        assert result.json.keys() == {"code", "message"}
        assert result.json["code"] == status
        return str(result.json["message"])


class Browser:
    """A signed-in browser, as far as the server can tell."""

    def __init__(self, fluxd: InProcess, cookie: str) -> None:
        self._client = fluxd.client
        self.cookie = cookie
        self.headers = {"Cookie": f"{COOKIE}={cookie}"}

    def get(self, address: str, **headers: str) -> testing.Result:
        """Load a page."""
        return self._client.simulate_get(address, headers=self.headers | headers)

    def post(self, address: str, **fields: str) -> testing.Result:
        """Send a form with the token that our pages put into it."""
        return self.post_raw(address, {"csrf": csrf_of(self.cookie), **fields})

    def post_raw(
        self, address: str, fields: dict[str, str], headers: dict[str, str] | None = None
    ) -> testing.Result:
        """Send a form as it is."""
        return self._client.simulate_post(
            address,
            body=urlencode(fields),
            headers={
                **self.headers,
                "Content-Type": "application/x-www-form-urlencoded",
                **(headers or {}),
            },
        )
