"""What is done to run folders: each a function of the folder, a generator and another folder.

Files are rewritten in place. `CANARY` is a module that would leave a trace if anything were run.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import random
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from safetensors.numpy import load, save

CANARY = "seqkit_canary"
Tamper = Callable[[Path, random.Random, Path], None]
ANY: dict[str, Tamper] = {}
"""Of folders of every format."""
NEW: dict[str, Tamper] = {}
"""Of weights.safetensors."""
OLD: dict[str, Tamper] = {}
"""Of model.keras."""
HARMLESS = {"a file nobody reads", "an export added", "a plot as a link"}
"""What changes no answer and may be let pass."""


def of(table: dict[str, Tamper], name: str) -> Callable[[Tamper], Tamper]:
    def add(function: Tamper) -> Tamper:
        table[name] = function
        return function

    return add


def weights_of(run: Path) -> Path:
    new = run / "weights.safetensors"
    return new if new.exists() else run / "model.keras"


def read_files(run: Path) -> list[Path]:
    names = ["run.json", "model.json", "recipe.resolved.yaml", "network.json"]
    return [*(run / name for name in names if (run / name).exists()), weights_of(run)]


def sign(run: Path) -> None:
    """Recompute the digests, as somebody would who knows of them."""
    if any(file.is_file() and file.stat().st_size > 1 << 28 for file in run.rglob("*")):
        raise ValueError("too large to be signed")
    if not (run / "run.json").is_file():
        raise ValueError("nothing to sign in")  # a pipe would never end
    record = json.loads((run / "run.json").read_text())
    for name in record["files"]:
        if (run / name).is_file():
            record["files"][name] = hashlib.sha256((run / name).read_bytes()).hexdigest()
    (run / "run.json").write_text(json.dumps(record))


# -- bytes ------------------------------------------------------------------------------------


@of(ANY, "bytes flipped")
def _flip(run: Path, rng: random.Random, other: Path) -> None:
    file = rng.choice(read_files(run)[1:])
    content = bytearray(file.read_bytes())
    for _ in range(rng.choice([1, 1, 8, 200])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)


@of(ANY, "run.json: bytes flipped")
def _flip_record(run: Path, rng: random.Random, other: Path) -> None:
    content = bytearray((run / "run.json").read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    (run / "run.json").write_bytes(content)


@of(ANY, "cut off")
def _cut(run: Path, rng: random.Random, other: Path) -> None:
    file = rng.choice(read_files(run))
    content = file.read_bytes()
    file.write_bytes(content[: rng.choice([0, 1, 8, len(content) // 2, len(content) - 1])])


@of(ANY, "bytes added")
def _add(run: Path, rng: random.Random, other: Path) -> None:
    file = rng.choice(read_files(run)[1:])
    file.write_bytes(file.read_bytes() + rng.randbytes(rng.choice([1, 1000])))


@of(ANY, "another run's file")
def _swap(run: Path, rng: random.Random, other: Path) -> None:
    names = ["model.json", "recipe.resolved.yaml"]
    if weights_of(run).name == weights_of(other).name:
        names.append(weights_of(run).name)
    for name in rng.sample(names, rng.randint(1, len(names) - 1)):
        shutil.copy(other / name, run / name)


@of(ANY, "a file missing, or no file")
def _no_file(run: Path, rng: random.Random, other: Path) -> None:
    file = rng.choice(read_files(run))
    file.unlink()
    match rng.randrange(4):
        case 0:
            file.mkdir()
        case 1:
            os.mkfifo(file)
        case 2:
            file.symlink_to(rng.choice(["/etc/passwd", "/dev/zero", "/dev/stdin", "nowhere"]))


@of(ANY, "a link to a copy")
def _link(run: Path, rng: random.Random, other: Path) -> None:
    file = rng.choice(read_files(run)[1:])
    outside = run.parent / "outside"
    shutil.move(file, outside)
    file.symlink_to(outside)


@of(ANY, "a file of terabytes")
def _sparse(run: Path, rng: random.Random, other: Path) -> None:
    with rng.choice(read_files(run)).open("r+b") as file:
        file.truncate(1 << rng.choice([33, 40]))


@of(ANY, "an export added")
def _export(run: Path, rng: random.Random, other: Path) -> None:
    (run / "export").mkdir(exist_ok=True)
    (run / "export" / "model.pickle").write_bytes(b"cos\nsystem\n(S'touch /tmp/x'\ntR.")


@of(ANY, "a file nobody reads")
def _unread(run: Path, rng: random.Random, other: Path) -> None:
    (run / rng.choice(["log.txt", "report.html", "metrics.json", "notes"])).write_bytes(b"\xff")


@of(ANY, "a plot as a link")
def _plot(run: Path, rng: random.Random, other: Path) -> None:
    (run / "plots").mkdir(exist_ok=True)
    (run / "plots" / "x.svg").symlink_to("/etc/passwd")


# -- JSON -------------------------------------------------------------------------------------

JUNK: list[Any] = [
    None, True, 0, -1, 1.5, 10**6, 10**30, -(10**12), "", "x", "../../etc/passwd", [], {}, [[]],
    [1, 2, 3], {"$array": [1, 2], "dtype": "float64"}, {"$array": [1], "dtype": "O"},
    {"$tuple": ["x"]}, {"$scalar": 1, "dtype": "int64"}, {"$tensor": "fitted/0", "dtype": "int8"},
    {"$dict": [[1, 2]]}, {"$pickle": "x"}, {"__class__": "x"}, "\ud800", "\0", 1e308,
]  # fmt: skip


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, one in inner:
        found.append((*path, key))
        if isinstance(one, (dict, list)):
            found += leaves(one, (*path, key))
    return found


def put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


def edit(run: Path, change: Callable[[Any], Any], name: str = "model.json") -> None:
    value = json.loads((run / name).read_text())
    change(value)
    (run / name).write_text(json.dumps(value))


@of(ANY, "model.json: a value of another kind")
def _junk(run: Path, rng: random.Random, other: Path) -> None:
    def change(value: Any) -> None:
        for _ in range(rng.choice([1, 1, 3])):
            put(value, rng.choice(leaves(value)), rng.choice(JUNK))

    edit(run, change)


@of(ANY, "run.json: a value of another kind")
def _junk_record(run: Path, rng: random.Random, other: Path) -> None:
    edit(run, lambda value: put(value, rng.choice(leaves(value)), rng.choice(JUNK)), "run.json")


@of(ANY, "run.json: another format or status")
def _format(run: Path, rng: random.Random, other: Path) -> None:
    name, value = rng.choice(
        [("format", f) for f in (0, 1, 2, 3, -1, 1.0, True, "2", None, [2])]
        + [("status", s) for s in ("running", "failed", 1, None, "x" * 100_000, {})]
        + [("files", f) for f in ({}, [], None, {"model.json": 1}, {"model.json": "0" * 64})]
    )
    edit(run, lambda record: record.__setitem__(name, value), "run.json")


@of(ANY, "model.json: a field gone, or one too many")
def _fields(run: Path, rng: random.Random, other: Path) -> None:
    def change(value: Any) -> None:
        part = rng.choice([value, value["fitted"], value["parameters"], value["columns"]])
        name = rng.choice([*part, "weights_", "_model_", "__class__", "model_", "predict", "x_"])
        if name in part:
            del part[name]
        else:
            part[name] = rng.choice(JUNK)

    edit(run, change)


@of(ANY, "JSON that is deep, long or twice")
def _json(run: Path, rng: random.Random, other: Path) -> None:
    text = rng.choice(
        [
            "[" * 100_000,
            '{"a":' * 5000 + "1" + "}" * 5000,
            "[" + "[]," * 2_000_000 + "[]]",
            "[" + "1," * 20_000_000 + "1]",
            '{"format": 2, "format": 1}',
            '{"task": "classification", "task": "regression"}',
            "[" + "1" * 100_000 + "]",
            '{"format": ' + "9" * 4000 + "}",
            "NaN",
            '"' + "\\ud800" * 100 + '"',
        ]
    )
    (run / rng.choice(["run.json", "model.json"])).write_text(text)


@of(ANY, "classes in another order")
def _classes(run: Path, rng: random.Random, other: Path) -> None:
    def change(value: Any) -> None:
        fitted = value["fitted"]
        if "classes_" in fitted:
            items = fitted["classes_"]["$array"]
            match rng.randrange(4):
                case 0:
                    items.reverse()
                case 1:
                    items[0] = items[1]
                case 2:
                    items.append("zzz")
                case 3:
                    fitted["classes_"] = {"$array": [3, 1, "x"], "dtype": "object"}
        elif "_offset_" in fitted:
            fitted["_spread_"]["$array"] = [rng.choice([0.0, -1.0])]
        else:
            fitted["_tail_"]["ids"]["$array"].pop()

    edit(run, change)


@of(ANY, "sizes without end")
def _sizes(run: Path, rng: random.Random, other: Path) -> None:
    name, size = rng.choice(
        [
            ("units", 10**6), ("units", 10**30), ("units", [4096] * 32), ("dense", [10**7]),
            ("patch", 10**6), ("units", [10**5, 10**5]), ("dense", [10**4] * 30), ("units", 0),
        ]
    )  # fmt: skip

    def change(value: Any) -> None:
        value["parameters"][name] = size
        for fact in ("n_features_in_", "_n_channels_"):
            if rng.random() < 0.3 and fact in value["fitted"]:
                value["fitted"][fact] = 10**9

    edit(run, change)


@of(ANY, "facts that contradict each other")
def _contradict(run: Path, rng: random.Random, other: Path) -> None:
    def change(value: Any) -> None:
        fitted = value["fitted"]
        tail, reader = fitted.get("_tail_"), fitted.get("_reader_")
        if tail is None:
            name = rng.choice(["n_features_in_", "_n_channels_", "_n_steps_"])
            fitted[name] = rng.choice([1, 3, 7, 10**9])
            return
        match rng.randrange(7):
            case 0:
                tail["offsets"]["$array"][-1] += rng.choice([-1, 1, 10**12])
            case 1:
                tail["offsets"]["$array"].reverse()
            case 2:
                tail["values"]["$array"].pop()
            case 3:
                reader["columns"]["clock"]["frequency"] = rng.choice(["no", "0D", "-1D", "9" * 40])
            case 4:
                reader["columns"]["clock"]["zone"] = rng.choice(["../../etc/passwd", "No/Where"])
            case 5:
                tail["times"]["$array"][-1] = rng.choice([-(2**62), 2**62, 10**17])
            case 6:
                fitted["_sizes_"][0] += rng.choice([-1, 1, 10**9])

    edit(run, change)


# -- the recipe -------------------------------------------------------------------------------


@of(ANY, "a recipe of another task, or that is none")
def _recipe(run: Path, rng: random.Random, other: Path) -> None:
    file = run / "recipe.resolved.yaml"
    text = file.read_text()
    file.write_bytes(
        rng.choice(
            [
                (other / "recipe.resolved.yaml").read_bytes(),
                f"!!python/object/apply:os.system ['touch {CANARY}']\n".encode(),
                text.replace("version: 1", f"version: !!python/name:{CANARY}.run").encode(),
                text.encode() + f"\nextends: !!python/module:{CANARY}\n".encode(),
                text.encode() + b"\nextends: /etc/passwd\n",
                text.encode() + b"\nextends: recipe.resolved.yaml\n",
                text.encode("utf-16"),
                b"\0" * 100,
                b"a: &a [*a]\n",
                b"x: " + b"1" * 2_000_000,
            ]
        )
    )


# -- weights.safetensors ----------------------------------------------------------------------


def header_of(content: bytes) -> tuple[dict[str, Any], bytes]:
    n = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + n]), content[8 + n :]


def with_header(header: Any, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@of(NEW, "weights: a header that lies")
def _lies(run: Path, rng: random.Random, other: Path) -> None:
    file = run / "weights.safetensors"
    header, data = header_of(file.read_bytes())
    name = rng.choice([n for n in header if n != "__metadata__"])
    one = header[name]
    match rng.randrange(11):
        case 0:
            one["shape"] = [1 << 40, 1 << 40]
        case 1:
            one["shape"] = [*one["shape"][::-1], 1]
        case 2:
            one["data_offsets"] = [0, len(data)]
        case 3:
            one["data_offsets"] = [len(data), len(data) + 4]
        case 4:
            one["dtype"] = rng.choice(["F64", "F16", "BF16", "F8_E4M3", "I32", "BOOL", "X", 1])
        case 5:
            header[rng.choice(["more", "../../evil", "fitted/9", "\0"])] = header.pop(name)
        case 6:
            del header[name]
        case 7:
            one["shape"] = [-1]
        case 8:
            header["__metadata__"] = rng.choice(JUNK)
        case 9:
            data += b"\0" * 400
            header["more"] = {
                "dtype": "F32", "shape": [100], "data_offsets": [len(data) - 400, len(data)]
            }  # fmt: skip
        case 10:
            one["data_offsets"] = one["data_offsets"][::-1]
    file.write_bytes(with_header(header, data))


@of(NEW, "weights: no header")
def _no_header(run: Path, rng: random.Random, other: Path) -> None:
    file = run / "weights.safetensors"
    _, data = header_of(file.read_bytes())
    file.write_bytes(
        rng.choice(
            [
                struct.pack("<Q", 1 << 62) + data,
                with_header(b"[" * 100_000, data),
                with_header(b'{"a":' * 100_000, data),
                with_header(b"\xff" * 100, data),
                with_header(b"{}", data),
                with_header(b"", b""),
                with_header([], data),
                with_header(b'{"a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}', b""),
                base64.b64decode("gASVHwAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAR0cnVllIWUUpQu"),
            ]
        )
    )


@of(NEW, "weights: not finite")
def _nan(run: Path, rng: random.Random, other: Path) -> None:
    file = run / "weights.safetensors"
    arrays = {name: array.copy() for name, array in load(file.read_bytes()).items()}
    name = rng.choice(sorted(arrays))
    arrays[name].flat[rng.randrange(arrays[name].size)] = rng.choice([np.nan, np.inf, -np.inf])
    file.write_bytes(save(arrays))


@of(NEW, "weights: turned over")
def _turned(run: Path, rng: random.Random, other: Path) -> None:
    file = run / "weights.safetensors"
    arrays = dict(load(file.read_bytes()))
    name = rng.choice([n for n in sorted(arrays) if len(set(arrays[n].shape)) > 1])
    arrays[name] = np.ascontiguousarray(arrays[name].T)
    file.write_bytes(save(arrays))


# -- model.keras ------------------------------------------------------------------------------


def members(run: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(run / "model.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(run: Path, parts: Any, kind: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(run / "model.keras", "w", kind) as archive:
        for name, content in parts.items() if isinstance(parts, dict) else parts:
            archive.writestr(name, content)


def classes(value: Any) -> list[dict[str, Any]]:
    found = []
    if isinstance(value, dict):
        found = [value] if "class_name" in value else []
        value = list(value.values())
    return found + [
        one for inner in value if isinstance(inner, (dict, list)) for one in classes(inner)
    ]


EVIL = [
    {"module": "os", "class_name": "system", "config": "touch x", "registered_name": None},
    {"module": CANARY, "class_name": "Run", "config": {}, "registered_name": None},
    {"module": "keras.layers", "class_name": "Lambda", "registered_name": None,
     "config": {"name": "l", "function": {"class_name": "__lambda__", "config": {"code": "4wA="}}}},
    {"module": "keras.layers", "class_name": "TFSMLayer", "registered_name": None,
     "config": {"name": "t", "filepath": "/etc", "call_endpoint": "serve"}},
    {"module": "keras.layers", "class_name": "StringLookup", "registered_name": None,
     "config": {"name": "s", "vocabulary": "/etc/passwd"}},
    {"module": "builtins", "class_name": "function", "config": "print",
     "registered_name": "function"},
    {"module": "keras.src.utils.file_utils", "class_name": "get_file", "config": {},
     "registered_name": None},
    {"module": "keras.saving", "class_name": "load_model", "config": {"filepath": "x"},
     "registered_name": None},
    {"module": "seqkit.runs.experiment", "class_name": "run", "config": {},
     "registered_name": None},
]  # fmt: skip


@of(OLD, "keras: a foreign class")
def _foreign(run: Path, rng: random.Random, other: Path) -> None:
    parts = members(run)
    config = json.loads(parts["config.json"])
    one = rng.choice(classes(config))
    match rng.randrange(4):
        case 0:
            one.update(rng.choice(EVIL))
        case 1:
            one["module"] = rng.choice([CANARY, "os", "subprocess", "keras.src.utils", 3])
        case 2:
            one["class_name"] = rng.choice(["Lambda", "TFSMLayer", "__lambda__", "eval", 1, None])
        case 3:
            one["config"]["activation"] = rng.choice(EVIL)
    parts["config.json"] = json.dumps(config).encode()
    pack(run, parts)


@of(OLD, "keras: a configuration without end")
def _long_config(run: Path, rng: random.Random, other: Path) -> None:
    parts = members(run)
    name = rng.choice(["config.json", "metadata.json"])
    parts[name] = rng.choice(
        [
            b"[" * 100_000,
            b'{"a":' * 900 + b"1" + b"}" * 900,
            b" " * (1 << 24),
            b"",
            b'{"a":1,"a":2}',
        ]
    )
    pack(run, parts)


@of(OLD, "keras: an odd archive")
def _archive(run: Path, rng: random.Random, other: Path) -> None:
    parts = members(run)
    match rng.randrange(7):
        case 0:
            parts[rng.choice(["../../evil", "/tmp/evil", "assets/x", "a\\..\\b"])] = b"x"
            pack(run, parts)
        case 1:
            info = zipfile.ZipInfo("assets")
            info.external_attr = 0o120777 << 16  # a symbolic link
            pack(run, [*parts.items(), (info, b"/etc/passwd")])
        case 2:
            parts["model.weights.h5"] = b"\0" * (1 << 26)
            pack(run, parts, zipfile.ZIP_DEFLATED)
        case 3:
            pack(run, [*parts.items(), ("config.json", parts["config.json"])])
        case 4:
            del parts[rng.choice(sorted(parts))]
            pack(run, parts)
        case 5:
            parts["model.weights.npz"] = parts.pop("model.weights.h5")
            pack(run, parts)
        case 6:
            content = (run / "model.keras").read_bytes()
            at = content.rindex(b"PK\x01\x02") + 24
            lie = struct.pack("<I", rng.choice([0, 1 << 31, 0xFFFFFFFF]))
            (run / "model.keras").write_bytes(content[:at] + lie + content[at + 4 :])


@of(OLD, "keras: HDF5 that leads elsewhere, or lies")
def _hdf5(run: Path, rng: random.Random, other: Path) -> None:
    parts = members(run)
    held = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(held, "r+") as file:
        names: list[str] = []
        file.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) else None)
        name = rng.choice(names)
        shape, value = file[name].shape, file[name][()]
        match rng.randrange(12):
            case 0:
                del file[name]
                file[name] = h5py.ExternalLink("/etc/passwd", "/x")
            case 1:
                del file[name]
                file[name] = h5py.SoftLink("/" + rng.choice(names))
            case 2:
                layout = h5py.VirtualLayout(shape, "f4")
                layout[...] = h5py.VirtualSource("/etc/passwd", "x", shape)
                del file[name]
                file.create_virtual_dataset(name, layout)
            case 3:
                del file[name]
                file.create_dataset(
                    name, shape, "f4", external=[("/etc/passwd", 0, 4 * value.size)]
                )
            case 4:
                del file[name]
                file.create_dataset(name, (1 << 20, 1 << 20), "f4")
            case 5:
                value.flat[0] = rng.choice([np.nan, np.inf])
                file[name][...] = value
            case 6:
                file["layers/again"] = file["layers"]
            case 7:
                file["layers/more"] = value
            case 8:
                del file[name]
            case 9:
                del file[name]
                file[name] = value.ravel()[:-1] if value.ndim == 1 else value.T.ravel()
            case 10:
                del file[name]
                file.create_dataset(name, data=value, compression="gzip", chunks=True)
            case 11:
                del file[name]
                file[name] = np.full(shape, b"x" * 100)
    parts["model.weights.h5"] = held.getvalue()
    pack(run, parts)


@of(OLD, "keras: HDF5 with bytes flipped")
def _hdf5_bytes(run: Path, rng: random.Random, other: Path) -> None:
    parts = members(run)
    content = bytearray(parts["model.weights.h5"])
    for _ in range(rng.choice([1, 5, 100])):
        content[rng.randrange(min(len(content), rng.choice([100, 3000, 1 << 20])))] ^= (
            1 << rng.randrange(8)
        )
    parts["model.weights.h5"] = bytes(content)
    pack(run, parts)
