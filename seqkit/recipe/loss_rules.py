"""Rules between what is predicted and what training minimises; the others are in `rules`."""

from __future__ import annotations

from seqkit.recipe.rule import Rule

__all__ = ["DISTRIBUTION", "LOSS", "LOSS_RULES", "QUANTILES"]

LOSS, QUANTILES, DISTRIBUTION = "train.loss", "forecast.quantiles", "forecast.distribution"
OF_NUMBERS, CALIBRATION = "model.quantiles", "train.calibration"


def _pinball(quantiles: str, done: str) -> tuple[Rule, ...]:
    """Return the rules of a loss beside quantiles, which stand at a path."""
    return (
        Rule(
            (LOSS, quantiles),
            lambda loss, quantiles: quantiles is None or loss in ("auto", "pinball"),
            f"auto or pinball when {{quantiles}} are {done}",
            "Remove one of the two.",
        ),
        Rule(
            (LOSS, quantiles),
            lambda loss, quantiles: loss != "pinball" or quantiles is not None,
            f"another loss unless {{quantiles}} are {done}",
            "Set {quantiles}.",
        ),
    )


LOSS_RULES: tuple[Rule, ...] = (
    Rule(
        (QUANTILES, DISTRIBUTION),
        lambda quantiles, distribution: quantiles is None or distribution is None,
        "absent when {distribution} is given",
        "Keep one of the two.",
    ),
    *_pinball(QUANTILES, "forecast"),
    *_pinball(OF_NUMBERS, "predicted"),
    Rule(
        (LOSS, DISTRIBUTION),
        lambda loss, distribution: distribution is None or loss in ("auto", "nll"),
        "auto or nll when a {distribution} is forecast",
        "Remove one of the two.",
    ),
    Rule(
        (LOSS, DISTRIBUTION),
        lambda loss, distribution: loss != "nll" or distribution is not None,
        "another loss unless a {distribution} is forecast",
        "Set {distribution}.",
    ),
    Rule(
        ("train.focal_gamma", LOSS),
        lambda gamma, loss: gamma is None or loss == "focal",
        "absent unless {loss} is focal",
        "Set {loss}: focal, or remove it.",
    ),
    Rule(
        ("evaluate.interval", CALIBRATION),
        lambda level, share: level is None or share > 0,
        "absent unless {calibration} is above 0",
        "Set {calibration}, for example to 0.2: intervals are calibrated on that part.",
    ),
)
