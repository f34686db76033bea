"""Model cards: read by Hugging Face's own reader, complete, and safe with any name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import ModelCard

from seqkit import run

RNG = np.random.default_rng(0)
ODD = "<script>alert(1)</script>|`x`"


@pytest.fixture(scope="module")
def classified(tmp_path_factory):
    folder = tmp_path_factory.mktemp("card")
    rows = [
        {"id": f"s{i}", "t": t, "x": RNG.normal() + i % 2, "label": (ODD, "calm")[i % 2]}
        for i in range(24)
        for t in range(8)
    ]
    pd.DataFrame(rows).to_csv(folder / "odd |name|.csv", index=False)
    document = {
        "version": 1,
        "task": "classification",
        "data": {"path": str(folder / "odd |name|.csv"), "series_id": "id", "time": "t",
                 "target": "label"},
        "model": {"units": 3, "stem": None},
        "train": {"epochs": 2},
        "export": ["keras"],
    }  # fmt: skip
    return Path(run(document, out=folder / "runs").document["run"])


def test_hugging_face_reads_the_metadata(classified):
    card = ModelCard.load(classified / "MODEL_CARD.md")
    scores = json.loads((classified / "metrics.json").read_text())["parts"]["test"]["model"]
    assert card.data.library_name == "seqkit"
    found = {one.metric_type: one.metric_value for one in card.data.eval_results}
    for name, value in scores.items():
        assert found[name] == pytest.approx(value, rel=1e-5)


def test_it_says_what_the_run_says(classified):
    text = (classified / "MODEL_CARD.md").read_text()
    record = json.loads((classified / "run.json").read_text())
    recipe = (classified / "recipe.resolved.yaml").read_text().strip()
    for digest in record["data"].values():
        assert digest in text
    assert recipe in text
    assert "keras.saving.load_model('export/keras.keras')" in text
    assert record["exports"]["keras"]["verified"]["relative"] <= 1e-5
    for package, version in record["versions"].items():
        assert f"{package} {version}" in text
    for section in ("Uses", "Bias, risks and limitations", "Training details", "Evaluation",
                    "How to get started with the model", "Environmental impact"):  # fmt: skip
        assert f"## {section}" in text


def test_names_of_the_data_are_no_markup(classified):
    """Outside of code, nothing of the user's opens a tag, a cell or a code span."""
    text = (classified / "MODEL_CARD.md").read_text()
    _, _, body = text.split("---\n", 2)  # the block of metadata is YAML
    prose = re.sub(r"```.*?```", "", body, flags=re.DOTALL)
    assert "odd |name|" not in prose
    assert r"odd \|name\|" in prose
    assert "<script>" not in prose


def test_a_run_resumed_has_its_card(classified):
    record = json.loads((classified / "run.json").read_text())
    assert "MODEL_CARD.md" in record["files"]
