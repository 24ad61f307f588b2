"""Events on disk, in SQLite: append, and read in slices."""

from __future__ import annotations

from observatory.store.database import INDEX_EVERY, NotStored, Store
from observatory.store.opening import Sync, default_path, open_store
from observatory.store.query import Query

__all__ = ["INDEX_EVERY", "NotStored", "Query", "Store", "Sync", "default_path", "open_store"]
