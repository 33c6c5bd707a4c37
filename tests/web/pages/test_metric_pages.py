"""Metrics, one metric and an anomaly as they are served, and the files behind them."""

import csv
import io
import re
import xml.etree.ElementTree as ET

import pytest
from web.inprocess import InProcess
from web.pages.scene import series, with_spike
from web.pages.test_now_page import COUNT, LAST, text_of, usual, words

from fluxd.core.hush import Window
from fluxd.store.hushes import add_window
from fluxd.web.metric_files import CSV_CHUNK
from fluxd.web.page_metrics import pattern


def names(page: str) -> list[str]:
    return re.findall(r'class="metric-name"[^>]*>([^<]*)<', page)


def test_a_search_finds_words_in_order_and_in_any_case(fluxd: InProcess) -> None:
    for name in ("web.CPU.user", "web.mem", "db.cpu", "x.web"):
        fluxd.store_datapoints(name, usual(1, 3))
    assert names(text_of(fluxd, "/metrics-list?match=web+cpu")) == ["web.CPU.user"]
    assert names(text_of(fluxd, "/metrics-list?match=cpu")) == ["db.cpu", "web.CPU.user"]
    assert names(text_of(fluxd, "/metrics-list?match=w%3Fb.m")) == ["web.mem"]
    nothing = text_of(fluxd, "/metrics-list?match=%3Cscript%3E%5B")
    assert names(nothing) == []
    assert "No name has “&lt;script&gt;[” in it." in nothing


def test_a_pattern_takes_no_bracket_for_a_class() -> None:
    assert pattern("a[b]") == "*[aA][[][bB]]*"
    assert pattern("  ") is None


def test_pages_follow_each_other_until_all_metrics_were_shown(fluxd: InProcess) -> None:
    for number in range(120):
        fluxd.store_datapoints(f"m.{number:03}", usual(1, 1))
    shown: list[str] = []
    address = "/metrics-list"
    for _ in range(3):
        page = text_of(fluxd, address)
        shown += names(page)
        following = re.search(r'<a href="([^"]+)">Next page', page)
        address = "/metrics-list" + (following.group(1).replace("&amp;", "&") if following else "")
    assert shown == [f"m.{number:03}" for number in range(120)]
    assert following is None


def test_a_state_is_filtered_and_told_with_its_reason(fluxd: InProcess) -> None:
    fluxd.learn("young", usual(1, 7))
    fluxd.learn("old", usual(2))
    fluxd.summaries.save(int(fluxd.now))
    page = text_of(fluxd, "/metrics-list?state=learning")
    assert names(page) == ["young"]
    assert "7/100 datapoints, first verdict about" in words(page)
    assert names(text_of(fluxd, "/metrics-list?state=analysed")) == ["old"]
    assert names(text_of(fluxd, "/metrics-list?state=nonsense&cursor=&match=")) == ["old", "young"]


def test_a_metric_tells_its_last_value_and_its_anomalies(fluxd: InProcess) -> None:
    rows = with_spike(usual(1), LAST - 60, LAST, 60)
    fluxd.learn("a/b", rows)
    page = text_of(fluxd, "/metrics-list/a%2Fb")
    assert 'data-metric="a/b"' in page
    assert f"<dd>{rows[-1][1]:.0f}" in page or f"<dd>{rows[-1][1]:.1f}" in page
    assert "expected between" in words(page)
    assert "What would be noticed now" in page
    missing = fluxd.get("/metrics-list/b")
    assert missing.status_code == 404
    assert missing.headers["content-type"].startswith("text/html")


