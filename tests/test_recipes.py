from __future__ import annotations

import pytest
from conftest import ROOT

from seqkit.recipe.reading import read_recipe

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
EMBEDDED = {"airline", "gunpoint", "japanese_vowels"}


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_recipe_is_valid_and_says_where_its_data_come_from(file):
    resolved = read_recipe(file)
    assert resolved.text.startswith("# yaml-language-server: $schema=recipe.schema.json\n")
    assert f"seqkit fit recipes/{file.name}" in resolved.text
    if file.stem in EMBEDDED:
        assert resolved.recipe.data.dataset == file.stem
    else:
        assert "# Get " in resolved.text
        assert resolved.recipe.data.path.startswith(str(ROOT / "recipes/data"))


def test_every_recipe_of_the_first_issue_is_there():
    assert {file.stem for file in RECIPES} >= EMBEDDED | {
        "air_quality", "bearing_faults", "electricity_transformer", "engine_life",
    }  # fmt: skip
