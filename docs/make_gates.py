"""Make the pictures of docs/gates-and-gradients.md.

    python docs/make_gates.py

Trains on the adding problem, which takes some minutes; what is drawn is printed, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seqkit import SequenceForecaster, SequenceRegressor
from seqkit.data.embedded import load
from seqkit.data.synthetic import adding_problem
from seqkit.report.attribution_plots import AttributionDisplay, ImportanceDisplay
from seqkit.report.canvas import save_displays
from seqkit.report.gate_plots import GateDisplay, SaturationDisplay
from seqkit.report.gradient_plots import GradientFlowDisplay
from seqkit.report.plots import HistoryDisplay

IMAGES = Path(__file__).resolve().parent / "images"
N_STEPS = 50
SETTINGS: dict[str, Any] = {
    "units": 16, "patch": 1, "stem": None, "branch": None, "bidirectional": False,
    "pooling": "last", "moves": (), "shift": 0, "ensemble": 1, "validation": 0, "patience": 0,
    "random_state": 0,
}  # fmt: skip
"""One plain recurrent layer, whose last output is read."""


def larger(model: SequenceRegressor, factor: float) -> SequenceRegressor:
    """Multiply the recurrent kernel of a fitted model."""
    weights = [w.copy() for w in model.weights_]
    for k, weight in enumerate(model.model_.weights):
        if "recurrent_kernel" in weight.path:
            weights[k] *= factor
    return model.set_weights(weights)


def ahead() -> GateDisplay:
    """Return the gates of a decoder over the two years after those of the airline's training."""
    passengers = load("airline").frame["passengers"].to_numpy(float)[:-24]
    forecaster = SequenceForecaster(
        context_length=36, horizon=24, season=12, units=16, patch=1, decoder="recursive",
        combine_with="none", target_transform="log", epochs=300, batch_size=8,
        learning_rate=0.01, ensemble=1, random_state=0,
    )  # fmt: skip
    forecaster.fit(passengers)
    return GateDisplay.from_estimator(forecaster, passengers, direction="ahead")


def main() -> None:
    """Train, draw, and print the figures of the page."""
    X, y = adding_problem(4000, N_STEPS, seed=0)
    tested = adding_problem(500, N_STEPS, seed=1)

    def fitted(cell: str, epochs: int) -> SequenceRegressor:
        made = SequenceRegressor(cell=cell, epochs=epochs, learning_rate=0.005, **SETTINGS)
        return made.fit(X, y)

    first = {cell: fitted(cell, 1) for cell in ("simple_rnn", "lstm")}
    first["simple_rnn, kernel x 3"] = larger(fitted("simple_rnn", 1), 3.0)
    flow = GradientFlowDisplay.from_estimators(first, *tested)
    for line in flow.lines:
        print(
            f"{line.name}: {line.norms[0]:.2g} at the first step, {line.norms[-1]:.2g} at the last"
        )
    trained = {cell: fitted(cell, 40) for cell in ("simple_rnn", "lstm")}
    for cell, model in trained.items():
        error = np.mean((model.predict(tested[0]) - tested[1]) ** 2)
        print(f"{cell}: mean squared error {error:.4f} after 40 epochs")
    lstm = trained["lstm"]
    for row in SaturationDisplay.from_estimator(lstm, tested[0]).table():
        print(f"gate {row['gate']}: {row['below']:.0%} below 0.1, {row['above']:.0%} above 0.9")
    displays = {
        "gradient_flow": flow,
        "gradient_flow_trained": GradientFlowDisplay.from_estimators(trained, *tested),
        "gates": GateDisplay.from_estimator(lstm, tested[0]),
        "gates_ahead": ahead(),
        "saturation": SaturationDisplay.from_estimator(lstm, tested[0]),
        "gradient_norms": HistoryDisplay.from_estimator(lstm),
        "importance": ImportanceDisplay.from_estimator(lstm, *tested, metric="rmse", n_segments=5),
        "attribution": AttributionDisplay.from_estimator(lstm, tested[0]),
    }
    save_displays(IMAGES, displays, (".png",))


if __name__ == "__main__":
    main()
