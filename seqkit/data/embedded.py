"""Small data sets that come with the package, so that a first recipe runs without a download.

A new one is a file in ``embedded/`` and a row of `DATASETS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.data.sequences import Sequences

__all__ = ["DATASETS", "Dataset", "Loaded", "load"]

FOLDER = "embedded"


@dataclass(frozen=True)
class Loaded:
    """An embedded data set: two parts of series, or one table for forecasting.

    Attributes
    ----------
    train, test : Sequences or None
        The usual split of the set; None for forecasting.
    frame : pandas.DataFrame or None
        One row a time step, for forecasting; None otherwise.
    """

    train: Sequences | None = None
    test: Sequences | None = None
    frame: pd.DataFrame | None = None


@dataclass(frozen=True)
class Dataset:
    """One row of `DATASETS`.

    Attributes
    ----------
    name, task : str
    shape : str
        Series, steps and features, as `seqkit list datasets` shows them.
    source, terms : str
        Where the data comes from, and its licence as far as one is stated.
    loader : callable
        ``loader(name)`` returns a `Loaded`.
    """

    name: str
    task: str
    shape: str
    source: str
    terms: str
    loader: Callable[[str], Loaded]


def load(name: str) -> Loaded:
    """Return an embedded data set by its name.

    Parameters
    ----------
    name : str
        A key of `DATASETS`.

    Raises
    ------
    DataError
        No set of that name.

    Examples
    --------
    >>> gunpoint = load("gunpoint")
    >>> gunpoint.train.X.shape, gunpoint.test.X.shape
    ((50, 150, 1), (150, 150, 1))
    """
    if name not in DATASETS:
        known = "one of " + ", ".join(DATASETS)
        raise DataError(explain("data", "dataset", known, name, suggest(name, DATASETS)))
    return DATASETS[name].loader(name)


def _labelled(name: str) -> Loaded:
    """Read train and test series of a classification set from ``embedded/NAME.npz``.

    The file holds whole numbers: the decimal text of the source times a power of ten. The quotient
    of two exact numbers is rounded once, so it is the very float that reading the text gives, in
    a third of the space.
    """
    import numpy as np

    from seqkit.data.labels import integer_labels
    from seqkit.data.sequences import Sequences

    parts = {}
    with (resources.files("seqkit.data") / FOLDER / f"{name}.npz").open("rb") as file:
        stored: Any = np.load(file, allow_pickle=False)
        scale = 10.0 ** int(stored["decimals"])
        for part in ("train", "test"):
            values = stored[f"{part}_values"] / scale  # (n_rows, n_features)
            width = values.shape[1]
            features = ("value",) if width == 1 else tuple(f"channel_{i}" for i in range(width))
            offsets = np.concatenate([[0], np.cumsum(stored[f"{part}_lengths"])])
            labels = integer_labels(stored[f"{part}_y"])
            ids = np.array([f"{part}_{i}" for i in range(labels.size)])
            parts[part] = Sequences(values, offsets, features, y=labels, ids=ids)
    return Loaded(train=parts["train"], test=parts["test"])


def _months(name: str) -> Loaded:
    """Read one monthly series from ``embedded/NAME.csv``: a column `month` of time stamps."""
    import pandas as pd

    with (resources.files("seqkit.data") / FOLDER / f"{name}.csv").open("rb") as file:
        frame = pd.read_csv(file)
    frame["month"] = pd.to_datetime(frame["month"], format="%Y-%m")
    return Loaded(frame=frame)


_UCR_TERMS = (
    "no licence stated with the files of the UCR/UEA archive; "
    "taken from the sktime 1.2.0 wheel, which is BSD-3-Clause"
)

DATASETS: dict[str, Dataset] = {
    row.name: row
    for row in (
        Dataset(
            name="airline",
            task="forecasting",
            shape="1 series, 144 months 1949-1960; time 'month', target 'passengers' (thousands)",
            source="Box and Jenkins, Time Series Analysis: Forecasting and Control, 1976, series G",
            terms="no licence stated for the data; taken from the sktime 1.2.0 wheel, which is "
            "BSD-3-Clause",
            loader=_months,
        ),
        Dataset(
            name="gunpoint",
            task="classification",
            shape="50 train and 150 test series of 150 steps, 1 feature; 2 classes",
            source="Ratanamahatana and Keogh, Three Myths about Dynamic Time Warping, 2005; "
            "UCR archive, GunPoint",
            terms=_UCR_TERMS,
            loader=_labelled,
        ),
        Dataset(
            name="japanese_vowels",
            task="classification",
            shape="270 train and 370 test series of 7 to 29 steps, 12 features; 9 classes",
            source="Kudo, Toyama and Shimbo, Multidimensional Curve Classification Using "
            "Passing-Through Regions, 1999; UEA archive, JapaneseVowels",
            terms=_UCR_TERMS,
            loader=_labelled,
        ),
    )
}
