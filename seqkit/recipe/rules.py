"""Rules between settings: combinations that contradict each other or leave one without effect.

A rule is a row: the settings it is about, when it holds, and the words for when it does not.
The same rows check a recipe (``train.patience``) and the arguments of an estimator
(``patience``); a rule is passed over where one of its settings is not part of what is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from seqkit.auto import AUTO
from seqkit.auto_networks import settings_of_network, stacks_of, values_of
from seqkit.cells import find_cell
from seqkit.data.embedded import DATASETS
from seqkit.network.settings import MOST_SEGMENTS
from seqkit.recipe.file_names import is_table
from seqkit.recipe.loss_rules import DISTRIBUTION, LOSS_RULES, QUANTILES
from seqkit.recipe.rule import Rule
from seqkit.recipe.sizes import (
    MOST_PARAMETERS,
    MOST_SAVED,
    head_size,
    one_length,
    saved_size,
    stack_size,
    steps_size,
)
from seqkit.stopping import REFIT, refit_of

__all__ = ["RULES", "broken_rules"]


def _layers(units: Any) -> list[int]:
    return list(units) if isinstance(units, (list, tuple)) else [units]


def _one_role(*roles: Any) -> bool:
    columns = [
        name for role in roles if role for name in ([role] if isinstance(role, str) else role)
    ]
    return len(columns) == len(set(columns))


def _of_several_layers(pyramid: Any, units: Any) -> bool:
    """Return whether every network with a pyramid is one."""
    given = {"pyramid": pyramid, "units": units}
    networks = range(max(len(_layers(pyramid)), len(stacks_of(units))))
    own = [settings_of_network(given, number) for number in networks]
    return all(one["pyramid"] in (1, AUTO) or len(_layers(one["units"])) > 1 for one in own)


def _fit_ensemble(name: str) -> Any:
    """Return what tells whether a setting has no more values than there are networks."""
    return lambda values, n: n == AUTO or len(values_of(name.removeprefix("model."), values)) <= n


def _share(value: Any) -> float:
    value, _ = refit_of(value)
    return value if isinstance(value, float) else 0.0


PATH, TEST_PATH, DATASET = "data.path", "data.test_path", "data.dataset"
VALIDATION, TEST, METHOD = "data.split.validation", "data.split.test", "data.split.method"
CONTEXT, HORIZON = "forecast.context_length", "forecast.horizon"
DECODER = "model.decoder"
PATCH, PYRAMID = "model.patch", "model.pyramid"
WINDOWS, STEP = "evaluate.backtest.windows", "evaluate.backtest.step"
DEPARTURE, SEASON = "model.departure_from", "evaluate.season"
COMBINATION = "model.combine_with"
BY_DATA = (CONTEXT, HORIZON, SEASON)
COUNTS = ("negative_binomial", "poisson")

STACK = ("model.units", "model.cell", "model.bidirectional", PATCH, "model.dense")
HEAD = (HORIZON, "model.units", "model.bidirectional", "model.dense", QUANTILES, "data.target",
        DECODER)  # fmt: skip


def _parameters(size: Callable[..., int]) -> Callable[..., str]:
    def words(*values: Any) -> str:
        number = size(*values)
        return f"{number} parameters, {number / 2.5e8:.1f} GB and four times as much in training"

    return words


RULES: tuple[Rule, ...] = (
    # data
    Rule(
        (PATH, DATASET),
        lambda path, dataset: path is not None or dataset is not None,
        "a file, or {dataset} the name of an embedded set",
        "Say which data to read.",
    ),
    Rule(
        (PATH, DATASET),
        lambda path, dataset: path is None or dataset is None,
        "absent when {dataset} is given",
        "Keep one of the two.",
    ),
    Rule(
        (DATASET, "task"),
        lambda dataset, task: dataset is None or DATASETS[dataset].task == task,
        "a data set for the {task} of this recipe",
        "`seqkit list datasets` names the task of each.",
    ),
    Rule(
        (TEST_PATH, PATH),
        lambda test_path, path: test_path is None or path is not None,
        "absent without {path}",
        "An embedded set has its own test part.",
    ),
    Rule(
        (TEST, TEST_PATH),
        lambda test, test_path: not test or test_path is None,
        "absent or 0 when {test_path} is given",
        "Keep one of the two.",
    ),
    Rule(
        (VALIDATION, TEST),
        lambda validation, test: _share(validation) + _share(test) < 1,
        "less than 1 together with {test}",
        "Leave something to train on.",
    ),
    Rule(
        (VALIDATION, "data.validation_path"),
        lambda share, path: path is None or share in (AUTO, REFIT),
        "auto or refit when {validation_path} is given",
        "Keep one of the two.",
    ),
    Rule(
        ("data.validation_path", TEST_PATH),
        lambda validation_path, test_path: validation_path is None or test_path is not None,
        "absent without {test_path}",
        "Give a file of each part, or none.",
    ),
    Rule(
        (METHOD, "data.group"),
        lambda method, group: method != "group" or group is not None,
        "another method unless {group} names a column",
        "Set {group}.",
    ),
    Rule(
        ("data.group", METHOD),
        lambda group, method: group is None or method == "group",
        "absent unless {method} is group",
        "Set {method}: group, or remove it.",
    ),
    Rule(  # features: only the tasks whose series are split as wholes have them
        (METHOD, "data.time", "data.features"),
        lambda method, time, features: method != "time" or time is not None,
        "another method unless {time} names a column",
        "Set {time}.",
    ),
    Rule(
        ("data.target", PATH, "data.label_from"),
        lambda target, path, label: target is not None or label is not None or not is_table(path),
        "a column's name when {path} is a table",
        "Name the column to learn.",
    ),
    Rule(
        ("data.label_from", "data.target"),
        lambda label, target: label is None or target is None,
        "absent when {target} is given",
        "Keep one of the two.",
    ),
    Rule(
        ("data.layout", "data.target", "data.past_covariates"),
        lambda layout, target, past: layout != "columns" or target is None,
        "long when {target} is given",
        "In the layout columns every column of numbers is a series to forecast.",
    ),
    Rule(
        ("data.series_id", "data.layout", "data.past_covariates"),
        lambda series_id, layout, past: layout != "files" or series_id in (None, "unique_id"),
        "left out when {layout} is files",
        "The names of the files are those of the series; where a column has them, leave {layout} "
        "out.",
    ),
    Rule(
        ("data.layout", PATH, "data.features"),
        lambda layout, path, features: layout is None or path is None or is_table(path),
        "absent for a file that is no table",
        "Remove it.",
    ),
    Rule(
        ("data.series_id", "data.layout", PATH, "data.label_from"),
        lambda series_id, layout, path, label: (
            series_id is not None or label is not None or layout != "long" or not is_table(path)
        ),
        "a column's name in the long layout",
        "Name the column that tells the series apart.",
    ),
    Rule(
        (
            "data.target",
            "data.series_id",
            "data.time",
            "data.past_covariates",
            "data.future_covariates",
            "data.static_covariates",
        ),
        _one_role,
        "a column with no second role",
        "Name every column once among target, series_id, time and the covariates.",
    ),
    Rule(
        ("data.target", "data.series_id", "data.time", "data.features"),
        _one_role,
        "a column with no second role",
        "Name every column once among target, series_id, time and features.",
    ),
    # model
    *(
        Rule(
            (f"model.{name}", "model.units"),
            lambda is_on, units: not is_on or units == AUTO or min(map(len, stacks_of(units))) > 1,
            "false for a single layer",
            "Give {units} a list of two or more widths.",
        )
        for name in ("residual", "layer_norm")
    ),
    Rule(
        (PYRAMID, "model.units", "model.residual"),
        lambda pyramid, units, residual: (
            set(_layers(pyramid)) <= {1, AUTO}
            or (not residual and (units == AUTO or _of_several_layers(pyramid, units)))
        ),
        "1 with a single recurrent layer, and with {residual}",
        "Leave it out, give {units} as a list of several widths, or leave {residual} out.",
    ),
    Rule(
        ("model.residual", "model.units"),
        lambda residual, units: (
            not residual or units == AUTO or all(len(set(one)) == 1 for one in stacks_of(units))
        ),
        "false for layers of different widths",
        "Give all of {units} the same width.",
    ),
    *(
        Rule(
            (f"model.{name}",),
            lambda given: all(map(one_length, _layers(given))),
            "one whose lists have the same length, that of layers",
            "Give one number for all layers, or a list with one for each.",
        )
        for name in ("stem", "branch")
    ),
    Rule(
        ("model.bias_initializer", "model.cell"),
        lambda bias, cell: (
            bias != "chrono" or "z" in find_cell(cell).gates or bool(find_cell(cell).forget_bias)
        ),
        "forget_one or zeros for a {cell} without a gate to forget by",
        "Use another {cell}, for example gru.",
    ),
    Rule(
        ("data.target", PATH, "model.embedding"),
        lambda target, path, embedding: target is not None,
        "a column's name, or next",
        "Say what to learn of each step.",
    ),
    Rule(
        ("model.bidirectional", "data.target", "model.embedding"),
        lambda bidirectional, target, embedding: bidirectional is not True or target != "next",
        "false or auto when {target} is next",
        "A backward direction would see the step that is asked.",
    ),
    Rule(
        ("model.mixture", "data.target"),
        lambda mixture, target: mixture is None or target == "next",
        "null unless {target} is next",
        "A mixture tells the numbers of the next step.",
    ),
    Rule(
        (PATCH, CONTEXT),
        lambda patch, context: context is None or patch is None or patch <= min(_layers(context)),
        "no longer than {context_length}",
        "Lower it.",
    ),
    Rule(
        (DECODER, PATCH),
        lambda decoder, patch: decoder != "segment" or patch is None or patch > 1,
        "direct or recursive when {patch} is 1",
        "Set {patch} to the length of a segment, for example 24.",
    ),
    Rule(  # without a patch it depends on the data, and the decoder says so
        (HORIZON, PATCH, DECODER),
        lambda horizon, patch, decoder: (
            decoder != "recursive" or patch is None or horizon <= MOST_SEGMENTS * patch
        ),
        f"at most {MOST_SEGMENTS} times {{patch}} when {{decoder}} is recursive",
        "Lower it, raise {patch}, or use another {decoder}.",
    ),
    Rule(
        ("model.bidirectional", DECODER),
        lambda bidirectional, decoder: not bidirectional or decoder != "segment",
        "false when {decoder} is segment",
        "It goes on from a forward state; use {decoder}: direct.",
    ),
    Rule(
        ("model.residual", DECODER),
        lambda residual, decoder: not residual or decoder != "segment",
        "false when {decoder} is segment",
        "Use {decoder}: direct.",
    ),
    Rule(
        ("model.dense", DECODER),
        lambda dense, decoder: not dense or decoder == "direct",
        "empty unless {decoder} is direct",
        "Remove it.",
    ),
    Rule(
        (DISTRIBUTION, DEPARTURE),
        lambda distribution, departure: distribution not in COUNTS or departure == "none",
        "normal or student_t when {departure_from} is set",
        "A departure may be negative, a count may not; set {departure_from}: none.",
    ),
    Rule(
        (DISTRIBUTION, COMBINATION),
        lambda distribution, combination: distribution not in COUNTS or combination != "theta",
        "normal or student_t when {combine_with} is theta",
        "The mean of a count is no place to move; set {combine_with}: none.",
    ),
    Rule(
        ("model.combination", COMBINATION),
        lambda share, combination: share == "equal" or combination != "none",
        "equal when {combine_with} is none",
        "There is nothing to combine; remove it, or set {combine_with}: theta.",
    ),
    Rule(
        (DISTRIBUTION, "model.target_transform"),
        lambda distribution, transform: distribution is None or transform == "none",
        "null when {target_transform} is log or box_cox",
        "Forecast quantiles, which stay what they are; or set {target_transform}: none.",
    ),
    Rule(
        (DISTRIBUTION, DECODER),
        lambda distribution, decoder: distribution not in COUNTS or decoder != "recursive",
        "normal or student_t when {decoder} is recursive",
        "Use {decoder}: direct or segment.",
    ),
    Rule(
        (VALIDATION, HORIZON),
        lambda validation, horizon: (
            not isinstance(share := refit_of(validation)[0], int) or share == 0 or share >= horizon
        ),
        "0 or at least {horizon}, or a fraction",
        "Raise it.",
    ),
    Rule(
        (DEPARTURE, SEASON),
        lambda departure, season: departure != "seasonal_naive" or season > 1,
        "none or last when {season} is 1",
        "Set {season} to the steps in a season.",
    ),
    Rule(
        (CONTEXT, SEASON, DEPARTURE),
        lambda context, season, departure: (
            departure != "seasonal_naive" or context is None or min(_layers(context)) >= season
        ),
        "at least {season} when {departure_from} is seasonal_naive",
        "The window must hold a whole season.",
    ),
    Rule(
        (CONTEXT, SEASON, DEPARTURE),
        lambda context, season, departure: (
            departure not in ("theta", "learned_theta")
            or season == 1
            or context is None
            or min(_layers(context)) >= 2 * season
        ),
        "at least twice {season} when {departure_from} is theta or learned_theta",
        "The window must hold two seasons.",
    ),
    # what no memory holds
    Rule(
        (*STACK, HORIZON),
        lambda *values: stack_size(*values[:-1]) <= MOST_PARAMETERS,
        f"small enough for a network of at most {MOST_PARAMETERS} parameters",
        "It would have {figure}. Lower {units}, {patch} or {dense}.",
        _parameters(lambda *values: stack_size(*values[:-1])),
    ),
    Rule(
        (*STACK, "model.overlap", PYRAMID),
        lambda *values: stack_size(*values) <= MOST_PARAMETERS,
        f"small enough for a network of at most {MOST_PARAMETERS} parameters",
        "It would have {figure}. Lower {units}, {patch}, {overlap} or {pyramid}.",
        _parameters(stack_size),
    ),
    Rule(
        HEAD,
        lambda *values: head_size(*values) <= MOST_PARAMETERS,
        f"small enough for a network of at most {MOST_PARAMETERS} parameters",
        "Its head would have {figure}. Lower it, or {units}, or use {decoder}: segment.",
        _parameters(head_size),
    ),
    Rule(
        (CONTEXT, "model.units", "model.bidirectional", PATCH),
        lambda *values: saved_size(*values) <= MOST_SAVED,
        f"small enough for {MOST_SAVED // 10**9} GB of states a window in training",
        "There would be {figure}. Lower it, or raise {patch}.",
        lambda *values: f"{saved_size(*values) / 1e9:.0f} GB",
    ),
    Rule(
        (*STACK[:3], "model.dense", "model.embedding"),
        lambda *values: steps_size(*values) <= MOST_PARAMETERS,
        f"small enough for a network of at most {MOST_PARAMETERS} parameters",
        "It would have {figure}. Lower {units} or {dense}.",
        _parameters(steps_size),
    ),
    # ensembles
    *(
        Rule(
            (name, "train.ensemble"),
            _fit_ensemble(name),
            "one value, or no longer a list than {ensemble}",
            "Raise {ensemble}, or leave it out: a list has a value for each network.",
        )
        for name in (PATCH, "model.overlap", PYRAMID, "model.stem", "model.branch", "model.units")
    ),
    # training and forecast
    Rule(
        ("train.freeze", "train.start"),
        lambda freeze, start: not freeze or start is not None,
        "empty without {start}",
        "Weights that are drawn at random are there to be trained.",
    ),
    Rule(
        ("train.augment", "model.normalize"),
        lambda augment, normalize: normalize == "none" or not (augment or {}).get("scaling"),
        "without scaling where {normalize} is series",
        "What scaling does to a series, its own statistics undo.",
    ),
    Rule(
        ("train.patience", VALIDATION),
        lambda patience, validation: patience in (0, AUTO) or refit_of(validation)[0] != 0,
        "0 when {validation} is 0",
        "Set {patience} to 0, or {validation} above 0.",
    ),
    Rule(
        ("train.patience", VALIDATION),
        lambda patience, validation: patience != 0 or not refit_of(validation)[1],
        "auto or above 0 when {validation} is refit",
        "refit trains anew for as long as training was not stopped.",
    ),
    Rule(
        ("train.optimizer",),
        lambda optimizer: (
            not isinstance(optimizer, Mapping)
            or not optimizer.get("nesterov")
            or optimizer.get("momentum", 0) > 0
        ),
        "one with a momentum above 0 where nesterov is true",
        "Set momentum, for example to 0.9.",
    ),
    *LOSS_RULES,
    Rule(
        (CONTEXT, "train.ensemble"),
        lambda context, ensemble: ensemble == 1 or len(_layers(context)) <= ensemble,
        "one number, or no longer a list than {ensemble}",
        "Raise {ensemble}, or leave it out: a list is an ensemble.",
    ),
    Rule(
        (TEST, HORIZON, WINDOWS, STEP),
        lambda test, horizon, windows, step: (
            not isinstance(test, int)
            or test == 0
            or test >= horizon + ((windows or 1) - 1) * (step or horizon)
        ),
        "at least {horizon} + ({windows} - 1) * {step}, which the backtest needs",
        "Raise it, or lower {windows}.",
    ),
)


def broken_rules(values: Mapping[str, Any]) -> Iterator[tuple[Rule, str]]:
    """Yield every rule that the values break, and its figure.

    Parameters
    ----------
    values : mapping of str to object
        Settings by dotted path, defaults filled in; those with an error of their own left out.
    """
    for rule in RULES:
        try:
            arguments = [values[path] for path in rule.of]
        except KeyError:
            continue
        # what the data decide is checked once they have
        if any(path in BY_DATA and values[path] == AUTO for path in rule.of):
            continue
        if not rule.holds(*arguments):
            yield rule, rule.figure(*arguments) if rule.figure else ""
