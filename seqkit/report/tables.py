"""Tables as other programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["without_formulas"]

STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a cell for a formula (OWASP, CSV Injection)."""


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose text, in cells and headings, starts no formula in a spreadsheet.

    An apostrophe goes before such text. Numbers and time stamps stay as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"series": ["=1+1", "a"], "predicted": [-1.5, 2.0]})
    >>> print(without_formulas(frame).to_csv(index=False), end="")
    series,predicted
    '=1+1,-1.5
    a,2.0
    """
    from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

    def plain(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and value.startswith(STARTS) else value

    frame = frame.rename(columns=plain)
    for name in frame.columns:
        kind = frame[name].dtype
        if not (is_numeric_dtype(kind) or is_bool_dtype(kind) or is_datetime64_any_dtype(kind)):
            frame[name] = frame[name].astype(object).map(plain)
    return frame
