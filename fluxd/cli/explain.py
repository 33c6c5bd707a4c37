"""`fluxd explain`: why something was told, from what is kept with it; with a daemon or without."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from fluxd.cli.options import add_command
from fluxd.core.chart import chart_lines, clock
from fluxd.core.errors import FluxdError
from fluxd.core.explain import length_s, odds
from fluxd.core.story import NOTHING
from fluxd.core.wording import number, span
from fluxd.daemon.offline import open_offline, store_path
from fluxd.store.anomalies import StoredAnomaly, get_anomaly, get_evidence
from fluxd.store.migrate import refuse_older

# Of a list in the evidence so much is shown.
MOST_MEMBERS = 20

LIST = "fluxd sql \"SELECT id, metric, kind, datetime(started, 'unixepoch') FROM anomalies\""

MOST_DIGITS = 18  # of an id: more do not fit into SQLite's integers

# Expected values so near, of the band's width, are not told apart.
SAME_BAND = 0.05


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command."""
    parser = add_command(commands, "explain", "say why an anomaly was told, with its evidence")
    parser.add_argument(
        "id",
        metavar="ID",
        type=_id,
        help="an anomaly's id, a whole number: as in the address of its page, in /api/v1/anomalies "
        "and in the view anomalies",
    )
    parser.set_defaults(run=run)


def _id(text: str) -> str:
    """Return the digits of an id. Raises ArgumentTypeError that says where there are ids."""
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no id: that is a whole number, such as 12 of the page /anomalies/12; "
            f"{LIST} lists them"
        )
    return text.lstrip("0") or "0"


def run(arguments: argparse.Namespace) -> int:
    """Print an anomaly's sentence and the numbers behind it."""
    number = int(arguments.id) if len(arguments.id) <= MOST_DIGITS else 0  # which nothing has
    with open_offline(arguments.data) as connection:
        refuse_older(connection, store_path(arguments.data))
        found = get_anomaly(connection, number)
        evidence = get_evidence(connection, number)
    if found is None or evidence is None:
        raise FluxdError(f"there is no anomaly {arguments.id}: {LIST} lists them")
    print("\n".join(_lines(found, evidence)))
    return 0


def _lines(found: StoredAnomaly, evidence: Mapping[str, Any]) -> Iterator[str]:
    minor = ", low severity" if found.severity == "low" else ""
    yield f"{found.metric}: {found.kind}{minor}"
    yield found.explanation
    yield ""
    offset = int(evidence.get("offset", 0))
    zone = "" if offset else " UTC"
    yield f"from      {clock(found.started, offset)}{zone}"
    if found.ended is None:
        yield "to        it lasts"
    else:
        yield f"to        {clock(found.ended, offset)}{zone}{_lasted(found, evidence)}"
    yield from _numbers(found, evidence, zone) if "days" in evidence else _plain(evidence)
    lines = chart_lines(
        evidence.get("datapoints", {}),
        started=found.started,
        ended=found.ended,
        peak=(found.peak, found.value, found.expected, found.lower, found.upper, None),
        offset=offset,
    )
    if lines:
        of_rate = "   (of a counter: its rate per second)" if evidence.get("rate") else ""
        yield from ("", *lines, "", f"o usual   * anomalous   | expected   --- the band{of_rate}")


def _numbers(found: StoredAnomaly, evidence: Mapping[str, Any], zone: str) -> Iterator[str]:
    """Say what the detector goes by."""
    # The band of what has been 0 all along is a rounding error wide.
    least, offset = NOTHING * abs(found.value - found.expected), int(evidence.get("offset", 0))
    width = max(found.upper - found.lower, least)
    unit = "/s" if evidence.get("rate") else ""
    expected, lower, upper = (
        number(x if abs(x) > least else 0.0, width) + unit
        for x in (found.expected, found.lower, found.upper)
    )
    yield f"peak      {number(found.value, width)}{unit} at {clock(found.peak, offset)}{zone}"
    yield f"expected  {expected}, between {lower} and {upper}{_bent(found, evidence)}"
    yield f"score     {found.score:.2f}: {odds(found.score, evidence.get('interval'))}"
    if "known" in evidence:
        known = f"{evidence['known']:,} datapoints in {span(evidence['known_s'])} before it"
        yield f"known     {known}"


def _bent(found: StoredAnomaly, evidence: Mapping[str, Any]) -> str:
    """Say so where the peak's own band, which the table has, is another one."""
    columns = evidence.get("datapoints", {})
    own = dict(zip(columns.get("timestamps", ()), columns.get("expected", ()), strict=False))
    expected = own.get(found.peak)
    if expected is None or abs(expected - found.expected) <= SAME_BAND * (
        found.upper - found.lower
    ):
        return ""
    return " as before it began; each datapoint's own, below, follows what came"


def _lasted(found: StoredAnomaly, evidence: Mapping[str, Any]) -> str:
    if found.ended is None or found.ended == found.started:
        return ""
    count = evidence.get("anomalous")
    if not count:
        return f" ({span(found.ended - found.started)})"
    lasted = length_s(found.kind, found.started, found.ended, evidence["interval"])
    return f" ({span(lasted)}, {count} datapoints)"


def _plain(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Say what silence leaves as evidence: names and numbers."""
    for name, given in evidence.items():
        if isinstance(given, list):
            more = f" and {len(given) - MOST_MEMBERS} more" if len(given) > MOST_MEMBERS else ""
            yield f"{name:<8}  {', '.join(map(str, given[:MOST_MEMBERS]))}{more}"
        elif not isinstance(given, dict):
            yield f"{name:<8}  {given}"
