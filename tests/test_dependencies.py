"""What seqkit uses of its dependencies that they do not promise, and that it is still there."""

from __future__ import annotations

import ast
import configparser
import re

from conftest import ROOT, some

PACKAGE = ROOT / "seqkit"
# Each private part, and whose it is: the next major version may drop it, so setup.cfg stops before.
PRIVATE = {
    "_html_repr": "scikit-learn",
    "_Cache": "numba",
    "_cache": "numba",
    "_check_sample_weight": "scikit-learn",
    "_context_handle": "tensorflow",
    "_flatten_layers": "keras",
    "_initial_epoch": "keras",
    "_learning_rate": "keras",
    "_non_trainable_variables": "keras",
    "_rebuild": "numba",
    "_reduce": "numba",
    "_registry": "tensorflow",
    "_safe_indexing": "scikit-learn",
    "_trainable_variables": "keras",
    "numba.core": "numba",
    "numba.core.caching": "numba",
    "numba.core.compiler": "numba",
    "numba.core.serialize": "numba",
    "tensorflow.python.eager": "tensorflow",
    "tensorflow.python.framework.ops": "tensorflow",
}
INNER = re.compile(r"(keras\.src|tensorflow\.python|numba\.core)\b|\._")


def owned() -> set[str]:
    """Return every private name that seqkit itself defines."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "other"):
                    names.add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
    return names


def private(name: str) -> bool:
    tuples = ("_replace", "_asdict")  # of named tuples: public, for all their names
    return name.startswith("_") and not name.startswith("__") and name not in tuples


def private_uses() -> dict[str, str]:
    """Return the private parts of others that seqkit imports or reaches for, and where."""
    own, found = owned(), {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("seqkit"):
                names = [a.name for a in node.names if private(a.name)]
                names += [node.module] if INNER.search(node.module or "") else []
            elif isinstance(node, ast.Import):
                names = [a.name for a in node.names if INNER.search(a.name)]
            elif isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in own:
                names = [node.attr]
            found |= {name: f"{path.relative_to(PACKAGE)}:{node.lineno}" for name in names}
    return found


def test_every_private_part_that_is_used_is_named_here():
    found = private_uses()
    assert set(found) == set(PRIVATE), found


def requirements() -> list[str]:
    """Return what the package, its tests and its optional baselines need, as setup.cfg says it."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = setup["options.extras_require"]
    text = "\n".join((setup["options"]["install_requires"], extras["test"], extras["baselines"]))
    lines = (line.strip() for line in text.split("\n"))
    return some(line for line in lines if line and not line.startswith("#"))


def test_the_oldest_versions_that_are_tested_are_those_that_setup_cfg_allows():
    pins = []
    for line in requirements():
        bound = re.fullmatch(r"([\w.-]+)(?:\[\w+\])? >=([\w.]+)(,<[\w.]+)?", line)
        assert bound, (
            f"setup.cfg: {line!r} must be of the form 'name >=version' or with ',<version'"
        )
        pins.append(f"{bound[1]}=={bound[2]}")
    written = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    found = [line for line in written if line and not line.startswith("#")]
    assert found == pins, "write the lines of .ci/oldest.txt anew:\n" + "\n".join(pins)
    assert "-c .ci/oldest.txt" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_dependencies_with_private_parts_have_an_upper_bound():
    for dependency in some(set(PRIVATE.values())):
        [line] = [line for line in requirements() if line.split(" ")[0] == dependency]
        assert re.search(r",<\d", line), f"{dependency}: {line}"
