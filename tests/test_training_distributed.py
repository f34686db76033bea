"""The loop under strategies, in processes of their own: devices are fixed once TensorFlow runs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import some

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow

COMMON = """
import sys
import numpy as np, keras, tensorflow as tf
from seqkit import training
from seqkit.training import ArraySource

rng = np.random.default_rng(0)
X = rng.normal(size=(21, 7, 2)).astype("float32")
Y = (X.mean((1, 2)) > 0).astype("int32")
W = rng.uniform(0.2, 2.0, size=21)

def build():
    x = keras.Input((7, 2))
    h = keras.layers.LSTM(5, kernel_regularizer=keras.regularizers.L2(0.01))(x)
    return keras.Model(x, keras.layers.Dense(2)(h))

def fit(**changes):
    # 21 rows in batches of 10: the last batch is one row, fewer than there are replicas
    settings = dict(key="m", seed=0, epochs=3, batch_size=10, patience=0, metrics=["accuracy"],
                    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                    validation=ArraySource(X[:9], Y[:9])) | changes
    return training.fit(build, ArraySource(X, Y, W), **settings)
"""

MIRRORED = (
    COMMON
    + """
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
reductions = ("sum_over_batch_size", "sum", "mean_with_sample_weight")
loss = [keras.losses.SparseCategoricalCrossentropy(True, reduction=r) for r in reductions]
# one strategy: TensorFlow numbers the sums of each from 1 again and mixes up those of two
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1", "CPU:2"])
for changes in ({}, {"optimizer": "rmsprop"}, {"loss": loss[1]}, {"loss": loss[2]}):
    one = fit(**changes)
    with strategy.scope():
        all_ = fit(**changes)
    for a, b in zip(one.weights, all_.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-6)
    for name, values in one.history.items():
        np.testing.assert_allclose(all_.history[name], values, rtol=1e-5, err_msg=name)
from seqkit import SequenceClassifier
with strategy.scope():  # no weights of series; batch normalisation by each replica's share
    shared = SequenceClassifier(units=4, epochs=8, random_state=0).fit(X, Y)
    assert "tf.distribute" in shared.trainer_
    mean = next(w for w, made in zip(shared.weights_, shared._build().network.weights)
                if made.path == "stem_normalized_1/moving_mean")
assert np.abs(mean).max() > 1e-3 and np.isfinite(mean).all(), mean
assert shared.score(X, Y) >= max(Y.mean(), 1 - Y.mean())
print("equal")
"""
)

WORKER = (
    COMMON
    + """
tf.config.set_soft_device_placement(True)
with tf.distribute.MultiWorkerMirroredStrategy().scope() if sys.argv[2] == "many" else (
        tf.distribute.get_strategy().scope()):
    fitted = fit()
np.savez(sys.argv[1], *fitted.weights, losses=fitted.history["loss"],
         val=fitted.history["val_loss"], accuracy=fitted.history["accuracy"])
"""
)


def start(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(processes: list[subprocess.Popen[str]]) -> list[str]:
    try:
        said = [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, text in zip(processes, said, strict=True):
        assert process.returncode == 0, text[-3000:]
    return said


def free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def test_three_mirrored_devices_train_as_one():
    assert "equal" in finish([start(MIRRORED)])[0]


def test_two_workers_train_as_one_on_the_same_batches(tmp_path):
    hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
    workers = [
        start(
            WORKER,
            str(tmp_path / f"worker{i}.npz"),
            "many",
            TF_CONFIG=json.dumps(
                {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": i}}
            ),
        )
        for i in range(2)
    ]
    finish([*workers, start(WORKER, str(tmp_path / "alone.npz"), "one")])
    alone, first, second = (np.load(tmp_path / f"{n}.npz") for n in ("alone", "worker0", "worker1"))
    for name in some(alone.files):
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
        np.testing.assert_allclose(first[name], alone[name], rtol=0, atol=2e-6, err_msg=name)
