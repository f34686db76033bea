"""A module that is put off is the same module once something of it is used."""

from __future__ import annotations

import subprocess
import sys

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
assert "ttest_ind" in dir(scipy.stats) and scipy.stats.distributions.t.ppf(0.5, 3) == 0
try:
    scipy.stats.nothing
except AttributeError as error:
    print("ok", error)
"""


def test_threads_that_use_it_at_once_all_have_it_whole():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "has no attribute 'nothing'" in done.stdout
