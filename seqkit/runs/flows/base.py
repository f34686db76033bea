"""What the flows of a run share: the parts of the data, and how a model did."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from seqkit.auto_networks import stacks_of
from seqkit.data.dialect import ReadSettings
from seqkit.errors import DataError, RecipeError, RunError, explain
from seqkit.estimators.saving import estimator_class
from seqkit.estimators.starting import start_line
from seqkit.system.notes import short_path
from seqkit.tasks import TASKS, has_statsforecast

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.data.sequences import Padded
    from seqkit.recipe.reading import Resolved

__all__ = ["Assessment", "Flow", "Parts", "form_notes", "refused", "shown_path"]

INSTALL = "pip install 'seqkit[baselines]'"


@dataclass
class Parts:
    """The data of a run.

    Attributes
    ----------
    train, validation, test
        ``Sequences``, or what a forecaster has read; ``None`` where there is none.
    notes : list of str
        What was inferred, repaired or dropped on the way.
    files : list of pathlib.Path
        What was read.
    columns : dict
        Names, and what later series are compared with, for ``model.json``.
    unlike : list of str
        How the test part is unlike the training part.
    named : dict of str to str
        The file of each part, for errors.
    auto : dict
        What the settings that are ``auto`` become with these data.
    padded : dict of str to Padded
        Parts as models take them, by name, once one was needed.
    whole : Sequences or None
        Training and validation part as one, where both are trained on in the end.
    checked : object
        What the check has read and the fit takes; None before the one and after the other.
    """

    train: Any
    validation: Any
    test: Any
    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    columns: dict[str, Any] = field(default_factory=dict)
    unlike: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    auto: dict[str, Any] = field(default_factory=dict)
    padded: dict[str, Padded] = field(default_factory=dict)
    whole: Any = None
    checked: Any = None


T = TypeVar("T")


def first_of(columns: Mapping[str, Any]) -> bool | None:
    """Return whether the day came first in the dates of training; None where that is no matter."""
    first = str(columns.get("date_form", "")).partition(" first")[0]
    # runs of earlier versions kept this alone
    known: bool | None = columns.get("day_first", {"day": True, "month": False}.get(first))
    return known


def form_notes(columns: Mapping[str, Any], form: str, where: str) -> list[str]:
    """Return a note where dates are written otherwise than those of training."""
    known = columns.get("date_form", "")
    if not known or not form or known == form:
        return []
    return [f"{where}: dates are read as {form}; those of training were {known}"]


@dataclass
class Assessment:
    """How a fitted model did.

    Attributes
    ----------
    document : dict
        The content of ``metrics.json``.
    predictions : pandas.DataFrame
        One row a series of the test part, or a row a forecast step.
    figures : dict of str to Display
        What is drawn into ``plots/``.
    sample : callable
        Gives the content of ``series.json``: what a page shows besides. Only a run calls it.
    judged : object
        What was predicted of the part that is shown, for the findings: the part and the
        predictions, or of forecasts the backtest.
    validated : callable, optional
        Gives what `predictions` is of the test part of the validation part, where there is one.
    """

    document: dict[str, Any]
    predictions: pd.DataFrame
    figures: Mapping[str, Any]
    sample: Callable[[], dict[str, Any]]
    judged: Any = None
    validated: Callable[[], pd.DataFrame] | None = None


class Flow:
    """What both flows share."""

    def __init__(self, resolved: Resolved) -> None:
        self.resolved = resolved
        self.recipe: Any = resolved.recipe
        self.task = TASKS[self.recipe.task]

    @property
    def folder(self) -> Path:
        """The folder that notes name files from: the recipe's, of a run the working folder."""
        path = self.resolved.path
        own = path is not None and path.name != "recipe.resolved.yaml"
        return path.parent if path is not None and own else Path()

    def named(self, given: Any) -> str:
        """Return how files are named in notes."""
        several = given if isinstance(given, list) else [given]
        return ", ".join(short_path(one, self.folder) for one in several)

    def as_in_training(
        self, read: Callable[[ReadSettings], T], columns: Mapping[str, Any] | None, where: str
    ) -> T:
        """Read a file by the recipe, and day or month first as the file of training was.

        Parameters
        ----------
        read : callable
        columns : mapping or None
            What is known of those of training.
        where : str
            The file, for errors.
        """
        said = ReadSettings.of(self.recipe.data)
        known = None if columns is None else first_of(columns)
        if known is None or said.day_first is not None or said.date_format is not None:
            return read(said)
        try:
            return read(replace(said, day_first=known))
        except DataError as error:
            first, other = ("day", "month") if known else ("month", "day")
            try:
                read(replace(said, day_first=not known))
            except DataError:
                raise error from None
            expected = f"{first} first, as those of training were"
            hint = f"Write them {first} first, or in a form without doubt, as 2024-01-31."
            raise DataError(
                explain(where, "the dates", expected, f"{other} first", hint)
            ) from error

    def filled(self, parts: Parts) -> str:
        """Return the recipe with all that the data have decided, as YAML that runs again."""
        return self.resolved.dump()

    def estimator(self) -> Any:
        """Return the unfitted estimator of the recipe."""
        return estimator_class(self.task.name)(**self.recipe.parameters())

    def check_baselines(self) -> None:
        """Raise where the recipe names a baseline that cannot be had here."""
        for name in self.recipe.evaluate.baselines:
            if name in self.task.fitted_baselines and not has_statsforecast():
                raise DataError(
                    explain(f"{self.resolved.path}", "evaluate.baselines", "installed here", name,
                            f"It needs statsforecast: {INSTALL}")
                )  # fmt: skip

    def baselines_here(self) -> tuple[list[str], list[str]]:
        """Return the baselines that can be had here, and what has to be said of the others.

        A run may be opened where less is installed than where it was made.
        """
        names, fitted = self.recipe.evaluate.baselines, self.task.fitted_baselines
        if has_statsforecast() or not {*names} >= {*self.task.baselines} or not fitted:
            return names, []
        said = f"AutoETS and AutoTheta stand beside the model where statsforecast is: {INSTALL}"
        return [name for name in names if name not in fitted], [said]

    def remarks(self, estimator: Any) -> list[str]:
        """Return what the log should say of a fitted estimator, a line each."""
        native = estimator.trainer_ == "native"
        start = [start_line(estimator.start_)] if hasattr(estimator, "start_") else []
        kernels = self.native_kernels(estimator) if native else self.kernels_of(estimator.model_)
        return [
            *start,
            self.ending(estimator),
            f"trainer: {estimator.trainer_}",
            *(f"{name}: {report}" for name, report in kernels.items()),
        ]

    @staticmethod
    def ending(estimator: Any) -> str:
        """Return how the training ended, and which weights were kept."""
        run, best, wanted = estimator.n_iter_, estimator.best_epoch_ + 1, estimator.epochs
        watched = estimator.history_.get("val_loss")
        early = f"trained {run} epochs"
        if first := getattr(estimator, "stopped_histories_", None):
            return (
                f"stopped after {len(first[0]['loss'])} epochs by the part held out, of which "
                f"epoch {run} was the best; trained anew on all for {run}, whose last weights are "
                "kept"
            )
        auto = estimator.auto_
        goal = auto.get("loss_goal", getattr(estimator, "loss_goal", None))
        if goal is not None and run < auto.get("epochs", wanted):
            early = f"trained {run} epochs, fewer than allowed: the loss came below {goal:g}"
        if watched and isinstance(wanted, int) and run < wanted:
            early = f"stopped early after {run} of {wanted} epochs"
        if not watched or best == run:
            return f"{early}; the last weights are kept"
        return (
            f"{early}; the weights of epoch {best} are kept: the validation loss, smoothed, was "
            f"the lowest there ({watched[best - 1]:.4g} as it is)"
        )

    @staticmethod
    def native_kernels(estimator: Any) -> dict[str, str]:
        """Return what trains the recurrent layers of a native network, by their names."""
        n_layers = max(map(len, stacks_of(estimator.units)))
        what = "compiled kernels, forward and backward, without TensorFlow"
        return {f"recurrent_{number}": what for number in range(1, n_layers + 1)}

    @staticmethod
    def kernels_of(model: Any) -> dict[str, str]:
        """Return which kernel trains each recurrent layer of a ``keras.Model``, and why."""
        return {
            layer.name: str(layer.kernel_report())
            for layer in model._flatten_layers()
            if hasattr(layer, "kernel_report")
        }

    def shown(self, parts: Parts) -> Any:
        """Return series of the part that nothing was learned from, as the estimator takes them."""
        name = next((n for n in ("test", "validation") if getattr(parts, n) is not None), "train")
        return self._padded(parts, name)

    def _padded(self, parts: Parts, name: str) -> Any:
        """Return a part as models take it."""
        raise NotImplementedError

    def load_state(self, path: Path) -> Any:
        """Return the training state of a checkpoint."""
        from seqkit.training import TrainingState

        return TrainingState.load(path)


@contextlib.contextmanager
def refused(where: str, future: str | None = None) -> Iterator[None]:
    """Turn what an estimator says of data into a `DataError` that names their file.

    An estimator knows its arguments only, as "X", "data" and "future".

    Parameters
    ----------
    where : str
        File of the series.
    future : str, default=None
        File of the future covariates.
    """
    try:
        yield
    except (RecipeError, RunError):
        raise
    except (ValueError, TypeError) as error:
        text = str(error)
        if not text.startswith(where):
            argument = re.match(r"(?:(data|X|Sequence\w+|backtest)|future)(?=[,:])", text)
            file = where if argument is None or argument[1] else future or "--future"
            text = f"{file}: {text}" if argument is None else file + text[argument.end() :]
        raise DataError(text) from error


def shown_path(given: Any) -> str:
    """Return how the paths of a recipe are named in an error."""
    return given if isinstance(given, str) else ", ".join(map(str, given))
