from pathlib import Path

import pytest

from fluxd.store import open_store


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data directory with an empty store."""
    path = tmp_path / "data"
    path.mkdir()
    open_store(path / "fluxd.db", create=True).close()
    return path
