"""What a recipe says of convolutions before and beside the recurrent layers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import MaxLen, MinLen

from seqkit.convolutions import BRANCHES, FCN, OPTIONS, STEM
from seqkit.recipe.types import (
    LAYERS,
    MapOf,
    OneOf,
    Section,
    Widths,
    Words,
    count,
    listing,
    setting,
)

__all__ = ["Branches", "Stems"]

Kernel = count(4096)
Kernels = Annotated[
    Kernel | Annotated[list[Kernel], MinLen(1), MaxLen(LAYERS)],  # type: ignore[valid-type]
    Words("a positive integer or a list of them"),
]


class StemOptions(Section):
    """Convolutions before the recurrent layers."""

    filters: Widths = setting(STEM["filters"], "Width of each layer; one number for all.")
    kernel_size: Kernels = setting(STEM["kernel_size"], "Steps that an output sees.", "steps")
    stride: Kernels = setting(STEM["stride"], "Steps from one output to the next.", "steps")
    layers: count(LAYERS) | None = setting(  # type: ignore[valid-type]
        None, "How many there are; default: as many as the lists have."
    )
    pooling: Literal["none", "mean", "max", "mean_max"] = setting(
        STEM["pooling"],
        "How their steps become a vector that the head reads beside that of the recurrent layers.",
    )


class BranchOptions(StemOptions):
    """Convolutions beside the recurrent layers."""

    filters: Widths = setting(FCN["filters"], "Width of each layer; one number for all.")
    kernel_size: Kernels = setting(FCN["kernel_size"], "Steps that an output sees.", "steps")
    pooling: Literal["mean", "max", "mean_max"] = setting(
        FCN["pooling"], "How their steps become a vector that the head reads."
    )


_STEM = Annotated[dict[str, Any], MapOf(StemOptions)]
_BRANCH = Annotated[str, OneOf(BRANCHES)] | Annotated[dict[str, Any], MapOf(BranchOptions)]
Stems = Annotated[
    _STEM | Annotated[list[_STEM | None], MinLen(1), MaxLen(1000)],
    Words(f"a map of {listing(OPTIONS, 'and')}"),
]
Branches = Annotated[
    _BRANCH | Annotated[list[_BRANCH | None], MinLen(1), MaxLen(1000)],
    Words(f"{listing(BRANCHES)}, a map of {listing(OPTIONS, 'and')}"),
]
