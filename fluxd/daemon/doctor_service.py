"""The doctor's questions about the service: unit, daemon, log."""

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import fluxd
from fluxd.daemon.addresses import Address
from fluxd.daemon.findings import Finding, Run, bad, note, ok
from fluxd.daemon.paths import SYSTEM_DIRECTORY

_UNIT = "fluxd.service"

_PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "FragmentPath", "NeedDaemonReload")

PATIENCE_S = 5.0

# Lines of the log that are shown, of the last week.
LOG_LINES = 5

# Analysis may lag for some minutes after a crash.
LONG_LAG_S = 600

_SAMPLE = re.compile(r'^(\w+)(?:\{job="([^"]*)"\})? ([-+.\w]+)$', re.MULTILINE)


# ---- the unit


def service(data: Path, run: Run) -> Iterator[Finding]:
    """Yield what is to be said of the systemd unit, nothing where there is no systemd."""
    shown = run(("systemctl", "show", _UNIT, f"--property={','.join(_PROPERTIES)}"))
    if shown is None:
        return
    properties = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    installed = properties.get("FragmentPath", "")
    text = _read(Path(installed)) if installed else None
    yield from unit(properties, text, packaged_unit(), ours=data == SYSTEM_DIRECTORY)


def unit(
    properties: Mapping[str, str], installed: str | None, packaged: str | None, *, ours: bool
) -> Iterator[Finding]:
    """Judge the unit by what systemd says, and its file by the one that came with this version.

    `ours`: whether the data directory is the service's.
    """
    if properties.get("LoadState") == "not-found":
        yield note("fluxd is no service here", "packaging/README.md says how to install it")
        return
    active, enabled = properties.get("ActiveState", ""), properties.get("UnitFileState", "")
    if active == "failed":
        yield bad(
            "the service has failed",
            "`journalctl -u fluxd -n 20` says why; then `sudo systemctl restart fluxd`",
        )
    elif active == "active":
        yield ok("the service is active")
    elif ours:
        yield note(f"the service is {active}", "`sudo systemctl start fluxd`")
    if enabled not in ("enabled", "static", ""):
        yield note(f"the service is {enabled}: no boot starts it", "`sudo systemctl enable fluxd`")
    if properties.get("NeedDaemonReload") == "yes":
        yield note("the unit was changed since it was loaded", "`sudo systemctl daemon-reload`")
    if installed is not None and packaged is not None and installed != packaged:
        yield note(
            f"{properties.get('FragmentPath')} is not the unit of fluxd {fluxd.__version__}",
            f"install this version's {_UNIT}; changes of your own belong in `systemctl edit fluxd`",
        )


def packaged_unit() -> str | None:
    """Return the unit that came with this version: in the package, or beside it in its source."""
    package = Path(fluxd.__file__).parent
    return _read(package / _UNIT) or _read(package.parent / _UNIT)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


# ---- the daemon


def daemon(address: Address, *, runs: bool) -> Iterator[Finding]:
    """Ask the daemon how it is; `runs` says whether one has the data directory."""
    if address.port == 0:
        yield note(
            "the daemon listens on any free port, so it can't be asked",
            "set `server.listen` to a port of its own",
        )
        return
    health = _get(address, "/healthz")
    yield from reached(address, health, runs=runs)
    if runs and health is not None:
        metrics = _get(address, "/metrics")
        yield from jobs(metrics[1] if metrics else "")


def reached(address: Address, health: tuple[int, str] | None, *, runs: bool) -> Iterator[Finding]:
    """Judge the status and text of the health check's answer, None for no answer."""
    url = f"http://{address}"
    if health is None and runs:
        yield bad(
            f"a daemon runs here, but none answers at {url}",
            "if it was started with another address, name that in `server.listen`; "
            "else `sudo systemctl restart fluxd`",
        )
    elif health is None:
        yield note("no daemon runs here", "`sudo systemctl start fluxd`, or `fluxd serve`")
    elif not runs:
        yield note(
            f"another program, or a fluxd on another directory, answers at {url}",
            "stop it before this one is started, or choose another `server.listen`",
        )
    else:
        yield from _judge_health(url, *health)


def _judge_health(url: str, status: int, text: str) -> Iterator[Finding]:
    try:
        answer = json.loads(text)
        reasons, warnings = answer["reasons"], answer.get("warnings", [])
    except (ValueError, TypeError, KeyError):
        yield bad(
            f"{url}/healthz answers {status}, and not as fluxd would", "see who listens there"
        )
        return
    if status == http.client.OK:
        yield ok(f"the daemon answers at {url}")
    for reason in reasons:
        yield bad(*_split(str(reason)))
    for warning in warnings:
        yield note(*_split(str(warning)))


def _split(sentence: str) -> tuple[str, str]:
    """Split a health check's sentence into what is wrong and the mend."""
    wrong, _, mend = sentence.partition(": ")
    return f"the daemon says: {wrong}", mend or "see `journalctl -u fluxd`"


def jobs(metrics: str) -> Iterator[Finding]:
    """Judge the daemon's own metrics (Prometheus text): jobs that failed, and the lag."""
    for name, job, value in _SAMPLE.findall(metrics):
        if name == "fluxd_job_failures_total" and float(value):
            yield note(
                f'the job "{job}" failed {float(value):,.0f} times since the start',
                "`journalctl -u fluxd -p warning` says why",
            )
        elif name == "fluxd_analysis_lag_seconds" and float(value) > LONG_LAG_S:
            yield note(
                f"the analysis lags {float(value):,.0f} s behind",
                "after a crash it catches up by itself; else the machine is too slow for that much",
            )


def _get(address: Address, path: str) -> tuple[int, str] | None:
    """Return status and text of an answer, None where nobody answers in time."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, address.port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(1 << 20).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


# ---- the log


def log(run: Run) -> Iterator[Finding]:
    """Yield the last warnings in the journal, nothing where there is none to read."""
    command = ("journalctl", "--unit=fluxd", "--priority=warning", "--since=-7d", "--quiet")
    lines = run((*command, f"--lines={LOG_LINES}", "--no-pager", "--output=short-iso"))
    for line in (lines or "").splitlines():
        yield note(f"logged: {_printable(line)}", "`journalctl -u fluxd` shows what led to it")


def _printable(line: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in line)
