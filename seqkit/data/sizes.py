"""The frequency of a data file, and the file of its test part. Each with its reason.

Used by `seqkit.data.inspect` only; a recipe states what it uses.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqkit.data.stamps import yyyymmdd
from seqkit.data.tables import stamps_of_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["find_test_file", "guess_frequency"]


def guess_frequency(
    frame: pd.DataFrame, time: str, codes: np.ndarray, file: Path, reasons: dict[str, str]
) -> str | None:
    """Return the pandas frequency of the longest series, or the step of a counter."""
    import warnings

    import pandas as pd

    column = frame[time][codes == np.argmax(np.bincount(codes[codes >= 0]))]
    if pd.api.types.is_numeric_dtype(column.dtype):
        days = yyyymmdd(column)
        if days is None:
            reasons["frequency"] = f"{time!r} counts steps"
            return None
        stamps = pd.DatetimeIndex(days)
    else:
        stamps = pd.DatetimeIndex(stamps_of_rows(column, file))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas 3 announces that this will be an offset, not text
        frequency = pd.infer_freq(stamps[:5000]) if len(stamps) > 2 else None
    if frequency is not None:
        name = str(getattr(frequency, "freqstr", frequency))
        reasons["frequency"] = f"the first {min(len(stamps), 5000)} stamps are regular: {name}"
        return name
    steps = pd.Series(stamps).diff().dropna()
    common = steps.mode()
    if not len(common) or common.iloc[0] <= pd.Timedelta(0):
        reasons["frequency"] = "the stamps do not tell"
        return None
    step = common.iloc[0]
    whole_days = step % pd.Timedelta(days=1) == pd.Timedelta(0)
    # pandas 3 writes a step of whole days in hours, but a day is a day when clocks change.
    name = (
        f"{step.days if step.days > 1 else ''}D"
        if whole_days
        else (str(pd.tseries.frequencies.to_offset(step).freqstr))
    )
    share = float((steps == common.iloc[0]).mean())
    reasons["frequency"] = f"{share:.0%} of the steps are {name}; the stamps have gaps"
    return name


def find_test_file(file: Path, reasons: dict[str, str]) -> str | None:
    """Return the file beside this one whose name says test where this one says train."""
    for train, test in (("TRAIN", "TEST"), ("train", "test"), ("Train", "Test")):
        if train in file.name:
            other = file.with_name(file.name.replace(train, test))
            if other.is_file():
                reasons["test_path"] = f"{other.name} is named as the test part of {file.name}"
                return str(other)
    return None
