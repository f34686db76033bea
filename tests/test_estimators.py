from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from conftest import some
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from seqkit import SequenceClassifier, SequenceRegressor
from seqkit.data.embedded import load
from seqkit.estimators.plain import decode, encode
from seqkit.estimators.saving import load_estimator, save_estimator

QUICK = {"epochs": 3, "batch_size": 16, "validation": 0.0, "patience": 0, "random_state": 0}


@pytest.fixture(scope="module")
def gunpoint():
    parts = load("gunpoint")
    return parts.train.X, parts.train.y, parts.test.X[:40], parts.test.y[:40]


@pytest.fixture(scope="module")
def vowels():
    parts = load("japanese_vowels")
    return parts.train.X[::3], parts.train.y[::3], parts.test.X[:40], parts.test.y[:40]


@pytest.fixture(scope="module")
def fitted(gunpoint):
    X, y, *_ = gunpoint
    return SequenceClassifier(units=8, **QUICK).fit(X, y)


def test_same_seed_same_weights_whatever_ran_before(gunpoint, fitted):
    X, y, *_ = gunpoint
    SequenceClassifier(units=8, **{**QUICK, "random_state": 3}).fit(X, y)
    again = SequenceClassifier(units=8, **QUICK).fit(X, y)
    for a, b in some(zip(fitted.weights_, again.weights_, strict=True)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("way", ["pickle", "joblib", "deepcopy", "clone"])
def test_copies_predict_the_same(way, fitted, gunpoint, tmp_path):
    X, y, X_test, _ = gunpoint
    expected = fitted.predict_proba(X_test)
    if way == "pickle":
        other = pickle.loads(pickle.dumps(fitted))
    elif way == "joblib":
        joblib.dump(fitted, tmp_path / "model.joblib")
        other = joblib.load(tmp_path / "model.joblib")
    elif way == "deepcopy":
        other = copy.deepcopy(fitted)
    else:
        other = clone(fitted)
        with pytest.raises(NotFittedError):
            other.predict(X_test)
        other.fit(X, y)
    np.testing.assert_array_equal(other.predict_proba(X_test), expected)


def test_a_pickle_holds_weights_and_no_graph(fitted):
    fitted.model_  # noqa: B018 - building it must not make the pickle larger
    size = sum(w.nbytes for w in fitted.weights_)
    assert len(pickle.dumps(fitted)) < 2 * size + 50_000


@pytest.mark.slow
def test_a_pickle_predicts_the_same_in_another_process(fitted, gunpoint, tmp_path):
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(fitted))
    np.save(tmp_path / "X.npy", gunpoint[2])
    code = (
        "import pickle, numpy as np;"
        f"m = pickle.load(open(r'{tmp_path}/model.pickle', 'rb'));"
        f"np.save(r'{tmp_path}/p.npy', m.predict_proba(np.load(r'{tmp_path}/X.npy')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    np.testing.assert_allclose(
        np.load(tmp_path / "p.npy"), fitted.predict_proba(gunpoint[2]), rtol=1e-6
    )


def test_the_keras_model_gives_the_estimators_answer(fitted, gunpoint):
    X_test = gunpoint[2]
    np.testing.assert_allclose(
        fitted.model_.predict(X_test, verbose=0), fitted.predict_proba(X_test), rtol=1e-4, atol=1e-6
    )


def test_saved_without_pickle_it_comes_back_whole(fitted, gunpoint, tmp_path):
    description = save_estimator(fitted, tmp_path)
    weights = (tmp_path / "weights.safetensors").read_bytes()
    other = load_estimator(description, weights, tmp_path)
    np.testing.assert_array_equal(
        other.predict_proba(gunpoint[2]), fitted.predict_proba(gunpoint[2])
    )
    assert other.get_params() == {**fitted.get_params(), "random_state": None}
    np.testing.assert_array_equal(other.classes_, fitted.classes_)
    assert other.history_ == fitted.history_


