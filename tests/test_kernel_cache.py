"""The cache of compiled kernels: of the user alone, and never the cause of a failure."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import some

from seqkit.network.cpu.code import compiling, dense, descent, gru, lstm, products, rows, simple
from seqkit.network.cpu.code.compiling import Floats, Vector, at, kernel, single, start


def doubled(x: Vector) -> None:
    row = start(x)
    for j in range(x.shape[0]):
        row[j] *= single(2)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Every test looks for the folder anew, and hears everything that is told once."""
    monkeypatch.setattr(compiling._config, "CACHE_DIR", "")
    for name in ("_announce", "_cache_folder", "_tell"):
        getattr(compiling, name).cache_clear()
    yield
    for name in ("_announce", "_cache_folder", "_tell"):
        getattr(compiling, name).cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "seqkit"


def loaded(function):
    """Compile a function, or load it; return its dispatcher."""
    compute, x = compiling.kernel(function), np.array([21, 4], np.float32)
    compute(x)
    assert x.tolist() == [42, 8]
    return compute.dispatcher


def was_kept(dispatcher):
    return sum(dispatcher.stats.cache_hits.values()) == 1


def test_a_kernel_is_compiled_once(folder, caplog):
    assert not was_kept(loaded(doubled))
    assert was_kept(loaded(doubled))
    assert not caplog.records
    [state] = folder.iterdir()
    assert state.stat().st_mode & 0o777 == folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:40],
        lambda content: bytes(len(content)),
        lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
    ],
    ids=["empty", "short", "beginning", "zeros", "one bit"],
)
def test_a_damaged_kernel_is_compiled_again(folder, caplog, damage):
    loaded(doubled)
    [file] = folder.glob("*/*.nbc")
    file.write_bytes(damage(file.read_bytes()))
    assert not was_kept(loaded(doubled))
    [record] = caplog.records
    assert "damaged" in record.getMessage()
    assert str(file.parent) in record.getMessage()
    assert record.name.startswith("seqkit.")
    assert was_kept(loaded(doubled))


def test_a_full_disk_costs_the_cache_and_nothing_else(folder, caplog, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    loaded(doubled)
    assert "No space left" in caplog.text
    assert not list(folder.glob("*/*"))


@pytest.mark.parametrize("home", ["", "relative", None, "/nonexistent"])
def test_without_a_home_nothing_is_made_in_the_working_folder(tmp_path, monkeypatch, home):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if home is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", home)

    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path))
    found = compiling._cache_folder()
    assert found.parent == tmp_path / f"seqkit-{os.getuid()}"
    assert not list(work.iterdir())
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(work))
    compiling._cache_folder.cache_clear()
    assert compiling._cache_folder() is None
    assert not list(work.iterdir())
    assert not was_kept(loaded(doubled))


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "NUMBA_CACHE_DIR"])
def test_a_relative_cache_is_ignored_and_told_of(tmp_path, monkeypatch, caplog, variable):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv(variable, "caches")
    if variable == "NUMBA_CACHE_DIR":
        monkeypatch.setattr(compiling._config, "CACHE_DIR", "caches")
    for _ in range(3):
        assert compiling._cache_folder().is_relative_to(tmp_path / "home" / ".cache" / "seqkit")
    [record] = caplog.records
    assert variable in record.getMessage()
    assert "'caches'" in record.getMessage()


