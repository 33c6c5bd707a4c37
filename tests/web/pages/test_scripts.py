"""What the scripts compute, asked of them in the browser: gaps, steps, times, numbers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page
from running import Daemon
from web.pages.conftest import OpenPage

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    running = Daemon(tmp_path_factory.mktemp("scripts") / "data")
    yield running
    running.kill()


@pytest.fixture
def call(daemon: Daemon, open_page: OpenPage) -> Call:
    """Give a function that calls one of a module's in a page, in Berlin."""
    page: Page = open_page(daemon, "/", timezone_id="Europe/Berlin")

    def ask(module: str, function: str, *arguments: object) -> Any:
        return page.evaluate(
            "async ([module, name, given]) => (await import(`/static/${module}`))[name](...given)",
            [module, function, list(arguments)],
        )

    return ask


def answer(times: list[int], step: int | None = None) -> dict[str, Any]:
    numbers: list[float] = [float(at) for at in times]
    same = dict.fromkeys(("values", "expected", "lower", "upper", "score"), numbers)
    return {"timestamps": times, "step": step, **same}


def test_a_line_is_interrupted_where_datapoints_are_missing(call: Call) -> None:
    times, values, *_ = call("chart_data.js", "columnsOf", answer([0, 60, 120, 600, 660]), 60)
    assert times == [0, 60, 120, 180, 600, 660]
    assert values == [0, 60, 120, None, 600, 660]


def test_without_an_interval_a_gap_is_known_by_what_is_usual(call: Call) -> None:
    times = call("chart_data.js", "columnsOf", answer([0, 10, 20, 30, 90]), None)[0]
    assert times == [0, 10, 20, 30, 40, 90]
    assert call("chart_data.js", "columnsOf", answer([]), None)[0] == []


def test_buckets_are_a_step_apart(call: Call) -> None:
    assert call("chart_data.js", "columnsOf", answer([0, 300, 600], 300), 60)[0] == [0, 300, 600]


def test_a_chart_asks_for_a_point_a_pixel(call: Call) -> None:
    cases = [  # seconds, width, interval, step
        (3_600, 1_000, 60, None),  # the datapoints themselves
        (86_400, 1_000, 60, 120),
        (86_400, 1_000, None, 120),
        (7 * 86_400, 1_000, 60, 900),
        (731 * 86_400, 1_000, 60, 86_400),
        (731 * 86_400, 10, 60, 604_800),
    ]
    for *given, step in cases:
        assert call("chart_data.js", "stepFor", 0, *given) == step, given


def test_times_are_those_of_the_browsers_clock(call: Call) -> None:
    now = 1_793_714_700  # 15:05 in Berlin on Tuesday, 2026-11-03
    assert call("format.js", "brief", now, now) == "15:05"
    assert call("format.js", "brief", now - 86_400, now) == "Mon 15:05"
    assert call("format.js", "brief", now - 10 * 86_400, now) == "2026-10-24 16:05"
    assert call("format.js", "span", 5_400) == "90 minutes"
    assert call("format.js", "span", 1) == "1 second"


def test_numbers_are_as_fine_as_an_eye_sees(call: Call) -> None:
    cases = [  # value, width, text
        (43, 0, "43"),
        (99.98, 0.5, "99.98"),
        (1_234_567.8, 40, "1,234,567.8"),
        (0.3333333, 0, "0.333"),
        (1.2345e-6, 0, "1.23e-6"),
        (None, 0, "–"),
    ]
    for *given, text in cases:
        assert call("format.js", "number", *given) == text, given
