from collections.abc import Iterator
from pathlib import Path

import pytest
from web.inprocess import InProcess


@pytest.fixture
def fluxd(tmp_path: Path) -> Iterator[InProcess]:
    running = InProcess(tmp_path)
    yield running
    running.close()
