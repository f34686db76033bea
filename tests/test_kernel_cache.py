"""The cache of compiled kernels: of the user alone, and never the cause of a failure."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from seqkit.machine.code import compiling


def double(x):
    return 2 * x


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Every test looks for the folder anew, and hears everything that is told once."""
    monkeypatch.setattr(compiling._config, "CACHE_DIR", "")
    for name in ("_cache_folder", "_tell"):
        getattr(compiling, name).cache_clear()
    yield
    for name in ("_cache_folder", "_tell"):
        getattr(compiling, name).cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "seqkit"


def loaded(function):
    """Compile a function, or load it; return its dispatcher."""
    dispatcher = compiling.compiled(function)
    assert dispatcher(21) == 42
    return dispatcher


def was_kept(dispatcher):
    return sum(dispatcher.stats.cache_hits.values()) == 1


def test_a_kernel_is_compiled_once(folder, caplog):
    assert not was_kept(loaded(double))
    assert was_kept(loaded(double))
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
    loaded(double)
    [file] = folder.glob("*/*.nbc")
    file.write_bytes(damage(file.read_bytes()))
    assert not was_kept(loaded(double))
    [record] = caplog.records
    assert "damaged" in record.getMessage()
    assert str(file.parent) in record.getMessage()
    assert record.name.startswith("seqkit.")
    assert was_kept(loaded(double))


def test_a_full_disk_costs_the_cache_and_nothing_else(folder, caplog, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    loaded(double)
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
    assert not was_kept(loaded(double))


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
    found = compiling._refusal(folder)
    assert found == "it belongs to another user"


def test_the_cache_is_told_of_by_name(folder):
    assert not compiling.is_compiled("lstm")
    compiling._cache_folder().joinpath("lstm.lstm_backward-0123456789abcdef.nbc").touch()
    assert compiling.is_compiled("lstm")
    assert not compiling.is_compiled("gru")
