"""Parquet and feather files become data frames, their sizes checked before memory is taken."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.files import check_columns, check_unpacked, reading, sized
from seqkit.errors import DataError, explain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_feather", "read_parquet"]

log = logging.getLogger(__name__)

CELL = 8  # bytes that a cell takes at least, as a number or as a pointer to text


def read_parquet(path: Path) -> pd.DataFrame:
    """Return the table of a parquet file, its named index as columns.

    Columns of lists, structures and bytes are left out with a line in the log. Python types that a
    schema may name are never loaded: pyarrow refuses them, and only plain types are read.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        A damaged file, or one that declares more rows than its size or free memory allow.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    packed = sized(path).st_size
    with reading(path, "whole parquet"), pq.ParquetFile(path) as file:
        footer = file.metadata
        check_columns(str(path), footer.num_columns)
        groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
        rows, stored = footer.num_rows, sum(group.total_byte_size for group in groups)
        if rows < 0 or stored < 0 or rows != sum(group.num_rows for group in groups):
            expected = "that of its row groups"
            raise DataError(explain(str(path), "the number of rows", expected, rows))
        declared = max(rows * footer.num_columns * CELL, stored)
        check_unpacked(path, packed, declared, what="the table")
        schema = file.schema_arrow
        text = [field.name for field in schema if _is_text(field.type, pa.types)]
    with reading(path, "whole parquet"):
        # A text that stands once in a dictionary may be meant in every row: it stays there once.
        table = pq.ParquetFile(path, read_dictionary=text).read(columns=_kept(path, schema))
        return _frame_of(table, path, packed, set(text))


def read_feather(path: Path) -> pd.DataFrame:
    """Return the table of a feather file (version 2, which is an Arrow IPC file).

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        A damaged file, or one whose compressed columns say that they unpack to too much.
    """
    import pyarrow as pa

    packed = sized(path).st_size
    with reading(path, "a whole feather file, version 2"), pa.memory_map(str(path)) as source:
        unpacked = _declared(source)
        check_unpacked(path, packed, unpacked, what="the table")
        source.seek(0)
        reader = pa.ipc.open_file(source)
        check_columns(str(path), len(reader.schema))
        kept, rows, batches = _kept(path, reader.schema), 0, []
        for i in range(reader.num_record_batches):
            batch = reader.get_batch(i)
            batch.validate(full=True)  # offsets may point anywhere; Arrow itself trusts them
            rows += batch.num_rows
            check_unpacked(path, packed, rows * len(reader.schema) * CELL, what="the table")
            batches.append(batch.select(kept))
        schema = pa.schema([reader.schema.field(name) for name in kept], reader.schema.metadata)
        table = pa.Table.from_batches(batches, schema)
        categories = {field.name for field in table.schema if pa.types.is_dictionary(field.type)}
        # what is mapped into memory must not change with the file
        return _frame_of(table, path, packed, categories).copy()


def _declared(source: Any) -> int:
    """Return the bytes that the buffers of an Arrow file say they unpack to.

    Each compressed buffer begins with its unpacked length; where buffers begin is in the metadata
    of a message, a flatbuffer: Message.header (field 2) is a RecordBatch with nodes (1), buffers
    (2) of offset and length, and compression (3), or a DictionaryBatch with a RecordBatch (1).
    """
    import pyarrow as pa

    source.seek(8)  # behind the magic number
    total = 0
    while True:
        try:
            message = pa.ipc.read_message(source)
        except EOFError:  # the end of the stream; behind it is the footer
            return total
        if message.body is None or message.type not in ("record batch", "dictionary"):
            continue
        data, body = message.metadata.to_pybytes(), message.body
        root = int.from_bytes(data[:4], "little")
        batch = _field(data, root, 2)
        if message.type == "dictionary":
            batch = _field(data, batch, 1)
        start = _field(data, batch, 2)
        compressed = _field(data, batch, 3)
        for i in range(int.from_bytes(data[start : start + 4], "little") if start else 0):
            at = start + 4 + 16 * i
            offset, length = (
                int.from_bytes(data[at + k : at + k + 8], "little", signed=True) for k in (0, 8)
            )
            said = -1
            if compressed and length >= 8:
                said = int.from_bytes(body[offset : offset + 8].to_pybytes(), "little", signed=True)
            total += length if said < 0 else said


def _field(data: bytes, table: int, number: int) -> int:
    """Return where a field of a flatbuffer's table that is an offset leads; 0 for an absent one."""
    if not table:
        return 0
    vtable = table - int.from_bytes(data[table : table + 4], "little", signed=True)
    if 4 + 2 * number >= int.from_bytes(data[vtable : vtable + 2], "little"):
        return 0
    slot = vtable + 4 + 2 * number
    place = int.from_bytes(data[slot : slot + 2], "little")
    if not place:
        return 0
    at = table + place
    return at + int.from_bytes(data[at : at + 4], "little")


def _kept(path: Path, schema: Any) -> list[str]:
    """Return the columns of one number, text, date or truth value a row; log the others."""
    import pyarrow as pa

    kept = [field.name for field in schema if _plain(field.type, pa.types)]
    left_out = [field.name for field in schema if field.name not in kept]
    if left_out:
        log.warning("%s: columns of lists or bytes are left out: %s", path, ", ".join(left_out))
    return kept


def _frame_of(table: Any, path: Path, packed: int, text: set[str]) -> pd.DataFrame:
    """Make a frame of an Arrow table: named indexes as columns, categories of text written out."""
    import pandas as pd

    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.name is not None:
        names = [name for name in frame.index.names if name is not None]
        # an integer index without a name is what pandas leaves after sorting or filtering
        whole = pd.api.types.is_integer_dtype(frame.index.dtype)
        frame = frame.reset_index(drop=not names and whole)
    frame.columns = [str(name) for name in frame.columns]
    for name in text & set(frame.columns):
        column = frame[name]
        if column.ndim == 1 and isinstance(column.dtype, pd.CategoricalDtype):
            frame[name] = _written_out(path, packed, column)
    return frame


def _written_out(path: Path, packed: int, column: pd.Series) -> pd.Series:
    """Return a column of categories as the text it stands for, if that is not too much."""
    lengths = np.array([len(str(text)) for text in column.cat.categories] or [0])
    codes = column.cat.codes.to_numpy()
    unpacked = int(lengths[codes[codes >= 0]].sum())
    check_unpacked(path, packed, unpacked, what=f"column {column.name!r}")
    return column.astype("str")


def _plain(kind: Any, types: Any) -> bool:
    """Whether a column is one number, text, date or truth value a row."""
    if types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        test(kind)
        for test in (
            types.is_boolean, types.is_integer, types.is_floating, types.is_decimal,
            types.is_string, types.is_large_string, types.is_timestamp, types.is_date,
        )
    )  # fmt: skip


def _is_text(kind: Any, types: Any) -> bool:
    is_text: bool = types.is_string(kind) or types.is_large_string(kind)
    return is_text
