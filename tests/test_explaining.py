"""What a network learned: gates, gradients over time, what mattered, and that numbers are right."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import some

from seqkit import (
    SequenceClassifier,
    SequenceForecaster,
    SequenceRegressor,
    SequenceTagger,
    load_run,
    run,
    training,
)
from seqkit.cells import CELLS, Weights
from seqkit.cli import cli
from seqkit.data.embedded import load as load_embedded
from seqkit.data.synthetic import adding_problem
from seqkit.estimators.inspection import inspected
from seqkit.evaluation.attributions import attribute
from seqkit.evaluation.importance import permutation_importance
from seqkit.evaluation.saturation import saturation
from seqkit.network.architecture import Architecture
from seqkit.network.layers.base import Saved
from seqkit.network.layers.theta import ThetaForecast
from seqkit.network.layers.windows import NaiveForecast
from seqkit.network.losses import Objective, loss_of
from seqkit.network.native import NativeNetwork, as_answering
from seqkit.network.ops import NUMPY
from seqkit.network.recurrences import DOUBLES, recurrences
from seqkit.network.steps import cell_step
from seqkit.report.attribution_plots import AttributionDisplay, ImportanceDisplay
from seqkit.report.gate_plots import GateDisplay, SaturationDisplay
from seqkit.report.gradient_plots import GradientFlowDisplay, gradient_flow
from seqkit.report.plots import HistoryDisplay
from seqkit.training.run import NORMS

mpl.use("Agg")
import matplotlib.pyplot as plt

RNG = np.random.default_rng


def native_of(kind="classifier", seed=0, watched=(), moves=True, **settings):
    """Return a network with weights that are no round numbers, biases and peepholes among them."""
    made = Architecture(kind, settings)
    network = as_answering(made.network, moves=moves)
    native = NativeNetwork(network, watched)
    rng = RNG(seed)
    native.weights.load([
        w if "scale" in d.path else w + rng.normal(0, 0.2, w.shape).astype(np.float32)
        for w, d in zip(made.network.initial_weights(seed), made.network.weights, strict=True)
    ])  # fmt: skip
    return native


def unequal(n_features=3, n=5, longest=13, seed=1):
    """Return series of unequal lengths, their padding far from everything."""
    rng = RNG(seed)
    lengths = np.array([longest, *rng.integers(3, longest, n - 1)], np.int32)
    x = rng.normal(size=(n, longest, n_features)).astype(np.float32)
    x[np.arange(longest) >= lengths[:, None]] = 99.0
    return {"x": x, "lengths": lengths}


STACK = {"n_timesteps": None, "n_features": 3, "n_classes": 3, "units": (7, 5), "patch": 1}


@pytest.mark.parametrize("cell", list(CELLS))
def test_the_step_gives_the_states_of_the_kernels(cell):
    native = native_of(cell=cell, bidirectional=True, variable_length=True, pooling="mean", **STACK)
    inputs = unequal()
    found = recurrences(native, inputs)
    assert [(one.layer, one.direction) for one in found] == [
        (1, "forward"), (1, "backward"), (2, "forward"), (2, "backward"),
    ]  # fmt: skip
    whole = native.values(inputs, [one.node for one in found])
    for one in found:
        h = one.activations()["h"]
        first = 0 if one.direction == "forward" else one.units
        kernel = whole[one.node][:, :, first : first + one.units]
        past = np.arange(h.shape[1]) >= inputs["lengths"][:, None]
        assert np.isnan(h[past]).all()
        np.testing.assert_allclose(h[~past], kernel[~past], rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", list(CELLS))
def test_gates_are_those_of_the_row(cell):
    row = CELLS[cell]
    native = native_of(cell=cell, bidirectional=False, **STACK)
    one = recurrences(native, RNG(0).normal(size=(2, 9, 3)).astype(np.float32))[0]
    found = one.activations()
    assert set(one.gates) == set(row.gates) - {"c", "h"}
    assert all(((found[name] > 0) & (found[name] < 1)).all() for name in one.gates)
    if row.family == "lstm":
        i, f, o = (found.get(name, 1.0) for name in "ifo")
        f = 1 - i if row.coupled else f
        before = np.pad(found["c"], ((0, 0), (1, 0), (0, 0)))[:, :-1]
        np.testing.assert_allclose(found["c"], f * before + i * found["g"], atol=1e-12)
        squash = np.tanh if row.output_activation == "tanh" else lambda a: a
        np.testing.assert_allclose(found["h"], o * squash(found["c"]), atol=1e-12)
    elif row.family == "gru":
        before = np.pad(found["h"], ((0, 0), (1, 0), (0, 0)))[:, :-1]
        z = found["z"]
        np.testing.assert_allclose(found["h"], z * before + (1 - z) * found["g"], atol=1e-12)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("cell", list(CELLS))
def test_the_gradient_of_states_is_the_slope_of_what_follows(cell, direction):
    native = native_of(cell=cell, bidirectional=True, variable_length=True, **STACK)
    inputs, rng = unequal(), RNG(2)
    one = next(r for r in recurrences(native, inputs) if r.direction == direction)
    n, n_steps = len(inputs["lengths"]), one.x.shape[0]
    upstream = rng.normal(size=(n, n_steps, one.units)).astype(np.float32)
    found = one.output_gradient(upstream)
    states, _ = one._states()
    weights = Weights(*(w if w is None else w.astype(np.float64) for w in one.weights))

    def loss(t, series, moved):
        """Return the loss of the steps from t on, read forward, if h_t were moved."""
        length = inputs["lengths"][series]
        now = [s[series : series + 1].copy() for s in states[t + 1]]
        now[0] = now[0] + moved
        total = 0.0
        for k in range(t, length):
            if k > t:
                x = one.x[k, series : series + 1].astype(np.float64)
                now, _ = cell_step(DOUBLES, one.cell, weights, x, now)
            place = k if direction == "forward" else length - 1 - k
            total += float((upstream[series, place] * now[0][0]).sum())
        return total

    for series, t in some([(0, 0), (0, 5), (0, 12), (3, 1), (4, 0)]):
        length = inputs["lengths"][series]
        if t >= length:
            continue
        place = t if direction == "forward" else length - 1 - t
        along = rng.normal(size=one.units)
        slope = (loss(t, series, 1e-5 * along) - loss(t, series, -1e-5 * along)) / 2e-5
        assert found[series, place] @ along == pytest.approx(slope, rel=2e-4, abs=2e-5)
    assert np.isnan(found[np.arange(n_steps) >= inputs["lengths"][:, None]]).all()


# -- estimators: what is inside of them on data ------------------------------------------------

SMALL = {"units": 6, "epochs": 2, "random_state": 0}
ALONE = {**SMALL, "patch": 1, "stem": None, "branch": None, "moves": (), "shift": 0,
         "pooling": "last", "ensemble": 1}  # fmt: skip


def two_classes(n=30, n_steps=24, n_features=2, seed=0):
    X = RNG(seed).normal(size=(n, n_steps, n_features))
    return X, np.where(X[:, :, 0].mean(axis=1) > 0, "up", "down")


@pytest.fixture(scope="module")
def fits():
    """Return a fitted estimator of each kind, with series and targets as its fit takes them."""
    rng = RNG(0)
    X, y = two_classes()
    unequal_X = [rng.normal(size=(n, 2)) for n in rng.integers(6, 20, 20)]
    steps = rng.normal(size=(12, 18, 1))
    tags = np.where(steps[:, :, 0].cumsum(axis=1) > 0, "up", "down")
    wave = 10 + np.sin(np.arange(160) / 4) + 0.1 * rng.normal(size=160)
    return {
        "classifier": (SequenceClassifier(cell="vanilla", **ALONE).fit(X, y), X, y),
        "stems and moves": (SequenceClassifier(**SMALL, ensemble=2).fit(X, y), X, y),
        "regressor": (
            SequenceRegressor(cell="gru", ensemble=2, **SMALL).fit(
                unequal_X, [x[:, 0].mean() for x in unequal_X]
            ),
            unequal_X,
            [x[:, 0].mean() for x in unequal_X],
        ),
        "tagger": (SequenceTagger(**SMALL).fit(steps, tags), steps, tags),
        "tokens": (
            SequenceTagger(target="next", **SMALL).fit(["abcabcab", "bcabc", "aabb"]),
            ["abcabcab", "bcabc", "aabb"],
            None,
        ),
        "forecaster": (
            SequenceForecaster(
                context_length=24, horizon=6, patch=4, ensemble=2, combine_with="none", **SMALL
            ).fit(wave),
            wave,
            None,
        ),
    }


KINDS = ("classifier", "stems and moves", "regressor", "tagger", "tokens", "forecaster")


@pytest.mark.parametrize("kind", KINDS)
def test_every_estimator_shows_its_gates_saturation_and_gradients(fits, kind):
    model, X, y = fits[kind]
    display = GateDisplay.from_estimator(model, X, 1 if kind != "forecaster" else 0)
    assert display.plot() is display
    assert display.figure_ is display.ax_.figure
    assert len(display.axes_) == 1 + len(display.activations)
    display.figure_.canvas.draw()
    shares = SaturationDisplay.from_estimator(model, X)
    assert all(0 <= row["below"] + row["above"] <= 1 for row in some(shares.table()))
    flow = GradientFlowDisplay.from_estimator(model, X, y)
    assert all(np.isfinite(line.norms).all() for line in some(flow.lines))
    assert any(line.norms.max() > 0 for line in flow.lines)
    assert flow.plot().ax_.get_yscale() == "log"
    plt.close("all")


def test_members_layers_and_names_that_are_not_there_are_said(fits):
    model, X, _ = fits["stems and moves"]
    one, other = (GateDisplay.from_estimator(model, X, 3, member=k) for k in (0, 1))
    assert not np.array_equal(one.activations["h"], other.activations["h"])
    with pytest.raises(ValueError, match="member must be from 0 to 1; got 2"):
        GateDisplay.from_estimator(model, X, member=2)
    with pytest.raises(ValueError, match=r"layer must be one of \[1\]; got 5"):
        GateDisplay.from_estimator(model, X, layer=5)
    with pytest.raises(ValueError, match="series must be a number from 0 to 29"):
        GateDisplay.from_estimator(model, X, "nobody")
    alone = fits["forecaster"][0]
    with pytest.raises(ValueError, match=r"direction must be one of \['forward'\]"):
        GateDisplay.from_estimator(alone, fits["forecaster"][1], direction="backward")


def test_steps_of_patches_and_stems_stand_where_they_read():
    """A single value that is changed changes the steps of the layer that stand around it."""
    settings = {"n_timesteps": 40, "n_features": 1, "n_classes": 2, "cell": "gru", "units": 4}
    for more, width in some([
        ({"patch": 5, "stem": None}, 5),
        ({"patch": 4, "overlap": 2, "stem": None}, 6),
        ({"patch": 1, "stem": {"filters": [6], "kernel_size": [5], "stride": [2]}}, 5),
    ]):  # fmt: skip
        native = native_of(**settings, **more, bidirectional=False)
        x = RNG(0).normal(size=(1, 40, 1)).astype(np.float32)
        changed = x.copy()
        changed[0, 21] += 3
        one, other = (recurrences(native, given)[0] for given in (x, changed))
        differ = np.flatnonzero((one.x != other.x).any(axis=(1, 2)))
        at = one.starts[0] + one.stride * differ
        assert len(at)
        assert (np.abs(at - 21) <= width / 2).all()


def test_units_that_go_together_stand_together():
    t = np.arange(60)
    slow, fast = np.sin(t / 9), np.sin(t / 2)
    h = np.stack([slow, fast, slow * 0.5, fast * 2, slow + 0.01, fast], axis=1)
    order = GateDisplay(np.zeros((60, 1)), {"h": h}).order
    kinds = [int(unit) % 2 for unit in order]
    assert kinds in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])
    peaks = np.zeros((9, 3))
    peaks[[7, 1, 4], [0, 1, 2]] = 1
    assert GateDisplay(np.zeros((9, 1)), {"h": peaks}, order="peak").order.tolist() == [1, 2, 0]


def test_saturation_counts_what_is_below_and_above(fits):
    model, X, _ = fits["classifier"]
    found = inspected(model, X)
    one = recurrences(found.native(), found.inputs)[0]
    gate = one.activations()["f"]
    row = next(r for r in saturation(found) if (r["gate"], r["direction"]) == ("f", "forward"))
    np.testing.assert_allclose(row["below"], (gate < 0.1).mean(axis=(0, 1)))
    np.testing.assert_allclose(row["above"], (gate > 0.9).mean(axis=(0, 1)))
    plain = SequenceClassifier(cell="simple_rnn", **ALONE).fit(*two_classes())
    with pytest.raises(ValueError, match="of a cell with gates"):
        SaturationDisplay.from_estimator(plain, X)


def test_a_simple_network_forgets_and_a_large_kernel_explodes():
    """Bengio et al. (1994): the gradient fades, or grows, by a factor a step."""
    X, y = adding_problem(40, 60)

    def fitted(cell, factor):
        settings = {**ALONE, "units": 16, "bidirectional": False}
        model = SequenceRegressor(cell=cell, **settings).fit(X, y)
        network = model._build().network
        return model.set_weights([
            w * factor if "recurrent_kernel" in d.path else w
            for w, d in zip(model.weights_, network.weights, strict=True)
        ])  # fmt: skip

    models = {"small": fitted("simple_rnn", 0.5), "lstm": fitted("lstm", 1.0),
              "large": fitted("simple_rnn", 3.0)}  # fmt: skip
    lines = GradientFlowDisplay.from_estimators(models, X, y).lines
    kept = {line.name: line.norms[0] / line.norms[-1] for line in lines}
    assert kept["small"] < 1e-10
    assert kept["small"] < kept["lstm"] < 1 < kept["large"]


def test_the_gradient_at_a_layer_is_the_slope_of_the_loss(fits):
    """At the step that is read out it is what the head gives, by moving what the layer gives."""
    model, X, y = fits["classifier"]
    found = inspected(model, X, y, targets=True).take(np.arange(4))
    native = found.native()
    flows = gradient_flow(found)
    last = max(one.layer for one, _ in flows)
    for one, gradient in some([f for f in flows if f[0].layer == last]):
        # the last state is what is read: the gradient there is that of the head
        place = -1 if one.direction == "forward" else 0
        d = np.zeros((4, 2 * one.units))
        for k in range(2 * one.units):
            h = native.values(found.inputs, [one.node])[one.node]
            losses = []
            for sign in (1, -1):
                moved = h.copy()
                moved[:, k] += sign * 1e-2
                out = native.forward(found.inputs, training=False, given={one.node: moved})
                losses.append([
                    loss_of(found.objective, found.y[i : i + 1], out[i : i + 1], None)[0]
                    for i in range(4)
                ])  # fmt: skip
            d[:, k] = np.subtract(*losses) / 2e-2
        own = d[:, : one.units] if one.direction == "forward" else d[:, one.units :]
        np.testing.assert_allclose(gradient[:, place], own, rtol=2e-3, atol=1e-5)


# -- decoders that go on over the horizon -----------------------------------------------------


def going_on(decoder, cell="lstm", **settings):
    """Return a forecaster's network with weights that are no round numbers, and windows for it."""
    native = native_of(
        "forecaster", context_length=12, horizon=7, n_targets=2, cell=cell, units=(5, 4), patch=3,
        decoder=decoder, **settings,
    )  # fmt: skip
    return native, {"x": RNG(4).normal(size=(3, 12, 2)).astype(np.float32)}


