"""The progress bar: on a terminal only, and gone afterwards."""

import io

import pytest

from fluxd.cli import progress
from fluxd.cli.progress import Progress, line, progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_it_and_it_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress_bar() as bar:
        bar("copying", 0, 10)
        bar("copying", 10, 10)
    drawn = terminal.getvalue().split("\r\x1b[K")
    assert drawn[1].startswith("copying  [>")
    assert drawn[2].startswith(f"copying  [{'=' * 30}] 100 %")
    assert drawn[-1] == ""


def test_it_is_drawn_no_more_often_than_it_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    terminal = Terminal()
    bar = Progress(terminal)
    for done in range(1_000):
        clock[0] += 0.001
        bar("reading", done, 1_000)
    assert 9 <= terminal.getvalue().count("reading") <= 11
    bar("checking", 0, 5)
    assert "checking" in terminal.getvalue()


def test_no_terminal_sees_nothing() -> None:
    stream = io.StringIO()
    bar = Progress(stream)
    bar("copying", 1, 2)
    bar.clear()
    assert stream.getvalue() == ""


def test_what_is_left_is_told_in_units_that_people_use() -> None:
    assert line("x", 1, 2, 90.0).endswith("50 %, 1 min 30 s left")
    assert line("x", 1, 11, 1_000.0).endswith("2 h 46 min left")
    assert "left" not in line("x", 0, 10, 5.0)
    assert "100 %" in line("x", 0, 0, 5.0)
    assert "100 %" in line("x", 12, 10, 5.0)
