"""Metrics against independent transcriptions of their definitions, and against utilsforecast."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import some
from sklearn import metrics as sk

from seqkit.evaluation.forecast_errors import (
    FORECAST_ERRORS,
    as_windows,
    forecast_case,
    forecast_score,
    naive_scale,
)
from seqkit.evaluation.metrics import (
    METRICS,
    Predictions,
    Undefined,
    confusion_table,
    find_metrics,
    metric_value,
)

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


@pytest.fixture(scope="module")
def panel():
    """Five series of unequal history, three windows, missing truths, quantiles in any order."""
    generator = np.random.default_rng(7)
    truth = generator.gamma(3.0, 4.0, size=(5, 3, 6))
    point = truth + generator.normal(size=truth.shape)
    truth[0, 1, 2] = truth[3, 0, 5] = np.nan
    noise = np.sort(generator.normal(size=(*truth.shape, len(LEVELS))), axis=-1)
    history = [generator.gamma(3.0, 4.0, size=40 + 7 * i) for i in range(5)]
    history[2][5] = np.nan
    return truth, point, point[..., None] + noise, history


def by_hand(name, truth, point, quantiles, history, season):
    """Each definition, written again as plain loops over plain numbers."""
    scores, pooled = [], []
    for i, past in enumerate(history):
        steps = [abs(past[t] - past[t - season]) for t in range(season, len(past))]
        steps = [step for step in steps if not math.isnan(step)]
        terms = []
        for w in range(truth.shape[1]):
            for h in range(truth.shape[2]):
                y, f = truth[i, w, h], point[i, w, h]
                if math.isnan(y):
                    continue
                low, high = quantiles[i, w, h, 0], quantiles[i, w, h, -1]
                pinball = 0.0
                for level, q in zip(LEVELS, quantiles[i, w, h], strict=True):
                    pinball += 2 * (level * (y - q) if y > q else (1 - level) * (q - y))
                terms.append(
                    {
                        "mae": abs(y - f),
                        "mse": (y - f) ** 2,
                        "rmse": (y - f) ** 2,
                        "mape": 100 * abs(y - f) / abs(y),
                        "smape": 200 * abs(y - f) / (abs(y) + abs(f)),
                        "mase": abs(y - f) / (sum(steps) / len(steps)),
                        "rmsse": (y - f) ** 2 / (sum(s**2 for s in steps) / len(steps)),
                        "weighted_quantile_loss": pinball / len(LEVELS),
                        "crps": pinball / len(LEVELS),
                        "coverage": float(low <= y <= high),
                        "interval_width": high - low,
                    }[name]
                )
        pooled += terms
        scores.append(sum(terms) / len(terms))
    if name == "rmsse":
        return sum(math.sqrt(score) for score in scores) / len(scores)
    if name in ("mape", "smape", "mase"):
        return sum(scores) / len(scores)
    if name == "rmse":
        return math.sqrt(sum(pooled) / len(pooled))
    if name == "weighted_quantile_loss":
        return sum(pooled) / np.nansum(np.abs(truth))
    return sum(pooled) / len(pooled)


@pytest.mark.parametrize("name", sorted(FORECAST_ERRORS))
@pytest.mark.parametrize("season", [1, 4])
def test_forecast_errors_are_their_definitions(name, season, panel):
    truth, point, quantiles, history = panel
    case = forecast_case(
        truth, point, quantiles=quantiles, levels=LEVELS, history=history, season=season
    )
    expected = by_hand(name, truth, point, quantiles, history, season)
    assert forecast_score(name, case) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", sorted(FORECAST_ERRORS))
def test_scores_by_series_and_by_step_are_scores_of_the_parts(name, panel):
    truth, point, quantiles, history = panel

    def score(series, steps, by="all"):
        return forecast_score(
            name,
            forecast_case(
                truth[series][..., steps],
                point[series][..., steps],
                quantiles=quantiles[series][..., steps, :],
                levels=LEVELS,
                history=history[series],
            ),
            by,
        )

    every = slice(None)
    by_series, by_step = score(every, every, "series"), score(every, every, "step")
    assert by_series.shape == (5,)
    assert by_step.shape == (6,)
    for i in range(5):
        assert by_series[i] == pytest.approx(score(slice(i, i + 1), every))
    for h in range(6):
        assert by_step[h] == pytest.approx(score(every, slice(h, h + 1)))


UTILSFORECAST = ("mae", "mse", "rmse", "mape", "smape", "mase", "rmsse")


@pytest.mark.parametrize("name", [*UTILSFORECAST, "crps", "coverage", "weighted_quantile_loss"])
@pytest.mark.parametrize("season", [1, 7])
def test_agrees_with_utilsforecast(name, season):
    import pandas as pd
    from utilsforecast import losses

    generator = np.random.default_rng(season)
    n, horizon = 4, 12
    history = [generator.gamma(2.0, 5.0, size=30 + 11 * i) for i in range(n)]
    truth = generator.gamma(2.0, 5.0, size=(n, horizon))
    point = truth + generator.normal(size=truth.shape)
    spread = np.sort(generator.normal(size=(n, horizon, len(LEVELS))), axis=-1)
    quantiles = point[..., None] + spread
    case = forecast_case(
        truth, point, quantiles=quantiles, levels=LEVELS, history=history, season=season
    )
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(n), horizon),
            "ds": np.concatenate([len(past) + np.arange(horizon) for past in history]),
            "y": truth.ravel(),
            "model": point.ravel(),
            "model-lo-80": quantiles[..., 0].ravel(),
            "model-hi-80": quantiles[..., -1].ravel(),
        }
    )
    columns = [f"q{level}" for level in LEVELS]
    for j, column in enumerate(columns):
        frame[column] = quantiles[..., j].ravel()
    train = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(n), [len(past) for past in history]),
            "ds": np.concatenate([np.arange(len(past)) for past in history]),
            "y": np.concatenate(history),
        }
    )
    ours = forecast_score(name, case, "series")
    if name in ("mase", "rmsse"):
        theirs = getattr(losses, name)(frame, ["model"], seasonality=season, train_df=train)
    elif name == "coverage":
        theirs = losses.coverage(frame, ["model"], level=80)
    elif name == "crps":  # their multi-quantile loss is half of the CRPS it approximates
        theirs = losses.mqloss(frame, {"model": columns}, np.asarray(LEVELS))
        theirs["model"] *= 2
    elif name == "weighted_quantile_loss":
        theirs = losses.scaled_crps(frame, {"model": columns}, np.asarray(LEVELS))
    else:
        theirs = getattr(losses, name)(frame, ["model"])
    factor = {"mape": 100, "smape": 200}.get(name, 1)  # theirs are fractions, sMAPE's half of M4's
    theirs = theirs.sort_values("unique_id")["model"].to_numpy() * factor
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_owa_is_the_mean_of_two_ratios_and_one_for_naive2_itself(panel):
    truth, point, _, history = panel
    naive2 = point + 3.0
    case = forecast_case(truth, point, history=history, season=4, naive2=naive2)
    other = forecast_case(truth, naive2, history=history, season=4, naive2=naive2)
    expected = np.mean(
        [forecast_score(name, case) / forecast_score(name, other) for name in ("smape", "mase")]
    )
    assert forecast_score("owa", case) == pytest.approx(expected)
    assert forecast_score("owa", other) == pytest.approx(1.0)
    np.testing.assert_allclose(forecast_score("owa", other, "step"), 1.0)


def test_crps_of_samples_is_the_energy_form_and_agrees_with_many_quantiles():
    generator = np.random.default_rng(0)
    samples = generator.normal(10.0, 2.0, size=(1, 3, 400))
    truth = np.asarray([[9.0, 10.0, 15.0]])
    case = forecast_case(truth, samples=samples)
    pairs = np.abs(samples[..., :, None] - samples[..., None, :]).mean(axis=(-1, -2))
    expected = np.abs(samples - truth[..., None]).mean(axis=-1) - pairs / 2
    np.testing.assert_allclose(forecast_score("crps", case, "step"), expected[0], rtol=1e-12)

    levels = (np.arange(400) + 0.5) / 400
    dense = forecast_case(
        truth, quantiles=np.quantile(samples, levels, axis=-1).transpose(1, 2, 0), levels=levels,
        y_pred=truth,
    )  # fmt: skip
    np.testing.assert_allclose(forecast_score("crps", dense), expected.mean(), rtol=1e-3)


def test_a_certain_forecast_has_the_absolute_error_as_crps():
    case = forecast_case([[1.0, 5.0]], samples=np.full((1, 2, 9), 3.0))
    assert forecast_score("crps", case) == pytest.approx(2.0)


@pytest.mark.parametrize("name", ["mae", "mse", "rmse"])
def test_forecast_errors_agree_with_scikit_learn_where_both_apply(name):
    generator = np.random.default_rng(3)
    y, f = generator.normal(size=(2, 8, 5))
    ours = forecast_score(name, forecast_case(y, f))
    theirs = METRICS[name].function(y.ravel(), f.ravel(), classes=None, sample_weight=None)
    assert ours == pytest.approx(theirs)


def test_several_targets_are_scaled_each_by_its_own_history():
    generator = np.random.default_rng(1)
    history = generator.normal(size=(3, 50, 2)) * [1.0, 1000.0]
    truth = generator.normal(size=(3, 2, 4, 2)) * [1.0, 1000.0]
    point = truth + np.asarray([0.5, 500.0])
    both = forecast_score("mase", forecast_case(truth, point, history=history))
    each = [
        forecast_score("mase", forecast_case(truth[..., k], point[..., k], history=history[..., k]))
        for k in range(2)
    ]
    assert both == pytest.approx(np.mean(each))


def test_edge_cases_of_percentages_and_scales():
    zero = forecast_case([[0.0, 4.0]], [[0.0, 5.0]])
    assert forecast_score("smape", zero) == pytest.approx(100 / 9)  # 0 / 0 is no error
    assert forecast_score("mape", zero) == pytest.approx(25.0)  # the step at 0 is left out
    with pytest.raises(Undefined, match="every true value is zero"):
        forecast_score("mape", forecast_case([[0.0]], [[1.0]]))
    with pytest.raises(Undefined, match="constant"):
        forecast_score("mase", forecast_case([[1.0]], [[2.0]], history=[[3.0, 3.0, 3.0]]))
    with pytest.raises(Undefined, match="history"):
        forecast_score("mase", forecast_case([[1.0]], [[2.0]]))
    with pytest.raises(Undefined, match="no quantiles"):
        forecast_score("coverage", forecast_case([[1.0]], [[2.0]]))
    with pytest.raises(Undefined, match="no true value"):
        forecast_score("mae", forecast_case([[np.nan]], [[2.0]]))
    # one series without a scale does not silence the others
    case = forecast_case([[1.0], [1.0]], [[2.0], [2.0]], history=[[5.0, 5.0], [1.0, 3.0]])
    assert forecast_score("mase", case) == pytest.approx(0.5)
    assert np.isnan(forecast_score("mase", case, "series")[0])


def test_a_missing_forecast_never_flatters_a_score():
    with pytest.raises(Undefined, match="missing at 1 of 2"):
        forecast_score("mae", forecast_case([[1.0, 2.0]], [[1.0, np.nan]]))
    assert forecast_score("mae", forecast_case([[1.0, np.nan]], [[2.0, np.nan]])) == 1.0


def test_bad_shapes_are_named():
    with pytest.raises(ValueError, match=r"y_pred: the shape must be that of y_true"):
        forecast_case(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="n_series, horizon"):
        as_windows(np.zeros((1, 1, 1, 1, 1)), where="y_true")
    with pytest.raises(ValueError, match="as long as levels"):
        forecast_case([[1.0]], [[1.0]], quantiles=[[[1.0, 2.0]]], levels=(0.5,))
    with pytest.raises(ValueError, match="history"):
        forecast_case(np.zeros((2, 3)), np.zeros((2, 3)), history=[[1.0, 2.0]])
    with pytest.raises(ValueError, match="season"):
        naive_scale([[1.0, 2.0]], 0)


# --- labels, probabilities, numbers ---------------------------------------------------------------


@pytest.fixture(scope="module")
def classes_case():
    generator = np.random.default_rng(5)
    classes = np.asarray(["a", "b", "c"])
    y = classes[generator.integers(0, 3, 200)]
    probabilities = generator.dirichlet(np.ones(3), 200) + np.eye(3)[np.searchsorted(classes, y)]
    probabilities = (probabilities / probabilities.sum(axis=1, keepdims=True)).astype("float32")
    return y, Predictions(classes[probabilities.argmax(axis=1)], probabilities), classes


@pytest.mark.parametrize("name", list(find_metrics("classification")))
def test_every_classification_metric_is_scikit_learns(name, classes_case):
    y, prediction, classes = classes_case
    exact = prediction.probabilities.astype(float)
    exact /= exact.sum(axis=1, keepdims=True)
    expected = {
        "accuracy": lambda: sk.accuracy_score(y, prediction.labels),
        "balanced_accuracy": lambda: sk.balanced_accuracy_score(y, prediction.labels),
        "f1_macro": lambda: sk.f1_score(y, prediction.labels, average="macro"),
        "f1_micro": lambda: sk.f1_score(y, prediction.labels, average="micro"),
        "f1_weighted": lambda: sk.f1_score(y, prediction.labels, average="weighted"),
        "precision_macro": lambda: sk.precision_score(y, prediction.labels, average="macro"),
        "recall_macro": lambda: sk.recall_score(y, prediction.labels, average="macro"),
        "matthews": lambda: sk.matthews_corrcoef(y, prediction.labels),
        "log_loss": lambda: sk.log_loss(y, exact),
        "roc_auc": lambda: sk.roc_auc_score(y, exact, multi_class="ovr"),
    }[name]()
    assert metric_value(METRICS[name], y, prediction, classes=classes) == pytest.approx(expected)


def test_roc_auc_of_two_classes_reads_the_second_column():
    prediction = Predictions(probabilities=np.asarray([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]))
    assert metric_value(METRICS["roc_auc"], ["n", "y", "y"], prediction, classes=["n", "y"]) == 1.0


def test_an_absent_class_is_a_reason_not_a_crash(classes_case):
    y, prediction, classes = classes_case
    kept = y != "c"
    part = Predictions(prediction.labels[kept], prediction.probabilities[kept])
    with pytest.raises(Undefined, match="no series of this part has class c"):
        metric_value(METRICS["roc_auc"], y[kept], part, classes=classes)
    for name in ("balanced_accuracy", "f1_macro", "log_loss", "accuracy"):
        assert np.isfinite(metric_value(METRICS[name], y[kept], part, classes=classes))
    with pytest.raises(Undefined, match="never saw: d"):
        metric_value(METRICS["log_loss"], ["d"] * len(y), prediction, classes=classes)
    with pytest.raises(Undefined, match="no probabilities"):
        metric_value(METRICS["log_loss"], y, Predictions(prediction.labels), classes=classes)


def test_log_loss_follows_the_classes_order_not_the_alphabet(classes_case):
    y, prediction, classes = classes_case
    order = [2, 0, 1]
    turned = Predictions(probabilities=prediction.probabilities[:, order])
    metric = METRICS["log_loss"]
    assert metric_value(metric, y, turned, classes=classes[order]) == pytest.approx(
        metric_value(metric, y, prediction, classes=classes)
    )


def test_regression_metrics_and_their_edges():
    y, f = np.asarray([1.0, 2.0, 4.0]), np.asarray([1.0, 3.0, 3.0])
    values = {
        name: metric_value(metric, y, Predictions(values=f))
        for name, metric in find_metrics("regression", ["mae", "rmse", "r2"]).items()
    }
    assert values["mae"] == pytest.approx(2 / 3)
    assert values["rmse"] == pytest.approx(math.sqrt(2 / 3))
    assert values["r2"] == pytest.approx(sk.r2_score(y, f))
    with pytest.raises(Undefined, match="two series"):
        metric_value(METRICS["r2"], y[:1], Predictions(values=f[:1]))
    with pytest.raises(Undefined, match="finite"):
        metric_value(METRICS["mae"], y, Predictions(values=[1.0, np.nan, 2.0]))


def test_confusion_table_keeps_classes_that_never_occur():
    table = confusion_table(["a", "b"], ["a", "a"], classes=["a", "b", "c"])
    assert table == {"labels": ["a", "b", "c"], "counts": [[1, 0, 0], [1, 0, 0], [0, 0, 0]]}


def test_the_table_is_whole():
    for name, metric in some(METRICS.items()):
        assert metric.name == name
        assert metric.source
        assert metric.tasks
        if "forecasting" in metric.tasks:
            assert name in FORECAST_ERRORS or name == "owa"
        else:
            assert metric.function is not None
    with pytest.raises(ValueError, match=r"did you mean 'accuracy'\?"):
        find_metrics("classification", ["acuracy"])
    with pytest.raises(ValueError, match="the task"):
        find_metrics("clustering")


def test_the_ends_of_an_interval_are_inside_it():
    case = forecast_case(
        [[1.0, 2.0, 3.0]],
        [[1.5, 1.5, 1.5]],
        quantiles=[[[1.0, 1.5, 2.0]] * 3],
        levels=(0.1, 0.5, 0.9),
    )
    assert forecast_score("coverage", case) == pytest.approx(2 / 3)


def test_smape_of_opposite_signs_is_the_greatest_there_is():
    case = forecast_case([[1.0, -2.0]], [[-1.0, 1.0]])
    assert forecast_score("smape", case) == pytest.approx(200)


def test_a_series_that_never_changes_has_no_scale():
    assert np.isnan(naive_scale([[5.0, 5.0, 5.0]])).all()
    np.testing.assert_allclose(naive_scale([[5.0, 6.0, 5.0]]), [[1.0]])
