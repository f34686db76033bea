"""``validation: refit``: stopped by a part that is held out, then trained anew on all."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor, load_run, run
from seqkit.runs.experiment import resume
from seqkit.stopping import early_stopping
from seqkit.training import TrainingState

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 12))
Y = (X[:, :6].sum(1) > 0).astype(int)
WAVE = 10 + np.sin(np.arange(500) * 2 * np.pi / 12) + RNG.normal(0, 0.3, 500)
SERIES = {"units": 6, "epochs": 15, "batch_size": 16, "random_state": 3, "learning_rate": 0.02}
WINDOWS = {"context_length": 24, "horizon": 6, "units": 6, "epochs": 8, "random_state": 3}
MODELS = {
    "classification": (SequenceClassifier, SERIES | {"stem": None}, (X, Y)),
    "regression": (SequenceRegressor, SERIES, (X, 100 + X.mean(1))),
    "forecasting": (SequenceForecaster, WINDOWS, (WAVE,)),
}


def equal(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


@pytest.mark.parametrize("task", MODELS)
def test_the_last_training_is_that_on_all_with_the_epochs_of_the_best(task):
    """Found on the part as with a number, and then as if nothing had ever been held out."""
    kind, settings, data = MODELS[task]
    twice = kind(**settings, validation="refit", patience=1).fit(*data)
    part = kind(**settings, validation=0.15, patience=1).fit(*data)
    assert twice.stopped_histories_ == [part.history_]
    once = kind(**settings | {"epochs": part.best_epoch_ + 1}, validation=0, patience=0).fit(*data)
    assert equal(twice.weights_, once.weights_)
    assert twice.history_ == once.history_
    assert twice.n_iter_ == twice.best_epoch_ + 1 == part.best_epoch_ + 1
    assert "val_loss" not in twice.history_
    # the schedule goes to its end: a last step of hardly any length
    assert twice.history_["learning_rate"][-1] < 0.05 * part.history_["learning_rate"][0]
    np.testing.assert_array_equal(twice.predict(data[0]), once.predict(data[0]))


def test_a_share_that_is_said_and_each_network_of_an_ensemble_for_itself():
    settings = {**SERIES, "patience": 1, "schedule": "constant", "learning_rate": 0.1}
    both = SequenceClassifier(**settings, validation={"refit": 0.4}, ensemble=2).fit(X, Y)
    part = SequenceClassifier(**settings, validation=0.4, ensemble=2).fit(X, Y)
    assert both.stopped_histories_ == part.histories_
    lengths = [len(history["loss"]) for history in both.histories_]
    assert lengths == [1 + len(h["loss"]) - 1 - _since_best(h) for h in part.histories_]


def _since_best(history):
    """Epochs that came after the best; patience 1 here is two epochs of 15 steps, smoothed."""
    from seqkit.stopping import patience_in_epochs, smoothed, smoothing_window

    steps = -(-240 // 16)
    window = smoothing_window(patience_in_epochs(1, steps), steps)
    levels = [smoothed(history["val_loss"][: n + 1], window) for n in range(len(history["loss"]))]
    return len(levels) - 1 - int(np.argmin(levels))


def test_a_part_that_is_given_is_trained_on_in_the_end():
    given = SequenceRegressor(**SERIES, validation="refit", patience=2)
    given.fit(X[:300], X[:300].mean(1), validation_data=(X[300:], X[300:].mean(1)))
    once = SequenceRegressor(**SERIES | {"epochs": given.n_iter_}, validation=0, patience=0)
    assert equal(given.weights_, once.fit(X, X.mean(1)).weights_)
    # of unequal lengths, and with weights on one side only
    longer = np.pad(X[300:, :, None], ((0, 0), (0, 5), (0, 0)), mode="edge")
    mixed = SequenceClassifier(**SERIES, validation="refit", class_weight="balanced")
    mixed.fit(X[:300, :, None], Y[:300], validation_data=(longer, Y[300:], np.full(100, 2.0)))
    assert mixed._variable_length_
    assert mixed.predict(longer).shape == (100,)


@pytest.mark.parametrize("task", MODELS)
@pytest.mark.parametrize("back", [-1, 1])
def test_either_training_resumes_to_the_same_end(task, back, tmp_path):
    kind, settings, data = MODELS[task]
    states = []
    model = kind(**settings, validation="refit", patience=2)
    whole = model.fit(*data, on_epoch=lambda epoch, logs, get: states.append(get()))
    n_stopped = len(model.stopped_histories_[0]["loss"])
    states[n_stopped + back].save(tmp_path / "state.npz")
    state = TrainingState.load(tmp_path / "state.npz")
    assert bool(state.refit) == (back > 0)
    again = kind(**settings, validation="refit", patience=2).fit(*data, resume=state)
    assert equal(whole.weights_, again.weights_)
    assert whole.history_ == again.history_
    assert whole.stopped_histories_ == again.stopped_histories_


@pytest.mark.parametrize("task", MODELS)
def test_too_few_to_stop_by_train_once_on_all_and_it_is_said(task):
    kind, settings, data = MODELS[task]
    few = [part[:100] for part in data]
    model = kind(**settings, validation="refit").fit(*few)
    assert (model.auto_["validation"], model.auto_["patience"]) == (0.0, 0)
    once = kind(**settings, validation=0, patience=0).fit(*few)
    assert equal(model.weights_, once.weights_)
    assert not hasattr(model, "stopped_histories_")


def test_fifty_are_enough_since_training_misses_nothing():
    assert early_stopping("refit", "auto", [170, 170]) == (0.15, 10)
    assert early_stopping("auto", "auto", [170, 170]) == (0.0, 0)
    assert early_stopping("refit", "auto", [160, 160]) == (0.0, 0)


@pytest.mark.parametrize("task", MODELS)
def test_a_training_that_goes_on_refuses_to_begin_anew(task):
    kind, settings, data = MODELS[task]
    model = kind(**settings | {"epochs": 1}, validation="refit", warm_start=True)
    with pytest.raises(ValueError, match="validation must be a number or auto in partial_fit"):
        model.partial_fit(*data)
    model.fit(*data)
    before = model.weights_
    with pytest.raises(ValueError, match="in fit with warm_start, which goes on from"):
        model.fit(*data)
    assert equal(before, model.weights_)


def test_settings_that_contradict_it():
    with pytest.raises(ValueError, match="patience must be auto or above 0 when validation is r"):
        SequenceClassifier(validation="refit", patience=0).fit(X, Y)
    with pytest.raises(ValueError, match=r"auto, refit or \{refit: 0.2\}; got \{'refit': 1.5\}"):
        SequenceClassifier(validation={"refit": 1.5}).fit(X, Y)
    with pytest.raises(ValueError, match="validation must be 0 or at least horizon"):
        SequenceForecaster(**WINDOWS, validation={"refit": 3}).fit(WAVE)
    with pytest.raises(ValueError, match="validation must be a number or auto beside validation_d"):
        SequenceForecaster(**WINDOWS, validation="refit").fit(WAVE, validation_data=(WAVE,))


def test_keras_trains_twice_as_well():
    keras = pytest.importorskip("keras")
    settings = {**SERIES, "epochs": 4, "patience": 1}
    del settings["learning_rate"]
    rate = keras.optimizers.Adam(0.02)
    twice = SequenceClassifier(**settings, optimizer=rate, validation="refit").fit(X, Y)
    assert twice.trainer_.startswith("keras")
    settings |= {"epochs": twice.n_iter_, "patience": 0}
    once = SequenceClassifier(**settings, optimizer=rate, validation=0).fit(X, Y)
    assert equal(twice.weights_, once.weights_)
    assert "val_loss" in twice.stopped_histories_[0]


def recipe(**split):
    return {
        "task": "classification",
        "data": {"dataset": "japanese_vowels", "split": split},
        "model": {"units": 4},
        "train": {"epochs": 4, "batch_size": 16, "learning_rate": 0.02},
    }


def test_a_run_says_both_trainings_and_scores_the_test_part_alone(tmp_path):
    result = run(recipe(validation={"refit": 0.3}), out=tmp_path)
    folder = result.document["run"]
    assert list(result.document["metrics"]["parts"]) == ["test"]
    model = load_run(folder)
    with open(f"{folder}/history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for name, history in (("stopped", model.stopped_histories_[0]), ("refit", model.history_)):
        own = [row for row in rows if row["training"] == name]
        assert [float(row["loss"]) for row in own] == history["loss"]
        assert all(bool(row["val_loss"]) == (name == "stopped") for row in own)
    report = (tmp_path / folder / "report.html").read_text("utf-8")
    assert f"then trained anew on all for {model.n_iter_} epochs" in report
    n_stopped = len(model.stopped_histories_[0]["loss"])
    assert f'"stopped":{n_stopped},' in report  # what the plot of the losses is drawn from


def test_a_run_with_too_few_says_so_and_one_without_a_test_part_is_refused(tmp_path):
    result = run(recipe(validation="refit"), out=tmp_path)  # 0.15 of 270
    log = (tmp_path / result.document["run"] / "log.txt").read_text("utf-8")
    assert "validation 0.0" in log
    assert "too small to stop by" in log
    given = np.savez(tmp_path / "a.npz", X=X[:, :, None], y=Y)
    assert given is None
    lone = recipe(validation="refit", test=0.0)
    lone["data"] = {"path": str(tmp_path / "a.npz"), "split": lone["data"]["split"]}
    with pytest.raises(ValueError, match="no test part, and all else is trained on with validatio"):
        run(lone, out=tmp_path)


def test_a_run_resumes_its_second_training(tmp_path, monkeypatch):
    from seqkit.runs.checkpoints import Keeper

    whole = run(recipe(validation={"refit": 0.3}), out=tmp_path, name="whole")
    monkeypatch.setattr(Keeper, "MOST", 0.0)  # a checkpoint every epoch
    told = Keeper.__call__

    def interrupted(self, epoch, logs, get_state):
        told(self, epoch, logs, get_state)
        if "val_loss" not in logs:
            raise KeyboardInterrupt

    monkeypatch.setattr(Keeper, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(recipe(validation={"refit": 0.3}), out=tmp_path, name="broken")
    monkeypatch.setattr(Keeper, "__call__", told)
    (folder,) = tmp_path.glob("*broken*")
    again = resume(folder)
    first, second = (load_run(result.document["run"]) for result in (whole, again))
    assert equal(first.weights_, second.weights_)
    assert first.stopped_histories_ == second.stopped_histories_
