"""The applications: what prepares their data, and every recipe of them on a slice of real data."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, some
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat, wavfile
from test_prepare import prepare

from seqkit import DataError, RecipeError, SequenceTagger, load_run, read_recipe, run
from seqkit.data.readers import read_sequences
from seqkit.data.step_tables import read_steps, steps_of_frame
from seqkit.recipe.reading import read_recipe as read
from seqkit.runs.experiment import predict

sys.path.insert(0, str(ROOT / "recipes" / "prepare"))
sys.path.insert(0, str(ROOT / "benchmarks"))

import applications
from chords import table, transposed
from framewise_digits import sequences
from spoken_digits import cepstrum, filters

# --- music --------------------------------------------------------------------------------------

rolls = st.integers(1, 6).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 87), max_size=4), min_size=n, max_size=n)
)


def roll_of(chords):
    roll = np.zeros((len(chords), 88), np.uint8)
    for step, keys in zip(roll, chords, strict=True):
        step[keys] = 1
    return roll


@settings(max_examples=50, deadline=None)
@given(rolls)
def test_transposition_keeps_every_interval(chords):
    roll = roll_of(chords)
    found = dict(transposed(roll))
    np.testing.assert_array_equal(found[0], roll)
    for shift, moved in found.items():
        assert -5 <= shift <= 6
        for before, after in zip(roll, moved, strict=True):
            np.testing.assert_array_equal(np.flatnonzero(before) + shift, np.flatnonzero(after))
    keys = np.flatnonzero(roll.any(axis=0))
    room = {s for s in range(-5, 7) if all(0 <= k + s < 88 for k in keys)}
    assert set(found) == room


def test_a_row_is_the_chord_now_and_the_chord_next():
    pieces = [roll_of([[0], [3, 87], [5]]), roll_of([[7], []])]
    frame = table(pieces, ["a", "b"])
    now, after = frame.filter(like="now_").to_numpy(), frame.filter(like="key_").to_numpy()
    np.testing.assert_array_equal(after, np.concatenate(pieces))
    assert frame["piece"].tolist() == list("aaabb")
    assert not now[[0, 3]].any()  # silence, before a piece begins
    np.testing.assert_array_equal(now[[1, 2, 4]], after[[0, 1, 3]])
    assert (after[1].nonzero()[0] + 21).tolist() == [24, 108]


def test_only_the_training_part_is_transposed(tmp_path):
    parts = {f"{part}data": [roll_of([[40], [44, 47]])] for part in ("train", "valid", "test")}
    write_rolls(tmp_path / "in.mat", parts)
    prepare("chords", "--transpose", tmp_path / "in.mat", tmp_path / "out")
    sizes = {part: pd.read_feather(tmp_path / f"out_{part}.feather")["piece"].nunique()
             for part in ("train", "validation", "test")}  # fmt: skip
    assert sizes == {"train": 12, "validation": 1, "test": 1}
    savemat(tmp_path / "other.mat", {"traindata": np.zeros(3)})
    said = prepare("chords", tmp_path / "other.mat", tmp_path / "out", status=1)
    assert "no validdata, testdata" in said


def write_rolls(file, parts):
    content = {}
    for part, pieces in parts.items():
        content[part] = np.empty((1, len(pieces)), object)
        content[part][0] = pieces
    savemat(file, content)


def test_the_likelihood_of_chords_is_that_of_the_metric(tmp_path, monkeypatch):
    from seqkit.evaluation.metrics import Predictions
    from seqkit.evaluation.summary import score_model

    rng = np.random.default_rng(0)
    y = [rng.integers(0, 2, (n, 88)) for n in (3, 5)]
    p = [rng.uniform(0.1, 0.9, one.shape) for one in y]
    made = Predictions(labels=[(one > 0.5).astype(int) for one in p], probabilities=p)
    scores = score_model("tagging", y, made, metrics=["nll"])["model"]
    assert applications._sum_over_keys(p, y, 0) == pytest.approx(scores["nll"])
    assert applications._sum_over_keys(p, y, 1) != pytest.approx(scores["nll"])


# --- speech -------------------------------------------------------------------------------------


def test_cepstra_are_the_cosine_transform_of_what_each_filter_hears():
    rate, time = 8000, np.arange(4000) / 8000
    bank = filters(129, rate)
    assert bank.shape == (26, 129)
    inside = (bank.sum(axis=0) > 0).nonzero()[0]
    np.testing.assert_allclose(bank.sum(axis=0)[10:100], 1, atol=0.5)
    assert inside[0] <= 2
    for frequency in (400, 1000, 2500):
        found = cepstrum(np.sin(2 * np.pi * frequency * time), rate)
        assert found.shape == (1 + (4000 - 200) // 80, 13)
        from scipy.fft import idct

        heard = idct(np.pad(found[10], (0, 13)), norm="ortho")
        mel = 2595 * np.log10(1 + frequency / 700)
        top = 2595 * np.log10(1 + rate / 2 / 700)
        assert abs(heard.argmax() + 1 - 27 * mel / top) < 2  # the filter over that frequency
    once, louder = (cepstrum(k * np.sin(2 * np.pi * 500 * time), rate) for k in (0.1, 0.2))
    np.testing.assert_allclose(louder[:, 1:], once[:, 1:], atol=1e-6)  # loudness is the first


def write_recordings(folder, digits="05", speakers=("ann", "bob"), numbers=range(16)):
    rng = np.random.default_rng(0)
    folder.mkdir()
    for digit in digits:
        for speaker in speakers:
            for number in numbers:
                n = 1200 + 40 * number
                wave = np.sin(2 * np.pi * (300 + 200 * int(digit)) * np.arange(n) / 8000)
                sound = (8000 * (wave + 0.1 * rng.normal(size=n))).astype(np.int16)
                wavfile.write(folder / f"{digit}_{speaker}_{number}.wav", 8000, sound)
    (folder / "noise.wav").write_bytes((folder / f"{digits[0]}_{speakers[0]}_0.wav").read_bytes())


def test_recordings_become_series_with_the_parts_of_the_set(tmp_path):
    write_recordings(tmp_path / "recordings")
    said = prepare("spoken_digits", tmp_path / "recordings", tmp_path / "out.npz")
    assert "noise.wav: not a name such as" in said
    s = read_sequences(tmp_path / "out.npz")
    assert len(s) == 64
    assert set(s.y.tolist()) == {0, 5}
    assert sum(s.parts == "test") == 20
    lengths = np.sort(np.unique(s.lengths))
    assert lengths[0] == 1 + (1200 - 200) // 80
    prepare("framewise_digits", tmp_path / "recordings", tmp_path / "frames", "--rounds", 2)
    tables = {p: pd.read_parquet(tmp_path / f"frames_{p}.parquet")
              for p in ("train", "validation", "test")}  # fmt: skip
    columns = [f"c{k}" for k in range(13)]
    seen = {p: set(map(tuple, t[columns].to_numpy())) for p, t in tables.items()}
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["validation"]
    own = {tuple(x) for x, part in zip(s, s.parts, strict=True) if part == "test" for x in x}
    assert own == seen["test"]
    assert (
        len(tables["train"]) == 2 * sum(1 + (1200 + 40 * n - 200) // 80 for n in range(10, 16)) * 4
    )  # every recording twice
    assert "no recordings named" in prepare("spoken_digits", tmp_path, tmp_path / "x.npz", status=1)


@settings(max_examples=50, deadline=None)
@given(st.integers(3, 80), st.integers(0, 5))
def test_sequences_use_every_recording_once(n, seed):
    found = list(sequences(np.arange(n), np.random.default_rng(seed)))
    assert sorted(np.concatenate(found)) == list(range(n))
    assert min(map(len, found)) >= 3
    assert max(map(len, found)) <= 7 + 2


# --- text and handwriting -----------------------------------------------------------------------


def test_a_text_is_cut_after_nine_tenths(tmp_path):
    text = "".join(chr(97 + k % 26) for k in range(1000))
    (tmp_path / "in.txt").write_text(text)
    prepare("shakespeare", tmp_path / "in.txt", tmp_path / "out")
    parts = [(tmp_path / "out" / f"shakespeare_{p}.txt").read_text() for p in ("train", "test")]
    assert "".join(parts) == text
    assert len(parts[1]) == 100


def test_counts_of_letters_are_interpolated_as_by_hand():
    # after "aab": a twice, b once; after a: a once, b once
    first = (2 + 2 * 1 / 2) / 5  # a; two letters seen, a third of three before
    b = (1 + 2 * (1 + 2 * 1 / 2) / 5) / 4  # b after a
    assert applications.letters("aab", "ab", 2) == pytest.approx(-np.log2(b))
    assert applications.letters("aab", "aa", 1) == pytest.approx(-np.log2(first))
    text = "the cat sat on the mat. " * 40
    assert applications.letters(text, text[:200], 6) < 0.5


def test_words_of_a_treebank(tmp_path):
    for part in ("train", "dev", "test"):
        lines = ["# text = don't go", "1-2\tdon't" + "\t_" * 8, "1\tdo\tdo\tAUX" + "\t_" * 6,
                 "2\tn't\tnot\tPART" + "\t_" * 6, "2.1\tx\tx\tX" + "\t_" * 6,
                 "3\tgo\tgo\tVERB" + "\t_" * 6, "", "1\tNA\tNA\tNOUN" + "\t_" * 6, ""]  # fmt: skip
        (tmp_path / f"en_atis-ud-{part}.conllu").write_text("\n".join(lines))
    prepare("atis_tags", tmp_path, tmp_path / "out")
    steps = read_steps(tmp_path / "out" / "atis_train.csv", series_id="sentence",
                       features=["word"], target="tag")  # fmt: skip
    assert [one.tolist() for one in steps.each(steps.tokens)] == [["do", "n't", "go"], ["NA"]]
    assert steps.labels.tolist() == ["AUX", "PART", "VERB", "NOUN"]
    (tmp_path / "en_atis-ud-dev.conllu").write_text("1\tdo\n")
    assert "10 columns expected" in prepare("atis_tags", tmp_path, tmp_path / "out", status=1)


def test_points_of_the_pen(tmp_path):
    rng = np.random.default_rng(0)
    rows = np.hstack([rng.integers(0, 101, (40, 16)), np.arange(40)[:, None] % 4])
    np.savetxt(tmp_path / "a.tra", rows[:30], fmt="%d", delimiter=", ")
    np.savetxt(tmp_path / "a.tes", rows[30:], fmt="%d", delimiter=",")
    prepare("pen_digits", tmp_path / "a.tra", tmp_path / "a.tes", tmp_path / "two.npz")
    s = read_sequences(tmp_path / "two.npz")
    np.testing.assert_array_equal(s.X.reshape(40, 16), rows[:, :16])
    assert s.features == ("x", "y")
    assert s.parts.tolist() == ["train"] * 30 + ["test"] * 10
    (tmp_path / "all.dat").write_text("@relation pen\n" + (tmp_path / "a.tra").read_text())
    prepare("pen_digits", tmp_path / "all.dat", tmp_path / "one.npz")
    s = read_sequences(tmp_path / "one.npz")
    assert len({tuple(x.ravel()) for x in s}) == 30
    for part, share in (("train", 0.68), ("test", 0.32)):
        counts = np.bincount(s.y[s.parts == part])
        assert (abs(counts - share * np.bincount(s.y)) < 1).all()


# --- bearings -----------------------------------------------------------------------------------


def test_bearings_by_load_and_by_bearing(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"{fault}{size}{at}_{load}" for fault, at in (("B", ""), ("IR", ""), ("OR", "at6"))
             for size in ("007", "014", "021") for load in range(4)]  # fmt: skip
    recordings = {name: rng.normal(size=1000) for name in ["Normal_0", *names]}
    np.savez(tmp_path / "in.npz", **recordings)
    for split in ("load", "bearing"):
        prepare("bearing_windows", tmp_path / "in.npz", tmp_path / f"{split}.npz", "--split", split,
                "--length", 50)  # fmt: skip
    by_load = read_sequences(tmp_path / "load.npz")
    ends = {part: {name[-1] for name in by_load.groups[by_load.parts == part]} - {"0"}
            for part in ("train", "validation", "test")}  # fmt: skip
    assert ends == {"train": {"1", "2"}, "validation": {"1", "2"}, "test": {"3"}}
    healthy = by_load.y == "Normal"  # recorded under load 0 only: divided in time
    assert set(by_load.groups[healthy]) == {"Normal_0"}
    assert [np.sum(healthy & (by_load.parts == part)) for part in ends] == [12, 3, 5]
    assert len(set(by_load.y)) == 10
    by_bearing = read_sequences(tmp_path / "bearing.npz")
    assert set(by_bearing.y) == {"B", "IR", "OR"}
    judged = by_bearing.parts == "test"
    assert all("014" in name for name in some(by_bearing.groups[judged]))
    assert not any("014" in name for name in some(by_bearing.groups[~judged]))


# --- several labels a step, and a validation part from a file -----------------------------------


def labelled(n=12, steps=9, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n * steps, 2))
    return pd.DataFrame(
        {"series": np.repeat([f"s{k}" for k in range(n)], steps), "a": x[:, 0], "b": x[:, 1],
         "up": (x[:, 0] > 0).astype(int), "far": (x[:, 1] > 0.5).astype(int)}
    )  # fmt: skip


def several(folder, **changed):
    for seed, part in enumerate(("train", "held", "test")):
        labelled(seed=seed).to_csv(folder / f"{part}.csv", index=False)
    data = {"path": str(folder / "train.csv"), "validation_path": str(folder / "held.csv"),
            "test_path": str(folder / "test.csv"), "series_id": "series",
            "target": ["up", "far"]}  # fmt: skip
    return {
        "task": "tagging", "data": {**data, **changed}, "model": {"units": 8},
        "train": {"epochs": 40, "patience": 30, "learning_rate": 0.02},
    }  # fmt: skip


def test_several_labels_a_step_from_columns(tmp_path):
    found = run(several(tmp_path), out=tmp_path)
    scores = found.document["metrics"]["parts"]
    assert set(scores) == {"test", "validation"}
    assert scores["test"]["model"]["accuracy"] > 0.8  # both labels right
    assert scores["test"]["model"]["nll"] < 0.7 * scores["test"]["baselines"]["majority"]["nll"]
    folder = found.document["run"]
    shown = pd.read_parquet(f"{folder}/predictions.parquet")
    assert set(shown["true"]) == {"", "up", "far", "up far"}
    assert (shown["true"] == shown["predicted"]).mean() == pytest.approx(
        scores["test"]["model"]["accuracy"]
    )
    columns = labelled(seed=2).drop(columns=["up", "far"])
    columns.to_csv(tmp_path / "new.csv", index=False)
    predict(folder, str(tmp_path / "new.csv"), tmp_path / "made.parquet", proba=True)
    frame = pd.read_parquet(tmp_path / "made.parquet")
    assert {"p_up", "p_far"} <= set(frame.columns)
    assert frame["predicted"].tolist() == shown["predicted"].tolist()
    again = load_run(folder)
    assert len(again.history_["val_loss"]) == again.n_iter_


def test_the_validation_part_is_that_of_the_file(tmp_path):
    recipe = several(tmp_path)
    recipe["train"] |= {"epochs": 3, "patience": 3}
    folder = run(recipe, out=tmp_path).document["run"]
    parts = [labelled(seed=seed) for seed in range(3)]
    roles = {"series_id": "series", "target": ["up", "far"]}
    train, held = (steps_of_frame(part, **roles) for part in parts[:2])
    by_hand = SequenceTagger(units=8, epochs=3, patience=3, learning_rate=0.02, random_state=0).fit(
        train, validation_data=(held, None)
    )
    np.testing.assert_allclose(by_hand.history_["val_loss"], load_run(folder).history_["val_loss"])
    frames = SequenceTagger(units=8, epochs=3, patience=3, learning_rate=0.02, random_state=0,
                            **roles).fit(parts[0], validation_data=(parts[1], None))  # fmt: skip
    np.testing.assert_array_equal(frames.weights_[0], by_hand.weights_[0])


def test_what_does_not_go_together_is_said(tmp_path):
    with pytest.raises(RecipeError, match=r"auto or refit when data.validation_path is given"):
        read(several(tmp_path, split={"validation": 0.2}))
    given = several(tmp_path)
    del given["data"]["test_path"]
    with pytest.raises(RecipeError, match=r"absent without data.test_path"):
        read(given)
    labelled().assign(up=2).to_csv(tmp_path / "odd.csv", index=False)
    with pytest.raises(DataError, match="target 'up' must be 0 or 1 at every step"):
        run(several(tmp_path, path=str(tmp_path / "odd.csv")), out=tmp_path)


# --- every application on a slice ---------------------------------------------------------------


def slice_of(source, folder):
    """A little of real data, in the form of the whole."""
    target = folder / source.name
    if source.suffix == ".mat":
        keys = ("traindata", "validdata", "testdata")
        write_rolls(target, {k: [r[:40] for r in loadmat(source)[k].ravel()[:3]] for k in keys})
    elif source.name == "input.txt":
        target.write_text(source.read_text()[:12_000])
    elif source.suffix == ".npz" and "CWRU" in str(source):
        with np.load(source) as stored:
            kept = {n: stored[n] if n.endswith("_scale") else stored[n][:16_384] for n in stored}
        np.savez(target, **kept)
    elif source.suffix == ".npz":
        with np.load(source) as stored:
            few = np.isin(stored["index"], [0, 5, 10, 11, 12]) & np.isin(stored["label"], [0, 1])
            rows = np.repeat(few, stored["lengths"])
            kept = {n: stored[n][rows if n == "frames" else few] for n in stored}
        np.savez(target, **kept)
    elif "Atis" in source.name:
        target.mkdir()
        for file in source.glob("*.conllu"):
            (target / file.name).write_text("".join(file.open().readlines()[:800]))
    elif source.name == "CMAPSS":
        target.mkdir()
        for part in ("train", "test"):
            rows = np.loadtxt(source / f"{part}_FD001.txt")
            np.savetxt(target / f"{part}_FD001.txt", rows[rows[:, 0] <= 8])
        np.savetxt(target / "RUL_FD001.txt", np.loadtxt(source / "RUL_FD001.txt")[:8])
    else:
        rows = np.random.default_rng(0).integers(0, 101, (60, 16))  # no copy of it is at hand
        digits = np.hstack([rows, np.arange(60)[:, None] % 10])
        np.savetxt(target, digits, fmt="%d", delimiter=",")
    return target


@pytest.mark.parametrize("name", applications.APPLICATIONS)
def test_an_application_runs_on_a_slice(name, tmp_path, data_folder, monkeypatch):
    row = applications.APPLICATIONS[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "raw").mkdir()
    applications.prepare(name, slice_of(data_folder / row.source, tmp_path / "raw"))
    quick = ["train.epochs=1", "model.units=8", "train.patience=0"]
    found = applications.judge(name, 1, quick)
    assert np.isfinite(found["figures"][row.figure])
    assert found["epochs"] == 1
    assert some(v for v in found["baselines"].values() if v is not None)
    result = {"runs": [found]}
    assert row.title in applications.line(name, result)


def test_every_recipe_of_an_application_is_listed():
    page = (ROOT / "docs" / "public-data.md").read_text()
    for name in some(applications.APPLICATIONS):
        assert read_recipe(ROOT / "recipes" / f"{name}.yaml").recipe.seed == 0
        assert f"`{name}.yaml`" in page
