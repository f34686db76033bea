"""The programs of docs/clients, which know nothing of seqkit: their answers are the estimators'."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import json
import re
import shutil
import subprocess
import threading
import venv

import client_models
import numpy as np
import pytest
from client_models import MODELS, SMALL
from conftest import ROOT
from test_browser import driver  # noqa: F401  a fixture

from seqkit import SequenceClassifier, SequenceTagger, export

CLIENTS = ROOT / "docs" / "clients"
PAGE = ROOT / "docs" / "running-anywhere.md"
SHOWN = re.compile(r"<!-- clients/(\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
WEB = "onnxruntime-web@1.30.0"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 16, 2)).cumsum(1)


def program(name):
    """Import a program as a module."""
    spec = importlib.util.spec_from_file_location(f"clients_{name}", CLIENTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return what is asked of each forecaster, beside the file that it was exported to."""
    folder = tmp_path_factory.mktemp("exported")

    @functools.cache
    def made(make):
        path = folder / make.__name__ / "model.onnx"
        asked = make()
        export(asked.model, path, data=None)
        return asked, path

    return made


def test_the_page_shows_the_programs(pytestconfig):
    text = PAGE.read_text(encoding="utf-8")
    if pytestconfig.getoption("--write-docs"):

        def fresh(match):
            begin, old = match.group(0), match.group(2)
            code = (CLIENTS / match.group(1)).read_text(encoding="utf-8")
            return begin[: len(begin) - len(old) - 3] + code + "```"

        text = SHOWN.sub(fresh, text)
        PAGE.write_text(text, encoding="utf-8")
    shown = dict(SHOWN.findall(text))
    assert shown == {path.name: path.read_text(encoding="utf-8") for path in CLIENTS.iterdir()}


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_numpy_and_onnx_runtime_forecast_as_the_estimator_does(make, exported):
    client = program("forecast")
    asked, path = exported(make)
    session, facts = client.load(path)
    made = client.forecast(
        session, facts, asked.past, asked.n_steps, asked.future, asked.static
    )  # fmt: skip
    asked.agrees(made)


def test_what_the_program_cannot_know_is_an_error(exported):
    client = program("forecast")
    asked, path = exported(client_models.past_covariates)
    session, facts = client.load(path)
    with pytest.raises(ValueError, match="at most 4 steps"):
        client.forecast(session, facts, asked.past, 5)
    asked, path = exported(client_models.covariates)
    session, facts = client.load(path)
    with pytest.raises(ValueError, match="reads 24 steps; past has 9"):
        client.forecast(session, facts, asked.past[:9], 6, asked.future, asked.static)
    for future in (None, asked.future[:15]):
        with pytest.raises(ValueError, match="future must have 16 rows"):
            client.forecast(session, facts, asked.past, 16, future, asked.static)


def streams():
    """A tagger and a classifier of one direction, and what they answer to a series so far."""
    made = {"stem": None, "bidirectional": False, "moves": (), "normalize": "none", **SMALL}
    tagger = SequenceTagger(bidirectional=False, **SMALL).fit(X, (X[:, :, 0] > 0).astype(int))
    classifier = SequenceClassifier(pooling="mean_max", **made).fit(X, X[:, -1, 0] > 0)
    yield tagger, tagger.predict_proba(X[:1])[0]
    yield classifier, [classifier.predict_proba(X[:1, : n + 1])[0] for n in range(X.shape[1])]


def test_a_streaming_file_is_asked_observation_by_observation(tmp_path):
    for number, (model, truth) in enumerate(streams()):
        path = tmp_path / f"{number}.onnx"
        export(model, path, "onnx_streaming", data=X)
        stream = program("stream").Stream(path)
        np.testing.assert_allclose([stream.push(x) for x in X[0]], truth, atol=1e-5)
        assert stream.facts["task"] == model._task


# each program where nothing else is -------------------------------------------------------------


def said(command, folder):
    """Run a program in a folder and return the numbers that it prints."""
    done = subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [[float(value) for value in line.split(",")] for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Return a Python that has NumPy and ONNX Runtime, and neither seqkit nor Keras."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
    subprocess.run([*install, "numpy", "onnxruntime"], check=True)
    look = (
        "from importlib.util import find_spec as f; print(*map(f, 'seqkit keras pandas'.split()))"
    )
    done = subprocess.run([python, "-c", look], cwd=folder, env={}, capture_output=True, text=True)
    assert done.stdout.split() == ["None"] * 3
    return python


def asked_of(asked, path):
    """Write the tables beside a model; return a program's arguments and what is expected."""
    facts = program("forecast").load(path)[1]
    return ["model.onnx", *asked.write(path.parent, facts["channels"], facts.get("future", []))]


@pytest.mark.slow
def test_the_python_programs_run_where_only_their_runtime_is(bare, exported, tmp_path):
    for make in MODELS:
        asked, path = exported(make)
        words = asked_of(asked, path)
        asked.agrees(said([bare, CLIENTS / "forecast.py", *words], path.parent))
    model, truth = next(streams())
    export(model, tmp_path / "model.onnx", "onnx_streaming", data=X)
    np.savetxt(tmp_path / "x.csv", X[0], delimiter=",", header="a,b", comments="")
    found = said([bare, CLIENTS / "stream.py", "model.onnx", "x.csv"], tmp_path)
    np.testing.assert_allclose(found, truth, atol=1e-5)


# in a browser ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve a folder that has the page, the script and ONNX Runtime Web; return it and where."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm, which installs ONNX Runtime Web, is not there")
    folder = tmp_path_factory.mktemp("site")
    install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts",
               "--prefix", folder, WEB]  # fmt: skip
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"npm cannot install {WEB}: {done.stderr or done.stdout}")
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing of it."""

    def log_message(self, *words):
        """Say nothing."""


@pytest.mark.browser
@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_a_page_forecasts_as_the_estimator_does(make, exported, site, driver):  # noqa: F811
    from selenium.webdriver.support.ui import WebDriverWait

    asked, path = exported(make)
    folder, address = site
    here = folder / make.__name__
    here.mkdir()
    (here / "onnxruntime-web").symlink_to(folder / "node_modules" / "onnxruntime-web")
    for file in (CLIENTS / "forecast.html", CLIENTS / "forecast.mjs", path):
        shutil.copy(file, here)
    question = {"past": asked.past.tolist(), "steps": asked.n_steps, "fixed": asked.static}
    if asked.future is not None:
        question["future"] = asked.future.tolist()
    (here / "past.json").write_text(json.dumps(question), encoding="utf-8")
    driver.get(f"{address}/{make.__name__}/forecast.html")

    def answer(page):
        text = page.find_element("id", "forecast").text
        return text if text != "..." else None

    try:
        text = WebDriverWait(driver, 60).until(answer)
    except Exception:
        pytest.fail(json.dumps(driver.get_log("browser"), indent=1))
    asked.agrees([line.split(",") for line in text.splitlines()])
    faults = [entry for entry in driver.get_log("browser") if "favicon" not in entry["message"]]
    assert not faults
