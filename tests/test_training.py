from __future__ import annotations

import dataclasses
import random
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import some
from hypothesis import given
from hypothesis import strategies as st

from seqkit import training
from seqkit.cells import CELLS
from seqkit.errors import TrainingError
from seqkit.network.keras.recurrent import Bidirectional, GatedRNN
from seqkit.stopping import smoothing_window
from seqkit.training import ArraySource, StreamSource, TrainingState
from seqkit.training.run import PLATEAU_FACTOR, PLATEAU_PATIENCE
from seqkit.training.sources import Shuffle, shuffled

RNG = np.random.default_rng(3)
X = RNG.normal(size=(22, 7, 2)).astype("float32")
Y = (X.mean((1, 2)) > 0).astype("int32")
WEIGHT = RNG.uniform(0.2, 2.0, size=22).astype("float32")
CROSSENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def build(dropout: float = 0.2, recurrent: bool = False) -> keras.Model:
    """Dense, because the loop does not care and tracing a recurrent layer takes seconds."""
    x = keras.Input((7, 2))
    if recurrent:
        h = Bidirectional(5, recurrent_dropout=dropout)(x)
    else:
        h = keras.layers.Dense(6, activation="tanh")(keras.layers.Flatten()(x))
    h = keras.layers.Dropout(dropout, name="drop")(h)
    logits = keras.layers.Dense(2, name="logits")(h)
    return keras.Model(x, keras.layers.Softmax(name="probabilities")(logits))


def build_recurrent() -> keras.Model:
    return build(recurrent=True)


def build_plain() -> keras.Model:
    return build(0.0)


def fit(**changes):
    settings = {
        "key": "dropout", "seed": 1, "loss": CROSSENTROPY, "output": "logits", "epochs": 3,
        "batch_size": 8, "patience": 0, "metrics": ["accuracy"],
    } | changes  # fmt: skip
    source = settings.pop("source", ArraySource(X, Y))
    return training.fit(settings.pop("build", build), source, **settings)


def fit_plain(**changes):
    return fit(**({"build": build_plain, "key": "plain"} | changes))


def equal(first, second) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def close(first, second, tolerance=1e-6):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


# --- the step, against a loop written out in eager Keras


def eager(
    optimizer, clipnorm, epochs=2, build=build_plain, weight=None, batch_size=8, seed=1, rates=None
):
    """The same batches, one eager step after the other, with Keras's own optimizer."""
    model = build()
    model.set_weights(training.initial_weights(model, seed))
    logits = keras.Model(model.input, model.get_layer("logits").output)
    variables = [v.value for v in model.trainable_variables]
    history, step = [], 0
    for epoch in range(epochs):
        losses = []
        order = shuffled(len(X), seed, epoch)
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            with tf.GradientTape() as tape:
                part = None if weight is None else weight[rows]
                loss = CROSSENTROPY(Y[rows], logits(X[rows], training=True), part)
            gradients = tape.gradient(loss, variables)
            if clipnorm is not None:
                gradients, _ = tf.clip_by_global_norm(gradients, clipnorm)
            if rates is not None:
                optimizer.learning_rate = float(rates[step])
            optimizer.apply(gradients, model.trainable_variables)
            losses.append((float(loss), len(rows)))
            step += 1
        history.append(sum(a * n for a, n in losses) / len(X))
    return model.get_weights(), history


OPTIMIZERS = [
    keras.optimizers.Adam(1e-3),
    keras.optimizers.Adam(1e-3, amsgrad=True),
    keras.optimizers.AdamW(1e-3, weight_decay=0.02),
    keras.optimizers.SGD(0.1),
    keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    keras.optimizers.RMSprop(1e-3),
]


