"""A fit that begins from another fit's weights, and layers that it leaves as they are."""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from seqkit.auto import AUTO
from seqkit.errors import explain
from seqkit.estimators.members import member_seed
from seqkit.network.architecture import Architecture
from seqkit.network.transfer import Transfer, frozen_names, transfer

__all__ = ["Start", "Starting", "start_line"]

SCALED = {
    "_offset_": "output/offset",
    "_spread_": "output/scale",
    "_window_offset_": "window/offset",
    "_window_scale_": "window/scale",
}
"""Facts in float64 that are the statistics of a scaling layer as well."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """A fitted estimator to begin from.

    Attributes
    ----------
    estimator : fitted estimator
    of : str
        Where it was read, or what kind of object it is.
    """

    estimator: Any
    of: str

    @property
    def digest(self) -> str:
        """SHA-256 of its weights, one after the other."""
        found = hashlib.sha256()
        for weight in self.estimator.weights_:
            found.update(np.ascontiguousarray(weight).tobytes())
        return found.hexdigest()

    @property
    def networks(self) -> list[tuple[Architecture, list[np.ndarray]]]:
        """The networks of the ensemble and their weights."""
        whole = self.estimator._build()
        return list(zip(whole.members, self.estimator._member_weights(), strict=True))

    def scaled(self, statistics: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return statistics of scaling layers: those of the start, where they are of as many."""
        network, weights = self.networks[0]
        there = {w.path: v for w, v in zip(network.network.weights, weights, strict=True)}
        return {
            path: there[path] if path in there and there[path].shape == np.shape(own) else own
            for path, own in statistics.items()
        }


