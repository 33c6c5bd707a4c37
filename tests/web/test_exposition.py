import re

import pytest
from web.inprocess import NOW, InProcess

import fluxd as package
from fluxd.store import outbox
from fluxd.store.channels import StoredChannel, add_channel
from fluxd.web.exposition import Exposition, escaped

_LABEL = r'[a-z]+="(?:[^"\\]|\\.)*"'
SAMPLE = re.compile(rf"([a-z_]+)(\{{{_LABEL}(?:,{_LABEL})*\}})? ([-+.0-9e]+)")


def samples(fluxd: InProcess) -> dict[str, float]:
    result = fluxd.client.simulate_get("/metrics")
    assert result.status_code == 200
    assert result.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    for line in result.text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            found[match[1] + (match[2] or "")] = float(match[3])
    return found


def test_each_family_says_what_it_is_once_and_first(fluxd: InProcess) -> None:
    text = fluxd.client.simulate_get("/metrics").text
    assert text.endswith("\n")
    described: list[str] = []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            described.append(line.split()[2])
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == described[-1]
            assert (kind == "counter") == name.endswith("_total")
        else:
            assert re.split(r"[ {]", line)[0] == described[-1]
    assert len(described) == len(set(described))


def test_what_happens_is_counted(fluxd: InProcess) -> None:
    def post(key: str, *metrics: str) -> int:
        elements = [{"metric": name, "timestamp": NOW, "value": 1} for name in metrics]
        body = {"key": key, "metrics": elements}
        return fluxd.client.simulate_post("/flux/metric_data_post", json=body).status_code

    assert post(fluxd.ingest_key, "a", "b", "a") == 204
    assert post(fluxd.add_key("small", quota=1), "c", "d") == 207
    assert post(fluxd.ingest_key, "a..b") == 400
    assert post("wrong", "a") == 401
    found = samples(fluxd)
    assert found['fluxd_requests_total{status="204"}'] == 1
    assert found['fluxd_requests_total{status="207"}'] == 1
    assert found['fluxd_requests_total{status="400"}'] == 1
    assert found['fluxd_wrong_keys_total{endpoint="flux"}'] == 1
    assert found["fluxd_datapoints_accepted_total"] == 4
    assert found["fluxd_datapoints_over_quota_total"] == 1
    assert found["fluxd_datapoints_committed_total"] == 4
    assert found["fluxd_commits_total"] == 2
    assert found["fluxd_metrics"] == 3
    assert found["fluxd_store_bytes"] > found["fluxd_wal_bytes"] > 0
    assert found["fluxd_store_failing"] == 0


def test_metrics_by_their_state(fluxd: InProcess) -> None:
    assert samples(fluxd)['fluxd_metrics_in_state{state="learning"}'] == 0
    fluxd.learn("new", [(NOW - 60 * n, float(n % 3)) for n in range(9, -1, -1)])
    fluxd.learn("old", [(NOW - 60 * n, float(n % 3)) for n in range(150, -1, -1)])
    fluxd.now += 86_400
    fluxd.learn("late", [(NOW + 86_400 - 60 * n, float(n % 3)) for n in range(150, -1, -1)])
    fluxd.summaries.save(int(fluxd.now))
    found = samples(fluxd)
    assert found['fluxd_metrics_in_state{state="learning"}'] == 1
    assert found['fluxd_metrics_in_state{state="stale"}'] == 1
    assert found['fluxd_metrics_in_state{state="analysed"}'] == 1
    assert found['fluxd_metrics_in_state{state="retired"}'] == 0


