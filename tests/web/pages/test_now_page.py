"""The page Now, as it is served: what is odd, what was, quiet, and the first run."""

import re

import pytest
from web.inprocess import NOW, InProcess
from web.pages.scene import HOSTILE, series, with_spike

from fluxd.jobs.evidence import EvidenceKeeper
from fluxd.store.anomalies import StoredAnomaly
from fluxd.store.keys import revoke_key
from fluxd.web.page_now import ranked

COUNT = 300
LAST = NOW - NOW % 60


def text_of(fluxd: InProcess, address: str = "/") -> str:
    answer = fluxd.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


def words(page: str) -> str:
    """Return what a page says, its markup left out."""
    said = re.sub(r"</?time[^>]*>", "", page.partition("<main")[2])
    return " ".join(re.sub(r"<[^>]*>", " ", said).split())


def usual(seed: int, count: int = COUNT) -> list[tuple[int, float]]:
    return series(seed, now=LAST, count=count)


def test_before_anything_arrived_it_says_where_to_send(fluxd: InProcess) -> None:
    page = text_of(fluxd)
    said = words(page)
    assert "Send a first datapoint" in said
    assert "/flux/metric_data_post" in said
    assert "curl -i -H" in said
    assert "fluxd import METRIC FILE.csv" in said
    assert fluxd.ingest_key not in page  # shown after a click only


def test_before_there_is_a_key_it_says_where_to_get_one(fluxd: InProcess) -> None:
    fluxd.store.writer.run(lambda writer: revoke_key(writer, "agent", now=int(fluxd.now)))
    fluxd.store.writer.run(fluxd.store.keys.load)
    assert "There is no key to send with: create one ." in words(text_of(fluxd))


def test_the_first_datapoints_are_counted_and_the_first_verdict_is_foretold(
    fluxd: InProcess,
) -> None:
    fluxd.learn("a", usual(1, 7))
    fluxd.learn("b", usual(2, 3))
    page = text_of(fluxd)
    assert "2 metrics, 7/100 datapoints, first verdict about" in words(page)
    assert f'data-at="{LAST + 93 * 60}"' in page
    assert 'value="7"' in page


def test_where_nothing_was_ever_odd_it_says_so(fluxd: InProcess) -> None:
    fluxd.learn("a", usual(1, 120))
    fluxd.summaries.save(int(fluxd.now))
    said = words(text_of(fluxd))
    assert "All is quiet Nothing odd so far. 1 metric is watched." in said


def test_what_is_odd_at_the_same_time_is_one_group_with_a_chart_each(fluxd: InProcess) -> None:
    for seed, name in enumerate(("a", "b")):
        fluxd.learn(name, with_spike(usual(seed), LAST - 60, LAST, 60))
    fluxd.learn("c", usual(3))
    EvidenceKeeper(fluxd.store, fluxd.analysis.knowledge).run(NOW)
    page = text_of(fluxd)
    said = words(page)
    assert "2 metrics are odd now" in said
    assert "2 metrics together, from" in said
    assert page.count('<svg class="chart-small"') == 2
    assert page.count("c-band") == 2
    assert "expected between" in said
    assert "since" in said
    assert "by chance" in said


def test_what_is_over_is_told_for_a_day_and_quiet_counts_from_its_end(fluxd: InProcess) -> None:
    fluxd.learn("a", with_spike(usual(1), LAST - 6000, LAST - 5940, 60))
    page = text_of(fluxd)
    said = words(page)
    assert "All is quiet Since" in said
    assert "In the last day" in said
    assert page.count('<article class="story"') >= 1
    fluxd.now += 86_400
    later = words(text_of(fluxd))
    assert "All is quiet Since" in later
    assert "In the last day" not in later


def test_what_lasts_comes_first_and_then_the_most_unusual(fluxd: InProcess) -> None:
    fluxd.learn("mild", with_spike(usual(1), LAST - 9000, LAST - 9000, 12))
    fluxd.learn("wild", with_spike(usual(2, 2_000), LAST - 6000, LAST - 6000, 90))
    fluxd.learn("now", with_spike(usual(3), LAST - 60, LAST, 12))
    found = {one["metric"]: one for one in fluxd.get("/api/v1/anomalies").json["anomalies"]}
    assert found["mild"]["score"] < found["wild"]["score"] > found["now"]["score"]
    page = text_of(fluxd)
    shown = re.findall(r'<h3 id="a(\d+)"', page)
    wanted = [found[name]["id"] for name in ("now", "wild", "mild")]
    assert [int(one) for one in shown if int(one) in wanted] == wanted


def test_what_lasts_is_first_of_its_group_and_its_group_the_first() -> None:
    def one(number: int, started: int, ended: int | None, score: float) -> StoredAnomaly:
        numbers = (9.0, 5.0, 4.0, 6.0, score)
        words = ("up", "spike", "high", "normal")
        return StoredAnomaly(number, f"m{number}", started, ended, started, *numbers, *words)

    over = one(1, NOW, NOW + 9, 0.9)
    alone = one(2, NOW - 9000, NOW - 8000, 0.95)
    lasting, milder = one(3, NOW + 60, None, 0.4), one(4, NOW + 90, None, 0.35)
    assert ranked([over, alone, milder, lasting]) == [[lasting, milder, over], [alone]]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_everywhere(fluxd: InProcess, name: str) -> None:
    fluxd.learn(name, with_spike(usual(1), LAST - 60, LAST, 60))
    (anomaly,) = fluxd.get("/api/v1/anomalies").json["anomalies"]
    now = text_of(fluxd)
    link = re.search(r'class="metric-name" href="([^"]+)"', now)
    assert link is not None
    pages = [now, text_of(fluxd, "/metrics-list"), text_of(fluxd, f"/anomalies/{anomaly['id']}")]
    pages.append(text_of(fluxd, link.group(1)))
    for page in pages:
        assert "<script>window" not in page
        assert "<img src=x" not in page
        assert "\u202e" not in page.replace("data-metric=", "").partition("<main")[0]
        assert 'href="javascript' not in page
        assert "49}</title>" not in page
    assert fluxd.get(f"{link.group(1)}/chart.svg").status_code == 200
    assert fluxd.get(f"{link.group(1)}/datapoints.csv").text.count("\n") == COUNT + 1
