"""Parquet files become data frames, what their footer declares checked before memory is taken."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.files import check_columns, check_unpacked, reading, sized
from seqkit.errors import DataError, explain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_parquet"]

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
    import pandas as pd
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
        kept = [field.name for field in schema if _plain(field.type, pa.types)]
        left_out = [field.name for field in schema if field.name not in kept]
        text = [field.name for field in schema if _is_text(field.type, pa.types)]
    with reading(path, "whole parquet"):
        # A text that stands once in a dictionary may be meant in every row: it stays there once.
        table = pq.ParquetFile(path, read_dictionary=text).read(columns=kept)
        frame: pd.DataFrame = table.to_pandas(date_as_object=False)
        if not isinstance(frame.index, pd.RangeIndex) or frame.index.name is not None:
            names = [name for name in frame.index.names if name is not None]
            # an integer index without a name is what pandas leaves after sorting or filtering
            whole = pd.api.types.is_integer_dtype(frame.index.dtype)
            frame = frame.reset_index(drop=not names and whole)
        frame.columns = [str(name) for name in frame.columns]
        for name in set(text) & set(frame.columns):
            column = frame[name]
            if column.ndim == 1 and isinstance(column.dtype, pd.CategoricalDtype):
                frame[name] = _written_out(path, packed, column)
    if left_out:
        log.warning("%s: columns of lists or bytes are left out: %s", path, ", ".join(left_out))
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