@pytest.mark.parametrize("clipnorm", [None, 0.05])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=range(len(OPTIMIZERS)))
def test_epochs_equal_a_plain_loop_of_keras(optimizer, clipnorm):
    fresh = type(optimizer).from_config(optimizer.get_config())
    weights, losses = eager(fresh, clipnorm)
    fitted = fit_plain(optimizer=optimizer, clipnorm=clipnorm, epochs=2)
    close(fitted.weights, weights)
    np.testing.assert_allclose(fitted.history["loss"], losses, rtol=1e-6)


def test_recurrent_epochs_equal_a_plain_loop_of_keras():
    def recurrent():
        return build(0.0, recurrent=True)

    weights, losses = eager(keras.optimizers.Adam(1e-3), 1.0, build=recurrent)
    fitted = fit(build=recurrent, key="plain recurrent", epochs=2)
    close(fitted.weights, weights)
    np.testing.assert_allclose(fitted.history["loss"], losses, rtol=1e-6)


def test_weighted_last_partial_batch_counts_by_its_rows():
    weights, losses = eager(keras.optimizers.Adam(1e-3), 1.0, weight=WEIGHT)
    fitted = fit_plain(epochs=2, source=ArraySource(X, Y, WEIGHT))
    close(fitted.weights, weights)
    np.testing.assert_allclose(fitted.history["loss"], losses, rtol=1e-6)


def test_weight_zero_is_a_row_left_out_of_the_gradient():
    kept = np.arange(22) < 16
    whole = fit_plain(
        source=ArraySource(X, Y, kept.astype(float)), batch_size=22, epochs=1, optimizer="sgd"
    )
    part = fit_plain(
        source=ArraySource(X[kept], Y[kept], np.full(16, 16 / 22)), batch_size=16, epochs=1,
        optimizer="sgd",
    )  # fmt: skip
    close(whole.weights, part.weights)


def test_cosine_falls_from_the_rate_to_zero_over_all_steps():
    rates = 0.5e-3 * (1 + np.cos(np.pi * np.arange(6) / 6))
    weights, _ = eager(keras.optimizers.Adam(1e-3), 1.0, rates=rates)
    fitted = fit_plain(schedule="cosine", epochs=2)
    close(fitted.weights, weights)


def test_an_optimizer_keeps_its_own_schedule():
    schedule = keras.optimizers.schedules.ExponentialDecay(1e-3, decay_steps=3, decay_rate=0.5)
    weights, _ = eager(keras.optimizers.RMSprop(schedule), 1.0)
    fitted = fit_plain(optimizer=keras.optimizers.RMSprop(schedule), epochs=2)
    close(fitted.weights, weights)
    assert fitted.history["learning_rate"] == pytest.approx([5e-4, 2.5e-4])


def test_plateau_halves_the_rate_after_its_patience():
    stuck = fit_plain(schedule="plateau", learning_rate=1e-12, epochs=3 * PLATEAU_PATIENCE,
                      batch_size=22)  # fmt: skip
    rates = stuck.history["learning_rate"]
    assert rates[0] == 1e-12
    assert rates[PLATEAU_PATIENCE + 1] in (1e-12, 1e-12 * PLATEAU_FACTOR)
    assert rates[-1] < 1e-12
    assert set(np.round(np.log2(np.array(rates) / 1e-12))) <= {0, -1, -2}