DECODED = [("recursive", {}), ("segment", {}), ("segment", {"channels": "independent"}),
           ("recursive", {"channels": "independent", "departure_from": "last"})]  # fmt: skip


@pytest.mark.parametrize(("decoder", "more"), DECODED)
@pytest.mark.parametrize("cell", list(CELLS))
def test_the_steps_ahead_are_those_of_the_decoder(cell, decoder, more):
    native, inputs = going_on(decoder, cell, **more)
    every = recurrences(native, inputs)
    assert [(one.layer, one.direction) for one in every] == [
        (1, "forward"), (2, "forward"), (1, "ahead"), (2, "ahead"),
    ]  # fmt: skip
    rows = 6 if more else 3
    for one in every[2:]:
        h = one.activations()["h"]
        assert h.shape == (rows, 3, one.units)  # 7 steps are 3 patches
        of_nodes = native.values(inputs, one.nodes)
        made = np.concatenate([of_nodes[name] for name in one.nodes], axis=1)
        np.testing.assert_allclose(h, made.reshape(h.shape), atol=1e-5)
        assert one.starts[0] == 12 + 1
        assert one.stride == 3
        values = one.gate_values()
        for gate in one.gates:
            assert values[gate].shape == h.shape
            np.testing.assert_allclose(values[gate], one.activations()[gate], atol=1e-5)


