"""Whatever a recipe is made of, it is read or refused: quickly, in one error, with its place."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest
from click.testing import CliRunner

from seqkit.cli import cli
from seqkit.errors import RecipeError, explain, printable, shown, suggest
from seqkit.recipe.reading import SHOWN, read_recipe
from seqkit.recipe.schema import validate_parameters

CLASSIFY = "task: classification\ndata: {dataset: gunpoint}\n"
DIGITS = "9" * 5000

# What is written, and a part of the error with its place.
TEXTS = {
    "a null key": (CLASSIFY + "null: 1\n", ":3:1: a key must be a plain word, not null."),
    "an empty key": (CLASSIFY + ": 1\n", ":3:1: a key must be a plain word, not null."),
    "a list for a key": (CLASSIFY + "[1, 2]: 3\n", ":3:1: a key must be a plain word, not a list"),
    "a map for a key": (CLASSIFY + "? {a: 1}\n: 3\n", ":3:3: a key must be a plain word, not a"),
    "no number for a key": (CLASSIFY + ".nan: 3\n", ":3:1: a key must be a word or a finite"),
    "a number for a key": (CLASSIFY + "1.5: 3\n", ":3:1: unknown field '1.5'"),
    "a long integer": (CLASSIFY + f"seed: {DIGITS}\n", ":3:7: a number must have at most 100"),
    "a long hexadecimal": (CLASSIFY + f"seed: 0x{DIGITS}\n", ":3:7: a number must have at most"),
    "a long fraction": (CLASSIFY + f"seed: 0.{DIGITS}\n", ":3:7: a number must have at most"),
    "lists in lists": (CLASSIFY + f"a: {'[' * 1500}\n", ":3:23: lists and maps in more than 20"),
    "maps in maps": ("{a: " * 3000, ":1:81: lists and maps in more than 20"),
    "dashes": ("- " * 3000, ":1:41: lists and maps in more than 20"),
    "depth by aliases": (
        "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 50)),
        ":20:12: lists and maps in more than 20",
    ),
    "laughs": (
        "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)),
        "more than 10000 values",
    ),
    "an alias of nothing": (CLASSIFY + "a: *b\n", ":3:4: not valid YAML: found undefined alias"),
    "half a character": (CLASSIFY + 'a: "\\ud800"\n', ":3:4: text must not hold half a character"),
    "NUL, escaped": (CLASSIFY + 'a: "\\0"\n', ":3:4: text must not hold a NUL character"),
    "NUL": (CLASSIFY + "a: b\0c\n", ":3:5: not valid YAML: character #x0000"),
    "a control character": (CLASSIFY + "a: \x1b[31m\n", ":3:4: not valid YAML: character #x001b"),
    "no character": (CLASSIFY + 'a: "\\UFFFFFFFF"\n', ":3:1: not valid YAML after this place"),
    "a large flat list": (CLASSIFY + f"a: [{'1,' * 100_000}]\n", "more than 10000 values"),
    "too many characters": (CLASSIFY + "#" * 300_000, ":1:1: more than 262144 characters"),
    "many megabytes": (CLASSIFY + "#" * 5_000_000, ":1:1: more than 262144 characters"),
    "a tag that does not fit": (CLASSIFY + "a: !!int b\n", ":3:4: tag '!!int' does not fit"),
    "another version": ("%YAML 1.1\n---\n" + CLASSIFY, ":1:1: a recipe is YAML 1.2"),
    "extends with NUL": ('extends: "a\\0b"\n', ":1:10: text must not hold a NUL character"),
    "extends of a device": ("extends: /dev/zero\n", ":1:10: extends names /dev/zero, which is not"),
    "extends of a folder": ("extends: .\n", ":1:10: extends names "),
    "extends of a long name": (f"extends: {'x' * 3000}\n", ":1:10: extends names "),
    "extends of a deep path": (f"extends: {'../' * 1300}x\n", ":1:10: extends names "),
    "wide": (CLASSIFY + "model: {units: 100000}\n", "got 100000. It may be at most 4096."),
    "wider": (CLASSIFY + "model: {units: 1e30}\n", ":3:16: model.units must be a positive integer"),
    "high": (CLASSIFY + f"model: {{units: [{'8,' * 33}]}}\n", "It may have at most 32 items."),
    "heavy": (CLASSIFY + f"model: {{units: [{'4096,' * 32}]}}\n", "9463160832 parameters, 37.9 GB"),
    "many epochs": (CLASSIFY + "train: {epochs: 10000000}\n", "It may be at most 1000000."),
    "a steep step": (CLASSIFY + "train: {learning_rate: 1e39}\n", "It may be at most 1e+38."),
    "no step": (CLASSIFY + "train: {learning_rate: 1e-40}\n", "It may be no smaller than 1e-30."),
    "a long word": (CLASSIFY + f"model: {{cell: {'x' * 200_000}}}\n", "model.cell must be one of"),
    "a long key": (CLASSIFY + f"model: {{? {'x' * 200_000} : 1}}\n", ":3:11: unknown field"),
    "a long path": ("task: classification\ndata: {path: " + "x" * 5000 + "}\n", "at most 4096 c"),
}  # fmt: skip


@pytest.mark.parametrize("kind", TEXTS)
def test_text_is_refused_at_its_place(kind, tmp_path):
    text, expected = TEXTS[kind]
    file = tmp_path / "recipe.yaml"
    file.write_bytes(text.encode())
    begun = time.process_time()
    with pytest.raises(RecipeError) as caught:
        read_recipe(file)
    assert time.process_time() - begun < 5  # a bound against hanging; it takes less than one
    message = str(caught.value)
    assert expected in message
    assert message.startswith(f"{file}:")
    assert len(message) < 8000
    assert message.replace("\n", "").isprintable()


BYTES = {
    "UTF-16": ("task: x".encode("utf-16"), ":1:1: not a text in UTF-8 but in UTF-16. Save it as"),
    "Latin-1": (b"task: a\n# caf\xe9\n", ":2:6: not a text in UTF-8 (byte #xe9). Save"),
    "half a surrogate": (b"a: \xed\xa0\x80\n", ":1:4: not a text in UTF-8 (byte #xed)."),
}  # fmt: skip


@pytest.mark.parametrize("kind", BYTES)
def test_bytes_are_refused_at_their_place(kind, tmp_path):
    content, expected = BYTES[kind]
    file = tmp_path / "recipe.yaml"
    file.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        read_recipe(file)
    assert str(caught.value).startswith(f"{file}{expected}")


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + CLASSIFY.replace("\n", "\r\n").encode())
    assert read_recipe(file).recipe.data.dataset == "gunpoint"
    file.write_bytes(b"\xef\xbb\xbf" + (CLASSIFY + "seed: x\n").replace("\n", "\r\n").encode())
    with pytest.raises(RecipeError, match=r"recipe\.yaml:3:7: seed must be"):
        read_recipe(file)


def test_json_with_surrogate_pairs_is_a_recipe(tmp_path):
    file = tmp_path / "recipe.yaml"
    recipe = {"task": "regression", "data": {"path": "a.csv", "target": "\U0001f600"}}
    file.write_text(json.dumps(recipe))
    assert read_recipe(file).recipe.data.target == "\U0001f600"


def test_what_is_no_file_is_not_waited_for(tmp_path):
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for name in (pipe, "/dev/zero", "/dev/null"):
        with pytest.raises(RecipeError, match="cannot be read: it is no regular file"):
            read_recipe(name)
    for name in ("a\0b", "x" * 5000, tmp_path / ("y" * 300)):
        with pytest.raises(RecipeError, match=r"no such file|cannot be read: File name too long"):
            read_recipe(name)


def test_chain_of_recipes_has_an_end(tmp_path):
    for i in range(30):
        (tmp_path / f"{i}.yaml").write_text(f"extends: {i + 1}.yaml\n")
    (tmp_path / "30.yaml").write_text(CLASSIFY)
    with pytest.raises(RecipeError, match=r"20\.yaml:1:10: extends goes on for more than 20"):
        read_recipe(tmp_path / "0.yaml")
    assert read_recipe(tmp_path / "20.yaml").recipe.task == "classification"


def test_first_errors_are_shown_and_the_others_counted(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(CLASSIFY + "".join(f"k{i}: 1\n" for i in range(70)))
    with pytest.raises(RecipeError) as caught:
        read_recipe(file)
    assert len(caught.value.messages) == SHOWN + 1
    assert caught.value.messages[-1] == f"{70 - SHOWN} more errors are not shown."


def deep() -> dict:
    value: dict = {}
    for _ in range(5000):
        value = {"a": value}
    return value


def circle() -> list:
    value: list = []
    value.extend([value] * 50)
    return value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({None: 1}, "a key must be a plain word, not null"),
        ({(1, 2): 1}, "a key must be a plain word, not"),
        ({b"a": 1}, "a key must be a plain word, not b'a'"),
        ({10**5000: 1}, "a number must have at most 100"),
        ({"seed": 10**5000}, "a number must have at most 100"),
        ({"seed": float("nan")}, "seed must be an integer from 0 to 4294967295; got .nan."),
        ({"seed": b"1" * 3000}, "seed must be an integer"),
        ({"seed": object()}, "seed must be an integer"),
        ({"a": "\ud800"}, "half a character"),
        ({"a": deep()}, "lists and maps in more than 20 others"),
        ({"a": circle()}, "lists and maps in more than 20 others"),
        ({"a": [1] * 10**6}, "more than 10000 values"),
        ({"a": np.zeros(10**6)}, "unknown field 'a'"),
        ({"a": "x" * 10**6}, "more than 262144 characters"),
        ({"model": {1: 2, "units": 0}}, "recipe: unknown field 'model.1'\nrecipe: model.units"),
    ],
)
def test_settings_from_python_are_bounded_too(change, message):
    with pytest.raises(RecipeError) as caught:
        read_recipe({"task": "classification", "data": {"dataset": "gunpoint"}, **change})
    assert message in str(caught.value)
    assert len(str(caught.value)) < 3000


def test_numpy_stands_for_numbers_and_lists():
    model = {"units": np.array([8, 8]), "dropout": np.float64(0.5), "cell": np.str_("gru")}
    data = {"dataset": "gunpoint"}
    resolved = read_recipe({"task": "classification", "data": data, "seed": np.int64(3),
                            "model": model})  # fmt: skip
    assert resolved.recipe.seed == 3
    assert resolved.recipe.model.units == [8, 8]
    assert "cell: gru\n" in resolved.dump()


@pytest.mark.parametrize(
    "override",
    [f"seed={DIGITS}", "a" + ".b" * 1000 + "=1", "a=" + "[" * 2000, "a=\0", "a=\ud800", "a\0=1",
     "null=1", f"a={'x' * 300_000}", "seed={null: 1}", f"{'x' * 9000}", "data=*a"],
)  # fmt: skip
def test_overrides_are_bounded_too(override, tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(CLASSIFY)
    with pytest.raises(RecipeError) as caught:
        read_recipe(file, [override])
    assert str(caught.value).startswith("--set")
    assert len(str(caught.value)) < 2000
    assert str(caught.value).isprintable()


def test_estimators_have_the_same_bounds():
    with pytest.raises(ValueError, match=r"got 100000\. It may be at most 4096\."):
        validate_parameters("Owner", "classification", {"units": 100_000})
    with pytest.raises(ValueError, match="units must be a positive integer, a list of them"):
        validate_parameters("Owner", "classification", {"units": circle()})
    size = {"units": [4096] * 32, "cell": "lstm", "bidirectional": False, "patch": 1, "dense": []}
    size |= {"overlap": 0, "pyramid": 1}
    with pytest.raises(ValueError, match=r"It would have 4228399104 parameters, 16\.9 GB"):
        validate_parameters("Owner", "classification", size)


@pytest.mark.parametrize("kind", ["a null key", "a long integer", "NUL", "heavy", "lists in lists"])
@pytest.mark.parametrize("command", ["check", "fit"])
def test_command_ends_with_one_message(command, kind, tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(TEXTS[kind][0])
    result = CliRunner().invoke(cli, [command, str(file)])
    assert result.exit_code == 2
    assert TEXTS[kind][1] in result.output
    assert "Traceback" not in result.output


def test_values_in_messages_are_short_and_on_one_line():
    assert shown([1, "a"]) == "[1, 'a']"
    assert shown(10**5000) == "a value of type int"
    for value in ("x" * 10**6, ["x" * 10**6] * 3, [1] * 10**6, {"a": deep()}, circle(), deep()):
        assert len(shown(value)) <= 200
    assert "\n" not in explain("a", "b", "c", np.zeros((3, 3)))
    assert printable("a\x1b\ud800\n") == "a\\x1b\\ud800\\n"
    assert suggest("x" * 10**6, ["x" * 10**6]) == ""