def test_history_is_what_the_final_model_scores():
    fitted = fit_plain(validation=ArraySource(X, Y), metrics=["accuracy"])
    model = build_plain()
    model.set_weights(fitted.weights)
    chosen = model(X).numpy().argmax(1)
    assert fitted.history["val_accuracy"][-1] == pytest.approx((chosen == Y).mean())
    loss = keras.losses.SparseCategoricalCrossentropy()(Y, model(X))
    assert fitted.history["val_loss"][-1] == pytest.approx(float(loss), rel=1e-5)
    scores = {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert set(fitted.history) == scores | {
        "learning_rate",
        "grad_norm",
        "grad_norm_max",
        "clipped",
    }


def test_regularisers_are_part_of_the_loss():
    def regularised():
        return keras.Sequential(
            [keras.Input((7, 2)), keras.layers.Flatten(),
             keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.1))]
        )  # fmt: skip

    x, y = np.zeros((4, 7, 2)), np.zeros((4, 1))
    fitted = training.fit(
        regularised, ArraySource(x, y), key="l2", seed=0, loss="mse", epochs=1, batch_size=4,
        optimizer="sgd", patience=0, clipnorm=None, learning_rate=0.5,
    )  # fmt: skip
    kernel = training.initial_weights(regularised(), 0)[0]
    assert fitted.history["loss"][0] == pytest.approx(0.1 * (kernel**2).sum(), rel=1e-5)
    np.testing.assert_allclose(fitted.weights[0], kernel * (1 - 0.5 * 0.2), rtol=1e-5)


def test_steps_per_epoch_draws_batches():
    fitted = fit_plain(steps_per_epoch=2, epochs=2)
    assert fitted.epochs_run == 2
    drawn = shuffled(22, 1, 0, draws=16)
    assert len(drawn) == 16
    assert equal(fitted.weights, fit_plain(steps_per_epoch=2, epochs=2).weights)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000, 4097])