@pytest.mark.parametrize(("decoder", "more"), DECODED)
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn", "fgr"])
def test_the_gradient_ahead_is_the_slope_of_the_loss(cell, decoder, more):
    native, inputs = going_on(decoder, cell, **more)
    layers = recurrences(native, inputs)
    watched = tuple(dict.fromkeys(node for one in layers for node in one.nodes))
    native = going_on_watched(native, watched)
    rng = RNG(7)
    out = native.forward(inputs, training=False)
    d = rng.normal(size=out.shape).astype(np.float32)
    coming = native.backward(d)
    for one in layers[2:]:
        found = one.gradient(coming)
        for k, node in enumerate(one.nodes):
            given = native.values(inputs, [node, f"{node}:1"])
            along = rng.normal(size=given[node].shape).astype(np.float32)
            losses = []
            for sign in (1e-2, -1e-2):
                # the output, and the state that the next step starts from
                moved = {node: given[node] + sign * along,
                         f"{node}:1": given[f"{node}:1"] + sign * along[:, 0]}  # fmt: skip
                losses.append(float((native.forward(inputs, False, moved) * d).sum()))
            slope = (losses[0] - losses[1]) / 2e-2
            steps = found[:, k : k + 1] if len(one.nodes) > 1 else found
            expected = float((steps.reshape(along.shape) * along).sum())
            assert expected == pytest.approx(slope, rel=2e-2, abs=2e-2)


