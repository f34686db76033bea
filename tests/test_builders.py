from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest

from seqkit.builders import build_classifier, build_forecaster, build_regressor
from seqkit.network.forecasting import forecaster
from seqkit.network.series import classifier, regressor

SETTINGS = [
    {},
    {"cell": "gru", "units": [5, 4], "dropout": 0.3},
    {"bidirectional": True},
    {"bidirectional": True, "units": [4, 4, 4], "residual": True},
    {"bidirectional": True, "units": [4, 4], "pooling": "attention"},
    {"units": [4, 4], "residual": True, "pooling": "mean_max", "patch": 3, "dense": [6]},
    {"cell": "simple_rnn", "pooling": "max", "patch": 2, "scale": "none"},
]


def unequal(seed=0, n_features=3, junk=0.0):
    rng = np.random.default_rng(seed)
    lengths = np.array([9, 4, 7, 3], np.int32)
    x = np.full((4, 9, n_features), junk, np.float32)
    for i, n in enumerate(lengths):
        x[i, :n] = rng.normal(size=(n, n_features))
    return x, lengths


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_padded_series_is_answered_as_it_is_alone(settings):
    settings = {"units": 4, **settings}
    model = build_classifier(None, 3, 3, variable_length=True, **settings)
    alone = build_classifier(None, 3, 3, **settings)
    alone.set_weights(model.get_weights())
    x, lengths = unequal(junk=7.0)
    together = model.predict({"x": x, "lengths": lengths}, verbose=0)
    np.testing.assert_allclose(together.sum(1), 1, rtol=1e-5)
    for i, n in enumerate(lengths):
        single = alone.predict(x[i : i + 1, :n], verbose=0)
        np.testing.assert_allclose(together[i], single[0], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_padding_by_any_amount_changes_nothing(settings):
    model = build_regressor(None, 3, 2, variable_length=True, **{"units": 4, **settings})
    x, lengths = unequal()
    longer = np.concatenate([x, np.full((4, 5, 3), -3.0, np.float32)], axis=1)
    np.testing.assert_allclose(
        model.predict({"x": longer, "lengths": lengths}, verbose=0),
        model.predict({"x": x, "lengths": lengths}, verbose=0),
        rtol=2e-5,
        atol=1e-6,
    )


def test_scaling_is_inside_the_model():
    x, _ = unequal()
    raw = build_regressor(9, 3, units=4)
    raw.get_layer("standardize").set_statistics(x.mean((0, 1)), x.std((0, 1)))
    raw.get_layer("output").offset.assign([50.0])
    raw.get_layer("output").scale.assign([10.0])
    plain = build_regressor(9, 3, units=4, scale="none")
    weights = list(raw.get_weights())
    plain.set_weights([w for v, w in zip(raw.weights, weights, strict=True)
                       if "standardize/" not in v.path])  # fmt: skip
    scaled = (x - x.mean((0, 1))) / x.std((0, 1))
    np.testing.assert_allclose(
        raw.predict(x, verbose=0), plain.predict(scaled, verbose=0), rtol=1e-4
    )


def test_the_last_recurrent_layer_reads_both_ends():
    """The backward half of the read-out has seen the whole series, not its last step alone."""
    model = build_classifier(9, 3, 2, units=4, bidirectional=True, pooling="last")
    features = keras.Model(model.input, model.get_layer("recurrent_1").output)
    x, _ = unequal()
    before = features.predict(x, verbose=0)
    x[:, 0] += 1.0  # only the first step changes
    after = features.predict(x, verbose=0)
    assert (np.abs(after - before)[:, 4:] > 1e-4).any(axis=1).all()


def test_a_keras_user_compiles_and_fits_by_hand(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 8, 1)).astype(np.float32)
    y = (x[:, -1, 0] > 0).astype(int)
    model = build_classifier(8, 1, 2, units=8, cell="gru")
    model.compile(
        keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    history = model.fit(x, y, epochs=15, batch_size=16, verbose=0).history
    assert history["accuracy"][-1] > 0.9
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "lsmt"}, "did you mean 'lstm'"),
        ({"pooling": "sum"}, "pooling must be one of last"),
        ({"scale": "std"}, "scale must be one of none"),
        ({"units": [4, 8], "residual": True}, "equal in all layers"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
    ],
)
def test_wrong_settings_say_what_is_allowed(settings, message):
    with pytest.raises(ValueError, match=message):
        build_classifier(9, 3, 2, **settings)


def test_too_few_classes_or_targets():
    with pytest.raises(ValueError, match="n_classes must be at least 2; got 1"):
        build_classifier(9, 3, 1)
    with pytest.raises(ValueError, match="n_targets must be at least 1; got 0"):
        build_regressor(9, 3, 0)


@pytest.mark.parametrize("builder", [build_classifier, build_regressor, build_forecaster])
def test_an_unknown_argument_is_named_with_the_nearest(builder):
    sizes = (9, 3, 2)[: 3 if builder is build_classifier else 2]
    words = rf"{builder.__name__}: got an unexpected keyword argument 'unitz'; did you mean 'units'"
    with pytest.raises(TypeError, match=words):
        builder(*sizes, unitz=3)
    with pytest.raises(TypeError, match=f"{builder.__name__}: missing a required argument"):
        builder()


@pytest.mark.parametrize(
    ("builder", "description", "n_sizes"),
    [
        (build_classifier, classifier, 3),
        (build_regressor, regressor, 3),
        (build_forecaster, forecaster, 5),
    ],
)
def test_a_builder_has_the_signature_of_what_it_describes(builder, description, n_sizes):
    """Sizes come by place or by name, settings by name."""
    shown = inspect.signature(builder)
    assert shown.parameters == inspect.signature(description).parameters
    assert list(shown.parameters) == [n for n in builder.__annotations__ if n != "return"]
    kinds = [p.kind for p in shown.parameters.values()]
    assert kinds[:n_sizes] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * n_sizes
    assert set(kinds[n_sizes:]) == {inspect.Parameter.KEYWORD_ONLY}
