"""A fit that begins from another's weights: what it takes, what it leaves, what it says."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import some
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

import seqkit
from seqkit import (
    SequenceClassifier,
    SequenceForecaster,
    SequenceRegressor,
    SequenceTagger,
)
from seqkit.cli import cli
from seqkit.network.architecture import Architecture
from seqkit.network.native import NativeNetwork
from seqkit.network.transfer import frozen_names, layer_names, transfer

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, size=(40, 30, 2))
TWO = (X[:, :, 0].mean(1) > 3).astype(int)
THREE = np.arange(40) % 3
NUMBER = 5 + 9 * X[:, 0, 0]
STEPS = (X[:, :, 0] > 3).astype(int)
WAVE = np.sin(np.arange(200) / 3) + RNG.normal(size=200) / 9 + 4
STEM = {"filters": [4, 4], "kernel_size": 3}
SMALL = {"units": [4, 4], "epochs": 2, "random_state": 0}
FEW = {**SMALL, "ensemble": 1, "stem": STEM, "shift": 0, "moves": []}
FORECAST = {"units": 4, "epochs": 1, "context_length": 24, "horizon": 6, "random_state": 0}


def by_path(estimator):
    paths = [w.path for w in estimator._build().members[0].network.weights]
    return dict(zip(paths, estimator._member_weights()[0], strict=True))


@pytest.fixture(scope="module")
def first():
    return SequenceClassifier(**FEW).fit(X, TWO)


# --- what is taken -------------------------------------------------------------------------------


def test_a_fit_of_no_steps_is_its_start(first):
    """With a learning rate that moves nothing the answers are those of the start, to the bit."""
    again = SequenceClassifier(**{**FEW, "random_state": 5}, start=first, optimizer="sgd",
                               learning_rate=1e-30, freeze=["encoder"])  # fmt: skip
    again.fit(9 * X - 4, TWO)
    np.testing.assert_array_equal(again.predict_proba(X), first.predict_proba(X))
    assert again.start_["anew"] == {}


@pytest.mark.parametrize(
    ("kind", "y"),
    [(SequenceClassifier, TWO), (SequenceRegressor, NUMBER), (SequenceTagger, STEPS)],
)
def test_scaling_is_that_of_the_start(kind, y):
    first = kind(**SMALL).fit(X, y)
    other = 1000 * X + 7
    again = kind(**SMALL, start=first).fit(other, y)
    one, two = by_path(first), by_path(again)
    for path in some(p for p in one if p.startswith(("standardize/", "output/"))):
        np.testing.assert_array_equal(one[path], two[path])
    if kind is SequenceRegressor:
        third = kind(**SMALL, start=first).fit(X, 100 * y)
        assert (third._offset_, third._spread_) == (first._offset_, first._spread_)
        assert third._offset_.dtype == np.float64


def test_forecasters_take_encoder_head_and_scaling():
    first = SequenceForecaster(**FORECAST, scale="standard").fit(WAVE)
    free = {"units": 4, "epochs": 1, "random_state": 1}  # the window is that of the start
    again = SequenceForecaster(**free, start=first, freeze=["encoder"]).fit(9 * WAVE)
    assert again._build().members[0].network == first._build().members[0].network
    one, two = by_path(first), by_path(again)
    for path in some(one):
        same = np.array_equal(one[path], two[path])
        assert same == (not path.startswith("head")), path
    np.testing.assert_array_equal(again._window_scale_, first._window_scale_)
    further = SequenceForecaster(**{**FORECAST, "horizon": 9}, start=first).fit(WAVE)
    assert list(further.start_["anew"]) == ["head"]


def test_other_classes_begin_a_head_anew(first, caplog):
    with caplog.at_level(logging.WARNING):
        again = SequenceClassifier(**FEW, start=first).fit(X, THREE)
    assert list(again.start_["anew"]) == ["logits"]
    assert "anew logits (its answers are others)" in caplog.text
    # as many classes, but others: the shapes agree and the meaning does not
    renamed = SequenceClassifier(**FEW, start=first).fit(X, np.where(TWO, "up", "down"))
    assert list(renamed.start_["anew"]) == ["logits"]


def test_another_number_of_channels_begins_scaling_and_first_layer_anew(first):
    again = SequenceClassifier(**FEW, start=first).fit(X[:, :, :1], TWO)
    assert list(again.start_["anew"]) == ["standardize", "stem_1"]
    assert "kernel (3, 2, 4), (3, 1, 4)" in again.start_["anew"]["stem_1"]
    with pytest.raises(ValueError, match="freeze must be made of layers that are taken from the"):
        SequenceClassifier(**FEW, start=first, freeze=["encoder"]).fit(X[:, :, :1], TWO)


def test_what_is_auto_of_the_network_is_that_of_the_start(first):
    again = SequenceClassifier(epochs=1, start=first).fit(X, TWO)
    assert again._build().members[0].network == first._build().members[0].network
    short = SequenceClassifier(epochs=1, start=first).fit(X[:, :12], TWO)  # other lengths
    assert short.start_["anew"] == {}
    assert short._fitted.units == [4, 4]
    own = SequenceClassifier(epochs=1, start=first, units=[4, 8]).fit(X, TWO)
    assert list(own.start_["anew"]) == ["recurrent_2", "logits"]


def test_weights_of_another_cell_are_never_taken():
    """Their shapes may agree: gru_reset_before has the matrices of gru, used otherwise."""
    made = {"n_timesteps": 9, "n_features": 1, "n_classes": 2, "units": 4, "stem": None}
    one, two = (Architecture("classifier", {**made, "cell": c}) for c in ("nig", "nog"))
    shapes = [[w.shape for w in a.network.weights] for a in (one, two)]
    assert shapes[0] == shapes[1]
    found = transfer(two.network, one.network, one.network.initial_weights(0))
    assert "recurrent_1" in found.anew
    assert "it was nig, and is nog" in found.anew["recurrent_1"]


def test_an_ensemble_begins_member_by_member():
    given = {**SMALL, "ensemble": 2, "stem": None, "shift": 0, "moves": []}
    first = SequenceClassifier(**given).fit(X, TWO)
    again = SequenceClassifier(**given, start=first, freeze=["encoder"]).fit(X, THREE)
    for one, two, member in zip(
        first._member_weights(), again._member_weights(), again._build().members, strict=True
    ):
        for weight, before, after in zip(member.network.weights, one, two, strict=False):
            if weight.node.startswith("recurrent"):
                np.testing.assert_array_equal(before, after)
    three = SequenceClassifier(**{**given, "ensemble": 3}, start=first).fit(X, TWO)
    assert len(three._member_weights()) == 3


# --- what is frozen ------------------------------------------------------------------------------


@pytest.mark.parametrize("freeze", [["encoder"], ["head"], ["stem_1", "recurrent_2"]])
@pytest.mark.parametrize("padded", [False, True])
def test_frozen_layers_stay_in_native_and_keras_alike(first, freeze, padded):
    import keras

    series = [x[: 30 - k % 4] for k, x in enumerate(X)] if padded else X
    first = SequenceClassifier(**FEW).fit(series, TWO)
    given = {**FEW, "dropout": 0.0, "learning_rate": 0.1, "optimizer": "sgd"}
    given |= {"start": first, "freeze": freeze}
    native = SequenceClassifier(**given).fit(series, TWO)

    class Sees(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.get_weights()

    traced = SequenceClassifier(**given).fit(series, TWO, callbacks=[Sees()])
    assert native.trainer_ == "native"
    assert traced.trainer_.startswith("keras")
    before, one, two = by_path(first), by_path(native), by_path(traced)
    network = first._build().members[0].network
    frozen = {layer for name in freeze for layer in layer_names(network)[name]}
    for weight in some(network.weights):
        path = weight.path
        np.testing.assert_allclose(one[path], two[path], atol=2e-5, rtol=1e-3)
        # batch normalisation of a frozen layer keeps its averages; others move theirs
        stays = weight.node in frozen or weight.node in ("standardize",)
        if not stays and path.startswith("stem") and path.endswith("bias"):
            continue  # a normalisation that follows leaves it without a gradient
        assert np.array_equal(one[path], before[path]) == stays, path
        assert np.array_equal(two[path], before[path]) == stays, path


@pytest.mark.parametrize("lengths", [None, np.array([7, 3, 9, 1], np.int32)])
def test_gradients_through_frozen_layers(lengths):
    """Central differences of what is trained, before and after a frozen normalisation."""
    made = Architecture("classifier", {
        "n_timesteps": None, "n_features": 2, "n_classes": 3, "units": 3, "bidirectional": False,
        "stem": {"filters": [3, 3], "kernel_size": 3, "pooling": "mean"}, "pooling": "mean",
        "dropout": 0.0, "variable_length": lengths is not None,
    }, frozen=("stem_normalized_1", "stem_2", "stem_normalized_2"))  # fmt: skip
    network = NativeNetwork(made.network)
    rng = np.random.default_rng(1)
    start = [w + 0.3 * np.abs(rng.normal(size=w.shape)) for w in made.network.initial_weights(0)]
    network.weights.load(start)
    x = rng.normal(size=(4, 9, 2)).astype(np.float32)
    inputs = x if lengths is None else {"x": x, "lengths": lengths}
    d = rng.normal(size=(4, 3)).astype(np.float32)
    network.forward(inputs, training=True)
    network.backward(d)
    trained = [w.path for w in made.network.weights if w.trainable]
    assert not [p for p in trained if p.startswith(made.frozen)]
    found = network.weights.gradient.copy()
    theta, checked = network.weights.theta, 0
    for k in rng.choice(len(theta), 40, replace=False):
        kept, sides = theta[k], []
        for step in (1e-2, -1e-2):
            theta[k] = kept + step
            sides.append(float((network.forward(inputs, training=True) * d).sum()))
        theta[k] = kept
        slope = (sides[0] - sides[1]) / 2e-2
        checked += abs(slope) > 1e-3
        np.testing.assert_allclose(found[k], slope, atol=2e-2, rtol=5e-2)
    assert checked > 10


def test_names_of_layers():
    made = Architecture("classifier", {"n_timesteps": 40, "n_features": 1, "n_classes": 2,
                                       "units": [4, 4], "dense": [3], "stem": {}})  # fmt: skip
    found = layer_names(made.network)
    assert found["head"] == ("dense_1", "logits")
    assert {"stem_1", "stem_normalized_3", "recurrent_2"} < {*found["encoder"]}
    assert frozen_names("", ["head", "stem_1"], [made.network])[0] == (
        "dense_1", "logits", "stem_1",
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"freeze must be made of .*got 'heads'. did you mean 'he"):
        frozen_names("", ["heads"], [made.network])
    with pytest.raises(ValueError, match="such that something is left to train"):
        frozen_names("", ["encoder", "head"], [made.network])


# --- as scikit-learn has it ----------------------------------------------------------------------


def test_start_is_a_path_a_frozen_estimator_or_a_fit(first, tmp_path):
    first.save(tmp_path / "first")
    wanted = None
    for start in (first, FrozenEstimator(first), tmp_path / "first", str(tmp_path / "first")):
        model = SequenceClassifier(**FEW, start=start).fit(X, TWO)
        wanted = model.weights_ if wanted is None else wanted
        for one, two in zip(wanted, model.weights_, strict=True):
            np.testing.assert_array_equal(one, two)
        model.save(tmp_path / "saved")
        again = seqkit.load(tmp_path / "saved")
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        assert again.start_ == model.start_


def test_grids_of_starts(first, tmp_path):
    first.save(tmp_path / "first")
    base = SequenceClassifier(**{**FEW, "epochs": 1})
    starts = [None, str(tmp_path / "first"), FrozenEstimator(first)]
    search = GridSearchCV(base, {"start": starts}, cv=2).fit(X, TWO)
    scores = search.cv_results_["mean_test_score"]
    assert scores[1] == scores[2]
    frozen = clone(SequenceClassifier(**FEW, start=FrozenEstimator(first), freeze=["encoder"]))
    assert frozen.fit(X, TWO).start_["frozen"]


def test_partial_fit_begins_from_a_start_and_goes_on(first):
    model = SequenceClassifier(**FEW, start=first, freeze=["encoder"])
    model.partial_fit(X[:20], TWO[:20], classes=[0, 1]).partial_fit(X[20:], TWO[20:])
    before, after = by_path(first), by_path(model)
    kept = [p for p in before if p.startswith(("stem", "recurrent"))]
    assert all(np.array_equal(before[p], after[p]) for p in some(kept))
    assert not np.array_equal(before["logits/kernel"], after["logits/kernel"])


def test_a_tagger_has_passes_too():
    tagger = SequenceTagger(units=4, random_state=0)
    tagger.partial_fit(X[:20], STEPS[:20], classes=[0, 1, 2])
    assert tagger.classes_.tolist() == [0, 1, 2]
    tagger.partial_fit(100 * X[20:], STEPS[20:])
    scale = by_path(tagger)["standardize/scale"]
    np.testing.assert_allclose(scale, X[:20].std((0, 1)), rtol=1e-4)  # of the first call
    with pytest.raises(ValueError, match="is not the same as in the first call of partial_fit"):
        tagger.partial_fit(X, STEPS, classes=[0, 1])
    with pytest.raises(ValueError, match="X must be of 2 features a step, as in the fit; got 1"):
        tagger.partial_fit(X[:, :, :1], STEPS)
    words = SequenceTagger(units=4, target="next", random_state=0)
    words.partial_fit(["abcabc", "cabbac"]).partial_fit(["aabbcc", "xxabc"])
    assert words.tokens_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="classes must be left out with target"):
        SequenceTagger(target="next").partial_fit(["ab"], classes=["a"])


def test_passes_of_a_tagger_are_epochs():
    given = {"units": 4, "random_state": 0, "schedule": "constant", "validation": 0,
             "batch_size": 8, "learning_rate": 1e-3}  # fmt: skip
    whole = SequenceTagger(**given, epochs=2).fit(X, STEPS)
    passes = SequenceTagger(**given).partial_fit(X, STEPS).partial_fit(X, STEPS)
    for one, two in zip(whole.weights_, passes.weights_, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_fit_that_goes_on_keeps_its_stem():
    """Strides are chosen by length; series of another length do not change the network."""
    long = RNG.normal(size=(20, 400, 1))
    model = SequenceClassifier(epochs=1, random_state=0, ensemble=1, batch_size=8)
    model.partial_fit(X[:20, :, :1], THREE[:20])
    network = model._build().members[0].network
    model._n_steps_ = None
    model.partial_fit(long, THREE[:20])
    assert [n.layer for n in model._build().members[0].network.nodes if "stem" in n.name] == [
        n.layer for n in network.nodes if "stem" in n.name
    ]


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"start": 5}, TypeError, "start must be a run folder, a saved estimator, or a fitted"),
        ({"start": "nowhere"}, seqkit.RunError, "nowhere"),
        ({"scale": "minmax"}, ValueError, "scale must be 'standard', as in the start"),
        ({"start": None, "freeze": ["head"]}, ValueError, "freeze must be empty without start"),
        ({"freeze": ["recurent_1"]}, ValueError, "did you mean 'recurrent_1'"),
        ({"units": [5, 5], "stem": None}, ValueError, "start must be of a network that agrees"),
    ],
)
def test_errors(first, changed, error, message):
    with pytest.raises(error, match=message):
        SequenceClassifier(**{**FEW, "start": first, **changed}).fit(X, TWO)


def test_a_start_of_another_task_is_refused(first):
    with pytest.raises(ValueError, match="start must be a fit of regression; got 'classification'"):
        SequenceRegressor(**SMALL, start=first).fit(X, NUMBER)


# --- names of columns ----------------------------------------------------------------------------


def long(*names):
    n = len(names)
    return pd.DataFrame(X[:, :, :n].reshape(-1, n), columns=names).assign(
        unique_id=np.repeat(np.arange(40), 30)
    )


def test_columns_in_another_order_than_in_the_start_are_refused():
    start = SequenceClassifier(**FEW).fit(long("speed", "load"), TWO)
    both = SequenceClassifier(**FEW, start=start)
    told = r"start .*: speed, load; got 'features load, speed'\. .* move 'load'"
    with pytest.raises(ValueError, match=told):
        both.fit(long("load", "speed"), TWO)
    with pytest.raises(ValueError, match="in the order of the start"):  # one is new, one has moved
        both.fit(long("heat", "speed"), TWO)


def test_columns_of_other_names_are_told(caplog, tmp_path):
    start = SequenceClassifier(**FEW).fit(long("speed", "load"), TWO)
    start.save(tmp_path / "start")
    with caplog.at_level(logging.WARNING):
        model = SequenceClassifier(**FEW, start=tmp_path / "start").fit(long("speed", "heat"), TWO)
    assert "columns by their places, heat for load" in caplog.text
    assert model.start_["renamed"] == {"heat": "load"}
    model.save(tmp_path / "model")
    assert seqkit.load(tmp_path / "model").start_ == model.start_
    for other in (long("speed", "load"), X):  # the same names, and none
        assert "renamed" not in SequenceClassifier(**FEW, start=start).fit(other, TWO).start_


def test_names_of_a_forecaster_are_compared_by_their_roles(caplog):
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=200), "y": WAVE})
    frame = frame.assign(a=np.roll(WAVE, 1), b=np.roll(WAVE, 2))
    past = {**FORECAST, "past_covariates": ["a", "b"]}
    start = SequenceForecaster(**past).fit(frame)
    with pytest.raises(ValueError, match="in the order of the start SequenceForecaster: a, b"):
        SequenceForecaster(**{**past, "past_covariates": ["b", "a"]}, start=start).fit(frame)
    with caplog.at_level(logging.WARNING):
        SequenceForecaster(**past, start=start).fit(frame.rename(columns={"y": "sales"}))
    assert "columns by their places, sales for y" in caplog.text


# --- other layers that are left as they are ------------------------------------------------------


@pytest.mark.parametrize("how", ["warm", "passes"])
@pytest.mark.parametrize(
    ("before", "after"), [((), ["encoder"]), (["encoder"], ()), (["recurrent_2"], ["recurrent_3"])]
)
def test_the_optimizer_begins_anew_where_other_layers_are_frozen(before, after, how, caplog):
    """What it has kept is of other weights, those of equal shapes among them."""
    made = {**SMALL, "units": [4, 4, 4], "bidirectional": False, "patch": 1, "stem": None,
            "ensemble": 1, "moves": [], "validation": 0, "epochs": 1}  # fmt: skip
    start = SequenceClassifier(**made).fit(X, TWO)
    model = SequenceClassifier(**made, start=start, freeze=before, warm_start=how == "warm")

    def go_on(one):
        return one.fit(X, TWO) if how == "warm" else one.partial_fit(X, TWO)

    go_on(model)
    reached = SequenceClassifier(**made).fit(X, TWO).set_weights(model.weights_)
    there = by_path(model)
    with caplog.at_level(logging.WARNING):
        go_on(model.set_params(freeze=after))
    assert "the optimizer begins anew" in caplog.text
    names = frozen_names("test", after, [model._build().network])[0] if after else ()
    assert model.start_["frozen"] == list(names)
    frozen = {path for path in there if path.split("/")[0] in names}
    for path, value in some(by_path(model).items()):
        same = np.array_equal(value, there[path])
        assert same == (path in frozen or path.startswith("standardize/")), path
    # as a fit that begins from those weights with a new optimizer
    fresh = SequenceClassifier(**made, start=reached, freeze=after, warm_start=how == "warm")
    go_on(fresh)
    assert fresh.start_["frozen"] == model.start_["frozen"]
    for own, other in some(zip(model.weights_, fresh.weights_, strict=True)):
        np.testing.assert_allclose(own, other, atol=2e-6)


# --- runs ----------------------------------------------------------------------------------------


RECIPE = """\
task: classification
seed: 0
data: {dataset: gunpoint}
model: {units: 4}
train: {epochs: 1, batch_size: 16}
"""


def seqkit_fit(folder, *arguments):
    found = CliRunner().invoke(cli, ["fit", *arguments, "--json", "--out", str(folder)])
    assert found.exit_code == 0, found.output
    return Path(json.loads(found.stdout)["run"])


def test_a_run_begins_from_a_run(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    first = seqkit_fit(tmp_path, str(recipe))
    bare = tmp_path / "bare.yaml"
    bare.write_text(RECIPE.replace("model: {units: 4}\n", ""))
    second = seqkit_fit(
        tmp_path, str(bare), "--start", str(first), "--set", "train.freeze=[encoder]"
    )
    one, two = seqkit.load_run(first), seqkit.load_run(second)
    before, after = by_path(one), by_path(two)
    assert two.start_["of"] == str(first)
    for path in some(before):
        assert np.array_equal(before[path], after[path]) == (not path.startswith("logits"))
    record = json.loads((second / "run.json").read_text())
    assert record["start"] == {"path": str(first), "weights": two.start_["weights"]}
    assert "begun from" in (second / "log.txt").read_text()
    # the resolved recipe says it all, and runs again to the same weights
    third = seqkit.load_run(seqkit_fit(tmp_path, str(second / "recipe.resolved.yaml")))
    for left, right in zip(two.weights_, third.weights_, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_dry_run_shows_what_would_be_trained(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    first = seqkit_fit(tmp_path, str(recipe))
    bare = tmp_path / "bare.yaml"
    bare.write_text(RECIPE.replace("model: {units: 4}\n", ""))
    found = CliRunner().invoke(cli, ["fit", str(bare), "--start", str(first), "--dry-run"])
    assert found.exit_code == 0, found.output
    assert "recurrent_1" in found.output
    assert "recurrent_2" not in found.output  # the start has one layer of 4
