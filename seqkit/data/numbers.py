"""A column of a table as numbers, and how people write numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqkit.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "NUMBER",
    "SENTINELS",
    "column_numbers",
    "floats",
    "number_style",
    "plain_numbers",
    "sentinel_of",
]

_GROUPS = r"\d{1,3}(?:[.,' \u00a0\u202f\u2019]\d{3})+"
_DIGITS = rf"(?:{_GROUPS}|\d+|)(?:[.,]\d*)?"
_CURRENCY = r"(?:[$€£¥₹₩]|USD|EUR|GBP|CHF)"
_SPACE = r"[ \u00a0\u202f]?"
_SIGN = r"[+\-\u2212]?"

NUMBER = re.compile(
    rf"(?=.*\d)(?P<open>\(?)(?P<minus>{_SIGN})(?P<before>{_CURRENCY}?){_SPACE}(?P<sign>{_SIGN})"
    rf"(?P<digits>{_DIGITS})(?P<power>(?:[eE][+-]?\d+)?){_SPACE}(?P<after>%|‰|{_CURRENCY}?)\)?"
)
"""A number as people write it: grouped, with a decimal point or comma, with a currency or ``%``."""

SENTINELS = (
    -9, -99, -99.9, -99.99, -999, -999.9, -999.99, -9999, -99999, -999999, 999, 999.9, 999.99,
    9999, 99999, 999999, -1e20, 1e20, -32768, 32767, -2147483648,
)  # fmt: skip


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
    numbers = floats(column).to_numpy()
    odd = np.flatnonzero(np.isnan(numbers) & column.notna().to_numpy())
    return numbers, int(odd[0]) if odd.size else None


def floats(column: pd.Series) -> pd.Series:
    """Return a column as float64, NaN where a cell is no number, or an integer too large for one.

    Examples
    --------
    >>> import pandas as pd
    >>> floats(pd.Series(["1", "x", 10**400], dtype=object)).tolist()
    [1.0, nan, nan]
    """
    import pandas as pd

    given = column.astype(object)
    try:
        return pd.to_numeric(given, errors="coerce").astype(np.float64)
    except OverflowError:  # which pandas does not coerce
        short = given.map(lambda cell: cell if len(str(cell)) < 300 else None)
        return pd.to_numeric(short, errors="coerce").astype(np.float64)


def number_style(rows: Sequence[Sequence[str]], separator: str) -> tuple[str, str, str]:
    """Tell decimal mark and mark of thousands from some rows of cells.

    Small whole numbers in the same column say that ``1,234`` is one of thousands; in another column
    they do so where the comma parts cells, since there it is hardly a decimal mark as well.

    Returns
    -------
    decimal, thousands : str
        `thousands` is "" where there are none.
    doubt : str
        A number that could be read in two ways, where nothing else tells; else "".

    Examples
    --------
    >>> number_style([["1.234,5", "2"]], ";"), number_style([["1,234"], ["2,500"]], ",")
    ((',', '.', ''), ('.', ',', '1,234'))
    """
    seen: dict[str, list[str]] = {key: [] for key in ("d,", "d.", "t,", "t.", "?,", "?.", "t_")}
    small: Counter[int] = Counter()  # whole numbers without a mark, below a thousand, by column
    large = 0  # from it on
    doubtful = set()  # columns of numbers that could be read in two ways
    mark_of_groups = ""
    for row in rows:
        for column, cell in enumerate(row):
            found = NUMBER.fullmatch(cell)
            if not found:
                continue
            digits = found["digits"]
            if digits.isdigit():
                small[column] += len(digits) < 4
                large += len(digits) > 3
            elif inner := re.search(r"\d([' \u00a0\u202f\u2019])\d", digits):
                mark_of_groups = inner[1]
                if tail := re.search(r"([.,])\d*$", digits):
                    seen["d" + tail[1]].append(cell)
            else:
                if _mark(digits, seen):
                    doubtful.add(column)
    comma, point = len(seen["d,"]), len(seen["d."])
    if mark_of_groups:
        return ("," if comma > point or (seen["?,"] and not point) else "."), mark_of_groups, ""
    if comma > point or (seen["t."] and not point):
        return ",", "." if seen["t."] or seen["?."] else "", ""
    if seen["t,"] or (seen["?,"] and point):
        return ".", ",", ""
    if seen["?,"]:
        few = any(small[k] for k in (small if separator == "," else doubtful))
        if few and not large:
            return ".", ",", ""
        if large:
            return ",", "", ""
        return ".", ",", seen["?,"][0]
    whole = not point and separator != "," and seen["?."] and any(small.values()) and not large
    return ".", "", seen["?."][0] if whole else ""


def _mark(digits: str, seen: dict[str, list[str]]) -> bool:
    """Note which mark of a number is that of decimals (d), of thousands (t), or either (?).

    Returns whether it is either.
    """
    marks = [c for c in digits if c in ".,"]
    last = marks[-1]
    if len(set(marks)) == 2:
        seen["d" + last].append(digits)
        seen["t" + marks[0]].append(digits)
    elif len(marks) > 1:
        seen["t" + last].append(digits)
    elif re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", digits):
        seen["?" + last].append(digits)
        return True
    else:
        seen["d" + last].append(digits)
    return False


def plain_numbers(
    column: pd.Series, decimal: str, thousands: str, where: str
) -> tuple[pd.Series, str]:
    """Return a column of text with its numbers as numbers, and the sign that was taken off them.

    A percent sign and a currency are taken off (12 % becomes 12), parentheses are a minus. What is
    no number stays the text it is.

    Parameters
    ----------
    column : pandas.Series of text
    decimal, thousands : str
    where : str
        What an error begins with.

    Raises
    ------
    DataError
        Numbers with a sign among others without it, or with another one.

    Examples
    --------
    >>> import pandas as pd
    >>> plain_numbers(pd.Series(["1.234,5 €", "-3 €"]), ",", ".", "x")[0].tolist()
    [1234.5, -3.0]
    """
    import pandas as pd

    codes, distinct = pd.factorize(column)
    values: list[object] = []
    signs: dict[str, str] = {}
    mark = re.escape(thousands)
    grouped = re.compile(rf"[1-9]\d{{0,2}}(?:{mark}\d{{3}})+(?:{re.escape(decimal)}\d*)?")
    for text in distinct:
        found = NUMBER.fullmatch(str(text).strip())
        digits = found["digits"] if found else ""
        if thousands and grouped.fullmatch(digits):
            digits = digits.replace(thousands, "")
        digits = digits.replace(decimal, ".") if decimal == "," and "." not in digits else digits
        try:
            number = float(digits + (found["power"] if found else ""))
        except ValueError:
            values.append(text)
            continue
        assert found is not None
        minus = found["minus"] + found["sign"] + ("-" if found["open"] else "")
        negative = sum(minus.count(c) for c in "-\u2212") % 2
        values.append(-number if negative else number)
        if number:
            signs.setdefault(found["before"] or found["after"], str(text))
    numbers = sum(isinstance(value, float) for value in values)
    if 2 * numbers <= len(values):
        return column, ""
    if len(signs) > 1:
        got = " and ".join(map(repr, list(signs.values())[:2]))
        raise DataError(
            f"{where}: column {column.name!r} must be in one unit; got {got}. Write all numbers "
            "with the same sign, or without."
        )
    if numbers == len(values):
        table = np.array([*values, np.nan], np.float64)
        return pd.Series(table[codes], index=column.index, name=column.name), next(iter(signs), "")
    mixed = np.array([*values, None], object)
    return pd.Series(mixed[codes], index=column.index, name=column.name), next(iter(signs), "")


def sentinel_of(values: np.ndarray) -> tuple[float, int] | None:
    """Return a value such as -999 that stands far from all others, and how often; None if none.

    Only the smallest and the largest value are looked at: it lies further from the next one than
    that one from the other end.

    Examples
    --------
    >>> sentinel_of(np.array([1.0, 2.0, -999.0, 3.0, -999.0]))
    (-999.0, 2)
    >>> sentinel_of(np.arange(-2000.0, 2000.0)) is None
    True
    """
    known = values[np.isfinite(values)]
    if known.size < 3:
        return None
    for end in (float(known.min()), float(known.max())):
        if end not in SENTINELS:
            continue
        rest = known[known != end]
        if rest.size and min(abs(end - rest.min()), abs(end - rest.max())) > 2 * np.ptp(rest) + 1:
            return end, int(known.size - rest.size)
    return None