def test_encoding_round_trip():
    value = {
        "a": np.array([1.5, np.pi]),
        "b": (1, "x", None),
        "c": np.float32(0.1),
        "d": {1: "one", ("k", 2): [True]},
        "e": np.array(["u", "longer"]),
        "f": np.array(["2020-01-01"], dtype="datetime64[ns]"),
    }
    back = decode(encode(value))
    assert back["b"] == value["b"]
    assert back["c"] == value["c"]
    assert back["c"].dtype == np.float32
    assert back["d"] == value["d"]
    for name in "aef":
        np.testing.assert_array_equal(back[name], value[name])
        assert back[name].dtype == value[name].dtype


def test_unequal_lengths_and_padding_invariance(vowels):
    X, y, X_test, y_test = vowels
    model = SequenceClassifier(
        cell="gru", units=16, bidirectional=True, learning_rate=0.01, **{**QUICK, "epochs": 20}
    ).fit(X, y)
    assert model.score(X_test, y_test) > 0.8
    together = model.predict_proba(X_test)
    alone = np.concatenate([model.predict_proba([x]) for x in X_test])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [{}, {"cell": "gru", "bidirectional": True}, {"cell": "simple_rnn", "pooling": "mean_max"}],
)
@pytest.mark.parametrize("unequal", [False, True])
def test_a_row_has_one_answer_whatever_is_asked_with_it(settings, unequal):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 9, 2))
    if unequal:
        X = [x[: 3 + i % 7] for i, x in enumerate(X)]
    model = SequenceRegressor(units=5, **{**QUICK, "epochs": 1}, **settings)
    together = model.fit(X, rng.normal(size=40)).predict(X)
    alone = np.concatenate([model.predict(X[i : i + 1]) for i in range(40)])
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(model.predict(X[::-1])[::-1], together)


def test_a_model_of_equal_lengths_serves_unequal_ones(fitted, gunpoint):
    X_test = gunpoint[2]
    mixed = [X_test[0], X_test[1][:100], X_test[2][:37]]
    together = fitted.predict_proba(mixed)
    for series, row in some(zip(mixed, together, strict=True)):
        alone = fitted.predict_proba(series[None])
        np.testing.assert_allclose(alone[0], row, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "form",
    [
        lambda X: X.astype(np.float32),
        lambda X: np.asfortranarray(X),
        lambda X: list(X),
        lambda X: X[:, :, 0],
        lambda X: X[:, :, 0].tolist(),
    ],
    ids=["float32", "fortran", "list", "2-D", "nested list"],
)
def test_every_form_of_the_same_series_gives_the_same_model(form, gunpoint, fitted):
    X, y, X_test, _ = gunpoint
    X = form(X)
    if isinstance(X, np.ndarray):
        X.setflags(write=False)
    model = SequenceClassifier(units=8, **QUICK).fit(X, y)
    np.testing.assert_allclose(
        model.predict_proba(form(X_test)), fitted.predict_proba(X_test), rtol=1e-3, atol=1e-5
    )


def test_labels_of_any_type(gunpoint):
    X, y, X_test, _ = gunpoint
    for labels in (y.astype(str), np.where(y == y[0], "a long one", "b"), y == y[0], y.astype(int)):
        model = SequenceClassifier(units=4, **QUICK).fit(X, labels)
        assert model.predict(X_test).dtype == labels.dtype
        assert set(model.predict(X_test)) <= set(labels)


def test_a_class_weight_is_a_sample_weight(gunpoint):
    X, y, *_ = gunpoint
    # in the loss; a sample weight counts in the statistics of scaling, too
    settings = {**QUICK, "batch_size": len(X), "units": 4, "scale": "none", "differences": False}
    by_sample = SequenceClassifier(**settings).fit(
        X, y, sample_weight=np.where(y == y[0], 3.0, 0.5)
    )
    by_class = SequenceClassifier(
        **settings, class_weight={y[0]: 3.0, next(c for c in y if c != y[0]): 0.5}
    )
    by_class.fit(X, y)
    for a, b in some(zip(by_sample.weights_, by_class.weights_, strict=True)):
        np.testing.assert_array_equal(a, b)


