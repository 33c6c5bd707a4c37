from collections.abc import Iterator
from pathlib import Path

import pytest
from store.posting import memory_folder, opened

from fluxd.store import Store
from fluxd.store.connection import FILE_NAME


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as path:
        yield path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with opened(folder / FILE_NAME) as opened_store:
        yield opened_store
