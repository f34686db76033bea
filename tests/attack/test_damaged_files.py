"""Damaged and hostile data files of every reader, read as the commands read them.

A valid small file of some layout is written, changed at one to four places (bytes, text, or the
structure of its container), and read by every way that leads to its reader. The answer must be a
valid result or a `DataError` that names the file: no other error, no warning of a library, no wait.
"""

from __future__ import annotations

import bz2
import gzip
import io
import logging
import lzma
import resource
import struct
import time
import warnings
import zipfile

import numpy as np
import pandas as pd

from seqkit.data.inspect import inspect_data
from seqkit.data.readers import READERS, read_frame, read_sequences
from seqkit.errors import DataError, RecipeError
from seqkit.recipe.reading import read_recipe
from seqkit.runs.flows import check_data

FLOOR = 5_000
SECONDS, BYTES = 5.0, 200 * 2**20

ODD = (
    "", " ", "nan", "NaN", "inf", "-Infinity", "1e400", "-1e400", "1e-400", "9" * 400, "0x10",
    "1_000",
    "1,5", "1;5", "true", "None", "NA", "?", "'", '"', '""', '"a', "a\nb", "a\rb", "\t", "=1+1",
    "a" * 3000,
    "é", "\u202e", "٣", "1e5", "+1", "-0", ".", "-", "2024-01-31", "31/01/2024", "2024-13-45",
    "0000-00-00",
    "2024-01-31T00:00:00+14:00", "9999-12-31", "1677-01-01", "20240131", "99999999", "12:00",
    "now", "NaT",
    "10000000000000000000000", "-9223372036854775809", "1e309", "{}", "[]", "\\", "#", "@data",
    ":", "::",
)  # fmt: skip
BYTE_STRINGS = (
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n\n",
    b"\x80",
    b"\xed\xa0\x80",
    b'"',
    b"\x1a",
)


# --- valid files ----------------------------------------------------------------------------------


def series(rng, unequal):
    n = int(rng.integers(2, 8))
    lengths = rng.integers(2, 9, n) if unequal else np.full(n, rng.integers(2, 9))
    width = int(rng.integers(1, 4))
    labels = np.array(["run", "rest"])[np.arange(n) % 2]
    return [rng.normal(size=(k, width)).round(3) for k in lengths], labels


def ts_text(rng):
    arrays, labels = series(rng, rng.random() < 0.5)
    numeric = rng.random() < 0.3
    head = ["# made", "@problemName x", "@timeStamps false", f"@dimensions {arrays[0].shape[1]}"]
    head += ["@targetLabel true" if numeric else "@classLabel true run rest", "@data"]
    for array, label in zip(arrays, labels, strict=True):
        channels = [",".join(map(str, channel)) for channel in array.T]
        head.append(":".join([*channels, str(len(array)) if numeric else label]))
    return "\n".join(head) + "\n"


def tsv_text(rng):
    arrays, labels = series(rng, rng.random() < 0.5)
    longest = max(map(len, arrays))
    rows = [
        "\t".join([label, *map(str, a[:, 0]), *["NaN"] * (longest - len(a))])
        for a, label in zip(arrays, labels, strict=True)
    ]
    return "\n".join(rows) + "\n"


def long_frame(rng):
    arrays, labels = series(rng, rng.random() < 0.5)
    parts, dated, named = [], rng.random() < 0.7, rng.random() < 0.8
    frequency = rng.choice(["D", "h", "ME"])
    for i, (array, label) in enumerate(zip(arrays, labels, strict=True)):
        part = pd.DataFrame(array, columns=[f"f{j}" for j in range(array.shape[1])])
        stamps = pd.date_range("2024-01-30", periods=len(part), freq=frequency)
        part.insert(0, "time", stamps if dated else np.arange(len(part)))
        part.insert(0, "trial", f"s{i}")
        part["label"] = label if named else len(array)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def panel_frame(rng):
    n, k = int(rng.integers(1, 4)), int(rng.integers(6, 60))
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{i}" for i in range(n)], k),
            "ds": np.tile(
                pd.date_range("2024-01-01", periods=k, freq=rng.choice(["D", "h", "MS"])), n
            ),
            "y": rng.normal(size=n * k).round(3),
        }
    )
    return frame if rng.random() < 0.7 else frame.assign(extra=np.arange(n * k), kind="a")


