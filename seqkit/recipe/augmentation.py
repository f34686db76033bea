"""What a recipe says of how series are varied while they are trained on."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Gt, Interval, Le

from seqkit.recipe.types import MILLION, MapOf, Section, Words, setting

__all__ = ["SERIES_AUGMENT", "STEPS_AUGMENT", "SeriesAugment", "StepsAugment"]

Spread = Annotated[float, Interval(ge=0, le=MILLION), Words("a number of 0 or more")]


class StepsVaried(Section):
    """What becomes of series of labelled steps while they are trained on."""

    jitter: Spread = setting(0.0, "Standard deviation of the noise added to every scaled value.")
    scaling: Spread = setting(
        0.0, "Standard deviation, around 1, of the factor of each scaled feature of a series."
    )


class SeriesVaried(StepsVaried):
    """What becomes of series while they are trained on."""

    crop: Annotated[float, Gt(0), Le(1), Words("a number above 0, 1 at most")] = setting(
        1.0, "Least share of a series that is cut out and stretched to its length."
    )


StepsAugment = Annotated[dict[str, Any], MapOf(StepsVaried), Words("a map of jitter and scaling")]
SeriesAugment = Annotated[
    dict[str, Any], MapOf(SeriesVaried), Words("a map of jitter, scaling and crop")
]
STEPS_AUGMENT = (
    "Vary series in training, anew in every epoch: jitter = the spread of noise added to every "
    "value, scaling = that of a factor around 1 for each feature of a series, both of scaled "
    "values (Um et al. 2017)"
)
SERIES_AUGMENT = (
    f"{STEPS_AUGMENT}; crop = the least share of a series that is cut out and stretched to its "
    "length (Le Guennec et al. 2016). {jitter: 0.03, scaling: 0.1, crop: 0.9} is usual; shift "
    "moves them. null = as they are."
)
STEPS_AUGMENT += ". Of numbers only; null = as they are."
