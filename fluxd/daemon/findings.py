"""What the doctor finds, and how it asks other programs."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "BAD"]

# A program that hangs is as good as absent.
PATIENCE_S = 10.0

# Runs a program; returns what it prints, None where there is none or it fails.
Run = Callable[[Sequence[str]], str | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `mend` is a command or a sentence, "" for what is well."""

    level: Level
    text: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.level:<4} {self.text}" + (f": {self.mend}" if self.mend else "")


def ok(text: str) -> Finding:
    """Return that something is well."""
    return Finding("ok", text)


def note(text: str, mend: str) -> Finding:
    """Return what is worth knowing, but keeps nothing from working."""
    return Finding("note", text, mend)


def bad(text: str, mend: str) -> Finding:
    """Return what is wrong."""
    return Finding("BAD", text, mend)


def run_program(command: Sequence[str]) -> str | None:
    """Run a program that is on the path, without input, and return its standard output."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        outcome = subprocess.run(  # noqa: S603  # the doctor's own few commands
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return outcome.stdout if outcome.returncode == 0 else None
