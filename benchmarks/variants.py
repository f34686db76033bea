"""Time a training step of every cell of the table relative to `lstm`.

    python benchmarks/variants.py
    python benchmarks/variants.py --threads 1,2 --units 64 128

None should take over 2.5 times as long. Alternating, medians.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--threads",
        default=f"1,{os.cpu_count()}",
        help="intra,inter for TensorFlow, or own for what it takes by itself; default %(default)s",
    )
    parser.add_argument("--units", nargs="+", type=int, default=[32, 64, 128])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--time", type=int, default=100)
    parser.add_argument("--cells", nargs="+")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    import numpy as np
    import tensorflow as tf

    if args.threads != "own":
        intra, inter = (int(n) for n in args.threads.split(","))
        tf.config.threading.set_intra_op_parallelism_threads(intra)
        tf.config.threading.set_inter_op_parallelism_threads(inter)
    import keras
    from train_step import median, versions

    from seqkit.cells import CELLS
    from seqkit.network.keras.recurrent import GatedRNN

    x = tf.constant(np.random.default_rng(0).normal(size=(args.batch, args.time, 8)), tf.float32)

    def build(cell, units):
        layer = GatedRNN(units, cell)
        model = keras.Sequential([keras.Input((args.time, 8), args.batch), layer])
        optimizer = keras.optimizers.Adam()
        optimizer.build(model.trainable_variables)

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                value = tf.reduce_mean(model(x, training=True) ** 2)
            gradients = tape.gradient(value, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
            return value

        step().numpy()
        return layer, lambda: step().numpy()

    rows = []
    print(f"{versions()}  threads {args.threads}")
    for units in args.units:
        built = {cell: build(cell, units) for cell in (args.cells or CELLS)}
        if "lstm" not in built:
            built["lstm"] = build("lstm", units)
        wall: dict[str, list[float]] = {cell: [] for cell in built}
        cpu: dict[str, list[float]] = {cell: [] for cell in built}
        for _ in range(args.rounds):
            for cell, (_, step) in built.items():
                start, used = time.perf_counter(), time.process_time()
                for _ in range(3):
                    step()
                wall[cell].append((time.perf_counter() - start) / 3)
                cpu[cell].append((time.process_time() - used) / 3)
        for cell, (layer, _) in built.items():
            row = {
                "cell": cell,
                "units": units,
                "ms": 1e3 * median(wall[cell]),
                "cpu_ms": 1e3 * median(cpu[cell]),
                "relative": median(wall[cell]) / median(wall["lstm"]),
                "relative_cpu": median(cpu[cell]) / median(cpu["lstm"]),
                "kernel": layer.kernel_report().name,
            }
            rows.append(row)
            print(
                f"{cell:>17} {units:4d} units {row['ms']:8.2f} ms  {row['relative']:5.2f} x lstm"
                f"  (processor time {row['cpu_ms']:8.2f} ms, {row['relative_cpu']:5.2f} x)"
                f"  {row['kernel']}",
                flush=True,
            )
    worst = max(rows, key=lambda r: r["relative"])
    print(f"worst: {worst['cell']} at {worst['units']} units, {worst['relative']:.2f} x lstm")
    output = HERE / "results" / "variants.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    shape = {"batch": args.batch, "time": args.time, "threads": args.threads}
    output.write_text(json.dumps({"versions": versions(), **shape, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