def test_balanced_class_weight_is_scikit_learns(gunpoint):
    X, y, *_ = gunpoint
    keep = np.r_[np.flatnonzero(y == y[0])[:5], np.flatnonzero(y != y[0])]
    X, y = X[keep], y[keep]
    settings = {**QUICK, "units": 4, "scale": "none", "differences": False}
    balanced = SequenceClassifier(**settings, class_weight="balanced").fit(X, y)
    weights = len(y) / (2 * np.array([(y == c).sum() for c in y]))
    explicit = SequenceClassifier(**settings).fit(X, y, sample_weight=weights)
    for a, b in some(zip(balanced.weights_, explicit.weights_, strict=True)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_warm_start_goes_on_and_fit_starts_anew(gunpoint):
    X, y, *_ = gunpoint
    settings = {**QUICK, "units": 4, "batch_size": len(X), "dropout": 0.0, "schedule": "constant"}
    whole = SequenceClassifier(**{**settings, "epochs": 6}).fit(X, y)
    half = SequenceClassifier(**settings, warm_start=True).fit(X, y).fit(X, y)
    for a, b in some(zip(whole.weights_, half.weights_, strict=True)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert half.n_iter_ == 6
    anew = SequenceClassifier(**settings).fit(X, y).fit(X, y)
    assert anew.n_iter_ == 3


def test_partial_fit_is_one_epoch_at_a_time(gunpoint):
    X, y, *_ = gunpoint
    settings = {**QUICK, "units": 4, "batch_size": len(X)}
    whole = SequenceClassifier(**{**settings, "epochs": 2, "schedule": "constant"}).fit(X, y)
    parts = SequenceClassifier(**settings)
    parts.partial_fit(X, y, classes=np.unique(y)).partial_fit(X, y)
    for a, b in some(zip(whole.weights_, parts.weights_, strict=True)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    with pytest.raises(ValueError, match="not the same as in the first call"):
        parts.partial_fit(X, y, classes=[0, 1, 2, 3])


def test_regression_is_in_the_targets_units():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 10, 2))
    y = np.stack([5000 + 300 * X[:, :, 0].mean(1), 0.01 * X[:, -1, 1]], axis=1)
    model = SequenceRegressor(units=16, learning_rate=0.02, **{**QUICK, "epochs": 60}).fit(X, y)
    assert model.predict(X).shape == (80, 2)
    assert model.score(X, y) > 0.8
    one = SequenceRegressor(units=16, learning_rate=0.02, **{**QUICK, "epochs": 60}).fit(X, y[:, 0])
    assert one.predict(X).shape == (80,)
    assert abs(one.predict(X).mean() - 5000) < 50


@pytest.mark.parametrize("estimator", [SequenceClassifier, SequenceRegressor])
def test_a_fit_that_has_collapsed_to_one_answer_says_so(estimator, caplog):
    y = np.arange(60) % 2
    blank, told = np.zeros((60, 8)), np.repeat(y[:, None] - 0.5, 8, axis=1)
    settings = {**QUICK, "epochs": 20, "units": 4, "learning_rate": 0.05}
    model = estimator(**settings).fit(told, y)
    assert "collapsed" not in caplog.text
    model.fit(blank, y)  # nothing tells the series apart
    assert "the model has collapsed: its answer is " in caplog.text
    assert "for every one of 60 training series asked, after 20 epochs" in caplog.text
    caplog.clear()
    if estimator is SequenceRegressor:
        model.fit(blank, np.ones(60))  # there is one answer to be had
        assert "collapsed" not in caplog.text


def test_early_stopping_keeps_the_best_weights(gunpoint):
    X, y, X_test, y_test = gunpoint
    model = SequenceClassifier(
        units=8, epochs=80, batch_size=16, patience=2, learning_rate=0.05, random_state=0,
        schedule="constant", steps_per_epoch=50,
    ).fit(X, y, validation_data=(X_test, y_test))  # fmt: skip
    losses = model.history_["val_loss"]
    assert model.best_epoch_ == int(np.argmin(losses))
    assert model.n_iter_ <= model.best_epoch_ + 1 + 2


def test_a_failed_fit_leaves_the_estimator_as_it_was(gunpoint):
    X, _y, *_ = gunpoint
    model = SequenceClassifier(units=4, **QUICK)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="at least 2 classes"):
        model.fit(X, np.zeros(len(X)))
    assert vars(model) == before


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"units": -3}, ValueError, "SequenceClassifier: units must be .*; got -3"),
        ({"units": None}, TypeError, "units must be"),
        ({"units": "many"}, ValueError, "units must be .* or auto"),
        ({"cell": "lsmt"}, ValueError, "[Dd]id you mean 'lstm'"),
        ({"patience": 5, "validation": 0.0}, ValueError, "patience"),
        ({"class_weight": {"horse": 2.0}}, ValueError, "class_weight must name classes of y"),
        ({"patch": 151}, ValueError, "at least patch=151 time steps"),
    ],
)
def test_bad_settings_are_named(settings, error, message, gunpoint):
    X, y, *_ = gunpoint
    with pytest.raises(error, match=message):
        SequenceClassifier(**{**QUICK, **settings}).fit(X, y)


