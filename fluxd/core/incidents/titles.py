"""An incident's title: what is odd now, how much, and where; of what is over, what was."""

from collections import Counter
from collections.abc import Sequence

from fluxd.core.incidents.members import Member, Share, shares_of, weight, with_least
from fluxd.core.silence import common_prefix

# Names that a title has before it counts the others.
NAMED = 2


def title_of(members: Sequence[Member], *, least: int | None = None) -> str:
    """Return what reads on a watch, of at least one anomaly.

    `least` is how many metrics there are at the least, where these are not all anomalies: then
    what is over is not told apart.
    """
    told = [one for one in members if one.kind != "resumed"] or list(members)
    lasting = [one for one in told if one.lasts]
    shares = shares_of(told)
    if least is not None:
        return _said(told, with_least(shares, least))
    if not lasting:
        return _said(told, shares)
    now = shares_of(lasting)
    over = _metrics(shares) - _metrics(now)
    more = f"; {over:,} more over" if over > 0 else ""
    return f"{_said(lasting, now)}{more}"


def _metrics(shares: Sequence[Share]) -> int:
    return sum(one.metrics for one in shares)


def _said(members: Sequence[Member], shares: Sequence[Share]) -> str:
    """Say what there is; one metric alone is told by its kind."""
    if _metrics(shares) <= 1:
        leading = max(members, key=weight)
        return f"{leading.metric}: {_word(leading)}"
    texts, noun = [], " metrics"
    for share in shares:
        if share.metrics == 1 and share.whole:
            texts.append(f"{min(share.names)} {share.what}")
            continue
        counted = noun if share.metrics > 1 else noun.removesuffix("s")
        texts.append(f"{share.metrics:,}{counted} {share.what}{_where(share)}")
        noun = ""
    return "; ".join(texts)


def _word(one: Member) -> str:
    shift = {"up": "shift up", "down": "shift down"}
    return shift[one.direction] if one.kind == "level shift" else one.kind


def _where(share: Share) -> str:
    """Say where metrics are, or where they have no place, which they are."""
    names = sorted(share.names)
    place = place_of(names, whole=share.whole)
    if place or not names:
        return f" {place}".rstrip()
    more = share.metrics - NAMED
    if len(names) == 1 or more < 0:
        return f": {names[0]}" if share.whole else f", {names[0]} among them"
    named = names[:NAMED]
    return f": {', '.join(named)} and {more:,} more" if more else f": {' and '.join(named)}"


def place_of(names: Sequence[str], *, whole: bool = True) -> str:
    """Say where metrics are, by what their names have in common or where they begin to differ.

    "" where that says nothing: of names without a host, or each of another kind. Unless they are
    all, the `whole`, places are not counted.

    >>> place_of(["prod.web-1.cpu", "prod.web-1.mem.free"])
    'on prod.web-1'
    >>> place_of(["web-1.cpu", "web-2.cpu", "web-3.cpu", "web-4.cpu"])
    'on web-1, web-2 and 2 more'
    >>> place_of(["jitter.ms", "lab.current_A"]), place_of(["load", "web-1.cpu"])
    ('', '')
    """
    distinct = sorted(set(names))
    if not distinct:
        return ""
    prefix = common_prefix(distinct)
    depth = prefix.count(".") + 1 if prefix else 0
    tails = [name.split(".")[depth:] for name in distinct]
    differing = Counter(tail[0] for tail in tails if len(tail) > 1)
    bare = any(len(tail) == 1 for tail in tails)
    alike = len({tuple(tail[1:]) for tail in tails}) == 1  # one metric of several machines
    crowd = NAMED < len(differing) > len(distinct) / 2 and not alike
    if prefix and (bare or len(differing) <= 1 or depth > 1 or crowd):
        return f"on {prefix}"
    if bare or (not prefix and len(differing) == len(distinct) and not alike):
        return ""
    return _listed(sorted(differing), whole=whole)


def _listed(hosts: Sequence[str], *, whole: bool) -> str:
    named, more = ", ".join(hosts[:NAMED]), len(hosts) - NAMED
    if more <= 0:
        return f"on {named}" if whole else f"on {named} at least"
    return f"on {named} and {f'{more:,} more' if whole else 'others'}"
