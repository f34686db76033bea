"""What a recipe says of the fit that it begins from."""

from __future__ import annotations

from typing import Annotated

from annotated_types import MaxLen, MinLen

from seqkit.recipe.types import LETTERS, Words

__all__ = ["FREEZE", "START", "LayerName", "Origin"]

Origin = Annotated[
    str, MinLen(1), MaxLen(LETTERS), Words("a run folder or that of a saved estimator")
]
LayerName = Annotated[str, MinLen(1), MaxLen(LETTERS), Words("the name of a layer")]
START = (
    "Fit whose weights training begins from: all of equal layers are taken, with their scaling; "
    "what differs, such as the head for other classes, begins anew and is named. Settings of the "
    "network that are auto stay as in that fit. null = weights are drawn."
)
FREEZE = (
    "Layers of the start that are not trained: encoder = all up to the last recurrent or "
    "convolutional one, head = those after it, or names as --dry-run shows them. Batch "
    "normalisation in them keeps its averages."
)
