"""Events on disk, in SQLite: append, and read in slices."""

from __future__ import annotations

from observatory.store.database import INDEX_EVERY, NotStored, Query, Store
from observatory.store.opening import StoreError, Sync, default_path, open_store

__all__ = ["INDEX_EVERY", "NotStored", "Query", "Store", "StoreError", "Sync", "default_path", "open_store"]
