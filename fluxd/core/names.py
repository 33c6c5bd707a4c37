"""Metric names: which ones a sender may use, and under which one a datapoint is stored.

The rules are the ingestion contract's: dotted parts of `A-Z a-z 0-9 + - % _ / = :`, none of them
empty, at most 255 characters as sent and 512 as stored. Names are never rewritten: a sender finds
its series under the name that it sent, in the namespace of its key.
"""

import re

MAX_SENT = 255  # characters; the length of a file name, which senders know from Graphite
MAX_STORED = 512  # characters, a key's prefix included

# No part can match a dot, so there is one way to match and no backtracking on hostile names.
_well_formed = re.compile(r"[A-Za-z0-9+\-%_/=:]+(?:\.[A-Za-z0-9+\-%_/=:]+)*").fullmatch
_allowed = re.compile(r"[A-Za-z0-9+\-%._/=:]+").fullmatch


def name_fault(name: str, prefix: str | None = None) -> str | None:
    """Return the contract's message for a name that can't be accepted, or None for a good one.

    `prefix` is the key's; without it the length as stored isn't checked.
    """
    if len(name) > MAX_SENT or not _well_formed(name):
        return _sent_fault(name)
    if prefix and len(stored_name(prefix, name)) > MAX_STORED:
        return f"invalid metric - {name} - name too long"
    return None


def is_prefix(text: str) -> bool:
    """Whether a key may have this prefix: a name's parts, with room for a name behind it."""
    return len(text) <= MAX_STORED - 2 and _well_formed(text) is not None


def _sent_fault(name: str) -> str:
    """Find the first rule of the contract that the name breaks; its order is the answer's."""
    if not name or name.startswith(".") or name.endswith(".") or ".." in name:
        return f"invalid metric - {name}"
    if not _allowed(name):
        return f"invalid metric - {name} - invalid characters in name"
    return f"invalid metric - {name} - longer than {MAX_SENT} characters"


def stored_name(prefix: str | None, name: str) -> str:
    """Return `<prefix>.<name>`, or the name itself where it's inside the prefix already."""
    if not prefix or name == prefix or name.startswith(f"{prefix}."):
        return name
    return f"{prefix}.{name}"
