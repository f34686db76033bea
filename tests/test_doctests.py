"""Every example in a docstring runs, and every public name has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

import seqkit

MODULES = [found.name for found in pkgutil.walk_packages(seqkit.__path__, "seqkit.")]
METHODS = [
    (name, method)
    for name in ("SequenceClassifier", "SequenceForecaster", "SequenceRegressor", "SequenceTagger")
    for method, _ in inspect.getmembers(getattr(seqkit, name), inspect.isfunction)
    if not method.startswith(("_", "set_", "get_"))
]


@pytest.mark.parametrize("name", ["seqkit", *MODULES])
def test_examples_of_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    found = doctest.testmod(module)
    assert found.failed == 0


@pytest.mark.parametrize("name", seqkit.__all__)
def test_every_public_name_has_an_example(name):
    assert ">>>" in inspect.getdoc(getattr(seqkit, name))


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_every_method_is_described(name, method):
    assert inspect.getdoc(getattr(getattr(seqkit, name), method))