def test_bad_data_is_named(fitted, gunpoint):
    X, y, _X_test, _ = gunpoint
    with pytest.raises(ValueError, match="X has 2 features a time step, fitted with 1"):
        fitted.predict(np.zeros((3, 150, 2)))
    hole = X.copy()
    hole[3, 17] = np.nan
    with pytest.raises(ValueError, match=r"(?s)series 3.*step 17"):
        SequenceClassifier(**QUICK).fit(hole, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SequenceClassifier(**QUICK).fit(X, y[:-1])
    with pytest.raises(ValueError, match="cannot be set aside"):
        SequenceRegressor(units=4, validation=0.15, random_state=0).fit(X[:1], [0.5])


@pytest.mark.parametrize("missing", ["interpolate", "indicator"])
def test_missing_values_where_they_are_asked_for(missing, gunpoint):
    X, y, X_test, _ = gunpoint
    X = X.copy()
    X[::5, 20:24] = np.nan
    model = SequenceClassifier(units=4, missing=missing, **QUICK).fit(X, y)
    assert np.isfinite(model.predict_proba(X_test)).all()
    assert model.n_features_in_ == 1


@pytest.mark.parametrize("missing", ["error", "indicator"])
@pytest.mark.parametrize("fitted_on", ["table", "one feature"])
def test_a_table_and_one_feature_are_the_same_series(fitted_on, missing, gunpoint):
    """What is answered does not depend on whether the axis of one feature was written."""
    X, y, asked, _ = gunpoint
    X = X[:, :, 0] if fitted_on == "table" else X
    model = SequenceClassifier(units=4, missing=missing, **QUICK).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(asked[:, :, 0]), model.predict_proba(asked))
    np.testing.assert_array_equal(
        model.predict_proba(list(asked[:, :, 0])), model.predict_proba(list(asked))
    )
    assert model.n_features_in_ == (150 if fitted_on == "table" else 1)
    for wider in (np.dstack([asked, asked]), list(np.dstack([asked, asked]))):
        with pytest.raises(ValueError, match="X has 2 features a time step, fitted with 1"):
            model.predict(wider)


def test_a_table_is_one_feature_and_not_three(vowels):
    X, y, *_ = vowels
    model = SequenceClassifier(units=4, **QUICK).fit([x[:, :3] for x in X], y)
    with pytest.raises(ValueError, match=r"1 feature a time step, fitted with 3.*timesteps, 3\)"):
        model.predict(np.zeros((2, 9)))
    with pytest.raises(ValueError, match="2 features a time step, fitted with 3"):
        model.predict(np.zeros((2, 9, 2)))


