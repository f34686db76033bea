"""Findings in the course of a training: its curves, an epoch each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from seqkit.evaluation.findings.evidence import Evidence, Finding, Found, worst_network
from seqkit.evaluation.verdict import number

__all__ = ["OF_TRAINING"]

Floats = npt.NDArray[np.float64]

FEWEST_EPOCHS = 10  # a course of fewer says little
TENTHS = 10
FALLING = 0.02  # of the loss, by which the last tenth of the epochs lowered it: it still falls
STEEP = 0.1  # the same of a training loss that nothing is held against
LEARNED = 0.05  # nats: the truth has a probability of .95
RISEN = 1.1  # times the lowest validation loss: more than epochs near it differ by
OVER = 1.25  # the same of a validation loss that rises for long
GAP = 0.5  # nats: held-out truths have .6 of the probability that those of training have
TIMES = 2.0  # as large as the error on the training part
JUMP, JUMPY = 1.5, 0.1  # a loss that grows so much, in this share of the epochs: steps too large
HIGH = 0.1  # of the first loss: leaps below it are the noise of what is learned
MOST = 0.5  # of the gradient steps
NATS = ("crossentropy", "focal", "nll")  # losses that are logarithms of probabilities


def _of_networks(check: Callable[[Evidence], Found | None]) -> Callable[[Evidence], Found | None]:
    """Make a check of one training that of all networks of an ensemble: the worst is named."""

    @wraps(check)
    def checked(evidence: Evidence) -> Found | None:
        return worst_network([check(one) for one in evidence.networks()])

    return checked


def _curve(evidence: Evidence, name: str) -> Floats:
    curve = np.asarray((evidence.history or {}).get(name, ()), np.float64)
    return curve if np.isfinite(curve).all() else curve[:0]


def _tenths(curve: Sequence[float] | Floats) -> tuple[float, float]:
    """Return the medians of the last tenth of a curve and of the tenth before it."""
    n = max(len(curve) // TENTHS, 1)
    return float(np.median(curve[-n:])), float(np.median(curve[-2 * n : -n]))


@_of_networks
def _still_falls(evidence: Evidence) -> Found | None:
    loss, watched = _curve(evidence, "loss"), _curve(evidence, "val_loss")
    curve = watched if len(watched) else loss
    if len(curve) < FEWEST_EPOCHS or len(curve) < evidence.epochs or _leaps(loss):
        return None
    last, before = _tenths(curve)
    by = FALLING
    if not len(watched) and (evidence.verdict is None or evidence.verdict["better"]):
        by = STEEP
    floor = LEARNED if evidence.loss in NATS else 0.0
    if last > before - by * abs(before) or (evidence.loss != "nll" and last <= floor):
        return None
    if len(watched) and int(np.argmin(curve)) < len(curve) - max(len(curve) // TENTHS, 1):
        return None
    what = "validation" if len(watched) else "training"
    fell = (before - last) / abs(before) if before else 0.0
    return Found(
        f"After all {len(curve)} epochs the {what} loss still fell, by {fell:.1%} in the last "
        "tenth of them.",
        {"epochs": len(curve), "before": before, "last": last, "share": fell},
        f"train.epochs: {2 * len(curve)}",
        fell,
    )


@_of_networks
def _worse_kept(evidence: Evidence) -> Found | None:
    watched = _curve(evidence, "val_loss")
    if len(watched) < FEWEST_EPOCHS:
        return None
    best, kept = int(np.argmin(watched)), evidence.best_epoch % len(watched)
    last = _tenths(watched)[0]
    if kept != len(watched) - 1 or watched[best] <= 0 or last < RISEN * watched[best]:
        return None
    return Found(
        f"The weights of the last epoch were kept, whose validation loss is {number(last)}; after "
        f"epoch {best + 1} of {len(watched)} it was {number(float(watched[best]))}.",
        {"best_epoch": best + 1, "epochs": len(watched), "lowest": float(watched[best]),
         "last": last},
        weight=last / float(watched[best]),
    )  # fmt: skip


@_of_networks
def _early_best(evidence: Evidence) -> Found | None:
    watched = _curve(evidence, "val_loss")
    if len(watched) < FEWEST_EPOCHS or _worse_kept(evidence) is not None:
        return None
    best, last = int(np.argmin(watched)), _tenths(watched)[0]
    if best + 1 >= len(watched) / 2 or watched[best] <= 0 or last < OVER * watched[best]:
        return None
    return Found(
        f"The validation loss was lowest after epoch {best + 1} of {len(watched)}, and has risen "
        f"by {last / watched[best] - 1:.0%} since.",
        {"best_epoch": best + 1, "epochs": len(watched), "lowest": float(watched[best]),
         "last": last},
        weight=last / float(watched[best]),
    )  # fmt: skip


@_of_networks
def _gap(evidence: Evidence) -> Found | None:
    loss, watched = _curve(evidence, "loss"), _curve(evidence, "val_loss")
    if len(watched) < FEWEST_EPOCHS or len(loss) != len(watched):
        return None
    kept = evidence.best_epoch % len(watched)
    near = slice(max(kept - 2, 0), kept + 3)  # one epoch is noise
    learned, held = float(np.median(loss[near])), float(np.median(watched[near]))
    if evidence.loss in NATS:
        far = held - learned > GAP
    else:
        power = 2 if evidence.loss == "mse" else 1
        far = learned > 0 and held > TIMES**power * learned
    if not far:
        return None
    return Found(
        f"Where the weights were kept, after epoch {kept + 1}, the loss was {number(learned)} on "
        f"the training part and {number(held)} on the validation part.",
        {"epoch": kept + 1, "training": learned, "validation": held},
        weight=held - learned,
    )


def _leaps(loss: Floats) -> int:
    """Count the epochs after which the training loss leapt up; 0 where they are few."""
    if len(loss) < FEWEST_EPOCHS:
        return 0
    floor = HIGH * loss[0]
    leaps = sum(after > JUMP * before > 0 and after > floor for before, after in pairwise(loss))
    return int(leaps) if leaps >= JUMPY * len(loss) else 0


@_of_networks
def _jumps(evidence: Evidence) -> Found | None:
    loss = _curve(evidence, "loss")
    leaps = _leaps(loss)
    if not leaps:
        return None
    return Found(
        f"In {leaps} of {len(loss)} epochs the training loss grew by half or more.",
        {"leaps": leaps, "epochs": len(loss)},
        weight=leaps / len(loss),
    )


@_of_networks
def _clipped(evidence: Evidence) -> Found | None:
    clipped = _curve(evidence, "clipped")
    later = clipped[len(clipped) // 2 :]
    if len(clipped) < FEWEST_EPOCHS or float(later.mean()) <= MOST:
        return None
    share = float(later.mean())
    return Found(
        f"In the second half of the training {share:.0%} of the gradients were longer than "
        "train.clipnorm and cut to it.",
        {"share": share, "clipnorm": evidence.setting("train.clipnorm")},
        weight=share,
    )


OF_TRAINING = (
    Finding(
        "SQ201",
        "Trained to the last epoch, and still falling",
        "warning",
        ("history",),
        _still_falls,
        "train.epochs: twice as many",
        "Training ended because its epochs were over, not because there was nothing left to learn.",
        "The median loss of the last tenth of the epochs is 2 % lower than that of the tenth "
        "before, and with a validation part the lowest lies in the last tenth. Where nothing is "
        "held out the training loss falls in most fits until the end, whether that helps or not: "
        "then it must be 10 %, or the model must lose against a baseline (airline, 10, 20, 100 "
        "epochs: MASE 2.10, 1.27, .45). A cross-entropy below .05 is learned: the truth has a "
        "probability of .95.",
        "Where the scores are good enough, and time is short.",
    ),
    Finding(
        "SQ202",
        "Weights kept that are not the best",
        "warning",
        ("history",),
        _worse_kept,
        "train.patience: 10",
        "There is a validation part, but nothing was stopped by it: the model was better before.",
        "The median validation loss of the last tenth of the epochs is a tenth above the lowest: "
        "more than epochs near the best one differ by.",
        "Where the validation part is a handful of series: its lowest loss is luck.",
    ),
    Finding(
        "SQ203",
        "Best epoch long before the end",
        "info",
        ("history",),
        _early_best,
        "model.dropout: 0.4, or half of model.units",
        "The validation loss was lowest early and rose while the training loss went on falling: "
        "the network learns its series by heart. The weights of the best epoch were kept, so "
        "this run is not harmed; a smaller network, or more dropout, may be better.",
        "Lowest in the first half, and a quarter higher in the last tenth of ten epochs or more "
        "(Prechelt 1998, Early stopping: but when?, stops at generalisation losses of a few per "
        "cent; a quarter is far beyond all he considers).",
        "Where the model is good enough: the best weights are those that were kept.",
    ),
    Finding(
        "SQ204",
        "Validation far from training",
        "warning",
        ("history",),
        _gap,
        "model.dropout: 0.4, or half of model.units; more series help most",
        "What holds for the series that were learned holds much less for others: overfitting, or a "
        "validation part that is of another kind.",
        "Where the weights were kept, median of five epochs: of losses that are logarithms of "
        "probabilities .5 apart, so that a true class has .6 of the probability it has in "
        "training; of others an error twice as large (its square, of mse). Dropout and "
        "augmentation only make the training loss larger.",
        "Where the validation part is of other speakers, machines or times on purpose.",
    ),
    Finding(
        "SQ205",
        "The loss jumps",
        "warning",
        ("history",),
        _jumps,
        "train.learning_rate: a tenth of what it was",
        "Steps are too large: what was learned is lost again and again.",
        "The training loss grows by half or more in a tenth of the epochs, and to a tenth of the "
        "first loss or more: below it noise is a large part of a loss (gunpoint, 30 epochs, "
        "learning rates 3, .3, .03: accuracy .61, .85, .97).",
        "Hardly ever; with train.steps_per_epoch epochs are of different series, and noisier.",
    ),
    Finding(
        "SQ206",
        "Gradients clipped in most steps",
        "info",
        ("history",),
        _clipped,
        "train.clipnorm: 5, or train.learning_rate a third of what it was",
        "Clipping is there for the rare gradient that explodes (Pascanu, Mikolov, Bengio 2013); "
        "where most are cut, steps have one length whatever the slope is, and learning does not "
        "come to rest by itself.",
        "More than half of the steps of the second half of the epochs: a gradient that is cut is "
        "then the rule. At the beginning they are long in every fit.",
        "With Adam, which divides by their size anyway, and where the loss has come to rest.",
    ),
)
