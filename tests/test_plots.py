"""Displays: what they draw, and that drawing leaves Matplotlib as it was."""

from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from conftest import some

from seqkit.evaluation.metrics import Predictions
from seqkit.evaluation.summary import score_model
from seqkit.report.canvas import INK
from seqkit.report.plots import (
    ConfusionDisplay,
    ForecastDisplay,
    HistoryDisplay,
    HorizonErrorDisplay,
    ResidualDisplay,
    ScoresDisplay,
    save_displays,
)

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def displays():
    generator = np.random.default_rng(0)
    history, forecast = generator.normal(size=(2, 40))
    quantiles = forecast[:12, None] + [-2.0, -1.0, 0.0, 1.0, 2.0]
    return {
        "forecast": ForecastDisplay(
            history, forecast[:12], quantiles=quantiles, levels=(0.05, 0.25, 0.5, 0.75, 0.95),
            truth=np.r_[forecast[:10], [np.nan] * 2], baselines={"naive": np.zeros(12)},
            time=np.datetime64("2024-01") + np.arange(52), name="a", label="load (MW)",
        ),
        "history": HistoryDisplay({"loss": [100.0, 1.0, 0.1], "val_loss": [90.0, 2.0, 3.0]}),
        "horizon_error": HorizonErrorDisplay({"model": [1.0, 2.0], "naive": [None, 3.0]}, "smape"),
        "residuals": ResidualDisplay(history, forecast, label="cycles"),
        "intervals": ResidualDisplay(history, forecast, interval=(forecast - 1, forecast + 1)),
        "scores": ScoresDisplay({"model": 0.9, "majority": 0.5, "mean": None}, "f1_macro"),
        "confusion": ConfusionDisplay([[3, 1], [0, 2]], ["a", "b"]),
        "confusion_many": ConfusionDisplay(np.eye(30, dtype=int), [f"no. {i}" for i in range(30)]),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(displays()))
def test_every_display_has_scikit_learns_form(name):
    display = displays()[name]
    assert display.plot() is display
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_xlabel() or name == "forecast"
    _, ax = plt.subplots()
    assert display.plot(ax=ax).ax_ is ax
    display.figure_.canvas.draw()


def test_forecast_draws_bands_truth_and_baseline_in_the_right_place():
    display = displays()["forecast"].plot(history_steps=15)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["history", "truth", "90% interval", "50% interval", "naive", "forecast"]
    history, truth, naive, forecast = display.ax_.get_lines()
    assert len(history.get_xdata()) == 15
    assert len(forecast.get_xdata()) == len(naive.get_xdata()) == 12
    # the truth goes on from the last value of the history
    assert truth.get_ydata()[0] == history.get_ydata()[-1]
    low, high = display._bands()[0][:2]
    assert (low < display.forecast).all()
    assert (display.forecast < high).all()
    assert display.ax_.get_ylabel() == "load (MW)"


def test_forecast_from_an_estimator_holds_out_the_end():
    class Naive:
        def forecast(self, X, horizon=None):
            return np.repeat(X[-1:], horizon or 2, axis=0)

    X = np.arange(30.0)[:, None]
    held = ForecastDisplay.from_estimator(Naive(), X, horizon=5)
    np.testing.assert_array_equal(held.forecast, [24.0] * 5)
    np.testing.assert_array_equal(held.truth, np.arange(25.0, 30.0))
    assert held.time[-1] == 5
    onward = ForecastDisplay.from_estimator(Naive(), X)
    assert onward.truth is None
    assert len(onward.history) == 30
    with pytest.raises(ValueError, match="one series each"):
        ForecastDisplay(X, X)
    with pytest.raises(ValueError, match="time must be of length 5"):
        ForecastDisplay([1.0, 2.0], [1.0, 2.0, 3.0], time=[1, 2])


def test_forecast_of_a_backtest_shows_its_window_stamps_and_baseline():
    import pandas as pd

    from seqkit.evaluation.backtest import backtest

    class Last:
        context_length, horizon = 4, 3

        def forecast(self, X, horizon=None, future=None):
            last = X.groupby("unique_id")["y"].last()
            ends = X.groupby("unique_id")["ds"].max()
            return pd.DataFrame(
                {
                    "unique_id": np.repeat(last.index, horizon),
                    "ds": [end + pd.Timedelta(days=h + 1) for end in ends for h in range(horizon)],
                    "y": np.repeat(last.to_numpy(), horizon),
                }
            )

    days = pd.date_range("2024-01-01", periods=20)
    frame = pd.concat(
        pd.DataFrame({"unique_id": name, "ds": days, "y": np.arange(20.0) + i})
        for i, name in enumerate("ab")
    )
    rolled = backtest(Last(), frame, windows=2, step=2, season=5, prefit=True)
    display = ForecastDisplay.from_backtest(rolled, 1, 0).plot()
    assert display.history[-1] == 15.0
    np.testing.assert_array_equal(display.truth, [16.0, 17.0, 18.0])
    np.testing.assert_array_equal(display.forecast, [15.0] * 3)
    np.testing.assert_array_equal(display.baselines["seasonal_naive"], [11.0, 12.0, 13.0])
    assert (display.name, display.label) == ("b", "y")
    assert display.time[-1] == np.datetime64("2024-01-18")