def test_computed_shuffle_is_a_permutation_that_looks_random(n):
    orders = [Shuffle(n, np.random.default_rng(seed)) for seed in (0, 1)]
    first, second = (np.concatenate([o[: n // 3], o[n // 3 :]]) for o in orders)
    assert np.array_equal(np.sort(first), np.arange(n))
    assert np.array_equal(np.sort(second), np.arange(n))
    if n >= 1000:  # rank correlations of independent orders have standard deviation n ** -0.5
        for other in (np.arange(n), second, np.roll(first, 1)):
            assert abs(np.corrcoef(first, other)[0, 1]) < 4 / np.sqrt(n)


# --- determinism


def test_same_seed_same_weights_whatever_ran_before():
    recurrent = {"build": build_recurrent, "key": "recurrent"}
    first, other = fit(), fit(**recurrent)
    fit(seed=2, epochs=1, learning_rate=0.1, batch_size=5)
    random.random()
    keras.layers.Dense(3).build((None, 2))
    assert equal(other.weights, fit(**recurrent).weights)
    assert equal(first.weights, fit().weights)
    assert not equal(first.weights, fit(seed=2).weights)


def test_random_state_of_the_process_is_left_alone():
    random.seed(5)
    np.random.seed(5)
    tf.random.set_seed(5)
    before = random.getstate(), np.random.get_state()[1].copy()
    operation_seed = tf.random.uniform((1,)).numpy()
    tf.random.set_seed(5)
    fit(epochs=1)
    assert random.getstate() == before[0]
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert tf.random.uniform((1,)).numpy() == operation_seed


def test_threads_of_one_architecture_do_not_meet():
    expected = {seed: fit(seed=seed).weights for seed in range(4)}
    found = {}

    def work(seed):
        found[seed] = fit(seed=seed).weights

    threads = [threading.Thread(target=work, args=(seed,)) for seed in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(equal(expected[seed], found[seed]) for seed in expected)


# --- early stopping, resuming, divergence


@pytest.mark.parametrize("patience", [2, 9])
def test_early_stopping_restores_the_best_epoch(patience):
    seen = []
    fitted = fit_plain(
        validation=ArraySource(X[:9], 1 - Y[:9]), patience=patience, epochs=50, learning_rate=0.02,
        on_epoch=lambda epoch, logs, state: seen.append((logs["val_loss"], state().weights)),
    )  # fmt: skip
    window = smoothing_window(patience, steps=3)
    assert window == {2: 1, 9: 5}[patience]
    losses = [value for value, _ in seen]
    levels = [np.median(losses[max(n - window, 0) : n]) for n in range(1, len(losses) + 1)]
    best = int(np.argmin(levels))
    assert fitted.best_epoch == best
    assert fitted.epochs_run == best + 1 + patience < 50
    assert equal(fitted.weights, seen[best][1])
    assert fitted.state.best_value == levels[best]
    assert equal(fitted.state.weights, seen[-1][1])


class Course:
    """A run whose validation losses are given: what remains is how they are looked at."""

    def __init__(self, losses, window):
        from seqkit.training.run import Run

        state = TrainingState([], [], [])
        none = dict.fromkeys(("validation", "steps_per_epoch", "clipnorm", "progress"))
        self.run = Run(source=None, epochs=99, batch_size=1, schedule="constant", window=window,
                       loss_goal=None,
                       first_rate=1.0, state=state, **none)  # fmt: skip
        self.run.copy_state, self.run.weights_now = (lambda: state), (lambda: [state.epoch])
        self.run.begin()
        for state.epoch, loss in enumerate(losses):
            state.history.setdefault("val_loss", []).append(loss)
            self.run.track_best({"loss": 0.0, "val_loss": loss})
        self.best, self.state = self.run.best[0], state


def test_one_lucky_epoch_does_not_decide():
    losses = [0.9, 0.8, 0.75, 0.1, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4, 0.42, 0.46, 0.6, 0.7]
    assert Course(losses, 1).best == 3  # the lowest, as it is
    found = Course(losses, 5)
    assert found.best == 11  # the end of the first five epochs that are best together
    assert found.state.best_value == 0.45
    assert found.state.wait == 3
    # the lucky epoch moves what is compared no further than to its neighbours
    assert Course(losses[:4], 5).state.best_value > 0.7


@given(
    losses=st.lists(st.floats(0, 10), min_size=1, max_size=30),
    window=st.integers(1, 9),
)
def test_what_is_compared_is_reached_by_half_the_epochs_looked_at(losses, window):
    found = Course(losses, window)
    seen = losses[max(found.best + 1 - window, 0) : found.best + 1]
    below = sum(loss <= found.state.best_value for loss in seen)
    assert 2 * below >= len(seen)
    levels = [np.median(losses[max(n - window, 0) : n]) for n in range(1, len(losses) + 1)]
    assert found.state.best_value == min(levels)
    assert found.state.wait == len(losses) - 1 - int(np.argmin(levels))
    falling = sorted({*losses}, reverse=True)
    assert Course(falling, window).state.wait == 0  # what always gets better is never stopped


def test_a_fit_that_goes_on_compares_its_own_losses_only():
    settings = {"validation": ArraySource(X[:9], Y[:9]), "epochs": 4, "patience": 9}
    first = fit_plain(**settings)
    state = dataclasses.replace(first.state, best_weights=None, best_value=np.inf, best_epoch=None)
    more = fit_plain(**settings | {"epochs": 5}, resume=state)
    assert more.state.best_value == more.history["val_loss"][-1]


SETTINGS = {"validation": ArraySource(X[:9], Y[:9]), "patience": 4, "schedule": "plateau"}


@pytest.mark.parametrize("settings", [SETTINGS, {"schedule": "cosine"}, {"steps_per_epoch": 2}])
def test_resumed_fit_ends_as_an_uninterrupted_one(tmp_path, settings):
    path = tmp_path / "state.npz"

    def save(epoch, logs, state):
        if epoch == 2:
            state().save(path)

    whole = fit(epochs=8, learning_rate=0.05, on_epoch=save, **settings)
    resumed = fit(epochs=8, learning_rate=0.05, resume=TrainingState.load(path), **settings)
    assert equal(whole.weights, resumed.weights)
    assert whole.history == resumed.history
    assert (whole.best_epoch, whole.epochs_run) == (resumed.best_epoch, resumed.epochs_run)
    assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]


def test_damaged_and_newer_states_say_so(tmp_path, monkeypatch):
    path = tmp_path / "state.npz"
    state = fit_plain(epochs=1).state
    monkeypatch.setattr(TrainingState, "FORMAT", TrainingState.FORMAT + 1)
    state.save(path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="Update seqkit"):
        TrainingState.load(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="training state"):
        TrainingState.load(path)
    with pytest.raises(FileNotFoundError):
        TrainingState.load(tmp_path / "none.npz")


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "state.npz"
    state = fit_plain(epochs=1).state
    state.save(path)
    before = path.read_bytes()

    def full(*_args, **_kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space"):
        state.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]


def diverging(**changes):
    """Grows without bound: the mean square error of a line with a step that is too long."""

    def line():
        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    x = np.linspace(1, 2, 16)[:, None]
    settings = {"optimizer": "sgd", "learning_rate": 8.0, "clipnorm": None, "epochs": 200,
                "patience": 0, "batch_size": 16} | changes  # fmt: skip
    return training.fit(line, ArraySource(x, x), key="line", seed=0, loss="mse", **settings)


def test_diverging_loss_names_the_epoch_and_keeps_the_last_good_state():
    states = []
    with pytest.raises(TrainingError, match=r"epoch (\d+).*learning_rate.*clipnorm") as caught:
        diverging(on_epoch=lambda epoch, logs, state: states.append(state()))
    error = caught.value
    assert f"epoch {len(states) + 1}" in str(error)
    assert len(error.history["loss"]) == len(states) + 1
    assert not np.isfinite(error.history["loss"][-1])
    assert error.state.epoch == len(states)
    assert equal(error.state.weights, states[-1].weights)
    assert equal(error.state.optimizer_variables, states[-1].optimizer_variables)
    assert len(error.state.history["loss"]) == len(states)


def test_an_interrupt_leaves_nothing_behind():
    expected = fit().weights

    def interrupt(epoch, done, steps):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(on_progress=interrupt)
    assert equal(fit().weights, expected)


# --- objects of the user's own


def test_an_optimizer_object_is_neither_changed_nor_shared():
    optimizer = keras.optimizers.Adam(0.3)
    first = fit_plain(optimizer=optimizer)
    assert not optimizer.built
    assert float(optimizer.learning_rate) == pytest.approx(0.3)
    assert equal(first.weights, fit_plain(learning_rate=0.3).weights)
    assert not equal(first.weights, fit_plain(optimizer=keras.optimizers.Adam(0.1)).weights)


def test_two_functions_of_one_name_are_two_losses():
    def loss(scale):
        return lambda y, p: (
            scale * keras.losses.sparse_categorical_crossentropy(y, p, from_logits=True)
        )

    one, two = fit_plain(loss=loss(1.0), epochs=1), fit_plain(loss=loss(2.0), epochs=1)
    assert two.history["loss"][0] != one.history["loss"][0]


def test_data_is_not_kept_alive():
    import gc
    import weakref

    source = ArraySource(X.copy(), Y.copy())
    fit_plain(source=source, epochs=1)
    fit_plain(source=source, epochs=1)
    gone = weakref.ref(source.arrays["x"])
    del source
    gc.collect()
    assert gone() is None


# --- prediction


def test_predict_gives_every_row_in_order():
    weights = fit().weights
    model = build()
    model.set_weights(weights)
    expected = model(X).numpy()
    for batch_size in (256, 22, 5):
        got = training.predict(build, weights, ArraySource(X), key="dropout", batch_size=batch_size)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_predict_uses_the_weights_it_is_given():
    one, other = fit(seed=1).weights, fit(seed=2).weights
    source = ArraySource(X)
    first = training.predict(build, one, source, key="dropout")
    second = training.predict(build, other, source, key="dropout")
    assert not np.array_equal(first, second)
    assert np.array_equal(first, training.predict(build, one, source, key="dropout"))
    changed = [w.copy() for w in one]  # writeable, so it is loaded every time
    training.predict(build, changed, source, key="dropout")
    changed[-1] += 1.0, -1.0
    assert not np.array_equal(first, training.predict(build, changed, source, key="dropout"))
    logits = training.predict(build, one, source, key="dropout", output="logits")
    np.testing.assert_allclose(keras.ops.softmax(logits), first, rtol=1e-5, atol=1e-6)


# --- initial weights


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.LSTM(4),
        lambda: keras.layers.GRU(4),
        lambda: keras.layers.SimpleRNN(4, bias_initializer="random_normal"),
        lambda: keras.layers.Bidirectional(keras.layers.LSTM(4)),
        lambda: keras.layers.TimeDistributed(keras.layers.Dense(3)),
        *[lambda cell=cell: GatedRNN(4, cell=cell) for cell in CELLS],
        lambda: Bidirectional(4, "lstm"),
        lambda: keras.layers.BatchNormalization(),
        lambda: keras.layers.LayerNormalization(),
        lambda: keras.layers.SeparableConv1D(3, 2),
        lambda: keras.layers.RNN([keras.layers.LSTMCell(3), keras.layers.GRUCell(2)]),
    ],
)
def test_initial_weights_are_those_of_a_fresh_model(layer):
    def model():
        return keras.Sequential([keras.Input((6, 3)), layer()])

    keras.utils.set_random_seed(0)  # fresh models draw from Keras's own generator
    one = model()
    first = training.initial_weights(one, 7)
    assert equal(first, training.initial_weights(model(), 7))
    assert equal(first, training.initial_weights(one, 7, fresh=one.get_weights()))
    other, fresh, again = training.initial_weights(one, 8), model().get_weights(), model()
    for a, b, c, d in some(zip(first, other, fresh, again.get_weights(), strict=True)):
        if np.array_equal(c, d):  # a constant
            np.testing.assert_array_equal(a, c)
        else:
            assert not np.array_equal(a, b)
            assert a.std() == pytest.approx(c.std(), rel=0.8)


class Secretive(keras.layers.Layer):
    """Keeps no initialiser as an attribute."""

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 50), initializer="glorot_uniform", name="w")
        self.v = self.add_weight(shape=(3,), initializer="ones", name="v")

    def call(self, x):
        return x @ self.w


