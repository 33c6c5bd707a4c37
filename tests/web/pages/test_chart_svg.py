"""Charts as SVG: well-formed whatever they are given, gaps as gaps, anomalies marked."""

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.web.chart_svg import Mark, small, spark, whole

SVG = "{http://www.w3.org/2000/svg}"
cells = st.none() | st.floats(allow_nan=True, allow_infinity=True)


def columns(count: int, *, skip: range = range(0)) -> dict[str, list[float | None]]:
    at = [n for n in range(count) if n not in skip]
    return {
        "timestamps": [1_700_000_000 + 60 * n for n in at],
        "values": [math.sin(n / 9) for n in at],
        "expected": [math.sin(n / 9) for n in at],
        "lower": [math.sin(n / 9) - 1 for n in at],
        "upper": [math.sin(n / 9) + 1 for n in at],
    }


def draw(data: dict[str, list[float | None]], marks: list[Mark], title: str = "m") -> ET.Element:
    text = whole(
        data, marks, title=title, since=1_700_000_000, until=1_700_006_000, width=600, height=200
    )
    return ET.fromstring(text)  # noqa: S314  # our own


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [one for one in root.iter() if one.get("class") == name]


def test_a_gap_interrupts_line_and_band() -> None:
    root = draw(columns(100, skip=range(40, 60)), [])
    assert of_class(root, "c-value")[0].get("d", "").count("M") == 2
    assert of_class(root, "c-band")[0].get("d", "").count("Z") == 2
    assert draw(columns(100), [])[3].tag == f"{SVG}text"
    assert of_class(draw(columns(100), []), "c-value")[0].get("d", "").count("M") == 1


def test_an_anomaly_is_marked_by_form_and_only_where_the_chart_shows_it() -> None:
    inside = Mark(1_700_000_600, 1_700_000_900, 1_700_000_660, 0.5)
    outside = Mark(1_600_000_000, 1_600_000_900, 1_600_000_660, 0.5)
    lasting = Mark(1_700_005_000, None, 1_700_005_060, 0.5)
    root = draw(columns(100), [inside, outside, lasting])
    assert len(of_class(root, "c-mark")) == len(of_class(root, "c-ring")) == 2
    assert len(of_class(root, "c-odd")) == 2


def test_a_title_is_text_whatever_it_is() -> None:
    for title in ("<script>alert(1)</script>", "\"'&]]>", "größe.🔥", "x" * 400):
        root = draw(columns(3), [], title)
        assert root.find(f"{SVG}title").text == title  # type: ignore[union-attr]
        assert root.find(f".//{SVG}script") is None


def test_what_a_buckets_datapoints_reached_is_in_the_chart() -> None:
    data = columns(100)
    data["min"] = [-50.0 if at == 7 else value for at, value in enumerate(data["values"])]
    data["max"] = data["values"]
    root = draw(data, [Mark(1_700_000_420, 1_700_000_480, 1_700_000_420, -50.0)])
    (reach,) = of_class(root, "c-reach")
    deepest = max(float(point.split()[1]) for point in reach.get("d", "M0 0")[1:-1].split("L"))
    (ring,) = of_class(root, "c-ring")
    assert deepest == float(ring.get("cy", "0"))
    lowest = max(
        float(point.split()[1])
        for point in of_class(root, "c-value")[0].get("d", "")[1:].split("L")
    )
    assert deepest > lowest + 50


def test_nothing_to_show_says_so() -> None:
    assert "no datapoints" in "".join(draw({}, []).itertext())
    assert small({}, [], width=100, height=40).endswith("></svg>")


def test_a_datapoint_alone_is_a_dot() -> None:
    one = ET.fromstring(spark(columns(1), width=100, height=30))  # noqa: S314
    assert len(of_class(one, "c-dot")) == 1


@given(
    st.lists(st.tuples(*[cells] * 4), max_size=8), st.floats(allow_nan=False, allow_infinity=False)
)
def test_no_number_breaks_the_drawing(rows: list[tuple[float | None, ...]], peak: float) -> None:
    data = {"timestamps": [1_700_000_000 + 60 * n for n in range(len(rows))]}
    for place, name in enumerate(("values", "expected", "lower", "upper")):
        data[name] = [row[place] for row in rows]  # type: ignore[misc]
    mark = Mark(1_700_000_000, None, 1_700_000_000, peak)
    for text in (
        small(data, [mark], width=100, height=40),
        whole(data, [mark], title="m", since=0, until=9_999_999_999, width=300, height=150),
    ):
        ET.fromstring(text)  # noqa: S314
        assert "nan" not in text
        assert "inf" not in text


@pytest.mark.parametrize("level", [0.0, 5.0, -1e300, 1e-300, 1.7e308])
def test_a_constant_is_a_line_in_the_middle(level: float) -> None:
    data = {"timestamps": [0, 60, 120], "values": [level] * 3}
    root = ET.fromstring(spark(data, width=100, height=30))  # noqa: S314
    path = of_class(root, "c-value")[0].get("d", "")
    heights = {float(point.split()[1]) for point in path[1:].split("L")}
    assert len(heights) == 1
    assert 5 < heights.pop() < 25
