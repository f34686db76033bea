"""Forecasters, and what the programs of docs/clients are asked: rows, steps ahead, texts."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from seqkit import SequenceForecaster

SMALL: dict[str, Any] = {"epochs": 2, "units": 4, "random_state": 0}
HOURS = pd.date_range("2024-01-01", periods=160, freq="h")


@dataclass(frozen=True)
class Asked:
    """A fitted forecaster and one question.

    Parameters
    ----------
    model : SequenceForecaster
    past : ndarray of shape (n_timesteps, n_channels)
    n_steps : int
    truth : ndarray of shape (n_steps, n_targets * n_parameters)
        What the model answers by itself; of a distribution the first parameters alone.
    future : ndarray of shape (n_steps, n_future), default=None
    static : dict, default={}
    """

    model: SequenceForecaster
    past: np.ndarray
    n_steps: int
    truth: np.ndarray
    future: np.ndarray | None = None
    static: dict[str, Any] = field(default_factory=dict)

    def agrees(self, made: Any) -> None:
        """Raise unless an answer is the model's own, within 1e-5 of the greatest."""
        made = np.asarray(made, float).reshape(self.n_steps, -1)
        if self.model.distribution is not None:
            made = made.reshape(self.n_steps, self.truth.shape[1], -1)[:, :, 0]
        np.testing.assert_allclose(made, self.truth, atol=1e-5 * np.abs(self.truth).max(), rtol=0)

    def write(self, folder: Any, names: list[str], future: list[str]) -> list[str]:
        """Write the tables; return the arguments of a program but for the first, the model."""
        tables = {"past.csv": (names, self.past), "future.csv": (future, self.future)}
        for file, (head, rows) in tables.items():
            if rows is not None:
                with open(folder / file, "w", newline="", encoding="utf-8") as out:
                    csv.writer(out).writerows([head, *rows.tolist()])
        more = [] if self.future is None else ["future.csv"]
        return ["past.csv", str(self.n_steps), *more, *(f"{k}={v}" for k, v in self.static.items())]


def wave() -> Asked:
    """Quantiles of two networks and theta; the model sees powers."""
    values = 100 + 10 * np.sin(np.arange(200) * np.pi / 6)
    values += np.random.default_rng(0).normal(size=200)
    model = SequenceForecaster(
        quantiles=[0.1, 0.5, 0.9], ensemble=2, combine_with="theta", target_transform="box_cox",
        context_length=24, horizon=5, season=12, **SMALL,
    ).fit(values)  # fmt: skip
    return Asked(model, values[:, None], 13, model.forecast_quantiles(horizon=13)[:, 0])


def short() -> Asked:
    """A window that is not full: theta's is longer than the series."""
    asked = wave()
    past = asked.past[-30:]
    return Asked(asked.model, past, 11, asked.model.forecast_quantiles(past[:, 0], 11)[:, 0])


def pair() -> Asked:
    """The distribution of two targets."""
    values = np.random.default_rng(0).normal([1, -0.1], size=(150, 2)).cumsum(0)
    model = SequenceForecaster(
        context_length=12, horizon=4, distribution="student_t", **SMALL
    ).fit(values)  # fmt: skip
    return Asked(model, values, 10, model.forecast(horizon=10))


@functools.cache
def _meters() -> tuple[SequenceForecaster, pd.DataFrame]:
    tables = []
    for number, (name, area) in enumerate([("a", "north"), ("b", "south"), ("c", "north")]):
        heat = np.cos(np.arange(160) / 4 + number)
        load = 100 + 10 * np.sin(np.arange(160) / 3.8 + number) + 3 * heat
        load += np.random.default_rng(number).normal(size=160)
        tables.append(pd.DataFrame({"meter": name, "time": HOURS, "heat": heat, "area": area,
                                    "size": float(number), "load": load}))  # fmt: skip
    table = pd.concat(tables)
    model = SequenceForecaster(
        context_length=24, horizon=6, series_id="meter", time="time", target="load",
        future_covariates=["heat"], static_covariates=["area", "size"], calendar=["hour"],
        quantiles=[0.1, 0.5, 0.9], combine_with="none", **SMALL,
    ).fit(table)  # fmt: skip
    return model, table


def covariates(area: str = "south") -> Asked:
    """Future covariates, the hour of the day, static numbers and texts."""
    model, table = _meters()
    own, n = table[table.meter == "b"].assign(area=area), 16
    ahead = pd.date_range(HOURS[-1], periods=n + 1, freq="h")[1:]
    heat = np.cos((160 + np.arange(n)) / 4 + 1)
    future = pd.DataFrame({"meter": "b", "time": ahead, "heat": heat})

    def channels(stamps: pd.DatetimeIndex, *columns: Any) -> np.ndarray:
        turn = 2 * np.pi * stamps.hour / 24
        return np.column_stack([*columns, np.sin(turn), np.cos(turn)])

    truth = model.forecast(own, n, future)[[f"load_q{level}" for level in model.quantiles]]
    static = {"area": area, "size": 1.0}
    past = channels(HOURS, own.load, own.heat)
    return Asked(model, past, n, truth.to_numpy(), channels(ahead, heat), static)


def stranger() -> Asked:
    """A text that was not there in training."""
    return covariates("elsewhere")


def past_covariates() -> Asked:
    """A column of the past, and no more steps than the horizon."""
    x = np.random.default_rng(0).normal(size=(150, 2)).cumsum(0)
    table = pd.DataFrame(x, columns=["y", "z"])
    model = SequenceForecaster(
        context_length=12, horizon=4, target="y", past_covariates=["z"], **SMALL
    ).fit(table)  # fmt: skip
    return Asked(model, x, 3, model.forecast(horizon=3)[["y"]].to_numpy())


MODELS = (wave, short, pair, covariates, stranger, past_covariates)
