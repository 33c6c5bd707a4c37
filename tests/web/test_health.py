import contextlib

import apsw
import pytest
from web.inprocess import NOW, InProcess

from fluxd.core.errors import UnavailableError
from fluxd.store import outbox
from fluxd.store.channels import StoredChannel, add_channel, delete_channel


def warnings(fluxd: InProcess) -> list[str]:
    result = fluxd.client.simulate_get("/healthz")
    assert result.status_code == 200  # a warning is no failure
    return list(result.json["warnings"])


def reasons(fluxd: InProcess) -> list[str]:
    result = fluxd.client.simulate_get("/healthz")
    assert result.json.keys() == {"status", "reasons", "warnings"}
    assert result.headers["content-type"] == "application/json"
    assert result.status_code == (503 if result.json["reasons"] else 200)
    assert result.json["status"] == ("failing" if result.json["reasons"] else "ok")
    return list(result.json["reasons"])


def test_all_is_well(fluxd: InProcess) -> None:
    assert reasons(fluxd) == []
    assert warnings(fluxd) == []
    assert fluxd.client.simulate_head("/healthz").status_code == 200


def test_the_scheduler_may_rest_for_thirty_seconds(fluxd: InProcess) -> None:
    fluxd.ticked = NOW - 30
    assert reasons(fluxd) == []
    fluxd.ticked = NOW - 31
    (reason,) = reasons(fluxd)
    assert "scheduler has done nothing for 31 s" in reason
    assert "restart fluxd" in reason


def test_a_held_lock_is_told_until_a_commit_succeeds(fluxd: InProcess) -> None:
    fluxd.store.writer.run(lambda connection: connection.set_busy_timeout(1))
    with contextlib.closing(apsw.Connection(str(fluxd.store.path))) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError):
            fluxd.store_datapoints("a", [(NOW, 1.0)])
        (reason,) = reasons(fluxd)
        assert "another process holds the store's write lock" in reason
    fluxd.store_datapoints("a", [(NOW, 1.0)])
    assert reasons(fluxd) == []


def test_a_store_that_is_gone_is_told_until_it_is_back(fluxd: InProcess) -> None:
    while fluxd.store._readers:
        fluxd.store._readers.pop().close()
    aside = fluxd.store.path.with_name("aside")
    fluxd.store.path.rename(aside)
    (reason,) = reasons(fluxd)
    assert "can't be opened" in reason
    aside.rename(fluxd.store.path)
    assert reasons(fluxd) == []


def test_a_damaged_store_is_told(fluxd: InProcess) -> None:
    fluxd.store_datapoints("a", [(NOW, 1.0)])
    fluxd.store.checkpoint()
    while fluxd.store._readers:
        fluxd.store._readers.pop().close()
    header = fluxd.store.path.read_bytes()[:16]
    with fluxd.store.path.open("r+b") as file:
        file.write(b"no database here")
    (reason,) = reasons(fluxd)
    assert "NotADBError" in reason
    assert "`fluxd check`" in reason
    assert "`fluxd restore FILE`" in reason
    assert fluxd.get("/api/v1/metrics").status_code in {500, 503}
    with fluxd.store.path.open("r+b") as file:
        file.write(header)
    assert reasons(fluxd) == []


def test_a_writer_that_has_ended_is_told(fluxd: InProcess) -> None:
    fluxd.store.writer.close()
    (reason,) = reasons(fluxd)
    assert reason == "the writer has ended, nothing is stored: restart fluxd, its log says why"


def test_a_limit_that_is_near_is_a_warning_and_at_it_datapoints_fail(fluxd: InProcess) -> None:
    fluxd.store_datapoints("a", [(NOW, 1.0)])
    fluxd.measure()
    assert warnings(fluxd) == []
    usage = fluxd.bounds.usage
    assert usage is not None
    fluxd.bounds.max_bytes = int(usage.used / 0.95)
    (warning,) = warnings(fluxd)
    assert "raise store.max_bytes" in warning
    fluxd.bounds.max_bytes = usage.used
    fluxd.measure()
    (reason,) = reasons(fluxd)
    assert reason.startswith("the store has reached store.max_bytes")


def test_a_full_disk_and_many_metrics_are_warnings(fluxd: InProcess) -> None:
    fluxd.bounds.max_metrics = 1
    fluxd.disk = 900_000_000, 10**11
    fluxd.store_datapoints("a", [(NOW, 1.0)])
    fluxd.measure()
    metrics, disk = warnings(fluxd)
    assert "1 of 1 metrics, new ones are refused" in metrics
    assert "900.0 MB of 100.0 GB free" in disk


@pytest.mark.parametrize("given_up", [False, True])
def test_a_channel_that_fails_for_long_is_told_until_a_message_arrives(
    fluxd: InProcess, *, given_up: bool
) -> None:
    run = fluxd.store.writer.run
    channel = StoredChannel(0, "ops", "webhook", {"url": "http://127.0.0.1:9/secret"})
    run(lambda writer: add_channel(writer, channel, now=NOW))
    written = outbox.new_key(), "{}"
    run(
        lambda writer: outbox.put(
            writer, 1, "digest", severity="low", due=NOW, now=NOW, written=written
        )
    )
    run(lambda writer: outbox.claim(writer, 1, now=NOW))
    if given_up:
        run(lambda writer: outbox.finish(writer, 1, "failed", now=NOW, answer="403"))
    else:
        run(lambda writer: outbox.put_off(writer, 1, due=NOW, answer="refused"))
    lost = ["1 message to ops was given up in the last day: Settings, Notifications says why"]
    assert warnings(fluxd) == (lost if given_up else [])
    fluxd.now = fluxd.ticked = NOW + 660
    told, *rest = warnings(fluxd)
    assert told.startswith("the channel ops has failed for 11 minutes")
    assert rest == (lost if given_up else [])
    run(lambda writer: outbox.note_test(writer, 1, "t", sent=True, answer="", now=NOW + 660))
    assert warnings(fluxd) == (lost if given_up else [])
    fluxd.now = fluxd.ticked = NOW + 86_401
    assert warnings(fluxd) == []
    fluxd.now = fluxd.ticked = NOW + 1
    run(lambda writer: delete_channel(writer, 1, now=NOW))
    assert warnings(fluxd) == []