class Answering(Secretive):
    def initial_weights(self, seed):
        return {"w": np.full(self.w.shape, seed), "v": np.zeros(3)}


def test_initial_weights_without_initialisers():
    model = keras.Sequential([keras.Input((3,)), Secretive()])
    first, second = training.initial_weights(model, 0), training.initial_weights(model, 1)
    assert equal(first, training.initial_weights(model, 0))
    assert not np.array_equal(first[0], second[0])
    assert first[0].std() == pytest.approx(np.sqrt(2 / 53), rel=0.2)
    np.testing.assert_array_equal(first[1], 1.0)
    answering = keras.Sequential([keras.Input((3,)), Answering()])
    assert np.ptp(training.initial_weights(answering, 0)[0]) == 0


def test_constants_are_set_by_path():
    def scaled():
        return keras.Sequential(
            [keras.Input((7, 2)), keras.layers.BatchNormalization(name="scale", trainable=False),
             keras.layers.Flatten(), keras.layers.Dense(2)], name="model"
        )  # fmt: skip

    settings = {"key": "constants", "seed": 0, "loss": CROSSENTROPY, "epochs": 1, "patience": 0}
    constants = {"model/scale/moving_mean": [3.0, 4.0]}
    fitted = training.fit(scaled, ArraySource(X, Y), constants=constants, **settings)
    assert any(np.array_equal(w, [3.0, 4.0]) for w in fitted.weights)
    with pytest.raises(ValueError, match="did you mean 'model/scale/moving_mean'"):
        training.fit(scaled, ArraySource(X, Y), constants={"model/scale/moving_men": 0}, **settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", -1), ("batch_size", 0), ("learning_rate", 0.0), ("schedule", "linear"),
     ("steps_per_epoch", 0), ("clipnorm", 0.0), ("patience", -1), ("output", "logit")],
)  # fmt: skip
def test_arguments_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=f"fit: {name} must be"):
        fit(**{name: value})