def wide_frame(rng):
    arrays, labels = series(rng, rng.random() < 0.5)
    frame = pd.DataFrame([pd.Series(a[:, 0]) for a in arrays])
    frame.columns = [f"t{i}" for i in frame.columns]
    frame.insert(0, "label", labels)
    return frame


FRAMES = {"long": long_frame, "panel": panel_frame, "wide": wide_frame}


def npz_arrays(rng):
    arrays, labels = series(rng, True)
    longest = max(map(len, arrays))
    X = np.zeros((len(arrays), longest, arrays[0].shape[1]))
    for row, array in zip(X, arrays, strict=True):
        row[: len(array)] = array
    found = {"X": X, "y": labels, "lengths": np.array([len(a) for a in arrays])}
    if rng.random() < 0.3:
        found |= {"id": np.arange(len(X)), "group": np.arange(len(X)) % 2}
    if rng.random() < 0.3:
        found = {f"{k}_{part}": v for part in ("train", "test") for k, v in found.items()}
    return {k: v.astype(rng.choice(["f4", "f8"])) if k[0] == "X" else v for k, v in found.items()}


# --- changes --------------------------------------------------------------------------------------


def change_bytes(rng, data):
    data = bytearray(data)
    if not data:
        return bytes(data)
    at = int(rng.integers(len(data)))
    size = int(rng.integers(1, 32))
    match rng.integers(6):
        case 0:
            data[at] ^= 1 << int(rng.integers(8))
        case 1:
            del data[at:]
        case 2:
            del data[at : at + size]
        case 3:
            data[at:at] = data[max(0, at - size) : at] * int(rng.integers(1, 5))
        case 4:
            data[at : at + size] = rng.bytes(size)
        case _:
            data[at:at] = BYTE_STRINGS[rng.integers(len(BYTE_STRINGS))]
    return bytes(data)


def change_text(rng, text):
    lines = text.split("\n")
    row = int(rng.integers(len(lines)))
    separator = next((s for s in "\t,:" if s in lines[row]), ",")
    cells = lines[row].split(separator)
    cell = int(rng.integers(len(cells)))
    match rng.integers(9):
        case 0 | 1 | 2:
            cells[cell] = str(rng.choice(ODD))
        case 3:
            cells.pop(cell)
        case 4:
            cells.insert(cell, cells[cell])
        case 5:
            lines.pop(row)
            return "\n".join(lines)
        case 6:
            lines.insert(row, lines[int(rng.integers(len(lines)))])
            return "\n".join(lines)
        case 7:
            # a whole column
            odd = str(rng.choice(ODD))
            for i, line in enumerate(lines):
                parts = line.split(separator)
                if i and cell < len(parts):
                    parts[cell] = odd
                lines[i] = separator.join(parts)
            return "\n".join(lines)
        case _:
            lines[row] = ""
            return "\n".join(lines)
    lines[row] = separator.join(cells)
    return "\n".join(lines)


def encode_text(rng, text):
    match rng.integers(12):
        case 0:
            return text.encode("utf-16")
        case 1:
            return text.encode("latin-1", "replace")
        case 2:
            return b"\xef\xbb\xbf" + text.encode()
        case 3:
            return text.replace("\n", "\r\n").encode()
        case 4:
            return text.replace("\n", "\r").encode()
        case 5:
            return text.replace(",", ";").encode()
        case _:
            return text.encode()


def damaged_text(rng, text):
    for _ in range(int(rng.integers(1, 4))):
        text = change_text(rng, text)
    data = encode_text(rng, text)
    return change_bytes(rng, data) if rng.random() < 0.3 else data