def going_on_watched(native, watched):
    """Return the same network, whose backward pass tells of some nodes."""
    other = NativeNetwork(native.network, watched)
    other.weights.load(native.weights.all)
    return other


@pytest.mark.parametrize(("decoder", "direction"), [("direct", "forward"), ("recursive", "ahead")])
def test_a_channel_that_is_read_by_itself_has_gates_of_its_own(decoder, direction):
    t = np.arange(120)
    frame = pd.DataFrame({"a": 10 + np.sin(t / 4), "b": 5 * np.cos(t / 7)})
    model = SequenceForecaster(
        context_length=24, horizon=6, patch=2, decoder=decoder, channels="independent",
        target=["a", "b"], combine_with="none", **{**SMALL, "ensemble": 1},
    ).fit(frame)  # fmt: skip

    def shown(data, channel):
        return GateDisplay.from_estimator(model, data, direction=direction, channel=channel)

    first, second = shown(frame, 0), shown(frame, "b")
    assert (first.features, second.features) == (["a"], ["b"])
    of = model.forecast(frame)["b"].to_numpy() if direction == "ahead" else frame["b"][-24:]
    np.testing.assert_allclose(second.values[:, 0], of, rtol=1e-5)
    other = frame.assign(a=frame["a"] ** 2)
    np.testing.assert_allclose(shown(other, 1).activations["h"], second.activations["h"], atol=1e-6)
    assert np.abs(shown(other, "a").activations["h"] - first.activations["h"]).max() > 1e-3
    for wrong in ("c", 2):
        with pytest.raises(
            ValueError, match=r"channel must be one of 'a', 'b' or a number below 2"
        ):
            shown(frame, wrong)


@pytest.mark.parametrize("decoder", ["recursive", "segment"])
def test_decoders_are_drawn_beside_the_forecast(decoder):
    wave = 10 + np.sin(np.arange(120) / 4)
    model = SequenceForecaster(
        context_length=24, horizon=10, patch=4, decoder=decoder, target_transform="log",
        combine_with="none", **{**SMALL, "ensemble": 1},
    ).fit(wave)  # fmt: skip
    display = GateDisplay.from_estimator(model, wave, direction="ahead").plot()
    np.testing.assert_allclose(display.values[:, 0], model.forecast(wave), rtol=1e-5)
    assert display.ax_.get_xlim() == (0.5, 10.5)
    steps = sorted({row["step"] for row in display.rows()})
    assert steps == [2.5, 6.5, 10.5]  # middles of the patches of the steps 1 to 12
    flow = GradientFlowDisplay.from_estimator(model, wave)
    assert [(line.direction, len(line.norms)) for line in flow.lines] == [
        ("forward", 6), ("ahead", 3),
    ]  # fmt: skip
    before, ahead = flow.lines
    assert ahead.steps[0] - before.steps[-1] == 4  # a patch on
    assert flow.plot().ax_.get_xlabel().endswith("(dotted line)")
    shares = SaturationDisplay.from_estimator(model, wave).table()
    assert {row["direction"] for row in shares} == {"forward", "ahead"}
    with pytest.raises(ValueError, match="direction must be one of"):
        GateDisplay.from_estimator(
            SequenceForecaster(context_length=24, horizon=4, **SMALL).fit(wave), wave,
            direction="ahead",
        )  # fmt: skip
    plt.close("all")