class Starting:
    """The half of an estimator that begins where another has ended."""

    start: Any
    freeze: Any
    scale: Any
    normalize: Any
    random_state: Any
    start_: dict[str, Any]
    _build: Any
    _fitted: Any
    _reader: Any
    _task: ClassVar[str]
    _predictions_depend_on: ClassVar[tuple[str, ...]]
    _fitted_settings_: dict[str, Any]

    def _read_start(self) -> Start | None:
        """Return the fit to begin from; None where there is none.

        Raises
        ------
        ValueError
            If it is of another task, or scales its series otherwise.
        TypeError
            If it is no fitted estimator.
        seqkit.errors.RunError
            If it cannot be read.
        """
        if self.start is None:
            return None
        owner, given = type(self).__name__, self.start
        if isinstance(given, str | os.PathLike):
            # a run folder is read by what is built of estimators
            load = importlib.import_module("seqkit.runs.finished").load
            found = Start(load(given), os.fspath(given))
        else:
            within = getattr(given, "estimator", given)  # sklearn's FrozenEstimator
            if not hasattr(within, "weights_"):
                hint = (
                    "scikit-learn's clone forgets fits: save it and give the path, or wrap it in "
                    "sklearn.frozen.FrozenEstimator."
                )
                expected = "a run folder, a saved estimator, or a fitted estimator"
                raise TypeError(explain(owner, "start", expected, given, hint))
            found = Start(within, type(within).__name__)
        if found.estimator._task != self._task:
            raise ValueError(
                explain(owner, "start", f"a fit of {self._task}", found.estimator._task)
            )
        for name in ("scale", "normalize"):
            if not hasattr(self, name):
                continue
            theirs = getattr(found.estimator._fitted, name, getattr(found.estimator, name))
            if getattr(self, name) != theirs:
                hint = "Its weights are of series that were scaled so."
                expected = f"{theirs!r}, as in the start {found.of}"
                raise ValueError(explain(owner, name, expected, getattr(self, name), hint))
        return found

    def _settled(self, start: Start | None) -> dict[str, Any]:
        """Return what settings of the network become that are auto: those of the start."""
        if start is None:
            return {}
        there = start.estimator
        known = {**vars(there._fitted), **getattr(there, "auto_", {})}
        known["ensemble"] = getattr(there, "_n_networks", 1)
        if self._task == "forecasting":
            known["patch"] = there._patch  # nothing set stands for a season
        own = {name: getattr(self, name) for name in self._predictions_depend_on}
        return {
            name: known[name]
            for name, value in own.items()
            if (isinstance(value, str) and value == AUTO and known.get(name, AUTO) != AUTO)
            or (name == "patch" and value is None)
        }

    def _settle(self, start: Start | None) -> dict[str, Any]:
        """Keep those settings as the fit's own, and return them."""
        settled = self._settled(start)
        self._fitted_settings_ |= settled
        return settled

    def _scaled_as(self, start: Start, statistics: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Return the statistics of scaling layers with those of the start; note them as facts."""
        found = start.scaled(statistics)
        for name, path in SCALED.items():
            if path in found and found[path] is not statistics[path]:
                setattr(self, name, getattr(start.estimator, name))
        return found

    def _to_train(
        self, members: Sequence[Architecture], start: Start | None, seed: int
    ) -> list[dict[str, Any]]:
        """Return what the training of each network takes: itself, and what it begins with."""
        frozen: list[tuple[str, ...]] = [()] * len(members)
        if self.freeze:
            networks = [member.network for member in members]
            frozen = frozen_names(type(self).__name__, list(self.freeze), networks)
        trained = [
            replace(member, frozen=names) if names else member
            for member, names in zip(members, frozen, strict=True)
        ]
        found: list[dict[str, Any]] = [{"build": m, "key": m.key} for m in trained]
        if start is not None:
            renamed = self._compare_names(start)
            begun = self._begun(members, start)
            self._note_start(start, members[0], begun[0], frozen[0], renamed)
            for number, (member, taken) in enumerate(zip(members, begun, strict=True)):
                drawn = member.network.initial_weights(member_seed(seed, number))
                own = zip(member.network.weights, drawn, strict=True)
                found[number]["initial_weights"] = [taken.values.get(w.path, v) for w, v in own]
        return found

    def _begun(self, members: Sequence[Architecture], start: Start) -> list[Transfer]:
        """Return what each network takes from that of the start in its place."""
        there = start.networks
        found = []
        for number, member in enumerate(members):
            if number < len(there):
                other, weights = there[number]
                apart = self._apart(member, start.estimator)
                found.append(transfer(member.network, other.network, weights, apart))
            else:
                nodes = {w.node: "the start has no such network" for w in member.network.weights}
                found.append(Transfer({}, (), nodes))
        return found

    def _apart(self, member: Architecture, other: Any) -> set[str]:
        """Return the nodes whose answers, or codes, stand for something else than in the start."""

        def differs(name: str) -> bool:
            own, theirs = (getattr(one, name, ()) for one in (self, other))
            return list(own) != list(theirs)

        trained = {member.network.trained} if differs("classes_") else set()
        if differs("tokens_"):
            trained |= {"embedding", member.network.trained}
        if self._task == "forecasting":
            both: tuple[Any, Any] = (self, other)
            own, theirs = (one._reader.columns.categories for one in both)
            trained |= {
                node.name
                for node in member.network.nodes
                if node.name.startswith("embed_") and own != theirs
            }
        return trained

    def _columns_by_role(self) -> dict[str, list[str]]:
        """Return the names of columns by what they are, where the data had names."""
        if self._task == "forecasting" and not self._reader.arrays:
            columns = self._reader.columns
            roles = ("targets", "past", "future", "static")
            return {role: list(getattr(columns, role)) for role in roles}
        names = getattr(self, "feature_names_in_", None)
        return {} if names is None else {"features": [str(name) for name in names]}

    def _compare_names(self, start: Start) -> dict[str, str]:
        """Return the columns whose names are others in the start, by their own names.

        Weights go by the places of columns: where there are as many of them, one that both have
        must have the same place.

        Raises
        ------
        ValueError
            If a column of the start stands elsewhere.
        """
        renamed: dict[str, str] = {}
        theirs = start.estimator._columns_by_role()
        for role, own in self._columns_by_role().items():
            other = theirs.get(role, [])
            if len(own) != len(other):  # what they go into begins anew, and is named
                continue
            moved = [name for name, there in zip(own, other, strict=True) if name != there]
            for name in moved:
                if name in other:
                    got = f"{role} {', '.join(own)}"
                    expected = f"in the order of the start {start.of}: {', '.join(other)}"
                    hint = f"Weights go by the places of columns: move {name!r}."
                    raise ValueError(explain(type(self).__name__, "columns", expected, got, hint))
            renamed |= {
                name: there for name, there in zip(own, other, strict=True) if name in moved
            }
        return renamed

    def _has_other_layers_to_train(self) -> bool:
        """Return whether `freeze` is not what it was in the fit that is gone on with; note it.

        The optimizer then begins anew: what it knew is of other weights.
        """
        if not hasattr(self, "start_"):  # without a start nothing is frozen
            return False
        names: tuple[str, ...] = ()
        if self.freeze:
            networks = [member.network for member in self._build().members]
            names = frozen_names(type(self).__name__, list(self.freeze), networks)[0]
        before = self.start_["frozen"]
        if list(names) == before:
            return False
        self.start_ = {**self.start_, "frozen": list(names)}
        now, then = (", ".join(one) or "none" for one in (names, before))
        said = "%s: left as they are %s, before %s: the optimizer begins anew"
        log.warning(said, type(self).__name__, now, then)
        return True

    def _note_start(
        self, start: Start, member: Architecture, first: Transfer, layers: Sequence[str],
        renamed: Mapping[str, str],
    ) -> None:  # fmt: skip
        """Keep what is taken and what is not, and log it; raise where nothing is, or is frozen."""
        owner = type(self).__name__
        if not any(w.trainable and w.path in first.values for w in member.network.weights):
            got = "; ".join(f"{name}: {why}" for name, why in first.anew.items())
            expected = f"of a network that agrees with this one in a layer; nothing of {start.of}"
            raise ValueError(explain(owner, "start", expected, got))
        if lost := [name for name in layers if name in {n.split("/")[0] for n in first.anew}]:
            expected = "made of layers that are taken from the start"
            hint = f"It begins anew: {first.anew.get(lost[0], 'in parts')}."
            raise ValueError(explain(owner, "freeze", expected, lost[0], hint))
        self.start_ = {
            "of": start.of,
            "weights": start.digest,
            "taken": list(first.taken),
            "anew": dict(first.anew),
            "frozen": list(layers),
        }
        if renamed:
            self.start_["renamed"] = dict(renamed)
        log.log(logging.WARNING if first.anew or renamed else logging.INFO, "%s: %s", owner,
                start_line(self.start_))  # fmt: skip


def start_line(start: Mapping[str, Any]) -> str:
    """Return in one line what a fit has begun from.

    Examples
    --------
    >>> start_line({"of": "runs/a", "weights": "3f2a99", "taken": ["recurrent_1"],
    ...             "anew": {"logits": "its answers are others"}, "frozen": []})
    'begun from runs/a: taken recurrent_1; anew logits (its answers are others)'
    """
    words = [f"taken {', '.join(start['taken'])}"]
    if start["anew"]:
        words.append("anew " + ", ".join(f"{n} ({why})" for n, why in start["anew"].items()))
    if renamed := start.get("renamed"):
        shown = [f"{own} for {there}" for own, there in renamed.items()]
        more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
        words.append(f"columns by their places, {', '.join(shown[:5])}{more}")
    if start["frozen"]:
        words.append(f"left as they are {', '.join(start['frozen'])}")
    return f"begun from {start['of']}: {'; '.join(words)}"
