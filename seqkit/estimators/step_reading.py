"""What a tagger reads: series of numbers or tokens, and what is asked of every step."""

from __future__ import annotations

import logging
import reprlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from seqkit.auto import AUTO
from seqkit.auto_steps import piece_for
from seqkit.data.sequences import Padded, as_padded
from seqkit.data.steps import (
    NEXT,
    Steps,
    are_labels,
    check_labels_of_steps,
    in_pieces,
    label_rows,
    padded_rows,
    token_rows,
)
from seqkit.errors import explain
from seqkit.estimators.checked import Checked
from seqkit.estimators.examples import Examples, check_size, take_series
from seqkit.estimators.long_frames import stepwise

__all__ = ["StepReading"]

log = logging.getLogger(__name__)


class StepReading:
    """The half of a tagger that makes numbers of series and of the labels of their steps."""

    auto_: dict[str, Any]
    _n_steps_: int | None
    classes_: np.ndarray
    tokens_: np.ndarray
    feature_names_in_: np.ndarray
    _multilabel_: bool
    _shares_: np.ndarray
    augment: Any
    class_weight: Any
    mixture: Any
    piece_length: Any
    _fitted: Any
    _following_numbers: Any
    _of_numbers: Any

    @property
    def _of_tokens(self) -> bool:
        return "tokens_" in self.__dict__

    @property
    def _none(self) -> float:
        """What stands for the answer to a step that has none."""
        return float("nan") if self._of_numbers else -1

    def _check_X(self, X: Any, reset: bool) -> Padded:
        """Return series as the network takes them: numbers, or codes of tokens."""
        if isinstance(X, Padded):
            return X
        X, _ = stepwise(self, X, None, reset, targeted=False)
        owner, asks_next = type(self).__name__, self._fitted.target == NEXT
        if reset and isinstance(X, Steps):
            self.feature_names_in_ = np.array(X.features, object)
        found = token_rows(X, owner, numbers=asks_next or (self._of_tokens and not reset))
        if found is not None:
            return self._coded(*found, reset)
        if self._of_tokens and not reset:
            expected = "of tokens: lists of texts, texts, or whole numbers"
            raise TypeError(explain(owner, "X", expected, "series of numbers"))
        padded = as_padded(X, missing="error" if asks_next else self._fitted.missing, dtype=None)
        if asks_next and not reset and not self._of_numbers:
            check_labels_of_steps(padded.values, owner)
        n_channels = padded.values.shape[2]
        marked = 2 if self._fitted.missing == "indicator" and not asks_next else 1
        if reset:
            self._n_channels_, self.n_features_in_ = n_channels, n_channels // marked
        elif n_channels != self._n_channels_:
            expected = f"of {self._n_channels_ // marked} features a step, as in the fit"
            raise ValueError(explain(owner, "X", expected, n_channels // marked))
        check_size(padded.values, owner, "X")
        return padded

    def _coded(self, tokens: np.ndarray, lengths: np.ndarray, reset: bool) -> Padded:
        """Return tokens as their codes: from 1 on, in their order; 0 is an unknown one."""
        if reset:
            if self.augment:
                expected = "None where series are of tokens, of which none is near another"
                raise ValueError(explain(type(self).__name__, "augment", expected, self.augment))
            self.tokens_ = np.unique(tokens)
            self._n_channels_ = self.n_features_in_ = 1
        known = self.tokens_ if self._of_tokens else None
        if known is None or (known.dtype.kind == "U") != (tokens.dtype.kind == "U"):
            fitted = "numbers" if known is None else f"tokens such as {known[:3].tolist()}"
            expected = f"series of {fitted}, as in the fit"
            raise TypeError(explain(type(self).__name__, "X", expected, tokens[:3].tolist()))
        codes = np.minimum(np.searchsorted(known, tokens), len(known) - 1)
        codes = np.where(known[codes] == tokens, codes + 1, 0).astype(np.int32)
        equal = bool((lengths == lengths[0]).all())
        padded = padded_rows(codes, lengths, 0)
        return Padded(padded, None if equal else lengths.astype(np.int32))

    def _read(self, X: Any, y: Any, reset: bool) -> tuple[Padded, np.ndarray]:
        """Return series and the codes of their labels, or numbers, padded with `_none`."""
        padded = self._check_X(X, reset)
        n, n_steps = padded.values.shape[:2]
        lengths: Any = np.full(n, n_steps) if padded.lengths is None else padded.lengths
        if self._fitted.target == NEXT:
            return padded, self._following(padded.values, lengths, y, reset)
        owner = type(self).__name__
        own = isinstance(X, Steps) and y is not None and y is X.labels
        flat: np.ndarray = y if own else label_rows(y, lengths, owner)
        many = flat.ndim == 2
        if reset:
            self._multilabel_ = many
        if many != self._multilabel_:
            expected = "several labels a step" if self._multilabel_ else "one label a step"
            raise ValueError(explain(owner, "y", f"of {expected}, as in the fit", flat.shape))
        codes = self._label_codes(flat, reset) if many else self._class_codes(flat, reset)
        return padded, padded_rows(codes, lengths, -1)

    def _following(self, codes: np.ndarray, lengths: np.ndarray, y: Any, reset: bool) -> np.ndarray:
        """Return the class, or the numbers, of the step after each; the last one has none."""
        owner = type(self).__name__
        if y is not None:
            self._refuse_target(y)
        valid = np.arange(codes.shape[1]) < lengths[:, None]
        numbers = self._of_numbers
        if reset:
            numbers = not self._of_tokens and not are_labels(codes)
            if self.mixture is not None and not numbers:
                kind = "tokens" if self._of_tokens else "0 and 1, several labels a step"
                expected = f"None where series are of {kind}"
                raise ValueError(explain(owner, "mixture", expected, self.mixture))
        if numbers:
            found: np.ndarray = self._following_numbers(codes, valid, reset)
            return found
        if not self._of_tokens:
            return self._following_labels(codes, valid, reset)
        if reset:
            self.classes_, self._multilabel_ = self.tokens_, False
            self._shares_ = np.bincount(codes[valid] - 1) / valid.sum()
            if len(self.classes_) < 2:
                expected = "of 2 different tokens at least"
                raise ValueError(explain(owner, "X", expected, self.classes_.tolist()))
        target = np.full(codes.shape, -1, np.int32)
        target[:, :-1] = codes[:, 1:] - 1  # an unknown token is no class: it is not asked for
        target[np.arange(codes.shape[1]) >= lengths[:, None] - 1] = -1
        if not (target >= 0).any():
            expected = "at least 2 steps long in one series"
            raise ValueError(explain(owner, "X", expected, int(lengths.max())))
        return target

    def _following_labels(self, values: np.ndarray, valid: np.ndarray, reset: bool) -> np.ndarray:
        """Return the labels of the step after each, where series are of labels themselves."""
        labels = self._label_codes(values[valid], reset)
        if reset:
            self._multilabel_, self._shares_ = True, labels.mean(axis=0, dtype=np.float64)
        target = np.full(values.shape, -1, np.float32)
        target[:, :-1][valid[:, 1:]] = values[:, 1:][valid[:, 1:]]
        if not valid[:, 1:].any():
            expected = "at least 2 steps long in one series"
            raise ValueError(explain(type(self).__name__, "X", expected, 1))
        return target

    def _class_codes(self, labels: np.ndarray, reset: bool) -> np.ndarray:
        owner = type(self).__name__
        try:
            found = np.unique(labels)
        except TypeError as error:
            raise TypeError(explain(owner, "y", "labels of one kind", str(error))) from error
        if reset and not hasattr(self, "classes_"):
            self.classes_ = found
        if len(self.classes_) < 2:
            raise ValueError(
                f"{owner}: y must have at least 2 classes; got 1 class, "
                f"{reprlib.repr(self.classes_.tolist()[0])}."
            )
        unseen = np.setdiff1d(found, self.classes_)
        if len(unseen) == len(found):
            expected = f"of the classes {reprlib.repr(self.classes_.tolist())}"
            raise ValueError(explain(owner, "y", expected, unseen.tolist()))
        if len(unseen):  # a rare label may be in a part that is held out, and in no other
            log.warning(
                "%s: the fit has not seen the labels %s: their steps have no part in the loss",
                owner, reprlib.repr(unseen.tolist()),
            )  # fmt: skip
        codes: np.ndarray = np.searchsorted(self.classes_, labels).astype(np.int32)
        codes[np.isin(labels, unseen)] = -1
        return codes

    def _label_codes(self, labels: np.ndarray, reset: bool) -> np.ndarray:
        owner = type(self).__name__
        if self.class_weight is not None:
            expected = "None where y has several labels a step"
            raise ValueError(explain(owner, "class_weight", expected, self.class_weight))
        if reset:
            self.classes_ = np.arange(labels.shape[1])
        if labels.shape[1] != len(self.classes_) or not np.isin(labels, (0, 1)).all():
            expected = f"0 or 1 for each of {len(self.classes_)} labels a step"
            raise ValueError(explain(owner, "y", expected, f"an array of shape {labels.shape}"))
        return labels.astype(np.float32)

    def _examples(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, reset: bool
    ) -> Examples:
        if isinstance(X, Checked):
            read: Examples = X.read_by(self) if reset else X.content
            return read
        X, y = stepwise(self, X, y, reset)
        if reset:
            self._n_steps_ = None
        padded, target = self._read(X, y, reset)
        given = None
        if sample_weight is not None:
            given = _check_sample_weight(
                sample_weight, target, dtype=np.float32, ensure_non_negative=True
            )
            padded, target, given = self._weighed(padded, target, given)
        check_consistent_length(padded.values, target)
        piece: Any = self.piece_length
        if reset:
            self.auto_ = {}
            if piece == AUTO:
                self.auto_["piece_length"] = piece_for(padded.values.shape[1])
        piece = self.auto_.get("piece_length", piece)
        if piece and padded.values.shape[1] > piece:
            padded, target, owner = in_pieces(padded, target, piece, self._none)
            given = None if given is None else given[owner]
        return self._with_weights(padded, target, given)

    def _weighed(self, padded: Padded, target: np.ndarray, given: np.ndarray) -> Any:
        """Leave out the series of weight 0, so that they change nothing at all."""
        rows = np.flatnonzero(given > 0)
        if not len(rows):
            raise ValueError(
                explain(type(self).__name__, "sample_weight", "above 0 for a series at least", 0.0)
            )
        if len(rows) == len(given):
            return padded, target, given
        padded = take_series(padded, rows)
        return padded, target[rows, : padded.values.shape[1]], given[rows]

    def _target_weight(self, target: np.ndarray, given: np.ndarray | None) -> np.ndarray | None:
        """Return the weight of every step by its class."""
        if self.class_weight is None:
            return None
        valid, weight_of = target >= 0, self.class_weight
        if isinstance(weight_of, Mapping):
            unknown = set(weight_of) - set(self.classes_.tolist())
            if unknown:
                expected = f"of classes of y, {reprlib.repr(self.classes_.tolist())}"
                unseen = sorted(unknown, key=str)
                raise ValueError(explain(type(self).__name__, "class_weight", expected, unseen))
            by_class = np.array([weight_of.get(c, 1.0) for c in self.classes_.tolist()])
        else:
            ones = np.ones(len(target)) if given is None else given
            each = np.broadcast_to(ones[:, None], target.shape)
            sums = np.bincount(target[valid], each[valid], minlength=len(self.classes_))
            there = sums > 0
            by_class = np.ones(len(sums))
            by_class[there] = sums.sum() / (there.sum() * sums[there])
        return np.where(valid, by_class[target], 0).astype(np.float32)

    def _with_weights(
        self, padded: Padded, target: np.ndarray, given: np.ndarray | None
    ) -> Examples:
        weight = self._target_weight(target, given)
        if given is not None:
            weight = given if weight is None else given[:, None] * weight
        return Examples(padded, target, weight, given)

    def _joined(self, *parts: Examples) -> Examples:
        longest = max(part.target.shape[1] for part in parts)

        def whole(arrays: list[np.ndarray], fill: float) -> np.ndarray:
            return np.concatenate([
                np.pad(a, [(0, 0), (0, longest - a.shape[1]), *[(0, 0)] * (a.ndim - 2)],
                       constant_values=fill)
                for a in arrays
            ])  # fmt: skip

        lengths = np.concatenate([
            np.full(len(p.target), p.padded.values.shape[1], np.int32)
            if p.padded.lengths is None else p.padded.lengths
            for p in parts
        ])  # fmt: skip
        values = whole([part.padded.values for part in parts], 0)
        target = whole([part.target for part in parts], self._none)
        given = None
        if any(part.given is not None for part in parts):
            given = np.concatenate([
                np.ones(len(p.target), np.float32) if p.given is None else p.given for p in parts
            ])  # fmt: skip
        equal = bool((lengths == longest).all())
        return self._with_weights(Padded(values, None if equal else lengths), target, given)

    def _truth(self, X: Any, y: Any = None) -> list[np.ndarray]:
        """Return the true labels of the steps of every series; of the next token all but one."""
        owner = type(self).__name__
        if self._fitted.target == NEXT:
            if y is not None:
                self._refuse_target(y)
            found = token_rows(X, owner, numbers=True)
            if found is None:
                padded = self._check_X(X, reset=False)  # which refuses what is no token
                labels = padded.values[:, 1:].astype(np.int64)
                if padded.lengths is None:
                    return list(labels)
                return [a[: n - 1] for a, n in zip(labels, padded.lengths.tolist(), strict=True)]
            rows, lengths = found
            return [one[1:] for one in np.split(rows, np.cumsum(lengths)[:-1])]
        padded = self._check_X(X, reset=False)
        n, n_steps = padded.values.shape[:2]
        ends: Any = np.full(n, n_steps) if padded.lengths is None else padded.lengths
        own = isinstance(X, Steps) and y is not None and y is X.labels
        return np.split(y if own else label_rows(y, ends, owner), np.cumsum(ends)[:-1])

    def _refuse_target(self, y: Any) -> None:
        expected = 'left out with target="next", where the steps themselves are what is learned'
        raise ValueError(explain(type(self).__name__, "y", expected, type(y).__name__))