def test_limits_and_what_is_used_of_them(fluxd: InProcess) -> None:
    found = samples(fluxd)
    assert found["fluxd_metrics_limit"] == 1_000_000
    assert found["fluxd_store_limit_bytes"] == 0
    assert "fluxd_store_used_bytes" not in found  # nobody has measured yet
    assert found["fluxd_datapoints_sealed_total"] == 70
    assert found["fluxd_blocks_merged_total"] == 8
    fluxd.measure()
    found = samples(fluxd)
    assert found["fluxd_disk_free_bytes"] == 50 * 10**9
    assert found["fluxd_store_used_bytes"] > 0
    assert found["fluxd_store_free_bytes"] >= 0
    assert "fluxd_oldest_datapoint_timestamp_seconds" not in found
    fluxd.store_datapoints("a", [(NOW - 7, 1.0)])
    fluxd.bounds.max_metrics = fluxd.bounds.max_bytes = 1
    fluxd.measure()
    found = samples(fluxd)
    assert found["fluxd_oldest_datapoint_timestamp_seconds"] == NOW - 7
    assert found['fluxd_limit_reached{limit="store.max_bytes"}'] == 1
    assert found['fluxd_limit_reached{limit="store.max_metrics"}'] == 1
    assert found["fluxd_metrics_retired"] == 0


def test_the_analysis_tells_how_far_it_is(fluxd: InProcess) -> None:
    fluxd.analyse()
    fluxd.store_datapoints("a", [(NOW - 1, 1.0), (NOW, 2.0)])
    fluxd.now += 7
    found = samples(fluxd)
    assert found["fluxd_feed_waiting_datapoints"] == 2
    assert found["fluxd_analysis_lag_seconds"] == 7
    assert found["fluxd_datapoints_analysed_total"] == 0
    fluxd.analyse()
    found = samples(fluxd)
    assert found["fluxd_feed_waiting_datapoints"] == 0
    assert found["fluxd_analysis_lag_seconds"] == 0
    assert found["fluxd_datapoints_analysed_total"] == 2


def test_jobs_and_the_process(fluxd: InProcess) -> None:
    found = samples(fluxd)
    assert found['fluxd_job_runs_total{job="analyse"}'] == 3
    assert found['fluxd_job_failures_total{job="analyse"}'] == 1
    assert found['fluxd_job_last_duration_seconds{job="analyse"}'] == 0.25
    assert found["process_start_time_seconds"] == NOW
    assert found["process_resident_memory_bytes"] > 10_000_000
    (info,) = (name for name in found if name.startswith("fluxd_build_info"))
    assert f'version="{package.__version__}"' in info


def test_it_is_told_while_the_store_is_closed(fluxd: InProcess) -> None:
    fluxd.store.close()
    assert samples(fluxd)["fluxd_metrics"] == 0


@pytest.mark.parametrize(
    ("text", "written"), [("a\\b", "a\\\\b"), ('a"b', 'a\\"b'), ("a\nb", "a\\nb"), ("é", "é")]
)
def test_labels_are_escaped(text: str, written: str) -> None:
    assert escaped(text) == written
    page = Exposition()
    page.add("x", "gauge", "An x.", [({"job": text}, 1)])
    assert page.text() == f'# HELP x An x.\n# TYPE x gauge\nx{{job="{written}"}} 1\n'


def test_incidents_and_messages_are_counted_by_their_states(fluxd: InProcess) -> None:
    run = fluxd.store.writer.run
    run(lambda writer: add_channel(writer, StoredChannel(0, 'o"ps', "ntfy", {}), now=NOW))
    fluxd.store_datapoints("a", [(NOW, 1.0)])
    assert samples(fluxd)['fluxd_incidents{state="open"}'] == 0
    fluxd.happen(1, NOW, None, 0.5)
    found = samples(fluxd)
    assert found['fluxd_incidents{state="open"}'] == 1
    assert found['fluxd_incidents{state="resolved"}'] == 0
    assert found[r'fluxd_notifications{channel="o\"ps",state="waiting"}'] == 1
    run(
        lambda writer: outbox.note_test(writer, 1, "key", sent=False, answer="refused", now=NOW + 5)
    )
    failing = r'fluxd_channel_failing_since_timestamp_seconds{channel="o\"ps"}'
    assert samples(fluxd)[failing] == NOW + 5


def test_while_the_store_cannot_be_read_the_rest_is_told(fluxd: InProcess) -> None:
    while fluxd.store._readers:
        fluxd.store._readers.pop().close()
    aside = fluxd.store.path.with_name("aside")
    fluxd.store.path.rename(aside)
    found = samples(fluxd)
    aside.rename(fluxd.store.path)
    assert found["fluxd_metrics"] == 0
    assert not [name for name in found if name.startswith("fluxd_incidents")]