# --- streams


def stream(blocks):
    parts = np.array_split(np.arange(22), blocks)
    return StreamSource(lambda i: (X[parts[i]], Y[parts[i]]), [len(p) for p in parts], mix=2)


def test_one_block_streams_what_an_array_gives():
    validation = ArraySource(X[:9], Y[:9])
    whole = fit(validation=validation, patience=2)
    streamed = fit(source=stream(1), validation=stream(1), patience=2)
    assert equal(fit(validation=ArraySource(X, Y), patience=2).weights, streamed.weights)
    assert whole.history["loss"] == streamed.history["loss"]
    got = training.predict(build, streamed.weights, stream(5), key="dropout", batch_size=4)
    expected = training.predict(build, streamed.weights, ArraySource(X), key="dropout")
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_every_epoch_of_a_stream_has_every_row_in_another_order():
    parts = np.array_split(np.arange(22), 5)
    source = StreamSource(
        lambda i: (parts[i][:, None], parts[i]), [len(part) for part in parts], mix=2
    )
    orders = [[int(v) for _, y, _ in source.batches(4, (0, epoch)) for v in y] for epoch in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(22))
    assert orders[0] != orders[1]
    assert [len(y) for _, y, _ in source.batches(4, (0, 0))] == [4] * 5 + [2]