# -- what training records ---------------------------------------------------------------------


def test_training_records_the_norm_of_its_gradients():
    """One step of plain descent moves the weights by rate times gradient, or what is left of it."""
    X, y = two_classes()
    made = Architecture("classifier", {"n_timesteps": 24, "n_features": 2, "n_classes": 2,
                                       "units": (5,), "patch": 1, "stem": None})  # fmt: skip
    source = training.ArraySource(X.astype(np.float32), (y == "up").astype(np.int32))

    def fit(clipnorm, batch_size, epochs=1):
        given = {"seed": 0, "key": made.key, "patience": 0, "optimizer": "sgd", "output": "logits"}
        return training.fit(
            made, source, loss=Objective("crossentropy"), clipnorm=clipnorm, epochs=epochs,
            batch_size=batch_size, learning_rate=0.1, **given,
        )  # fmt: skip

    begun = [w.astype(np.float64) for w in fit(None, len(X), 0).weights]
    for clipnorm in some([None, 100.0, 0.01]):
        found = fit(clipnorm, len(X))
        moved = np.sqrt(
            sum(((w - v) ** 2).sum() for w, v in zip(found.weights, begun, strict=True))
        )
        norm = found.history["grad_norm"][0]
        assert found.history["grad_norm_max"][0] == norm
        assert moved == pytest.approx(0.1 * min(norm, clipnorm or np.inf), rel=1e-4)
        assert found.history["clipped"] == [float(norm > (clipnorm or np.inf))]
    history = fit(fit(None, 10).history["grad_norm"][0], 10, epochs=3).history
    assert all(m < g for m, g in zip(history["grad_norm"], history["grad_norm_max"], strict=True))
    assert 0 < history["clipped"][0] < 1
    assert history["clipped"][0] * 3 == round(history["clipped"][0] * 3)


def test_a_fit_of_an_earlier_version_goes_on_without_the_norms():
    X, y = two_classes()
    states = []
    settings = {**ALONE, "epochs": 4}
    SequenceClassifier(**settings).fit(X, y, on_epoch=lambda e, logs, get: states.append(get()))
    old = replace(states[1], history={k: v for k, v in states[1].history.items() if k not in NORMS})
    history = SequenceClassifier(**settings).fit(X, y, resume=old).history_
    assert not set(NORMS) & set(history)
    assert {len(values) for values in history.values()} == {4}
    whole = SequenceClassifier(**settings).fit(X, y, resume=states[1]).history_
    assert whole == SequenceClassifier(**settings).fit(X, y).history_


def test_the_training_curve_draws_the_norms():
    norms = {"grad_norm": [3.0, 1.0], "grad_norm_max": [9.0, 2.0], "clipped": [1.0, 0.5]}
    display = HistoryDisplay({"loss": [2.0, 1.0], **norms}).plot()
    titles = [ax.get_ylabel() for ax in display.figure_.axes]
    assert titles == ["loss", "gradient", "clipped"]
    assert [bar.get_height() for bar in display.figure_.axes[2].patches] == [1.0, 0.5]
    assert len(HistoryDisplay({"loss": [2.0, 1.0]}).plot().figure_.axes) == 1
    again = HistoryDisplay({"loss": [1.0], **{k: v[:1] for k, v in norms.items()}},
                           stopped={"loss": [2.0]})  # fmt: skip
    assert not again.norms  # of the training before nothing is known
    plt.close("all")


# -- what mattered -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_attributions_sum_to_what_the_answer_differs_by(fits, kind):
    model, X, _ = fits[kind]
    row = 0 if kind == "forecaster" else 2
    found = attribute(model, X, row, n_points=300)
    corners = kind == "stems and moves" or "max" in str(getattr(model, "auto_", {}))
    off = 0.02 if corners else 1e-4
    scale = max(abs(found.answer - found.baseline), sum(np.abs(v).sum() for v in
                                                        found.values.values()))  # fmt: skip
    assert abs(found.total - (found.answer - found.baseline)) < off * scale + 1e-7
    if kind == "forecaster":
        expected = model.forecast(X).mean()
        assert len(found.values["x0"]) == 24
    elif kind in ("tagger", "tokens"):
        expected = np.asarray(model.predict_proba(X)[row])[-1].max()
    elif kind == "regressor":
        expected = model.predict(X)[row]
    else:
        expected = model.predict_proba(X)[row].max()
    if kind != "forecaster":  # an ensemble's median is none of networks one by one
        assert found.answer == pytest.approx(expected, rel=1e-5)
    else:
        assert found.answer == pytest.approx(expected, rel=1e-2)
    by_gradient = attribute(model, X, row, method="gradient_times_input")
    assert by_gradient.answer == found.answer
    assert AttributionDisplay(found).plot().ax_.get_title(loc="left")
    plt.close("all")


