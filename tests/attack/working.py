"""A process that has imported everything and makes each run in a fork of its own: quick to kill.

Reads a JSON object a line: what to do, and which call is to fail (see calls.c); answers with how it
ended. Runs with calls.c loaded before the C library.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback

from seqkit.errors import RunError
from seqkit.report import plots
from seqkit.runs import experiment
from seqkit.runs.checkpoints import Keeper
from seqkit.runs.experiment import resume, run

RECIPE = {
    "task": "classification",
    "seed": 0,
    "data": {"dataset": "gunpoint", "split": {"validation": 0.2}},
    "model": {"cell": "gru", "units": 4, "patch": 10, "dropout": 0.1},
    "train": {"epochs": 3},
    "evaluate": {"baselines": ["majority"], "metrics": ["accuracy"]},
}


def save_displays(folder, figures):
    """Write what stands for pictures: to draw them takes longer than all the rest."""
    folder.mkdir(exist_ok=True)
    for name in figures:
        (folder / f"{name}.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")


def work(order, library, answer):
    """Do what is ordered in this process, which ends with it."""
    status, message = 0, ""
    library.arm(order["below"].encode(), order.get("n", -1), order.get("mode", 0))
    try:
        if order["do"] == "run":
            run(RECIPE, out=order["path"], name="attacked")
        else:
            resume(order["path"])
    except RunError as error:
        status, message = 2, str(error)
    except BaseException:
        status, message = 99, traceback.format_exc()
    document = {"status": status, "message": message, "calls": library.calls()}
    os.write(answer, json.dumps(document).encode())
    os._exit(0)


def main():
    Keeper.LEAST = Keeper.SHARE = 0.0
    for module in (experiment, plots):  # wherever it is taken from
        module.save_displays = save_displays
    library = ctypes.CDLL(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        run(RECIPE, out=folder)  # what is loaded on first use is loaded now
    print(json.dumps({"ready": threading.active_count()}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        read, answer = os.pipe()
        begun = time.monotonic()
        child = os.fork()
        if not child:
            os.close(read)
            work(order, library, answer)
        os.close(answer)
        after = order.get("after")
        if after is not None:
            time.sleep(after)
            os.kill(child, signal.SIGKILL)
        with os.fdopen(read, "rb") as pipe:
            said = pipe.read()
        _, ended = os.waitpid(child, 0)
        if os.WIFSIGNALED(ended):
            document = {"status": -os.WTERMSIG(ended), "message": ""}
        else:
            document = json.loads(said)
        document["seconds"] = time.monotonic() - begun
        print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main()