def test_log_probabilities_are_those_of_the_probabilities(fitted, gunpoint):
    _, _, asked, _ = gunpoint
    logs = fitted.predict_log_proba(asked)
    np.testing.assert_allclose(np.exp(logs), fitted.predict_proba(asked), atol=1e-6)
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1.0, rtol=1e-12)
    # far from the border float32 has no probability left, but a logarithm it has
    sure = copy.deepcopy(fitted)
    sure.set_weights([w * 500 if w.ndim < 3 and w.shape[-1] == 2 else w for w in fitted.weights_])
    logs = sure.predict_log_proba(asked)
    assert np.isfinite(logs).all()
    assert logs.min() < -100
    assert sure.predict_proba(asked).min() == 0


def test_answers_are_float64_whatever_goes_in(fitted, gunpoint):
    X, _, asked, _ = gunpoint
    for dtype in (np.float32, np.float64, np.int64):
        given = asked.astype(dtype)
        assert fitted.predict_proba(given).dtype == np.float64
        assert fitted.predict_log_proba(given).dtype == np.float64
        target = X[:, -1, 0].astype(dtype)
        model = SequenceRegressor(units=2, **QUICK).fit(X.astype(dtype), target)
        assert model.predict(given).dtype == np.float64


def test_validation_0_alone_switches_early_stopping_off(gunpoint):
    X, y, *_ = gunpoint
    many = np.repeat(X, 40, axis=0), np.repeat(y, 40)  # enough to stop early by default
    settings = {"units": 2, "epochs": 2, "batch_size": 64, "random_state": 0}
    assert "val_loss" in SequenceClassifier(**settings).fit(*many).history_
    for estimator in (SequenceClassifier, SequenceRegressor):
        model = estimator(**settings, validation=0).fit(*many)
        assert "val_loss" not in model.history_
        assert model.best_epoch_ == model.n_iter_ - 1 == 1
        with pytest.raises(ValueError, match="patience must be 0 when validation is 0"):
            estimator(**settings, validation=0, patience=3).fit(*many)


def test_patience_may_watch_a_part_that_is_given(gunpoint):
    """validation=0 says that nothing is set aside, not that nothing is watched."""
    X, y, asked, truth = gunpoint
    settings = {"units": 4, "epochs": 3, "batch_size": 16, "random_state": 0, "patience": 1}
    model = SequenceClassifier(**settings, validation=0)
    model.check(X, y, validation_data=(asked, truth))
    model.fit(X, y, validation_data=(asked, truth))
    other = SequenceClassifier(**settings).fit(X, y, validation_data=(asked, truth))
    assert len(model.history_["val_loss"]) == model.n_iter_
    for a, b in zip(model.weights_, other.weights_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(8))
def test_the_only_series_of_a_class_is_trained_on(seed, gunpoint):
    X, y, *_ = gunpoint
    y = np.where(np.arange(len(y)) == 5, 7, y)
    settings = {**QUICK, "units": 2, "epochs": 1, "validation": 0.3, "random_state": seed}
    del settings["patience"]
    with pytest.warns(UserWarning, match=r"without regard to classes: 1 of the classes has one"):
        model = SequenceClassifier(**settings).fit(X, y)
    assert "val_loss" in model.history_
    with pytest.warns(UserWarning, match="without regard"):
        train, held = model._hold_out(model._examples(X, y, reset=False), 0.3, seed)
    assert np.count_nonzero(train.target == 2) == 1
    assert (len(train.target), len(held.target)) == (35, 15)
    with pytest.warns(UserWarning, match="15 series cannot hold one of every class"):
        SequenceClassifier(**settings).fit(X, np.arange(len(y)) // 3)
