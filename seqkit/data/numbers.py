"""A column of a table as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["column_numbers"]


def column_numbers(column: pd.Series) -> tuple[np.ndarray, int | None]:
    """Return a column as float64, and the first row that holds no real number; None if none does.

    An empty cell is NaN; text that reads as a number is one.

    Examples
    --------
    >>> import pandas as pd
    >>> column_numbers(pd.Series(["1", None, "high"], dtype=object))[1]
    2
    """
    import pandas as pd

    kinds = pd.api.types
    if kinds.is_complex_dtype(column.dtype) or kinds.is_datetime64_any_dtype(column.dtype):
        return np.full(len(column), np.nan), 0
    if kinds.is_numeric_dtype(column.dtype):  # true and false, too
        return column.to_numpy(dtype=np.float64, na_value=np.nan), None
    numbers = pd.to_numeric(column.astype(object), errors="coerce").to_numpy(dtype=np.float64)
    odd = np.flatnonzero(np.isnan(numbers) & column.notna().to_numpy())
    return numbers, int(odd[0]) if odd.size else None