def test_an_anomaly_tells_its_numbers_the_like_and_its_company(fluxd: InProcess) -> None:
    long = series(1, now=LAST, count=COUNT)
    twice = with_spike(with_spike(long, LAST - 7200, LAST - 7140, 60), LAST - 60, LAST, 60)
    fluxd.learn("a", twice)
    fluxd.learn("b", with_spike(usual(2), LAST - 60, LAST, 60))
    found = fluxd.get("/api/v1/anomalies?metric=a").json["anomalies"]
    page = text_of(fluxd, f"/anomalies/{found[0]['id']}")
    said = words(page)
    assert found[0]["explanation"] in said
    assert "The numbers behind it" in said
    assert "Score" in said
    company = said.partition("At the same time")[2].partition("Seen before")[0]
    assert "b" in company.split()
    assert f'/anomalies/{found[-1]["id"]}"' in page.partition("Seen before")[2]
    assert fluxd.get("/anomalies/999").status_code == 404
    assert fluxd.get("/anomalies/x").status_code == 404


def test_a_chart_has_a_stable_address(fluxd: InProcess) -> None:
    fluxd.learn("a", with_spike(usual(1), LAST - 600, LAST - 540, 60))
    answer = fluxd.get(f"/metrics-list/a/chart.svg?from={LAST - 7200}&to={LAST}&width=800")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]
    root = ET.fromstring(answer.text)  # noqa: S314  # our own
    assert root.get("width") == "800"
    assert [one for one in root.iter() if one.get("class") == "c-mark"]
    spark = fluxd.get("/metrics-list/a/spark.svg")
    assert spark.headers["cache-control"] == "private, max-age=30"
    assert "c-value" in spark.text


def test_a_picture_shows_what_was_expected_of_its_metric(fluxd: InProcess) -> None:
    fluxd.learn("a", usual(1, 120))
    began = LAST - 604_800 - 600
    backup = Window(0, "backup <&>", began, began + 300, ("a*",), weekly=True)
    deploy = Window(0, "deploy of b", LAST - 600, LAST, ("b*",))
    fluxd.store.writer.run(lambda writer: add_window(writer, backup, now=LAST))
    fluxd.store.writer.run(lambda writer: add_window(writer, deploy, now=LAST))
    picture = fluxd.get(f"/metrics-list/a/chart.svg?from={LAST - 3600}&to={LAST}").text
    root = ET.fromstring(picture)  # noqa: S314  # our own
    titles = [one.text for one in root.iter() if one.tag.endswith("title")]
    assert titles == ["a", "expected: backup <&>"]
    fluxd.happen(1, LAST - 500, LAST - 440, 0.5)
    assert "expected: backup &lt;&amp;&gt;" in text_of(fluxd, "/metrics-list/a")
    assert "expected: backup &lt;&amp;&gt;" in text_of(fluxd, "/anomalies/1")
    assert picture.count('class="c-span"') == 1


@pytest.mark.parametrize(
    "query", ["from=5&to=1", "width=10", "from=x", "step=3", "height=99999999"]
)
def test_a_chart_that_makes_no_sense_is_refused(fluxd: InProcess, query: str) -> None:
    fluxd.learn("a", usual(1, 3))
    fluxd.refusal(f"/metrics-list/a/chart.svg?{query}")


def test_the_csv_has_every_datapoint_exactly(fluxd: InProcess) -> None:
    rows = usual(1, 2 * CSV_CHUNK + 5)
    fluxd.store_datapoints("a b", rows)
    answer = fluxd.get("/metrics-list/a%20b/datapoints.csv")
    read = list(csv.reader(io.StringIO(answer.text)))
    assert read[0] == ["timestamp", "value"]
    assert [(int(at), float(value)) for at, value in read[1:]] == rows
    assert 'filename="a_b.csv"' in answer.headers["content-disposition"]
    part = fluxd.get(f"/metrics-list/a%20b/datapoints.csv?from={rows[5][0]}&to={rows[7][0]}")
    assert part.text.count("\n") == 4


def test_nobody_sees_any_of_it_without_a_key_or_a_session(fluxd: InProcess) -> None:
    fluxd.learn("a", usual(1, 3))
    for path in (
        *("/", "/metrics-list", "/metrics-list/a", "/anomalies/1"),
        *(f"/metrics-list/a/{name}" for name in ("chart.svg", "spark.svg", "datapoints.csv")),
    ):
        answer = fluxd.client.simulate_get(path)
        assert answer.status_code == 401, path
        assert "a.csv" not in str(answer.headers)