def test_the_gradient_of_moved_series_goes_back_to_where_they_were_read():
    native = native_of(
        n_timesteps=None, n_features=2, n_classes=3, units=(4,), moves=(2, 0, -3), patch=3,
        variable_length=True, stem=None, pooling="mean", watched=("x",),
    )  # fmt: skip
    inputs, rng = unequal(n_features=2), RNG(0)
    valid = np.arange(13) < inputs["lengths"][:, None]
    inputs["x"] = np.where(valid[:, :, None], inputs["x"], 0).astype(np.float32)
    out = native.forward(inputs, training=False)
    d = rng.normal(size=out.shape).astype(np.float32)
    gradient = native.backward(d)["x"][0]
    assert (gradient[~valid] == 0).all()
    for _ in range(3):
        along = (rng.normal(size=gradient.shape) * valid[:, :, None]).astype(np.float32)
        ends = [
            float((native.forward({**inputs, "x": inputs["x"] + s * along}, False) * d).sum())
            for s in (1e-2, -1e-2)
        ]
        slope = (ends[0] - ends[1]) / 2e-2
        assert float((gradient * along).sum()) == pytest.approx(slope, rel=5e-3, abs=1e-4)


def test_the_naive_forecast_has_the_gradient_of_what_it_repeats():
    for layer in some([NaiveForecast("last", 4), NaiveForecast("seasonal_naive", 4, 3)]):
        rng, saved = RNG(0), Saved()
        x = rng.normal(size=(3, 7, 2))
        lengths = np.array([7, 5, 2])
        d = rng.normal(size=(3, 4, 2))
        out = layer.forward(NUMPY, {}, saved, x, lengths)
        assert out.shape == d.shape
        gradient = layer.backward({}, {}, saved, d, (True, False))[0]
        along = rng.normal(size=x.shape)
        moved = layer.forward(NUMPY, {}, Saved(), x + along, lengths)  # it is linear
        assert (gradient * along).sum() == pytest.approx(((moved - out) * d).sum())


def test_the_channel_and_the_stretch_that_decide_are_found():
    rng = RNG(0)
    X, y = rng.normal(size=(240, 24, 3)), np.repeat(["up", "down"], 120)
    X[:, 12:16, 1] += np.where(y == "up", 2.0, -2.0)[:, None]
    model = SequenceClassifier(
        **{**ALONE, "units": 16, "epochs": 40, "learning_rate": 0.01, "bidirectional": True,
           "pooling": "mean", "validation": 0, "patience": 0}
    ).fit(X, y)  # fmt: skip
    assert model.score(X, y) > 0.9
    found = permutation_importance(
        model, X, y, metrics=["accuracy", "log_loss"], n_segments=6, repeats=3
    )
    assert [one.metric for one in found] == ["accuracy", "log_loss"]
    for one in some(found):
        rows = {row["name"]: row["mean"] for row in one.rows}
        rest = [v for name, v in rows.items() if name not in ("feature 1", "steps 12 to 15")]
        assert min(rows["feature 1"], rows["steps 12 to 15"]) > 3 * max(rest)
    assert found[0].score == pytest.approx(model.score(X, y))
    shares = np.zeros((24, 3))
    for series in range(8):
        one = attribute(model, X, series, target="up", n_points=32)
        shares += np.abs(np.stack(list(one.values.values()), axis=1))
    decisive = np.zeros(shares.shape, bool)
    decisive[12:16, 1] = True
    assert shares[decisive].mean() > 4 * shares[~decisive].mean()
    drawn = ImportanceDisplay(found[0]).plot()
    assert drawn.axes_[0].get_yticklabels()[-1].get_text() == "feature 1"
    plt.close("all")


def test_a_covariate_of_known_weight_has_that_weight():
    """What comes is 3 times a covariate known ahead, and noise beside it."""
    rng = RNG(0)
    ahead, other = rng.normal(size=(2, 500))
    frame = pd.DataFrame({
        "ds": pd.date_range("2024-01-01", periods=500, freq="h"), "y": 50 + 3 * ahead,
        "ahead": ahead, "other": other,
    })  # fmt: skip
    model = SequenceForecaster(
        context_length=12, horizon=3, units=16, epochs=40, learning_rate=0.01, patch=1, season=1,
        past_covariates=["other"], future_covariates=["ahead"], normalize="none",
        combine_with="none", random_state=0,
    ).fit(frame)  # fmt: skip
    weights = []
    for end in range(440, 500):
        one = attribute(model, frame.iloc[:end], step=2, n_points=16)
        moved, given = one.values["ahead"][12 + 1], one.series["ahead"][12 + 1]
        if abs(given) > 0.5:
            weights.append(moved / (given - ahead.mean()))
        assert abs(one.values["other"]).sum() < 2
    assert np.median(weights) == pytest.approx(3, rel=0.1)
    rows = {r["name"]: r["mean"] for r in permutation_importance(
        model, frame, metrics=["mae"], n_segments=2, repeats=2)[0].rows}  # fmt: skip
    assert rows["ahead"] > 2
    assert rows["ahead"] > 5 * max(v for name, v in rows.items() if name != "ahead")