def damaged_gzip(rng, data):
    match rng.integers(6):
        case 0:
            return gzip.compress(data)
        case 1:
            packed = gzip.compress(data)
            return packed[: int(rng.integers(len(packed)))]
        case 2:
            return gzip.compress(data) + rng.bytes(20)
        case 3:
            return gzip.compress(gzip.compress(data))
        case 4:
            return gzip.compress(data) + gzip.compress(data)
        case _:
            return change_bytes(rng, gzip.compress(data))


def npy_header(rng, array):
    """An array whose header is another than its own."""
    shape = tuple(array.shape)
    claims = [
        str((2**40,)), str((2**62, 2**62)), str((-1,)), str((*shape, 2**33)), "(0,)", "()", "None",
        str((shape[0] + 1, *shape[1:])), "(" * 50 + ")" * 50, "'a'", "(1.5,)", "(True,)",
    ]  # fmt: skip
    kinds = ["|O", "<f8", ">f8", "<f2", "<c16", "<M8[us]", "|V8", "<U1000000000", "|S4", "|b1",
             "x", "",
             "[('a', '<f8')]", "<f16", "('O', 2)"]  # fmt: skip
    kind = array.dtype.str if rng.random() < 0.5 else str(rng.choice(kinds))
    claim = str(shape) if rng.random() < 0.3 else str(rng.choice(claims))
    quoted = kind if kind[:1] in "([" else repr(kind)
    order = str(rng.choice(["False", "True", "1", "None"]))
    text = f"{{'descr': {quoted}, 'fortran_order': {order}, 'shape': {claim}, }}"
    head = (text + " " * (64 - (len(text) + 11) % 64) + "\n").encode("latin-1")
    version = bytes([int(rng.choice([1, 1, 1, 2, 3, 9])), 0])
    size = struct.pack("<H" if version[0] == 1 else "<I", len(head))
    return b"\x93NUMPY" + version + size + head + array.tobytes()


def damaged_npz(rng, arrays):
    kind = rng.integers(10)
    if kind == 0:  # another array under a name that is there
        key = str(rng.choice(list(arrays)))
        odd = [np.array([None, 1]), np.zeros(0), np.array(3.0), np.array(["a", "b"]), np.full((2,
               3), np.nan),
               np.ones((3, 2, 1, 1)), np.array([1 + 2j]), np.array(["2024"], "M8[D]"),
               np.array([2**63], "u8"),
               np.full(9, np.inf), np.array([b"\xff"]), np.ones((3, 4), np.float16)]  # fmt: skip
        arrays = {**arrays, key: odd[rng.integers(len(odd))]}
    if kind == 1:
        arrays.pop(str(rng.choice(list(arrays))))
    if kind == 2:
        arrays = {
            str(rng.choice(["X", "y", "part", "../X", "a/b", "ä", "features", k])): v
            for k, v in arrays.items()
        }
    packing = int(rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA,
                              zipfile.ZIP_BZIP2],
                             p=[0.45, 0.45, 0.05, 0.05]))  # fmt: skip
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", packing) as store:
        warnings.simplefilter("ignore")
        for key, array in arrays.items():
            inner = io.BytesIO()
            np.save(inner, array, allow_pickle=True)
            data = inner.getvalue()
            if kind == 3 and rng.random() < 0.5:
                data = npy_header(rng, array)
            if kind == 4 and rng.random() < 0.5:
                data = change_bytes(rng, data)
            store.writestr(f"{key}.npy", data)
        if kind == 5:
            odd = str(rng.choice(["X.npy", "note.txt", "folder/", "x.pkl", "y.npy", "a" * 300]))
            store.writestr(odd, rng.bytes(40))
    data = bytearray(file.getvalue())
    if kind == 6:  # a field of the central directory: flags, sizes, places
        at = data.rfind(b"PK\1\2") + int(rng.integers(4, 46))
        data[at : at + 4] = struct.pack("<I", int(rng.choice([1, 0xFFFFFFFF, 2**31, 9, 0])))
    if kind == 7:  # encrypted, as the flags say
        for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            if (at := data.find(mark)) >= 0:
                data[at + place] |= 1
    if kind == 8:
        return bytes([*b"\x80\x04\x95"]) + rng.bytes(30)  # a pickle
    if kind == 9 and rng.random() < 0.3:
        return npy_header(rng, np.ones(3))
    return change_bytes(rng, bytes(data)) if rng.random() < 0.3 else bytes(data)


