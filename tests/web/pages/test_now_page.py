"""The page Now, as it is served: what is odd, what was, quiet, and the first run."""

import re

import pytest
from web.inprocess import NOW, InProcess
from web.pages.scene import HOSTILE, series, with_spike

from fluxd.core.hush import Window
from fluxd.jobs.evidence import EvidenceKeeper
from fluxd.store.hushes import add_mute, add_window
from fluxd.store.keys import revoke_key
from fluxd.web.page_now import MOST_SHOWN

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


def test_until_it_is_grouped_an_anomaly_is_shown_by_itself(fluxd: InProcess) -> None:
    fluxd.learn("a", with_spike(usual(1), LAST - 60, LAST, 60))
    EvidenceKeeper(fluxd.store, fluxd.analysis.knowledge).run(NOW)
    page = text_of(fluxd)
    assert "1 metric is odd now" in words(page)
    assert page.count('<article class="story"') == page.count('<svg class="chart-small"') == 1
    assert 'data-key="i' not in page
    fluxd.group()
    page = text_of(fluxd)
    assert "1 metric is odd now" in words(page)
    assert '<article class="story"' not in page
    assert page.count('<svg class="chart-small"') == page.count('data-key="i1"') == 1


def test_what_belongs_together_is_one_card_with_a_chart_each(fluxd: InProcess) -> None:
    for seed, name in enumerate(("web-1.cpu", "web-1.mem")):
        fluxd.learn(name, with_spike(usual(seed), LAST - 60, LAST, 60))
    fluxd.learn("c", usual(3))
    EvidenceKeeper(fluxd.store, fluxd.analysis.knowledge).run(NOW)
    fluxd.group()
    page = text_of(fluxd)
    said = words(page)
    assert "2 metrics are odd now" in said
    assert "2 metrics odd on web-1" in said
    assert page.count('data-key="i') == 1
    assert page.count('<svg class="chart-small"') == page.count("c-band") == 2
    assert "expected between" in said
    assert f"normal open since {said.partition('open since ')[2][:5]}" in said


def test_what_is_over_of_an_incident_that_lasts_is_not_odd_now(fluxd: InProcess) -> None:
    for name in ("web-1.cpu", "web-1.mem", "web-1.io"):
        fluxd.learn(name, usual(1, 120))
    fluxd.happen(1, NOW - 100, None, 0.4)
    fluxd.happen(2, NOW - 100, NOW - 40, 0.9)
    fluxd.happen(3, NOW - 100, NOW - 40, 0.9)
    said = words(text_of(fluxd))
    assert "1 metric is odd now" in said
    assert "web-1.cpu: spike; 2 more over" in said
    assert "All 3 metrics" in said


def test_what_is_over_is_told_for_a_day_and_quiet_counts_from_its_end(fluxd: InProcess) -> None:
    fluxd.learn("a", with_spike(usual(1), LAST - 6000, LAST - 5940, 60))
    fluxd.group()
    page = text_of(fluxd)
    said = words(page)
    assert "All is quiet Since" in said
    assert "In the last day" in said
    assert "a: spike" in said
    assert "by chance" in said
    fluxd.now += 86_400
    later = words(text_of(fluxd))
    assert "All is quiet Since" in later
    assert "In the last day" not in later


def test_a_person_acknowledges_on_the_page_and_what_nobody_knows_of_stands_first(
    fluxd: InProcess,
) -> None:
    for name in ("a", "b"):
        fluxd.learn(name, usual(1, 120))
    fluxd.happen(1, NOW - 3_000, None, 0.4)
    fluxd.happen(2, NOW - 300, None, 0.7)
    browser = fluxd.sign_in()

    def cards() -> list[str]:
        return re.findall(r'data-key="i(\d+)"', browser.get("/").text)

    assert cards() == ["2", "1"]  # the worse one
    answer = browser.post("/incidents/2", action="acknowledge", back="/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert cards() == ["1", "2"]
    assert "acknowledged" in words(browser.get("/").text)
    assert "<button" not in text_of(fluxd).partition("<main")[2]  # who only reads has none


def test_what_is_muted_or_expected_is_shown_below_with_its_reason(fluxd: InProcess) -> None:
    for name in ("lab", "web", "old"):
        fluxd.learn(name, usual(1, 120))
    window = Window(0, "deploy of <web>", NOW - 600, NOW + 600, ("web",))
    fluxd.store.writer.run(
        lambda writer: add_mute(writer, "glob", "la*", until=None, reason="", now=NOW)
    )
    fluxd.store.writer.run(lambda writer: add_window(writer, window, now=NOW))
    fluxd.happen(1, NOW - 1_500, None, 0.5)
    fluxd.happen(2, NOW, None, 0.5)
    fluxd.happen(3, NOW - 20_000, NOW - 19_000, 0.5)
    said = words(text_of(fluxd))
    assert "All is quiet" in said
    day, _, below = said.partition("Nobody is told of these")
    assert "muted by la*" in below
    assert "expected: deploy of &lt;web&gt;" in below
    assert "old: spike" in day  # imported history is not sent, and shown as any other
    assert "not sent: it was over before it was found" in day


def test_many_are_counted(fluxd: InProcess) -> None:
    for number in range(25):
        fluxd.store_datapoints(f"m{number}", [(NOW, 1.0)])
    fluxd.learn("known", usual(1, 120))
    for number in range(25):
        fluxd.happen(number + 1, NOW - 900 * number, NOW - 900 * number + 10, 0.5)
    page = text_of(fluxd)
    assert page.count('data-key="i') == MOST_SHOWN
    assert "5 more are among the incidents" in words(page)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_everywhere(fluxd: InProcess, name: str) -> None:
    fluxd.learn(name, with_spike(usual(1), LAST - 60, LAST, 60))
    (anomaly,) = fluxd.get("/api/v1/anomalies").json["anomalies"]
    alone = text_of(fluxd)
    fluxd.group()
    now = text_of(fluxd)
    link = re.search(r'class="metric-name" href="([^"]+)"', alone)
    assert link is not None
    assert f'href="{link.group(1)}"' in now
    addresses = ("/metrics-list", f"/anomalies/{anomaly['id']}", "/incidents", "/incidents/1")
    pages = [alone, now, *(text_of(fluxd, address) for address in addresses)]
    pages.append(text_of(fluxd, link.group(1)))
    for page in pages:
        assert "<script>window" not in page
        assert "<img src=x" not in page
        assert "\u202e" not in page.replace("data-metric=", "").partition("<main")[0]
        assert 'href="javascript' not in page
        assert "49}</title>" not in page
    assert fluxd.get(f"{link.group(1)}/chart.svg").status_code == 200
    assert fluxd.get(f"{link.group(1)}/datapoints.csv").text.count("\n") == COUNT + 1
