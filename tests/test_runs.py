"""The run folder: nothing that was there is lost, and one process at a time works on it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqkit.errors import DataError, RunError
from seqkit.runs import folder as runs
from seqkit.runs.checkpoints import Keeper
from seqkit.runs.experiment import load_run, resume, run
from seqkit.runs.flows.series import SeriesFlow
from seqkit.runs.folder import RunFolder, is_running, open_run
from seqkit.system import durable
from seqkit.training import TrainingState

RECIPE = {
    "task": "classification",
    "seed": 0,
    "data": {"dataset": "gunpoint", "split": {"validation": 0.2}},
    "model": {"cell": "gru", "units": 4, "patch": 10, "dropout": 0.1},
    "train": {"epochs": 6},
    "evaluate": {"baselines": ["majority"]},
}


class Interrupting:
    """Progress that is interrupted after an epoch."""

    def __init__(self, after):
        self.after = after

    def epoch(self, epoch, logs):
        if epoch == self.after:
            raise KeyboardInterrupt

    def begin(self, epochs, times=1):
        pass

    def doing(self, what):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def say(self, line):
        pass

    def end(self):
        pass


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    run(RECIPE, out=out)
    [folder] = out.iterdir()
    return folder


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """A run with a checkpoint after three epochs, interrupted in the fifth."""
    out = tmp_path_factory.mktemp("broken")
    patch = pytest.MonkeyPatch()
    patch.setattr(Keeper, "LEAST", 0.0)
    patch.setattr(Keeper, "SHARE", 0.0)
    with pytest.raises(KeyboardInterrupt):
        run(RECIPE, out=out, show=Interrupting(3))
    patch.undo()
    [folder] = out.iterdir()
    return folder


@pytest.fixture
def partial(broken_off, tmp_path):
    return shutil.copytree(broken_off, tmp_path / broken_off.name)


def content(folder):
    """Return all files of a folder."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def same_result(one, other):
    for a, b in zip(load_run(one).weights_, load_run(other).weights_, strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("history.csv", "predictions.parquet"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def kept(folder, before):
    """Assert that nothing which was there is lost, log and record aside."""
    after = content(folder)
    for name, data in before.items():
        if name.name == "log.txt":
            assert after[name].startswith(data)
        elif name.name != "run.json":
            assert after[name] == data, name
    assert json.loads(after[next(n for n in after if n.name == "run.json")])


def test_resumed_it_ends_as_it_would_have(partial, whole):
    final = resume(partial).document["run"]
    assert not partial.exists()
    same_result(partial.with_suffix(""), whole)
    assert str(partial.with_suffix("")) == final
    assert not list(partial.with_suffix("").rglob("*.new"))


# -- work is not deleted ---------------------------------------------------------------------------


def test_a_full_disk_while_resuming(partial, whole, monkeypatch):
    before = content(partial)
    there = durable.write_file

    def full(path, data):
        if path.name == "metrics.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        there(path, data)

    monkeypatch.setattr(durable, "write_file", full)
    with pytest.raises(RunError, match=rf"No space left .*metrics\.json.*--resume {partial}"):
        resume(partial)
    kept(partial, before)
    monkeypatch.undo()
    resume(partial)
    same_result(partial.with_suffix(""), whole)


@pytest.mark.parametrize("changed", ["epochs", "comment", "nonsense"])
def test_changed_settings(partial, changed):
    file = partial / "recipe.resolved.yaml"
    text = file.read_text()
    edits = {
        "epochs": text.replace("epochs: 6", "epochs: 7"),
        "comment": text + "# mine\n",
        "nonsense": "{",
    }
    assert edits[changed] != text
    file.write_text(edits[changed])
    before = content(partial)
    with pytest.raises(RunError, match="the settings have changed since the run began"):
        resume(partial)
    kept(partial, before)
    file.write_text(text)
    resume(partial)


def test_a_checkpoint_of_another_network(partial):
    file = partial / "checkpoints" / "last.npz"
    state = TrainingState.load(file)
    place = next(i for i, w in enumerate(state.weights) if w.ndim == 2 and w.shape[1] > 1)
    state.weights[place] = state.weights[place][:, :1]  # would have been broadcast
    state.save(file)
    before = content(partial)
    with pytest.raises(RunError, match=r"weights must be arrays of the shapes .* delete it"):
        resume(partial)
    kept(partial, before)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 nothing", None])
def test_a_damaged_checkpoint(partial, whole, data):
    file = partial / "checkpoints" / "last.npz"
    file.write_bytes(file.read_bytes()[:-30] if data is None else data)
    before = content(partial)
    with pytest.raises(RunError, match=r"last\.npz: .* delete it"):
        resume(partial)
    kept(partial, before)
    file.unlink()
    resume(partial)
    same_result(partial.with_suffix(""), whole)


def test_a_final_name_that_exists(partial, whole):
    taken = partial.with_suffix("")
    taken.mkdir()
    with pytest.raises(RunError, match=f"{taken}: this exists already.*--resume {partial}"):
        resume(partial)
    assert not list(taken.iterdir())
    taken.rmdir()
    resume(partial)
    same_result(taken, whole)


def test_data_that_are_refused_leave_no_new_folder_and_keep_an_old_one(
    partial, tmp_path, monkeypatch
):
    def refuse(*_, **__):
        raise ValueError("SequenceClassifier: X must be finite.")

    monkeypatch.setattr(SeriesFlow, "fit", refuse)
    with pytest.raises(DataError, match="must be finite"):
        run(RECIPE, out=tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())
    before = content(partial)
    with pytest.raises(RunError, match="must be finite"):
        resume(partial)
    kept(partial, before)
    (partial / "checkpoints" / "last.npz").unlink()
    with pytest.raises(DataError, match="must be finite"):
        resume(partial)
    assert (partial / "run.json").is_file()


def test_a_finished_run_has_nothing_to_resume(whole):
    before = content(whole)
    with pytest.raises(RunError, match="the run is complete, there is nothing to resume"):
        resume(whole)
    assert content(whole) == before


# -- one process at a time -------------------------------------------------------------------------


def test_the_second_process_on_a_run_is_refused(partial):
    held = f"""
import sys
from pathlib import Path
from seqkit.runs.flows.series import SeriesFlow
from seqkit.runs.folder import RunFolder
with RunFolder.reopen(Path({str(partial)!r})):
    print("held", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        before = content(partial)
        assert is_running(partial)
        with pytest.raises(RunError, match=r"another process is at work on this run\. Wait"):
            resume(partial)
        with pytest.raises(RunError, match=r"not complete, but running\. Wait"):
            load_run(partial)
        assert content(partial) == before
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert is_running(partial) is False
    resume(partial)


def test_a_new_run_is_locked_from_its_beginning(tmp_path):
    files = {"recipe.resolved.yaml": ""}
    with (
        RunFolder.create(tmp_path, "x", {"data": {}}, files) as folder,
        pytest.raises(RunError, match="another process is at work"),
    ):
        RunFolder.reopen(folder.path)
    with RunFolder.reopen(folder.path):
        pass


def test_without_locks_a_run_is_still_possible(partial, monkeypatch):
    if sys.platform == "win32":
        pytest.skip("there are none on Windows")

    def none(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(runs.fcntl, "flock", none)
    with pytest.raises(RunError, match="not complete, but interrupted"):
        load_run(partial)
    assert is_running(partial) is None
    resume(partial)
    assert "there are no locks here" in (partial.with_suffix("") / "log.txt").read_text()


# -- what a kill leaves ----------------------------------------------------------------------------


def test_a_dead_process_is_not_running(partial):
    file = partial / "run.json"
    record = json.loads(file.read_text()) | {"status": "running"}
    file.write_text(json.dumps(record))
    with pytest.raises(RunError, match=f"but interrupted.*--resume {partial}"):
        load_run(partial)


def test_complete_but_for_the_name(whole, tmp_path):
    partial = shutil.copytree(whole, tmp_path / (whole.name + ".partial"))
    (partial / "report.html").unlink()
    with pytest.raises(RunError, match=f"not complete, but interrupted.*--resume {partial}"):
        load_run(partial)
    result = resume(partial)
    assert result.document["run"] == str(tmp_path / whole.name)
    assert (tmp_path / whole.name / "report.html").is_file()
    assert result.scores == json.loads((whole / "metrics.json").read_text())
    same_result(tmp_path / whole.name, whole)


def test_what_ended_before_it_began_is_cleared_away_and_told_of(tmp_path):
    left = tmp_path / "20260901-1412-gait-3f2a.partial"
    left.mkdir()
    (left / "log.txt").touch()
    (left / "recipe.yaml").write_text("task: classification")
    (left / "run.json.0123abcd.new").touch()
    (tmp_path / "20260901-1412-gait-3f2b.partial").mkdir()
    others = [
        tmp_path / "20260901-1412-gait-3f2c.partial" / "checkpoints" / "last.npz",
        tmp_path / "mine.partial" / "log.txt",
        tmp_path / "20260901-1412-gait-3f2d.partial" / "notes.md",
    ]
    for file in others:
        file.parent.mkdir(parents=True)
        file.touch()
    with pytest.raises(RunError, match="the process ended before the run began"):
        RunFolder.reopen(left)
    assert left.exists()
    beginning = RunFolder.create(tmp_path / "other", "x", {}, {})
    (beginning.path / "run.json").unlink()  # as if it were about to be written
    shutil.move(beginning.path, tmp_path / "20260901-1412-gait-3f2e.partial")
    with RunFolder.create(tmp_path, "y", {}, {}) as folder:
        assert len(folder.cleared) == 2
        assert str(left) in folder.cleared[0]
        assert not left.exists()
    assert all(file.exists() for file in others)
    with beginning:
        assert (tmp_path / "20260901-1412-gait-3f2e.partial").exists()


def test_a_folder_that_cannot_be_begun_leaves_nothing(tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(durable, "write_file", full)
    with pytest.raises(RunError, match="No space left"):
        RunFolder.create(tmp_path, "x", {}, {"recipe.yaml": ""})
    assert not list(tmp_path.iterdir())


def test_an_unknown_status_is_damage(partial):
    file = partial / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"status": "done"}))
    with pytest.raises(RunError, match="status must be one of running, "):
        open_run(partial, whole=False)


# -- files that outlast a crash --------------------------------------------------------------------


def test_a_file_is_flushed_before_it_takes_its_name_and_the_folder_after(tmp_path, monkeypatch):
    seen = []
    sync, replace = os.fsync, os.replace

    def watched_sync(handle):
        seen.append(("sync", os.readlink(f"/proc/self/fd/{handle}")))
        sync(handle)

    def watched_replace(source, target, **_):
        seen.append(("replace", os.fspath(source)))
        replace(source, target)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc to name what is flushed")
    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_replace)
    durable.write_file(tmp_path / "file", b"new")
    [(_, beside), moved, folder] = seen
    assert moved == ("replace", beside)
    assert folder == ("sync", str(tmp_path))
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_run_is_complete_only_when_all_of_it_is_on_the_disk(tmp_path, monkeypatch):
    """Neither the status nor the name may outlast a loss of power that a file does not."""
    flushed = {}
    sync, write, rename = os.fsync, durable.write_file, Path.rename
    checked = []

    def state(path):
        found = os.stat(path)
        return found.st_ino, (found.st_mtime_ns, found.st_size)

    def watched_sync(handle):
        sync(handle)
        flushed.update([state(handle)])

    def check(folder, what):
        checked.append(what)
        for path in folder.rglob("*"):
            if path.name != "run.json":
                inode, now = state(path)
                assert flushed.get(inode) == now, f"{what} before {path} is on the disk"

    def watched_write(path, data):
        if path.name == "run.json" and b'"status": "complete"' in data:
            check(path.parent, "complete")
        write(path, data)

    def watched_rename(source, target):
        if source.name.endswith(".partial"):
            check(source, "renamed")
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(durable, "write_file", watched_write)
    monkeypatch.setattr(Path, "rename", watched_rename)
    run(RECIPE, out=tmp_path)
    assert set(checked) == {"complete", "renamed"}


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_cannot_be_written_leaves_the_old_file_alone(tmp_path, monkeypatch, call):
    (tmp_path / "file").write_bytes(b"old")

    def fail(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, call, fail)
    with contextlib.suppress(OSError):
        durable.write_file(tmp_path / "file", b"new")
        pytest.fail("the failure was not told of")
    assert content(tmp_path) == {p.relative_to(tmp_path): b"old" for p in tmp_path.iterdir()}
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
