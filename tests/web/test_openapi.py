"""The description against the app: every operation is driven with what it allows and what not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from web.inprocess import NOW, InProcess

import fluxd as package
from fluxd.web.assets import AssetsResource
from fluxd.web.metric_files import ChartResource, CsvResource, SparkResource
from fluxd.web.openapi import document
from fluxd.web.page_integrations import KeyResource
from fluxd.web.pages import Page

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """Put something behind every list."""
    running = InProcess(Path(tmp_path_factory.mktemp("store")), allow_get=True)
    values = [10.0 + i % 5 for i in range(200)] + [500.0]
    running.learn("cpu", [(NOW - 60 * (200 - i), value) for i, value in enumerate(values)])
    body = {"key": running.ingest_key, "metrics": [{"metric": "a..b"}]}
    running.client.simulate_post("/flux/metric_data_post", json=body)
    running.client.simulate_post("/flux/metric_data_post", json=body | {"test": True})
    running.group()
    event = {"title": "deploy", "weekly": True, "from": NOW, "to": NOW + 60}
    running.client.simulate_post("/api/v1/events", json=event, headers={"key": running.ingest_key})
    yield running
    running.close()


# What is asked for without parameters can't be asked for wrongly.
OPERATIONS = [
    (path, method, mode)
    for path, item in document(allow_get=True)["paths"].items()
    for method, operation in item.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or "parameters" in operation
]
EXISTING = {"metric": "cpu", "id": 1}


@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_every_operation_answers_as_described(
    filled: InProcess, path: str, method: str, mode: GenerationMode
) -> None:
    described = schemathesis.openapi.from_wsgi("/openapi.json", filled.app)
    reads = path.startswith("/api/") and method == "get"
    key = filled.read_key if reads else filled.ingest_key

    @settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(described[path][method].as_strategy(generation_mode=mode))
    def answers_as_described(case: schemathesis.Case) -> None:
        if mode is GenerationMode.POSITIVE:  # a name from nowhere finds nothing
            case.path_parameters.update((name, EXISTING[name]) for name in case.path_parameters)
        case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {key}"})

    answers_as_described()


def test_the_document_names_this_version(fluxd: InProcess) -> None:
    result = fluxd.client.simulate_get("/openapi.json")
    assert result.json["openapi"].startswith("3.1")
    assert result.json["info"]["version"] == package.__version__


def test_only_what_is_served_is_described(fluxd: InProcess, filled: InProcess) -> None:
    assert "/flux/metric_data" not in fluxd.client.simulate_get("/openapi.json").json["paths"]
    assert "/flux/metric_data" in filled.client.simulate_get("/openapi.json").json["paths"]
    assert fluxd.client.simulate_get("/flux/metric_data").status_code == 404


# Routes that are no pages, but serve pages only.
FOR_PAGES = AssetsResource | KeyResource | ChartResource | SparkResource | CsvResource


def test_every_route_is_described(filled: InProcess) -> None:
    described_paths = {re.sub(r"\{\w+\}", "{}", path) for path in document(allow_get=True)["paths"]}
    served: set[str] = set()

    def walk(nodes: Any) -> None:
        for node in nodes:
            if node.resource is not None and not isinstance(node.resource, Page | FOR_PAGES):
                served.add(re.sub(r"\{\w+\}", "{}", node.uri_template))
            walk(node.children)

    walk(filled.app._router._roots)  # type: ignore[attr-defined]
    assert served == described_paths
