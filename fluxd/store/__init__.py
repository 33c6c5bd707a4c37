"""The one SQLite file: what is written to it, and what is read from it."""

from fluxd.store.store import Store, open_store

__all__ = ["Store", "open_store"]