def test_a_lag_of_known_weight_has_that_weight():
    """What comes next is 2 times what a covariate was three steps before."""
    rng = RNG(0)
    wind = rng.normal(size=500)
    y = 20 + np.r_[np.zeros(3), 2 * wind[:-3]]
    frame = pd.DataFrame({
        "ds": pd.date_range("2024-01-01", periods=500, freq="h"), "y": y, "wind": wind,
    })  # fmt: skip
    model = SequenceForecaster(
        context_length=8, horizon=2, units=16, epochs=60, learning_rate=0.01, patch=1, season=1,
        past_covariates=["wind"], normalize="none", combine_with="none", ensemble=1,
        random_state=0,
    ).fit(frame)  # fmt: skip
    weights, other = [], []
    for end in range(450, 490):
        one = attribute(model, frame.iloc[:end], step=1, n_points=16)
        by_lag = one.values["wind"][::-1]  # the first step ahead is three after lag 2
        if abs(one.series["wind"][-3]) > 0.5:
            weights.append(by_lag[2] / (one.series["wind"][-3] - wind.mean()))
        other.append(np.abs(np.delete(by_lag, 2)).mean())
    assert np.median(weights) == pytest.approx(2, rel=0.15)
    assert np.mean(other) < 0.2
    rows = {r["name"]: r["mean"] for r in permutation_importance(
        model, frame, metrics=["mae"], n_segments=8, repeats=2)[0].rows}  # fmt: skip
    decisive = min(rows["lags 2 to 2"], rows["lags 1 to 1"])  # of the first step and the second
    assert decisive > 3 * max(v for k, v in rows.items() if k[-1] in "034567" and k[:4] == "lags")


