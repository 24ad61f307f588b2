"""Events on disk, in SQLite: append, and read in slices."""

from __future__ import annotations

from observatory.store.database import INDEX_EVERY, NotStored, Query, Store
from observatory.store.opening import Sync, default_path, open_store

__all__ = ["INDEX_EVERY", "NotStored", "Query", "Store", "Sync", "default_path", "open_store"]
