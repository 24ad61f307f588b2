"""Events as Parquet, by pyarrow."""

from __future__ import annotations

import itertools
from typing import IO, TYPE_CHECKING, Final

import pyarrow as pa
from pyarrow import parquet

from observatory.questions.tables import COLUMNS, NUMBERS, rows

if TYPE_CHECKING:
    from collections.abc import Iterable

TOGETHER: Final = 10_000
"""Rows that are written at once."""
_TYPES: Final = {name: pa.int64() if name in NUMBERS else pa.string() for name in COLUMNS}
SCHEMA: Final = pa.schema(list({**_TYPES, "time": pa.timestamp("us", "UTC")}.items()))


def write(lines: Iterable[bytes], file: IO[bytes]) -> None:
    """Write a row for each event, as they come."""
    texts = pa.schema(list(_TYPES.items()))
    with parquet.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        found = rows(lines)
        while together := list(itertools.islice(found, TOGETHER)):
            columns = [list(column) for column in zip(*together, strict=True)]
            table = pa.table(dict(zip(COLUMNS, columns, strict=True)), schema=texts)
            writer.write_table(table.cast(SCHEMA))