def damaged_parquet(rng, frame):
    odd = {
        "lists": lambda n: [[1, 2]] * n, "bytes": lambda n: [b"\xff"] * n,
        "dicts": lambda n: [{"a": 1}] * n,
        "nothing": lambda n: [None] * n, "inf": lambda n: [np.inf] * n,
        "huge": lambda n: [1e300] * n,
        "mixed": lambda n: (["1", "a", None, "3"] + ["5"] * n)[:n],
        "zoned": lambda n: pd.date_range("2024", periods=n, tz="Asia/Tokyo"),
        "span": lambda n: pd.to_timedelta(np.arange(n)),
        "kind": lambda n: pd.Categorical(["u"] * n),
        "bool": lambda n: [True] * n, "long": lambda n: ["x" * 3000] * n,
        "date": lambda n: [pd.Timestamp("2024").date()] * n,
    }  # fmt: skip
    frame = frame.copy()
    match rng.integers(6):
        case 0 | 1:
            frame[str(rng.choice(frame.columns))] = odd[str(rng.choice(list(odd)))](len(frame))
        case 2:
            frame = frame.set_index(str(rng.choice(frame.columns)))
        case 3:
            frame = frame.iloc[:: int(rng.choice([-1, 2, 1000]))]
        case _:
            pass
    file = io.BytesIO()
    frame.to_parquet(
        file,
        compression=str(rng.choice(["snappy", "gzip", "zstd", "none"])).replace("none", "snappy"),
    )
    data = file.getvalue()
    size = struct.unpack("<I", data[-8:-4])[0]
    match rng.integers(6):
        case 0 | 1:  # within the footer
            foot = data[-8 - size : -8]
            foot = change_bytes(rng, foot)
            return data[: -8 - size] + foot + struct.pack("<I", len(foot)) + b"PAR1"
        case 2:
            return (
                data[:-8]
                + struct.pack("<I", int(rng.choice([0, 2**31, 2**32 - 1, size + 1])))
                + b"PAR1"
            )
        case 3 | 4:
            return change_bytes(rng, data)
        case _:
            return data


def damaged_feather(rng, frame):
    file = io.BytesIO()
    frame.to_feather(file, compression=str(rng.choice(["zstd", "lz4", "uncompressed"])))
    data = file.getvalue()
    return change_bytes(rng, data) if rng.random() < 0.8 else data


def damaged_workbook(rng, frame):
    """A workbook with a change in the XML of one of its parts, or in the archive around them."""
    file, again = io.BytesIO(), io.BytesIO()
    frame.to_excel(file, index=False)
    if rng.random() < 0.3:
        return change_bytes(rng, file.getvalue())
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        hit = str(rng.choice(names)) if rng.random() < 0.5 else "xl/worksheets/sheet1.xml"
        for name in names:
            data = old.read(name)
            new.writestr(name, change_bytes(rng, data) if name == hit else data)
    return again.getvalue()


def damaged_lines(rng, frame):
    text = frame.to_json(orient="records", lines=True, date_format="iso")
    return damaged_text(rng, text)


def packed(rng, data, ending):
    """Text in an archive: whole, or damaged."""
    if ending == ".gz":
        return damaged_gzip(rng, data)
    if ending == ".zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as store:
            for name in ("a.csv", "b.csv")[: int(rng.choice([1, 1, 1, 2]))]:
                store.writestr(name, data)
        whole = file.getvalue()
    else:
        whole = {".bz2": bz2, ".xz": lzma}[ending].compress(data)
    return change_bytes(rng, whole) if rng.random() < 0.7 else whole


