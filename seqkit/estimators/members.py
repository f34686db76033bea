"""The networks of a fit, one or an ensemble: their seeds, what they begin from, what is kept."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from seqkit import training
from seqkit.auto import AUTO
from seqkit.errors import explain
from seqkit.network.architecture import Architecture

__all__ = ["Members", "fits_of", "member_seed", "rounds_of", "seed_of"]


class Members:
    """The half of an estimator that keeps one network after the other."""

    random_state: Any
    validation: Any
    _fitted: Any
    weights_: list[np.ndarray]
    _state_: training.TrainingState | None
    _has_other_layers_to_train: Any

    @property
    def _n_networks(self) -> int:
        """How many networks there are; one where neither the settings nor a fit says so."""
        n = getattr(self, "auto_", {}).get("ensemble", self._fitted.ensemble)
        return 1 if n == AUTO else int(n)

    def _refuse_refit(self, what: str) -> None:
        """Raise because a training that goes on cannot begin anew."""
        expected = f"a number or auto in {what}, which goes on from the weights reached"
        hint = "refit begins anew once it is known how long to train."
        raise ValueError(
            explain(type(self).__name__, "validation", expected, self.validation, hint)
        )

    def _goal(self, settings: dict[str, Any], weight: np.ndarray | None) -> float | None:
        """Return the training loss below which a fit of series of these weights has learned."""
        goal: float | None = settings.get("loss_goal")
        return goal

    def _adopt(self, fits: Sequence[training.Fitted], keep_state: bool) -> None:
        """Take over what the training of every network gives."""
        first = fits[0]
        self._sizes_ = [len(fitted.weights) for fitted in fits]
        self.weights_ = [weight for fitted in fits for weight in fitted.weights]
        self.histories_ = [fitted.history for fitted in fits]
        self.__dict__.pop("stopped_histories_", None)
        if first.stopped:
            self.stopped_histories_ = [fitted.stopped for fitted in fits]
        self.history_ = first.history
        self.n_iter_ = first.epochs_run
        self.best_epoch_ = first.best_epoch
        self.best_epochs_ = [fitted.best_epoch for fitted in fits]
        self.trainer_ = first.trainer
        self.__dict__.pop("_model_", None)
        # Twice the size of the weights, so it is kept only where a fit may go on; the weights
        # themselves are in it no second time.
        kept = keep_state and len(fits) == 1
        self._state_ = replace(first.state, weights=[], best_weights=None) if kept else None

    def _member_weights(self) -> list[list[np.ndarray]]:
        """Return the weights of every network of the ensemble."""
        sizes = getattr(self, "_sizes_", [len(self.weights_)])  # not there in folders of 0.1.0
        ends = np.cumsum(sizes)
        return [self.weights_[end - n : end] for end, n in zip(ends, sizes, strict=True)]

    def _starts(
        self, seeds: list[int], loop: dict[str, Any], resume: Any, going_on: bool
    ) -> list[dict[str, Any]]:
        """Return what the fit of each network begins from; epochs that were run are added."""
        starts: list[dict[str, Any]] = [{} for _ in seeds]
        anew = going_on and self._has_other_layers_to_train()
        if going_on and len(seeds) == 1:
            starts = [{"initial_weights": self.weights_} if anew else self._going_on()]
            loop["epochs"] += starts[0]["resume"].epoch if "resume" in starts[0] else 0
        elif going_on:
            starts = [{"initial_weights": weights} for weights in self._member_weights()]
        elif resume is not None:
            # The networks before the one that was interrupted come out as they were: a fit is
            # decided by its seed.
            starts[seeds.index(resume.seed)] = {"resume": resume}
        return starts

    def _drawn(self, whole: Architecture, constants: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Return the weights that a fit of these networks would begin with."""
        weights, first = [], seed_of(self.random_state)
        for number, member in enumerate(whole.members):
            seed = member_seed(first, number)
            own = zip(member.network.weights, member.network.initial_weights(seed), strict=True)
            weights += [constants.get(described.path, w) for described, w in own]
        return weights

    def _going_on(self) -> dict[str, Any]:
        """Return the arguments of a fit that goes on from the weights reached.

        The optimizer goes on too where the last fit kept its state (``warm_start`` or
        ``partial_fit``), and starts anew where it did not.
        """
        if self._state_ is None:
            return {"initial_weights": self.weights_}
        return {
            "resume": replace(
                self._state_,
                weights=self.weights_,
                best_weights=None,
                best_value=float("inf"),
                best_epoch=None,
                wait=0,
            )
        }


def fits_of(
    trainings: Sequence[tuple[Sequence[dict[str, Any]], dict[str, Any]]], on_epoch: Any
) -> list[training.Fitted]:
    """Train networks, several at the same time where nothing but `on_epoch` looks on.

    Parameters
    ----------
    trainings : sequence of (list of dict, dict)
        Of each network what differs between its parts, one or two, and what does not: arguments of
        :func:`seqkit.training.fit`. What a part says goes before what all of them say.
    on_epoch : callable or None
    """
    calls = [functools.partial(_training_of, parts, loop) for parts, loop in trainings]
    alone = not all(_goes_beside_others(part["build"], loop) for p, loop in trainings for part in p)
    return training.concurrent_fits(calls, on_epoch, alone)


def _goes_beside_others(build: Architecture, loop: dict[str, Any]) -> bool:
    seen = loop["callbacks"] or loop["verbose"]
    return not seen and not training.not_native(
        build, loop["loss"], loop["optimizer"], output=loop["output"]
    )


def _training_of(
    parts: Sequence[dict[str, Any]], loop: dict[str, Any], on_epoch: Any
) -> training.Fitted:
    """Train a network on one part; on two, on the second for as long as the first was best."""
    loop = {name: value for name, value in loop.items() if name not in parts[0]}
    if len(parts) == 1:
        return training.fit(**parts[0], **loop, on_epoch=on_epoch)
    return training.fit_and_refit(*parts, **loop, on_epoch=on_epoch)


def rounds_of(n: int, first: int) -> Iterator[slice]:
    """Yield which of `n` networks are trained at a time: the first ones, then as many again.

    Examples
    --------
    >>> [(a.start, a.stop) for a in rounds_of(4, 1)], [(a.start, a.stop) for a in rounds_of(3, 2)]
    ([(0, 1), (1, 2), (2, 4)], [(0, 2), (2, 3)])
    """
    done, more = 0, first
    while done < n:
        yield slice(done, min(done + more, n))
        done = more = done + more


def member_seed(seed: int, number: int) -> int:
    """Return the seed of a network of an ensemble; the first network has the seed of the fit."""
    if not number:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1)


def seed_of(random_state: Any) -> int:
    """Return the seed of a fit: an integer is itself, anything else is drawn from."""
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
