"""A module that is put off is the same module once something of it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys, threading
import seqkit
seqkit.SequenceClassifier
assert "scipy.stats" in sys.modules
assert "scipy.stats._distn_infrastructure" not in sys.modules, "it was run"
found, start = [], threading.Barrier(8)
def use():
    start.wait()
    from scipy.stats import norm
    found.append(float(norm.ppf(0.975)))
threads = [threading.Thread(target=use) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
import scipy.stats, scipy.stats.distributions
assert len(found) == 8 and len(set(found)) == 1, found
assert round(found[0], 4) == 1.96
assert "ttest_ind" in dir(scipy.stats) and abs(scipy.stats.distributions.t.ppf(0.5, 3)) < 1e-9
try:
    scipy.stats.nothing
except AttributeError as error:
    print("ok", error)
"""


def test_threads_that_use_it_at_once_all_have_it_whole():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "has no attribute 'nothing'" in done.stdout


STAND_INS = """
import sys, threading
import numpy as np
import seqkit
X = np.random.default_rng(0).normal(size=(24, 8, 1))
model = seqkit.SequenceClassifier(units=2, epochs=1).fit(X, X[:, -1, 0] > 0)
assert model.trainer_ == "native"
for name in ("pandas", "pyarrow", "scipy.special"):
    assert name not in sys.modules, name
from sklearn.utils import fixes
import pandas
assert type(pandas).__name__ == "module" and pandas is sys.modules["pandas"]
assert fixes.pd.DataFrame is pandas.DataFrame and fixes.pd.__version__ == pandas.__version__
from scipy.special import expit
assert expit(0) == 0.5
frame = pandas.DataFrame({f"t{k}": X[:, k, 0] for k in range(8)})
assert (model.predict(frame) == model.predict(X)).all()
print("ok")
"""


def test_a_fit_of_arrays_imports_no_data_frames():
    done = subprocess.run([sys.executable, "-c", STAND_INS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ok\n"


USES = {
    "an attribute": "import colorsys; assert colorsys.ONE_THIRD == 1 / 3",
    "a name": "from colorsys import rgb_to_hsv; assert rgb_to_hsv(0, 0, 1)[2] == 1",
    "none": "import colorsys",
    "all names": "from colorsys import *; assert hls_to_rgb(0, 0, 0) == (0, 0, 0)",
    "a module inside": "import xml.dom.minidom as m; assert m.parseString('<a/>').firstChild",
    "a package": "import xml.dom; assert xml.dom.Node.ELEMENT_NODE == 1; import xml.dom.domreg",
    "what is not there": "import colorsys; assert not hasattr(colorsys, 'nothing')",
    "an error": "import colorsys; 1 / 0",
}


@pytest.mark.parametrize("use", USES)
def test_a_stand_in_has_what_the_module_has_and_leaves_no_trace(use):
    code = f"""
import contextlib, importlib, sys
from seqkit.system.deferred_import import stand_in
names = ("colorsys", "xml.dom", "no_such_module")
with contextlib.suppress(ZeroDivisionError), contextlib.ExitStack() as stack:
    for name in names:
        stack.enter_context(stand_in(name))
    exec({USES[use]!r})
assert not any(type(m).__name__ == "_StandIn" for m in sys.modules.values())
for name in names[:2]:
    module = importlib.import_module(name)
    assert name != "xml.dom" or module is sys.modules["xml"].dom
    assert type(module).__name__ == "module" and importlib.import_module(name) is module
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


THREADS = """
import sys, threading
from seqkit.system.deferred_import import stand_in
start, found = threading.Barrier(8), []
def use(module):
    start.wait()
    found.append(module.DataFrame)
with stand_in("pandas"):
    import pandas
threads = [threading.Thread(target=use, args=[pandas]) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
import pandas as whole
assert whole is not pandas and found == [whole.DataFrame] * 8
"""


def test_threads_that_use_a_stand_in_at_once_import_one_module():
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
