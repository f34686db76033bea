"""Runs that are killed at any moment, and runs whose system calls fail: nothing is lost.

A run changes its folder by some hundred system calls. Each of them is, in turn, the last one before
a kill, or one that fails; then the run is resumed, and must end with the bits of one that was left
alone.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
KILL, HALF = -1, -2
NOT_COMPARED = (
    "run.json",
    "log.txt",
    "report.html",
    "MODEL_CARD.md",
    "model.keras",
)  # times, names
FLOOR = 100


class Worker:
    """The process of working.py."""

    def __init__(self, library):
        self.process = subprocess.Popen(
            [sys.executable, HERE / "working.py", library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LD_PRELOAD": str(library)},
        )
        assert json.loads(self.process.stdout.readline())["ready"]

    def __call__(self, do, path, below, **how):
        order = {"do": do, "path": str(path), "below": str(below), **how}
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    if not sys.platform.startswith("linux"):
        pytest.skip("system calls are counted by a library that is loaded first, as on Linux")
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler, for the library that lets system calls fail")
    library = tmp_path_factory.mktemp("calls") / "calls.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", library, HERE / "calls.c", "-ldl"]
    subprocess.run(command, check=True)
    worker = Worker(library)
    yield worker
    worker.process.stdin.close()
    worker.process.wait()


@pytest.fixture(scope="module")
def room():
    """A folder in memory where there is one: flushing costs nothing there, and is counted."""
    shared = "/dev/shm"
    where = shared if os.path.isdir(shared) and os.access(shared, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def whole(worker, room):
    """How an uninterrupted run ended, and what it took."""
    out = room / "whole"
    out.mkdir()
    answer = worker("run", out, out)
    assert answer["status"] == 0, answer["message"]
    return answer, result(out)


@pytest.fixture(scope="module")
def half(worker, whole, room):
    """A run that was killed half-way, and what it takes to resume it."""
    out, again = room / "half", room / "again"
    out.mkdir()
    worker("run", out, out, n=whole[0]["calls"] // 2, mode=KILL)
    [partial] = out.iterdir()
    assert (partial / "checkpoints" / "last.npz").is_file()
    answer = worker("resume", shutil.copytree(partial, again / partial.name), again)
    assert answer["status"] == 0, answer["message"]
    assert result(again) == whole[1]
    return answer, partial


def result(out):
    """Return the files of the one complete run, but for those that hold times or names."""
    [folder] = out.iterdir()
    assert not folder.name.endswith(".partial")
    assert json.loads((folder / "run.json").read_text())["status"] == "complete"
    assert (folder / "report.html").is_file()
    files = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    assert not [name for name in files if name.endswith(".new")]
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if name not in NOT_COMPARED and not name.startswith("checkpoints")
    }


def recovered(worker, out):
    """Go on as a user would, from whatever is left, and return the result."""
    for partial in out.glob("*.partial"):
        answer = worker("resume", partial, out)
        if answer["status"] == 0:
            return result(out)
        if "before the run began" not in answer["message"]:
            raise AssertionError(f"resume: {answer['message']}")
    if not [p for p in out.iterdir() if not p.name.endswith(".partial")]:
        answer = worker("run", out, out)
        assert answer["status"] == 0, answer["message"]
    return result(out)


def trouble(worker, out, expected):
    """Return what is wrong with where a run has ended, or nothing."""
    try:
        found = recovered(worker, out)
    except (AssertionError, ValueError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    if found != expected:
        names = {n for n in {*found, *expected} if found.get(n) != expected.get(n)}
        return f"ended otherwise: {sorted(names)}"
    return ""


def test_kills(attack, worker, whole, half, room):
    """SIGKILL at a random call or time, up to three times in a row."""
    for number in attack.tries(FLOOR):
        draw = random.Random(number)
        out = room / str(number)
        out.mkdir()
        if draw.random() < 0.5:
            do, path, taken = "run", out, whole[0]
        else:
            do, path, taken = "resume", shutil.copytree(half[1], out / half[1].name), half[0]
        for _ in range(draw.choice([1, 1, 2, 3])):
            if draw.random() < 0.3:
                how = {"after": draw.uniform(0, taken["seconds"])}
            else:
                how = {"n": draw.randrange(taken["calls"]), "mode": draw.choice([KILL, HALF])}
            answer = worker(do, path, out, **how)
            if answer["status"] not in (0, -signal.SIGKILL):
                attack.escape(number, f"{do} {how}: {answer}")
            started = [p for p in out.glob("*.partial") if (p / "run.json").is_file()]
            if answer["status"] == 0 or not started:
                break
            do, path, taken = "resume", started[0], half[0]
        if what := trouble(worker, out, whole[1]):
            attack.escape(number, f"{do} {how}: {what}")
        shutil.rmtree(out)


def test_failing_system_calls(attack, worker, whole, half, room):
    """Every call of a small run and of a small resume fails once, by either error."""
    plan = [
        (do, n, error)
        for do, taken in (("run", whole[0]), ("resume", half[0]))
        for n in range(taken["calls"])
        for error in (errno.ENOSPC, errno.EIO)
    ]
    for number in attack.tries(len(plan)):
        do, n, error = plan[number % len(plan)]
        out = room / str(number)
        out.mkdir()
        before = {}
        path = out
        if do == "resume":
            path = shutil.copytree(half[1], out / half[1].name)
            before = {p.name: p.read_bytes() for p in path.iterdir() if p.is_file()}
        answer = worker(do, path, out, n=n, mode=error)
        what = ""
        if answer["status"] not in (0, 2) or len(answer["message"].splitlines()) > 1:
            what = f"{answer['status']}: {answer['message'][-2000:]}"
        elif do == "resume":
            [left] = out.iterdir()
            if not (left / "checkpoints" / "last.npz").is_file():
                what = "the checkpoint is gone"
            for name in ("recipe.yaml", "recipe.resolved.yaml"):
                if (left / name).read_bytes() != before[name]:
                    what = f"{name} has changed"
        what = what or trouble(worker, out, whole[1])
        if what:
            attack.escape(number, f"{do}, call {n}, {os.strerror(error)}: {what}")
        shutil.rmtree(out)