def test_a_folder_that_others_write_to_is_not_used(folder, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    folder.mkdir()
    folder.chmod(0o777)
    assert compiling._cache_folder().is_relative_to(tmp_path / "home")
    assert "others can write" in caplog.text


def test_a_folder_of_somebody_else_is_not_used(folder, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    folder.mkdir()
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    found = compiling._unusable(folder)
    assert found == "it belongs to another user"


KERNELS = """
from __future__ import annotations
from seqkit.network.cpu.code.compiling import Vector, kernel, single, start

@kernel
def doubled(x: Vector) -> None:
    row = start(x)
    for j in range(x.shape[0]):
        row[j] *= single(2)

@kernel
def zeroed(x: Vector) -> None:
    row = start(x)
    for j in range(x.shape[0]):
        row[j] = single(0)
"""
LOADED = """
import sys
import numpy as np
import kernels

def filled(function):
    x = np.array([21, 4], np.float32)
    function(x)
    return x.tolist()

def registries():
    return "numba.np.arraymath" in sys.modules

assert filled(kernels.doubled) == [42, 8]
print(registries())
if "both" in sys.argv:
    assert filled(kernels.zeroed) == [0, 0]
    print(registries())
    assert filled(kernels.doubled) == [42, 8]
"""


def test_what_is_loaded_needs_no_compiler_and_what_is_compiled_then_has_it(tmp_path):
    """Numba's registries are a third of a first small fit."""
    (tmp_path / "kernels.py").write_text(KERNELS)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    env = {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path), "NUMBA_CACHE_DIR": ""}
    told = []
    for what in ("one", "one", "both", "both"):
        command = [sys.executable, "-c", LOADED, what]
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told.append(done.stdout.split())
    assert told == [["True"], ["False"], ["False", "True"], ["False", "False"]]


def test_the_cache_is_told_of_by_name(folder):
    assert not compiling.is_compiled("lstm")
    compiling._cache_folder().joinpath("lstm._lstm_backward-0123456789abcdef.nbc").touch()
    assert compiling.is_compiled("lstm")
    assert not compiling.is_compiled("gru")


def test_what_is_compiled_is_announced_once(folder, caplog):
    caplog.set_level("INFO", "seqkit.network.cpu")
    for _ in range(2):
        loaded(doubled)
    [record] = caplog.records
    assert "compiling the test_kernel_cache kernels" in record.getMessage()
    assert str(compiling._cache_folder()) in record.getMessage()


def test_a_kernel_takes_what_it_declares_and_nothing_else(folder):
    compute = kernel(doubled)
    still = np.ones(3, np.float32)
    still.flags.writeable = False  # as those that TensorFlow hands over
    compute(np.ones(3, np.float32))
    compute(still)
    for other in (np.ones(6, np.float32)[::2], np.ones(3), np.ones((3, 1), np.float32)):
        with pytest.raises(TypeError, match="No matching definition"):
            compute(other)
    assert len(compute.dispatcher.signatures) == 1


def filled(out: Vector, first: Vector, second: Vector) -> None:
    for j in range(first.shape[0]):
        start(first)[j] = single(1)
    for j in range(second.shape[0]):
        at(start(second), j)[0] = single(2)
    total = start(out)
    total[0] = single(0)
    for j in range(first.shape[0]):
        total[0] += first[j]
    for j in range(second.shape[0]):
        total[0] += second[j]


@pytest.mark.parametrize("sizes", [(3, 5), (0, 1), (9000, 17)])
def test_the_buffers_of_a_kernel_do_not_overlap(folder, sizes):
    out = np.zeros(1, np.float32)
    for _ in range(3):  # the block is used again
        kernel(filled)(out, buffers=sizes)
        assert out[0] == sizes[0] + 2 * sizes[1]


def raised(row: Floats, j: int, by: int) -> None:
    row[j] += by


def raised_twice(x: Vector) -> None:
    raised(start(x), 0, 3)
    raised(start(x), x.shape[0] - 1, 4)


def test_what_a_kernel_calls_is_compiled_for_the_declared_signature_only(folder, monkeypatch):
    """Numba would make one more of every number in a call."""
    inner = compiling.compiled(raised)
    monkeypatch.setitem(globals(), "raised", inner)
    x = np.zeros(3, np.float32)
    kernel(raised_twice)(x)
    assert x.tolist() == [3, 0, 4]
    assert inner.signatures == [compiling.declared(raised)]


def test_every_function_declares_types_that_there_are():
    for module in (dense, descent, gru, lstm, products, rows, simple):
        functions = [
            f
            for value in vars(module).values()
            if (f := getattr(getattr(value, "dispatcher", value), "py_func", None))
            and f.__module__ == module.__name__
        ]
        for function in some(functions):
            assert len(compiling.declared(function)) == function.__code__.co_argcount