def test_history_marks_the_best_epoch_and_takes_logarithms_of_long_falls():
    display = displays()["history"].plot()
    assert display.best_epoch == 2
    assert display.ax_.get_yscale() == "log"
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["training", "validation", "weights kept, epoch 2"]
    flat = HistoryDisplay({"loss": [1.0, np.nan, 0.9], "learning_rate": [1, 1, 1]}).plot()
    assert flat.best_epoch == 3
    assert flat.ax_.get_yscale() == "linear"
    HistoryDisplay({"loss": [np.nan]}).plot()

    class Fitted:
        history_ = {"loss": [1.0, 0.5, 0.7]}  # noqa: RUF012
        best_epoch_ = 2

    assert HistoryDisplay.from_estimator(Fitted()).best_epoch == 3

    class Several(Fitted):
        histories_ = [Fitted.history_, {"loss": [2.0, 1.0]}]  # noqa: RUF012
        stopped_histories_ = [{"loss": [3.0]}, {"loss": [4.0]}]  # noqa: RUF012

    several = HistoryDisplay.from_estimator(Several()).plot()
    np.testing.assert_array_equal(several.others[0]["loss"], [4.0, 2.0, 1.0])
    drawn = [list(line.get_ydata()) for line in several.ax_.lines]
    assert [3.0, 1.0, 0.5, 0.7] in drawn
    assert [4.0, 2.0, 1.0] in drawn
    with pytest.raises(ValueError, match="metric must be one of"):
        HistoryDisplay({"loss": [1.0]}, metric="accuracy")


def test_horizon_error_of_a_summary_is_that_of_its_forecasts():
    generator = np.random.default_rng(0)
    truth = generator.normal(size=(3, 4, 6))
    answers = {"model": truth + 1, "naive": truth * 0}
    direct = HorizonErrorDisplay.from_predictions(truth, answers, metric="rmse")
    part = score_model(
        "forecasting", truth, Predictions(values=answers["model"]), metrics=["rmse"],
        baselines={"naive": Predictions(values=answers["naive"])},
    )  # fmt: skip
    kept = HorizonErrorDisplay.from_summary(part, "rmse").plot()
    for who in some(answers):
        np.testing.assert_allclose(direct.scores[who], kept.scores[who])
    assert kept.ax_.get_ylim()[0] == 0
    assert ScoresDisplay.from_summary(part, "rmse").scores["model"] == pytest.approx(1.0)


def test_many_points_are_drawn_at_random_and_said():
    y = np.arange(20_000.0)
    display = ResidualDisplay.from_predictions(y, y).plot()
    assert "5,000 of 20,000" in display.ax_.get_title(loc="left")
    assert len(display.ax_.collections[0].get_offsets()) == 5000


def test_intervals_that_hold_the_truth_cross_the_line_of_equals():
    true, predicted = np.array([0.0, 1.0, 2.0]), np.array([0.5, 3.0, 2.0])
    ends = predicted - 1, predicted + 1
    display = ResidualDisplay.from_predictions(true, predicted, interval=ends).plot()
    assert display.ax_.get_title(loc="left") == "the truth is within 2 of 3 intervals"
    bars = display.ax_.collections[0]
    colors = bars.get_colors()
    for (x, low), (_, high), color in zip(
        *np.moveaxis(bars.get_segments(), 1, 0), colors, strict=True
    ):
        crosses = low <= x <= high
        assert (color[:3] == colors[0][:3]).all() == crosses
    with pytest.raises(ValueError, match="the lower end of interval must be of 3 values"):
        ResidualDisplay(true, predicted, interval=(ends[0][:2], ends[1]))


def test_confusion_counts_and_orientation():
    display = ConfusionDisplay.from_predictions(
        ["a", "a", "b"], ["b", "a", "b"], classes=["b", "a"]
    ).plot()
    assert display.counts.tolist() == [[1, 0], [1, 1]]  # true down, predicted across
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["b", "a"]
    assert display.ax_.get_ylabel() == "true"


def test_saving_leaves_no_trace_and_is_repeatable(tmp_path):
    before, figures = dict(mpl.rcParams), plt.get_fignums()
    names = {"forecast": displays()["forecast"], "history": displays()["history"]}
    written = save_displays(tmp_path / "plots", names)
    assert sorted(path.name for path in written) == [
        "forecast.png", "forecast.svg", "history.png", "history.svg",
    ]  # fmt: skip
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == figures
    first = (tmp_path / "plots/forecast.svg").read_text()
    assert INK in first
    save_displays(tmp_path / "again", names, [".svg"])
    assert (tmp_path / "again/forecast.svg").read_text() == first
    assert "10^" not in (tmp_path / "plots/history.svg").read_text()


def test_scoring_and_drawing_load_no_tensorflow_and_displays_no_matplotlib():
    code = (
        "import sys; import seqkit.report.plots, seqkit.evaluation.backtest;"
        "assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_names_of_the_users_are_shown_as_they_are(tmp_path):
    odd = ["$x_1$", "<b>&", "步态", "a$b"]
    display = ConfusionDisplay(np.eye(4, dtype=int), odd)
    save_displays(tmp_path, {"confusion": display})
    text = (tmp_path / "confusion.svg").read_text(encoding="utf-8")
    assert "$x_1$" in text
    assert "步态" in text
    assert "<b>" not in text
