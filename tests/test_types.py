"""What a type checker and an editor know of the public names."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import keras
import pytest
from conftest import ROOT

import seqkit
import seqkit.layers
from seqkit.cells import ALIASES, CELLS, CellName
from seqkit.estimators import inputs
from seqkit.estimators.inputs import OptimizerName
from seqkit.estimators.settings import ClassifierLoss, ForecasterLoss, RegressorLoss
from seqkit.evaluation import protocols
from seqkit.layers import GatedRNN
from seqkit.network.decoders import DECODERS
from seqkit.network.heads import HEADS
from seqkit.network.keras.kernels import KERNELS
from seqkit.network.layers.pooling import MODES, POOLINGS, PoolingMode
from seqkit.network.settings import DecoderName, Distribution, PoolingName
from seqkit.tasks import TASKS
from seqkit.training.optimizers import UPDATE_RULES

HERE = Path(__file__).parent / "types"
CORRECT, MISTAKES = HERE / "correct.py", HERE / "mistakes.py"


def imports_for_checkers():
    """Return the public names and their modules as type checkers and editors see them."""
    tree = ast.parse(Path(seqkit.__file__).read_text(encoding="utf-8"))
    [branch] = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    assert all(isinstance(node, ast.ImportFrom) for node in branch.body)
    return {alias.name: node.module for node in branch.body for alias in node.names}


def test_checkers_see_the_names_that_load_lazily():
    seen = imports_for_checkers()
    assert sorted(seen) == seqkit.__all__
    assert seen == seqkit._HOME
    assert sorted(name for name in dir(seqkit) if name[0] != "_") == seqkit.__all__


def run_mypy():
    command = [sys.executable, "-m", "mypy", "--no-error-summary", str(CORRECT), str(MISTAKES)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert not done.stderr, done.stderr
    found = set()
    for line in done.stdout.splitlines():
        if ": note: " not in line:
            path, number, code = re.fullmatch(r"(.+?):(\d+): error: .*\[(.+)\]", line).groups()
            found.add((Path(path).name, int(number), code))
    return found


def run_pyright():
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [*command, str(CORRECT), str(MISTAKES)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == 2
    return {
        (Path(entry["file"]).name, entry["range"]["start"]["line"] + 1, entry.get("rule"))
        for entry in report["generalDiagnostics"]
        if entry["severity"] == "error"
    }


def expected(group):
    """Return the comments of the mistakes as errors: mypy's codes, or pyright's."""
    lines = MISTAKES.read_text(encoding="utf-8").splitlines()
    found = {
        (MISTAKES.name, number, match[group])
        for number, line in enumerate(lines, 1)
        if (match := re.search(r"  # ([a-z-]+), (\w+)$", line)) and match[group] != "-"
    }
    assert found
    return found


@pytest.mark.parametrize(("group", "run"), [(1, run_mypy), (2, run_pyright)])
def test_mistakes_are_found_and_correct_use_has_none(group, run):
    assert run() == expected(group)


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (CellName, [*CELLS, *ALIASES]),
        (PoolingName, POOLINGS),
        (PoolingMode, MODES),
        (DecoderName, DECODERS),
        (Distribution, [name for name in HEADS if name not in ("point", "quantiles")]),
        (OptimizerName, UPDATE_RULES),
        (ClassifierLoss, ["auto", *TASKS["classification"].losses]),
        (RegressorLoss, ["auto", *TASKS["regression"].losses]),
        (ForecasterLoss, ["auto", *TASKS["forecasting"].losses]),
        (get_type_hints(GatedRNN.__init__)["kernel"], ["auto", *KERNELS]),
    ],
)
def test_names_in_signatures_are_the_rows_of_their_tables(names, rows):
    assert sorted(get_args(names)) == sorted(rows)


def public_signatures():
    """Return all public functions, and the methods of all public classes but Keras layers."""
    for name in sorted(seqkit.__all__):
        value = getattr(seqkit, name)
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value) and not issubclass(value, keras.Layer):
            for method in dir(value):
                function = inspect.getattr_static(value, method)
                function = getattr(function, "__func__", function)
                own = inspect.isfunction(function) and function.__module__.startswith("seqkit")
                if own and (method[0] != "_" or method in {"__init__", "__call__"}):
                    yield f"{name}.{method}", function


def test_no_public_signature_takes_or_gives_anything():
    """`Any` in a signature says nothing to an editor, and finds no mistake."""
    signatures = dict(public_signatures())
    assert signatures.keys() >= {
        "BacktestSplit.split", "SequenceClassifier.__init__", "SequenceForecaster.fit",
        "TrainingError.__init__", "backtest", "forecast_scorer.__call__", "run",
    }  # fmt: skip
    for name, function in signatures.items():
        for argument in inspect.signature(function).parameters:
            assert argument in {"self", "cls", *function.__annotations__}, (name, argument)
        vague = {k: v for k, v in function.__annotations__.items() if re.search(r"\bAny\b", str(v))}
        assert not vague, name
    # nor do the names that the signatures are written in
    for module in (inputs, protocols):
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
        assert "Any" not in names, module


def test_no_layer_is_made_of_anything():
    """What a layer is called with is a tensor, for which Keras has no type."""
    for name in seqkit.layers.__all__:
        function = getattr(seqkit.layers, name).__init__
        vague = {k for k, v in function.__annotations__.items() if re.search(r"\bAny\b", str(v))}
        assert vague <= {"kwargs"}, name  # what Layer takes


def test_every_public_name_is_used_correctly_somewhere():
    used = set(re.findall(r"seqkit\.(\w+)", CORRECT.read_text(encoding="utf-8")))
    assert used >= set(seqkit.__all__)