def made(rng, ending):
    """A changed file's bytes, and what a recipe would say of it."""
    if ending == ".npz":
        return damaged_npz(rng, npz_arrays(rng)), "arrays"
    framed = {".parquet": damaged_parquet, ".feather": damaged_feather, ".xlsx": damaged_workbook}
    if ending in framed:
        layout = str(rng.choice(list(FRAMES)))
        return framed[ending](rng, FRAMES[layout](rng)), layout
    base, packing = (f".{part}" for part in (f"{ending[1:]}.".split(".")[:2]))
    if base in (".csv", ".jsonl"):
        layout = str(rng.choice(list(FRAMES)))
        frame = FRAMES[layout](rng)
        data = damaged_lines(rng, frame) if base == ".jsonl" else damaged_text(
            rng, frame.to_csv(index=False, sep=str(rng.choice([",", ",", ";", "\t"])))
        )  # fmt: skip
    else:
        layout = "series"
        data = damaged_text(rng, ts_text(rng) if base == ".ts" else tsv_text(rng))
    return (packed(rng, data, packing) if packing != "." else data), layout


ROLES = {
    "long": {"layout": "long", "series_id": "trial", "time": "time", "target": "label"},
    "wide": {"layout": "wide", "target": "label"},
    "panel": {"series_id": "unique_id", "time": "ds", "target": "y"},
    "arrays": {},
    "series": {},
}


def ways(path, layout, rng):
    """Every way that a command reads such a file."""
    roles = ROLES[layout]
    missing = str(rng.choice(["error", "interpolate", "indicator"]))
    yield "look", lambda: inspect_data(path)
    if layout == "panel":
        yield "frame", lambda: read_frame(path, columns=["y"], labels=["unique_id"])
        settings = {
            "task": "forecasting",
            "data": {"path": str(path), "missing": missing, **roles},
            "forecast": {"horizon": 2, "context_length": 3},
        }
    else:
        yield "sequences", lambda: read_sequences(path, missing=missing, **roles)
        settings = {
            "task": "classification",
            "data": {"path": str(path), "missing": missing, **roles},
        }
    yield "check", lambda: check_data(read_recipe(settings))


def tried(way):
    """None, or how a way of reading did not keep the promise."""
    begun = time.monotonic()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            way()
        except (DataError, RecipeError) as error:
            text = str(error)
            if len(text) > 2000:
                return f"a message of {len(text)} characters: {text[:80]}"
        except Exception as error:
            return f"{type(error).__name__}: {str(error)[:200]}"
    if heard:
        return f"warns: {heard[0].category.__name__}: {str(heard[0].message)[:150]}"
    if (took := time.monotonic() - begun) > SECONDS:
        return f"took {took:.1f} s"
    return None


def most_memory():
    """Bytes that this process has held at most."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_damaged_files(attack, tmp_path, caplog):
    caplog.set_level(logging.CRITICAL, "seqkit")
    endings = list(READERS)
    for warm in ("long", "wide", "panel"):  # the libraries are loaded, and no part of a try
        path = tmp_path / "warm.csv"
        FRAMES[warm](np.random.default_rng(0)).to_csv(path, index=False)
        for _, way in ways(path, warm, np.random.default_rng(0)):
            tried(way)
    held = most_memory()
    for seed in attack.tries(FLOOR):
        rng = np.random.default_rng([13, seed])
        ending = endings[seed % len(endings)]
        data, layout = made(rng, ending)
        path = tmp_path / f"f{seed % 50}{ending}"
        path.write_bytes(data)
        for name, way in ways(path, layout, rng):
            if (what := tried(way)) is not None:
                attack.escape(seed, f"{ending} {layout} {name}: {what}")
        path.unlink()
        if (now := most_memory()) > held + BYTES:
            attack.escape(seed, f"{ending} {layout}: {(now - held) // 2**20} MB more than ever")
        held = max(held, now)