def test_parquet_streams_rows_of_columns_and_of_lists(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    flat = X.reshape(22, 14)
    names = [f"t{i}" for i in range(14)]
    table = pa.table({n: flat[:, i] for i, n in enumerate(names)} | {"label": Y, "w": WEIGHT})
    table = table.append_column("series", pa.array(list(flat)))
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=8)
    for inputs in (names, "series"):
        source = StreamSource.from_parquet(
            tmp_path / "a.parquet", inputs, "label", "w", shape=(7, 2), mix=3
        )
        assert source.block_rows == (8, 8, 6)
        streamed = fit_plain(source=source)
        assert equal(streamed.weights, fit_plain(source=streamed_order(source)).weights)
    with pytest.raises(ValueError, match="nothing"):
        StreamSource.from_parquet(tmp_path / "a.parquet", "nothing")


def streamed_order(source):
    """The rows of a stream of few blocks, as stored in memory in the order of its blocks."""

    class Ordered(StreamSource):
        pass

    whole = next(iter(source.batches(22, None)))
    parts = np.split(np.arange(22), [8, 16])
    return Ordered(
        lambda i: tuple(part[parts[i]] for part in whole),
        [8, 8, 6], mix=3,
    )  # fmt: skip


# --- callbacks


def test_epoch_hooks_run_in_keras_order_with_logs():
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(("begin", self.params["epochs"], self.params["steps"]))

        def on_epoch_begin(self, epoch, logs=None):
            seen.append(("epoch", epoch))

        def on_test_end(self, logs=None):
            seen.append(("test", sorted(logs)))

        def on_epoch_end(self, epoch, logs=None):
            seen.append(("end", epoch, sorted(logs)))
            self.model.stop_training = epoch == 1

        def on_train_end(self, logs=None):
            seen.append(("done",))

    fitted = fit_plain(callbacks=[Watch()], validation=ArraySource(X, Y), epochs=9)
    own = ["accuracy", "clipped", "grad_norm", "grad_norm_max", "loss"]
    names = [*own, "val_accuracy", "val_loss"]
    assert fitted.epochs_run == 2
    assert seen[:4] == [
        ("begin", 9, 3), ("epoch", 0), ("test", names),
        ("end", 0, sorted([*names, "learning_rate"])),
    ]  # fmt: skip
    assert seen[4:] == [("epoch", 1), ("test", names), ("end", 1, seen[3][2]), ("done",)]


