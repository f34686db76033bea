"""Class labels as files write them: whole numbers are numbers, wherever they were read from.

So classes 1, 2 and 10 are ordered as numbers in ``classes_``, in tables and in pictures, and a
``.tsv`` and a ``.csv`` of the same data have the same classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["integer_labels", "labels_like", "series_name"]

MOST_DIGITS = 18  # what every int64 holds


def integer_labels(y: Any) -> Any:
    """Return text labels as integers if all of them are whole numbers in their usual spelling.

    "01" and "1.0" are names: as numbers they could not be told from "1" any more.

    Parameters
    ----------
    y : ndarray or None

    Returns
    -------
    ndarray or None
        `y` itself where it is anything else.

    Examples
    --------
    >>> integer_labels(np.array(["10", "-1"])).tolist(), integer_labels(np.array(["01"])).tolist()
    ([10, -1], ['01'])
    """
    if y is None or y.dtype.kind not in "OU" or y.ndim != 1 or not y.size:
        return y
    distinct = set(y.tolist())
    for label in distinct:
        plain = isinstance(label, str) and label.removeprefix("-").isdecimal()
        if not plain or len(label) > MOST_DIGITS or str(int(label)) != label:
            return y
    return y.astype(np.int64)


def labels_like(y: Any, known: Any) -> Any:
    """Return labels written as `known` ones are: as text where those are text.

    A test file of the classes "1" and "2" alone belongs to a training file that has "other" too.

    Parameters
    ----------
    y, known : ndarray or None

    Examples
    --------
    >>> labels_like(np.array([1, 2]), np.array(["1", "other"])).tolist()
    ['1', '2']
    """
    if y is None or known is None or known.dtype.kind not in "OU" or y.dtype.kind not in "iu":
        return y
    return y.astype(str)


def series_name(path: Path) -> str:
    """Return what a file names the series in it: its own name without endings, as text.

    Bytes that are no UTF-8 become escapes: no table can hold them.

    Examples
    --------
    >>> series_name(Path("data/walk.csv.gz"))
    'walk'
    """
    return path.name.split(".")[0].encode("utf-8", "backslashreplace").decode()
