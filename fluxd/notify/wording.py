"""A message in words: its subject, and its body as plain text.

The subject reads on a watch, so what changed stands first in it. The sentence says why; below it
since when, the metrics in the order in which they appeared, and where to act.
"""

from collections.abc import Iterator

from fluxd.core.chart import clock
from fluxd.core.message import Member, Message
from fluxd.core.wording import DAY_S, moment, span

MOST_MEMBERS = 8
MOST_STORIES = 30
MOST_SUBJECT = 150

_PREFIXES = {"worsened": "Worse: ", "resolved": "Resolved: "}


def subject(message: Message, longest: int = MOST_SUBJECT) -> str:
    """Return the subject as one line of at most `longest` characters."""
    return shortened(
        _PREFIXES.get(message.kind, "") + (one_line(message.subject) or "fluxd"), longest
    )


def one_line(text: str) -> str:
    """Return a text without line breaks and runs of blanks."""
    return " ".join(text.split())


def shortened(text: str, longest: int) -> str:
    """Return at most `longest` characters of a text; an ellipsis says that there were more.

    >>> shortened("db-1.disk.await", 8)
    'db-1.di…'
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def when(message: Message) -> str:
    """Say from when on, or from when to when.

    >>> from fluxd.core.message import Links
    >>> plain = dict(key="", thread="", incident=1, severity="low", subject="", sentence="")
    >>> plain |= dict(members=(), metrics=0, links=Links(), picture=None, offset=3600, host="")
    >>> when(Message(kind="opened", started=1793714700, ended=None, **plain))
    'since 15:05 on 2026-11-03'
    >>> when(Message(kind="resolved", started=1793714700, ended=1793716200, **plain))
    'from 15:05 on 2026-11-03 for 25 minutes'
    >>> when(Message(kind="resolved", started=1793714700, ended=1793714700, **plain))
    'at 15:05 on 2026-11-03'
    >>> when(Message(kind="digest", started=1793714700, ended=1793801100, **plain))
    'from 15:05 on 2026-11-03 to 15:05 on 2026-11-04'
    """
    began = moment(message.started, message.offset)
    if message.ended is None:
        return f"since {began}"
    if message.kind == "digest":
        return f"from {began} to {moment(message.ended, message.offset)}"
    if message.ended <= message.started:
        return f"at {began}"
    return f"from {began} for {span(message.ended - message.started)}"


def told_members(message: Message) -> tuple[Member, ...]:
    """Return the members to name, first to appear first; none where the sentence is theirs.

    That metrics are back says the sentence of their stop, too.
    """
    members = sorted(message.members, key=lambda one: one.started)[:MOST_MEMBERS]
    odd = [one for one in members if one.kind != "resumed"] or members
    alone = len(odd) == 1 and odd[0].sentence == message.sentence
    return () if alone else tuple(odd)


def more_metrics(message: Message) -> str:
    """Say how many metrics take part beyond those named, or nothing."""
    left = message.metrics - len({one.metric for one in told_members(message)})
    return f"and {left:,} more" if left > 0 and told_members(message) else ""


def appeared(member: Member, message: Message) -> str:
    """Write when a member began: the time of day, with the date where it is another day."""
    form = "%H:%M:%S" if abs(member.started - message.started) < DAY_S else "%Y-%m-%d %H:%M"
    return clock(member.started, message.offset, form)


def actions(message: Message) -> list[tuple[str, str]]:
    """Return label and address of each page that there is to go to."""
    links = message.links
    mute = "Mute this metric" if message.metrics <= 1 else "Mute"
    labelled = [("Open", links.open), ("Acknowledge", links.acknowledge), (mute, links.mute)]
    if message.kind not in ("opened", "worsened"):
        labelled = labelled[:1]  # there is nothing to acknowledge
    return [(label, url) for label, url in labelled if url]


def footer(message: Message) -> str:
    """Say who sends this."""
    return f"fluxd on {message.host}" if message.host else "fluxd"


def text(message: Message) -> str:
    """Return the body as plain text; lines are as long as their sentences."""
    return "\n".join(_lines(message)) + "\n"


def _lines(message: Message) -> Iterator[str]:
    yield one_line(message.sentence)
    yield ""
    about = "" if message.kind in ("digest", "test") else f", severity {message.severity}"
    yield f"{when(message)[:1].upper()}{when(message)[1:]}{about}"
    members = told_members(message)
    if members:
        yield ""
        yield (
            f"{message.metrics:,} metrics, first to appear first:"
            if len(members) > 1
            else "Metric:"
        )
        for one in members:
            yield f"  {appeared(one, message)}  {one.metric}"
            yield f"      {one_line(one.sentence)}"
        if more_metrics(message):
            yield f"  {more_metrics(message)}"
    for about_one, sentence, link in message.stories[:MOST_STORIES]:
        yield ""
        yield f"* {one_line(about_one)}"
        yield from (f"  {line}" for line in (one_line(sentence), link) if line)
    left = len(message.stories) - MOST_STORIES
    if left > 0:
        yield ""
        yield f"and {left:,} more"
    if message.notes:
        yield ""
        yield from (one_line(note) for note in message.notes)
    if actions(message):
        yield ""
        width = max(len(label) for label, _ in actions(message)) + 1
        yield from (f"{label + ':':<{width}} {url}" for label, url in actions(message))
    yield ""
    yield "-- "  # by this mail programs know a signature
    yield footer(message)
