"""The log: one line for each event, whatever happens."""

import io
import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fluxd.daemon.logs import is_journal, set_up_logging

log = logging.getLogger("fluxd.test")
AT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def lines() -> Callable[[], list[str]]:
    stream = io.StringIO()
    set_up_logging({}, stream)
    return lambda: stream.getvalue().splitlines()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Path]:
    """Log to a file that $JOURNAL_STREAM names as the journal's."""
    path = tmp_path / "journal"
    with path.open("w") as stream:
        status = os.fstat(stream.fileno())
        set_up_logging({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}, stream)
        yield path


def fail() -> None:
    raise RuntimeError("first line\nsecond line")


def test_a_line_has_time_level_and_origin(lines: Callable[[], list[str]]) -> None:
    log.info("listening on %s", "127.0.0.1:3589")
    log.debug("not told")
    (line,) = lines()
    assert re.fullmatch(f"{AT} INFO fluxd.test: listening on 127.0.0.1:3589", line)


def test_an_exception_stays_on_its_line_and_can_be_read_back(
    lines: Callable[[], list[str]],
) -> None:
    try:
        fail()
    except RuntimeError:
        log.exception("job %s failed", "seal", stack_info=True)
    (line,) = lines()
    start, _, traceback = line.partition(" traceback=")
    traceback, _, stack = traceback.partition(" stack=")
    assert re.fullmatch(f"{AT} ERROR fluxd.test: job seal failed", start)
    assert json.loads(traceback).startswith("Traceback (most recent call last):\n")
    assert json.loads(traceback).endswith("RuntimeError: first line\nsecond line")
    assert json.loads(stack).startswith("Stack (most recent call last):\n")


def test_control_characters_reach_no_terminal_and_end_no_line(
    lines: Callable[[], list[str]],
) -> None:
    log.warning("metric %s", "a\nb\r\x1b[31m\x7f\x85\u2028\u2029é")
    (line,) = lines()
    assert line.endswith(r"metric a\nb\r\x1b[31m\x7f\x85\u2028\u2029é")


def test_the_journal_keeps_times_itself_and_is_given_priorities(journal: Path) -> None:
    for level in (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        log.log(level, "said")
    log.log(logging.INFO + 5, "between")
    assert journal.read_text().splitlines() == [
        "<6>fluxd.test: said",
        "<4>fluxd.test: said",
        "<3>fluxd.test: said",
        "<2>fluxd.test: said",
        "<6>fluxd.test: between",
    ]


def test_a_variable_that_a_desktop_passed_on_makes_no_journal(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        assert not is_journal({"JOURNAL_STREAM": "8:1"}, stream)
        assert not is_journal({}, stream)
    assert not is_journal({"JOURNAL_STREAM": "8:1"}, stream)
    assert not is_journal({"JOURNAL_STREAM": "8:1"}, io.StringIO())


def test_uncaught_exceptions_are_events_too(lines: Callable[[], list[str]]) -> None:
    try:
        fail()
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    thread = threading.Thread(target=fail, name="scheduler")
    thread.start()
    thread.join()
    main, other = lines()
    assert r"CRITICAL fluxd.daemon.logs: uncaught RuntimeError: first line\nsecond line" in main
    assert r"CRITICAL fluxd.daemon.logs: thread scheduler ended by RuntimeError: first" in other
    assert "traceback=" in main
    assert "traceback=" in other


def test_an_interrupt_and_a_thread_that_exits_are_none(
    lines: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    assert lines() == []
    assert capsys.readouterr().err == "KeyboardInterrupt\n"


def test_warnings_are_lines_and_the_servers_chatter_is_not(
    lines: Callable[[], list[str]],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old\nfashioned", stacklevel=1)
    logging.getLogger("waitress").info("Serving on http://127.0.0.1:3589")
    logging.getLogger("waitress.queue").warning("Task queue depth is %d", 1)
    (line,) = lines()
    assert "WARNING py.warnings: " in line
    assert r"old\n" in line
