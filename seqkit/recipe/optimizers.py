"""Optimizers in a recipe: a name, or a map of a name and options; each option stated once.

What they compute stands in :data:`seqkit.training.optimizers.UPDATE_RULES`; a test compares names,
options and defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Gt, Interval, Le
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from seqkit.recipe.types import OneOf, Positive, Rate, Section, Switch, Words, listing, setting

__all__ = ["OPTIMIZERS", "AnyOptimizer", "Variants"]

# nearer to 1 there are no digits left in float32 for what Adam divides by, 1 - beta ** t
Beta = Annotated[float, Gt(0), Le(0.999999), Words("a number between 0 and 1")]
Decay = Annotated[float, Interval(ge=0, le=1e30), Words("a number of 0 or more")]

_DECAY = "Share of every weight taken away at each step, times the learning rate; null = none."
_MOMENTUM = "Share of the last step that is taken again."
_EPSILON = "Added to what a step is divided by."
_FIRST = "Decay of the mean of the gradients."
_SECOND = "Decay of the mean of their squares."


class Options(Section):
    """Options that every optimizer has."""

    weight_decay: Decay | None = setting(None, _DECAY)


class Adam(Options):
    """Adam (Kingma and Ba 2015)."""

    name: Literal["adam"] = setting(..., "Which optimizer.")
    beta_1: Beta = setting(0.9, _FIRST)
    beta_2: Beta = setting(0.999, _SECOND)
    epsilon: Positive = setting(1e-7, _EPSILON)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    name: Literal["adamw"] = setting(..., "Which optimizer.")  # type: ignore[assignment]
    weight_decay: Decay | None = setting(0.004, _DECAY)


class Nadam(Adam):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    name: Literal["nadam"] = setting(..., "Which optimizer.")  # type: ignore[assignment]


class RMSprop(Options):
    """Gradients by their root mean square (Tieleman and Hinton 2012)."""

    name: Literal["rmsprop"] = setting(..., "Which optimizer.")
    rho: Beta = setting(0.9, "Decay of the mean of the squared gradients.")
    momentum: Rate = setting(0.0, _MOMENTUM)
    epsilon: Positive = setting(1e-7, _EPSILON)
    centered: Switch = setting(False, "Divide by the standard deviation instead (Graves 2013).")


class SGD(Options):
    """Plain descent, or with momentum (Polyak 1964)."""

    name: Literal["sgd"] = setting(..., "Which optimizer.")
    momentum: Rate = setting(0.0, _MOMENTUM)
    nesterov: Switch = setting(False, "Nesterov's momentum (Sutskever et al. 2013).")


class Lion(Options):
    """Steps of one size, by the sign of the momentum (Chen et al. 2023)."""

    name: Literal["lion"] = setting(..., "Which optimizer.")
    beta_1: Beta = setting(0.9, "Share of the mean in the sign of a step.")
    beta_2: Beta = setting(0.99, _FIRST)


OPTIMIZERS: dict[str, type[Section]] = {
    "adam": Adam,
    "adamw": AdamW,
    "nadam": Nadam,
    "rmsprop": RMSprop,
    "sgd": SGD,
    "lion": Lion,
}
"""The options of each optimizer, by name."""


@dataclass(frozen=True)
class Variants:
    """Annotation of a map that says by `name` which settings it may have; it stays a dict."""

    kinds: tuple[tuple[str, type[Section]], ...]

    def kind(self, name: Any) -> type[Section] | None:
        """Return the settings that go with a name."""
        return dict(self.kinds).get(name) if isinstance(name, str) else None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        choices = {name: handler.generate_schema(kind) for name, kind in self.kinds}
        return core_schema.no_info_after_validator_function(
            lambda made: {"name": made.name, **made.model_dump(exclude_unset=True)},
            core_schema.tagged_union_schema(choices, discriminator="name"),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )


AnyOptimizer = Annotated[
    Annotated[str, OneOf(OPTIMIZERS)]
    | Annotated[dict[str, Any], Variants(tuple(OPTIMIZERS.items()))],
    Words(f"{listing(OPTIMIZERS)}, or a map of such a name and its options"),
]
"""The type of ``train.optimizer``."""
