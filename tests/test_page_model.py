"""The script that computes a network in a page answers as Python does."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files

import numpy as np
import page_models
import pytest

from seqkit.network.document import KINDS

SCRIPT = files("seqkit.report").joinpath("assets/model.js")
NODE = """
const Model = require(process.argv[1]);
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
const found = cases.map((one) => {
  const inputs = Object.fromEntries(
    Object.entries(one.inputs).map(([name, value]) => [name, Model.array(value)]));
  const out = Model.answer(one.page, inputs), wanted = Model.array(one.answer).data;
  const apart = Math.max(...Array.from(out.data, (v, k) =>
    Math.abs(v - wanted[k]) / Math.max(1, Math.abs(wanted[k]))));
  return [one.name, out.data.length === wanted.length ? apart : "shape " + out.shape];
});
console.log(JSON.stringify(found));
"""


needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="needs node; test_browser.py compares the same without"
)


def run_node(program, cases):
    """Return what a program of JavaScript prints of cases."""
    done = subprocess.run(
        ["node", "-e", program, str(SCRIPT)], input=json.dumps(cases), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_node
def test_every_network_answers_as_in_python():
    found = run_node(NODE, page_models.cases())
    assert len(found) > 50
    assert {name: apart for name, apart in found if isinstance(apart, str) or apart > 1e-5} == {}


def test_kinds_of_layers_that_a_page_does_not_compute_are_known():
    """A new kind of layer is written in the script too, or said here to be left out."""
    text = SCRIPT.read_text("utf-8")
    forms = ("    {}: (s", "    {}(s, p", "  KINDS.{} = ")
    absent = {name for name in KINDS if not any(one.format(name) in text for one in forms)}
    assert absent == {
        "AtMost",  # of an ensemble as a whole, as are BoxCox and what joins its networks
        "BoxCox",
        "InverseBoxCox",
        "Mean",
        "Median",
        "MixtureHead",  # of the numbers of a next step; the page says so
        "RecursiveDecoder",  # a network in itself: its nodes are computed
    }


TRACE = """
const Model = require(process.argv[1]);
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
const plain = (rows) => rows.map((row) => Array.from(row));
console.log(JSON.stringify(cases.map((one) => {
  const traces = {};
  Model.answer(one.page, { x: Model.array(one.inputs.x) }, traces);
  return Object.values(traces).map((directions) => directions.map((one) =>
    Object.fromEntries(Object.entries(one.gates).map(([name, rows]) => [name, plain(rows)]))));
})));
"""


@needs_node
@pytest.mark.parametrize("both", [False, True], ids=["one direction", "both"])
def test_gates_and_states_make_the_memory_that_is_shown(both):
    """c_t = f_t c_{t-1} + i_t g_t and h_t = o_t tanh(c_t) of what the page shows, in its order."""
    found = []
    for cell in ("lstm", "cifg", "gru"):
        settings = {"cell": cell, "units": [3, 4], "bidirectional": both, "pooling": "mean"}
        found.append(page_models.series_case(cell, "classifier", settings))
    lstm, cifg, gru = run_node(TRACE, found)
    for layers in (lstm, cifg):
        assert [len(one) for one in layers] == [1 + both] * 2
        for layer in layers:
            for k, gates in enumerate(layer):
                g = {name: np.array(rows)[:: -1 if k else 1] for name, rows in gates.items()}
                before = np.vstack([np.zeros_like(g["c"][:1]), g["c"][:-1]])
                np.testing.assert_allclose(g["c"], g["f"] * before + g["i"] * g["g"], atol=1e-12)
                np.testing.assert_allclose(g["h"], g["o"] * np.tanh(g["c"]), atol=1e-12)
                if layers is cifg:
                    np.testing.assert_allclose(g["f"], 1 - g["i"], atol=1e-12)
    for layer in gru:
        for k, gates in enumerate(layer):
            g = {name: np.array(rows)[:: -1 if k else 1] for name, rows in gates.items()}
            before = np.vstack([np.zeros_like(g["h"][:1]), g["h"][:-1]])
            np.testing.assert_allclose(g["h"], g["z"] * before + (1 - g["z"]) * g["h~"], atol=1e-12)