def test_rate_callbacks_take_effect():
    rates = np.array([1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 5e-4])
    expected, _ = eager(keras.optimizers.Adam(1e-3), 1.0, rates=rates)
    scheduler = keras.callbacks.LearningRateScheduler(
        lambda epoch, rate: rate / 2 if epoch else rate
    )
    fitted = fit_plain(callbacks=[scheduler], epochs=2)
    close(fitted.weights, expected)
    assert fitted.history["learning_rate"] == pytest.approx([1e-3, 5e-4])
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=10)
    fitted = fit_plain(callbacks=[plateau], epochs=4)
    assert fitted.history["learning_rate"] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5])
    assert equal(fit_plain().weights, fit_plain().weights)  # the rate of the next fit is its own


def test_early_stopping_callback_equals_patience():
    validation = ArraySource(X[:9], 1 - Y[:9])
    settings = {"validation": validation, "epochs": 50, "learning_rate": 0.02}
    ours = fit_plain(patience=2, **settings)  # too little to smooth within
    callback = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    theirs = fit_plain(callbacks=[callback], **settings)
    assert equal(ours.weights, theirs.weights)
    assert ours.history == theirs.history


def test_files_of_callbacks(tmp_path):
    callbacks = [
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
        keras.callbacks.TerminateOnNaN(),
    ]
    fitted = fit_plain(callbacks=callbacks, validation=ArraySource(X, Y), patience=2)
    saved = keras.models.load_model(tmp_path / "best.keras")
    assert equal(saved.get_weights(), fitted.weights)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 4


def test_tensorboard_writes_its_events(tmp_path):
    fit_plain(callbacks=[keras.callbacks.TensorBoard(tmp_path)], validation=ArraySource(X, Y))
    assert list(tmp_path.rglob("events*"))


def test_backup_and_restore_goes_on_after_an_interruption(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    whole = fit_plain(epochs=4)
    with pytest.raises(KeyboardInterrupt):
        fit_plain(epochs=4, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "b"), Stop()])
    fitted = fit_plain(epochs=4, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "b")])
    assert len(fitted.history["loss"]) == 2
    assert equal(fitted.weights, whole.weights)


def test_terminate_on_nan_ends_with_the_last_good_weights():
    fitted = diverging(callbacks=[keras.callbacks.TerminateOnNaN()])
    assert 0 < fitted.epochs_run < 200
    assert all(np.isfinite(w).all() for w in fitted.weights)


class EveryBatch(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])


def test_callbacks_of_batches_are_called_at_every_batch(tmp_path):
    every, lines = EveryBatch(), []
    callbacks = [
        every,
        keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: lines.append(batch)
        ),
        keras.callbacks.ModelCheckpoint(tmp_path / "{batch}.keras", save_freq=2),
    ]
    fitted = fit_plain(callbacks=callbacks, epochs=2)
    assert lines == [0, 1, 2, 0, 1, 2]
    assert every.losses[2::3] == pytest.approx(fitted.history["loss"])
    assert len(list(tmp_path.iterdir())) == 3
    assert equal(fitted.weights, fit_plain(epochs=2).weights)


def test_a_stateful_model_is_asked_batch_after_batch():
    model = keras.Sequential(
        [keras.Input(batch_shape=(16, 4, 1)), GatedRNN(3, cell="gru", stateful=True)]
    )
    x = np.random.default_rng(0).normal(size=(64, 4, 1)).astype("float32")
    weights = model.get_weights()
    found = training.predict(lambda: model, weights, ArraySource(x), key="stateful", batch_size=16)
    model.set_weights(weights)  # the states are among them
    expected = [np.asarray(model(x[i : i + 16])) for i in range(0, 64, 16)]
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-6)