WHOLE = {
    "last": {"departure_from": "last"},
    "a season": {"departure_from": "seasonal_naive", "season": 6, "decoder": "recursive"},
    "theta": {"departure_from": "theta", "season": 6, "normalize": "last"},
    "learned theta": {"departure_from": "learned_theta", "season": 6, "decoder": "segment"},
    "beside theta": {"combine_with": "theta", "season": 6, "ensemble": 2},
    "all of it": {
        "departure_from": "learned_theta", "combine_with": "theta", "season": 6,
        "target_transform": "box_cox", "quantiles": [0.1, 0.5, 0.9], "ensemble": 3,
        "context_length": [24, 30, 24], "decoder": "recursive",
    },
    "no middle quantile": {"combine_with": "theta", "quantiles": [0.2, 0.9]},
    "location": {"combine_with": "theta", "distribution": "student_t", "channels": "independent"},
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_forecast_is_attributed(name):
    """Networks, what they depart from, and the theta forecast beside them, in units."""
    rng, t = RNG(0), np.arange(140)
    wave = 10 + 2 * np.sin(t / 4) + 0.1 * rng.normal(size=140) + t / 50
    settings = {"context_length": 24, "horizon": 5, "patch": 4, "combine_with": "none",
                "ensemble": 1, **SMALL, "epochs": 4, "learning_rate": 0.01,
                **WHOLE[name]}  # fmt: skip
    X = np.stack([wave, wave[::-1]], axis=1)
    model = SequenceForecaster(**settings).fit(X)
    forecast = model.forecast(X)
    for step, target in some([(None, None), (3, 1)]):
        found = attribute(model, X, step=step, target=target, n_points=200)
        made = forecast[:, 0].mean() if step is None else forecast[2, 1]
        assert found.answer == pytest.approx(made, rel=1e-5)
        size = sum(np.abs(v).sum() for v in found.values.values())
        off = 0.01 if settings["ensemble"] > 2 else 1e-3  # a median has corners
        assert abs(found.total - (found.answer - found.baseline)) < off * size
    departure = settings.get("departure_from")
    named = {f"x1 by {departure}"} if departure else set()
    named |= {"x1 by theta"} if settings["combine_with"] == "theta" else set()
    assert named <= set(found.values)
    for own in named:
        assert np.abs(found.values[own]).sum() > 0
        np.testing.assert_array_equal(found.series[own], found.series["x1"])
    assert {len(v) for v in found.values.values()} == {found.n_steps}
    assert AttributionDisplay(found).plot().axes_
    alone = attribute(model, X, member=0)
    assert "x0 by theta" not in alone.values or departure == "theta"
    plt.close("all")


def test_what_a_naive_departure_adds_is_what_it_repeats():
    """In units a season is weighed as it is: the mean forecast has each of its steps once."""
    wave = 10 + np.sin(np.arange(120) * np.pi / 3) + 0.1 * RNG(0).normal(size=120)
    model = SequenceForecaster(
        context_length=24, horizon=6, season=6, departure_from="seasonal_naive", normalize="none",
        ensemble=1, combine_with="none", **SMALL,
    ).fit(wave)  # fmt: skip
    found = attribute(model, wave)
    own = found.values["x0 by seasonal_naive"]
    np.testing.assert_allclose(own[:-6], 0, atol=1e-7)
    offset = model._networks.offset[0]
    np.testing.assert_allclose(own[-6:], (wave[-6:] - offset) / 6, rtol=1e-4, atol=1e-5)


def test_the_share_of_a_theta_forecast_is_its_own():
    """It goes with the window, so what its steps add is all that it forecasts but for the level."""
    wave = 10 + np.sin(np.arange(120) * np.pi / 3) + np.arange(120) / 30
    model = SequenceForecaster(
        context_length=24, horizon=6, season=6, combine_with="theta", ensemble=1, **SMALL
    ).fit(wave)
    networks = model._networks
    window = wave[-networks.window :]
    share = networks.theta.combine.share
    layer = ThetaForecast(6, 6)
    level = window.mean()
    forecast = level + layer.forward(
        NUMPY, {}, Saved(), (window - level)[None, :, None].astype("float32")
    )
    found = attribute(model, wave)
    expected = share * (forecast.mean() - level)
    assert found.values["x0 by theta"].sum() == pytest.approx(expected, rel=1e-3)
    assert found.n_steps == len(window)


def test_what_is_permuted_is_the_whole_forecast():
    """As it is it scores as the forecasts do; a theta forecast beside it is exchanged, too."""
    rng = RNG(0)
    frame = pd.DataFrame({
        "ds": pd.date_range("2024-01-01", periods=150, freq="h"),
        "y": 20 + 3 * np.sin(np.arange(150) * np.pi / 3) + rng.normal(size=150).cumsum() / 5,
    })  # fmt: skip
    model = SequenceForecaster(
        context_length=[24, 30], horizon=3, season=6, combine_with="theta", ensemble=2,
        target_transform="box_cox", **SMALL,
    ).fit(frame)  # fmt: skip
    importance = permutation_importance(model, frame, metrics=["mae"], n_segments=3, repeats=2)[0]
    made = model.predict(frame)
    made = made[["y+1", "y+2", "y+3"]].to_numpy()
    truth = np.stack([frame["y"].shift(-k).to_numpy() for k in (1, 2, 3)], axis=1)
    there = np.isfinite(made).all(axis=1) & np.isfinite(truth).all(axis=1)
    assert importance.n_series == there.sum()
    assert importance.score == pytest.approx(np.abs(made - truth)[there].mean(), rel=1e-4)
    names = [row["name"] for row in importance.rows]
    assert names == ["y", "lags 59 to 40", "lags 39 to 20", "lags 19 to 0"]
    assert importance.rows[0]["mean"] > 0.5
    # only the theta forecast sees what is long ago
    assert 0 < importance.rows[1]["mean"] < importance.rows[3]["mean"]


# -- the command -------------------------------------------------------------------------------


def test_explain_writes_pictures_tables_and_json(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = {
        "version": 1, "task": "classification", "data": {"dataset": "gunpoint"},
        "model": {"units": 6, "cell": "lstm"}, "train": {"epochs": 2, "ensemble": 1},
    }  # fmt: skip
    folder = run(recipe, out=tmp_path / "runs").document["run"]
    done = CliRunner().invoke(cli, ["explain", str(folder), "--series", "3", "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.output)
    where = tmp_path / f"{Path(folder).name}-explained"
    names = {path.name for path in where.iterdir()}
    assert set(document["files"]) == names
    for name in ("gates", "saturation", "gradient_flow", "importance", "attribution"):
        assert {f"{name}.png", f"{name}.svg"} <= names
    assert document == json.loads((where / "explain.json").read_text()) | {
        "files": document["files"]
    }
    rows = list(csv.DictReader((where / "activations.csv").open()))
    model = load_run(folder)
    data = load_embedded("gunpoint").test
    display = GateDisplay.from_estimator(model, data, 3)
    assert len(rows) == sum(a.size for a in display.activations.values())
    assert float(rows[0]["value"]) == pytest.approx(next(iter(display.rows()))["value"])
    assert {row["gate"] for row in document["saturation"]} == {"i", "f", "o"}
    assert not document["notes"]
    wrong = CliRunner().invoke(cli, ["explain", str(folder), "--layer", "7", "-o", "x"])
    assert wrong.exit_code != 0
    assert not (tmp_path / "x").exists()


def test_explain_shows_decoders_and_what_a_departure_adds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = {
        "version": 1, "task": "forecasting", "data": {"dataset": "airline"},
        "model": {"units": 6, "cell": "gru", "decoder": "segment", "patch": 4,
                  "departure_from": "theta"},
        "train": {"epochs": 1, "ensemble": 2},
    }  # fmt: skip
    folder = run(recipe, out=tmp_path / "runs").document["run"]
    done = CliRunner().invoke(cli, ["explain", str(folder), "-o", "all", "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.output)
    assert {"gates_ahead.png", "activations_ahead.csv"} <= set(document["files"])
    assert {row["direction"] for row in document["gradient"]} == {"forward", "ahead"}
    assert "passengers by theta" in document["attribution"]["by_feature"]
    assert any("network 0 of 0 to 1" in note for note in document["notes"])
    ahead = CliRunner().invoke(
        cli, ["explain", str(folder), "-o", "ahead", "--direction", "ahead", "--member", "1"]
    )
    assert ahead.exit_code == 0, ahead.output
    rows = list(csv.DictReader((tmp_path / "ahead" / "activations.csv").open()))
    assert {float(row["step"]) for row in rows} == {2.5, 6.5, 10.5}
    assert not (tmp_path / "ahead" / "gates_ahead.png").exists()
