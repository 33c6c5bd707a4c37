import random
from dataclasses import replace
from typing import Any

import pytest
from store import posting
from web.inprocess import NOW, InProcess

from fluxd.core.anomalies import Anomaly
from fluxd.store.anomalies import write_anomalies

ADDRESS = "/api/v1/anomalies"


def anomaly(series: int, started: int, ended: int | None, score: float) -> Anomaly:
    """Return one whose band is open above: JSON has no infinity."""
    found = posting.anomaly(series, started, ended, score)
    return replace(found, upper=float("inf"), explanation="9 instead of 1")


@pytest.fixture
def stored(fluxd: InProcess) -> InProcess:
    """Five anomalies: ids 1 to 4 of `a`, id 5 of `b/c` still lasting."""
    fluxd.store_datapoints("a", [(NOW, 1.0)])
    fluxd.store_datapoints("b/c", [(NOW, 1.0)])
    found = [anomaly(1, NOW + 100 * i, NOW + 100 * i + 10, i / 10) for i in range(1, 5)]
    found[1] = replace(found[1], severity="low")
    found.append(anomaly(2, NOW + 250, None, 0.9))
    fluxd.store.writer.run(lambda connection: write_anomalies(connection, found))
    return fluxd


def ids(fluxd: InProcess, query: str = "") -> list[int]:
    return [found["id"] for found in fluxd.get(ADDRESS + query).json["anomalies"]]


def test_an_anomaly_has_the_members_of_the_view(stored: InProcess) -> None:
    expected: dict[str, Any] = {
        "id": 5,
        "metric": "b/c",
        "started": NOW + 250,
        "ended": None,
        "peak": NOW + 250,
        "value": 9.0,
        "expected": 1.0,
        "lower": 0.5,
        "upper": None,  # infinity has no form in JSON
        "score": 0.9,
        "direction": "up",
        "kind": "spike",
        "explanation": "9 instead of 1",
        "severity": "normal",
    }
    assert stored.get(ADDRESS).json["anomalies"][0] == expected
    evidence = {"days": [[1, 2.0, 3.0]]}
    assert stored.get(f"{ADDRESS}/5").json == expected | {"evidence": evidence}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("?metric=a", [4, 3, 2, 1]),
        ("?metric=b/c", [5]),
        ("?metric=b%2Fc", [5]),
        ("?metric=nothing", []),
        (f"?from={NOW + 210}", [5, 4, 3, 2]),  # inclusive: id 2 ended then
        (f"?from={NOW + 211}", [5, 4, 3]),
        (f"?to={NOW + 200}", [2, 1]),
        (f"?from={NOW + 205}&to={NOW + 206}", [2]),  # within it
        (f"?from={NOW + 5_000}", [5]),  # lasts
        ("?min_score=0.3", [5, 4, 3]),
        ("?severity=normal", [5, 4, 3, 1]),
        ("?severity=low&metric=a", [2]),
        (f"?metric=a&from={NOW + 200}&to={NOW + 300}&min_score=0.25", [3]),
    ],
)
def test_filters(stored: InProcess, query: str, expected: list[int]) -> None:
    assert ids(stored, query) == expected


def test_pages(stored: InProcess) -> None:
    first = stored.get(f"{ADDRESS}?limit=2").json
    assert first["next"] == "4"
    assert ids(stored, f"?limit=2&cursor={first['next']}") == [3, 2]
    assert stored.get(f"{ADDRESS}?limit=2&cursor=2").json["next"] is None
    assert ids(stored, "?limit=1000") == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("name", ["0", "6", "-1", "x", "1.0", "01", "٣", "9" * 18, "9" * 400, ""])
def test_there_is_no_such_anomaly(stored: InProcess, name: str) -> None:
    assert "there is no" in stored.refusal(f"{ADDRESS}/{name}", 404)


def test_what_the_analysis_finds_is_told(fluxd: InProcess) -> None:
    noise = random.Random(7)
    values = [noise.gauss(10, 1) for _ in range(600)]
    values[-10:-7] = [500.0, 510.0, 490.0]
    fluxd.learn("cpu", [(NOW - 60 * (600 - i), value) for i, value in enumerate(values)])
    anomalies = fluxd.get(f"{ADDRESS}?metric=cpu&from={NOW - 600}").json["anomalies"]
    assert [(found["direction"], found["started"]) for found in anomalies] == [("up", NOW - 600)]
    assert anomalies[0]["explanation"]
    evidence = fluxd.get(f"{ADDRESS}/{anomalies[0]['id']}").json["evidence"]
    assert evidence["datapoints"]["values"][:3] == [500.0, 510.0, 490.0]
