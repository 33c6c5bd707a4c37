"""A stretch as it is saved, and saved by earlier versions."""

from array import array
from dataclasses import asdict
from typing import Any

from fluxd.core.beyond import Beyond
from fluxd.core.excerpt import Excerpt
from fluxd.core.shift import Shift
from fluxd.core.stretch import Stretch


def dump(stretch: Stretch) -> dict[str, Any]:
    """Return all of it as JSON can hold it, exactly."""
    fields = asdict(stretch)
    excerpt = stretch.excerpt
    numbers, latest = excerpt.numbers.tolist(), excerpt.latest.tolist()
    fields["excerpt"] = [numbers, excerpt.group, excerpt.filled, latest]
    return fields


def load(fields: dict[str, Any]) -> Stretch:
    """Take back what `dump` gave."""
    fields["days"] = [tuple(day) for day in fields["days"]]
    rates = fields.pop("rates", None)
    if rates is not None:  # saved when a counter's other numbers were totals: none fits a rate
        fields["value"], fields["expected"], fields["lower"], fields["upper"] = rates
        fields |= {"rate": True, "shift": None, "earlier_shift": None}
        fields["excerpt"] = [[], 1, 0, []]
    for name in ("shift", "earlier_shift"):
        fields[name] = fields[name] and Shift(**fields[name])
    fields.setdefault("banded", fields["peak"])
    for name in ("above", "below"):
        fields[name] = Beyond(**fields.get(name) or _assumed(fields, name))
    numbers, group, filled, latest = fields["excerpt"]
    fields["excerpt"] = Excerpt(array("d", numbers), group, filled, array("d", latest))
    return Stretch(**fields)


def _assumed(fields: dict[str, Any], side: str) -> dict[str, int]:
    """Return what is beyond on a side, of a form that tells none: its anomalous datapoints."""
    if side != ("above" if fields["value"] > fields["expected"] else "below"):
        return {}
    return {"rows": fields["datapoints"], "first": fields["started"], "last": fields["last"]}
