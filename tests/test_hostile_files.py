"""Hostile data files, one by one: what may not be loaded, unpacked, allocated or waited for."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest

from seqkit.data import files
from seqkit.data.files import LIMITS
from seqkit.data.frames import panel_from_frame
from seqkit.data.inspect import inspect_data
from seqkit.data.readers import READERS, find_files, read_frame, read_sequences
from seqkit.errors import DataError

X = np.arange(12.0).reshape(3, 4)
MOST = 100 * 2**20


class Bomb:
    """What a pickle runs when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


def npz(path, members, packing=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", packing) as store:
        for name, data in members.items():
            store.writestr(name, data)
    return path


def npy(array, **changes):
    """The bytes of an array, its header changed."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    data = file.getvalue()
    size = struct.unpack("<H", data[8:10])[0]
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape, **changes}
    text = repr(header).ljust(size - 1)[: max(size - 1, len(repr(header)))] + "\n"
    return data[:8] + struct.pack("<H", len(text)) + text.encode() + data[10 + size :]


def refused(path, match, read=read_sequences, **settings):
    """Reading must be refused, within 100 MB of memory, by an error that names the file."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=match) as caught:
            read(path, **settings)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("members", "match"),
    [
        ({"X.npy": npy(np.array([Bomb()], dtype=object))}, "never loaded"),
        ({"X.npy": pickle.dumps(Bomb())}, "npz"),
        ({"X.pkl": pickle.dumps(Bomb())}, "another kind of file"),
        ({"X.npy": npy(X, shape=(2**40, 2**10))}, "bytes that follow its header"),
        ({"X.npy": npy(X, shape=(-3, 4))}, "bytes that follow its header"),
        ({"X.npy": npy(X, descr="<f4")}, "bytes that follow its header"),
        ({"X.npy": npy(X, descr="<U200000000")}, "bytes that follow its header"),
        ({"X.npy": npy(X, descr=[("a", "<f8")])}, "numbers or text"),
        ({"X.npy": npy(X)[:90]}, "npz|header"),
        ({"X.npy": npy(X), "folder/": b""}, "another kind of file"),
        ({"X.npy": npy(X), "y.npy": npy(np.array(["a", "b", "c" * 4000]))}, "255 characters"),
        ({"X.npy": npy(X), "y.npy": npy(np.array([1.0, np.nan, 2.0]))}, "finite"),
    ],
)
def test_archives_of_arrays(tmp_path, members, match):
    refused(npz(tmp_path / "a.npz", members), match)


def test_a_bare_array_a_pickle_and_an_encrypted_member(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(npy(X))
    refused(path, "an .npz archive")
    path.write_bytes(pickle.dumps(Bomb()))
    refused(path, "an .npz archive")
    data = bytearray(npz(path, {"X.npy": npy(X)}).read_bytes())
    data[6] |= 1
    data[data.find(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    refused(path, "encrypted")
    refused(npz(path, {"X.npy": npy(X)}, zipfile.ZIP_LZMA), "compression 14")


def test_archives_are_not_unpacked_beyond_the_limits(tmp_path):
    zeros = io.BytesIO()
    np.save(zeros, np.zeros((1, 2**23)))  # 64 MB
    refused(npz(tmp_path / "a.npz", {"X.npy": zeros.getvalue()}), "times its own size")


@pytest.mark.parametrize("ending", [".csv.gz", ".ts.gz", ".tsv.gz"])
def test_gzip(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 5000 + os.urandom(3000).hex().encode())
    for damaged in (
        whole[:-9],
        whole[: len(whole) // 2],
        whole[:12] + b"\xff" * 40 + whole[52:],
        whole[:-8] + b"\0" * 8,
        b"no gzip",
        bz2.compress(b"a,b\n1,2\n"),
        zlib.compress(b"a,b\n1,2\n"),
    ):
        path.write_bytes(damaged)
        refused(path, "must be")
    # 200 MB of one line, packed as badly as gzip can
    path.write_bytes(gzip.compress(b"a,b\n" * (ending == ".csv.gz") + b"0" * 200_000_000, 1))
    refused(path, "times its own size")


def test_other_packings(tmp_path):
    bomb = b"a,b\n" + b"0" * 200_000_000
    refused(_written(tmp_path / "a.csv.bz2", bz2.compress(bomb)), "times its own size")
    refused(_written(tmp_path / "a.csv.xz", lzma.compress(bomb, preset=0)), "times its own size")
    refused(_written(tmp_path / "a.csv.zip", _zip({"a.csv": bomb})), "times its own size")
    small = b"a,b\n1,2\n" * 500
    refused(_written(tmp_path / "b.csv.xz", lzma.compress(small)[:-12]), "whole xz")
    refused(_written(tmp_path / "b.csv.bz2", bz2.compress(small)[:-12]), "whole bzip2")
    refused(_written(tmp_path / "b.csv.zip", _zip({"a.csv": small})[:-30]), "a zip archive")
    refused(_written(tmp_path / "c.csv.zip", _zip({"a": small, "b": small})), "of one file")
    refused(_written(tmp_path / "d.csv.zip", _zip({})), "of one file")
    packed = lzma.compress(small, preset=0)
    # one byte of the block header is the size of the dictionary, 0x24 a gigabyte; then a checksum
    at = packed.index(b"\x21\x01") + 2
    head = packed[12:at] + b"\x24" + packed[at + 1 : 12 + 4 * (packed[12] + 1) - 4]
    asking = packed[:12] + head + struct.pack("<I", zlib.crc32(head)) + packed[12 + len(head) + 4 :]
    refused(_written(tmp_path / "e.csv.xz", asking), "Memory usage limit")


def test_feather_and_workbooks_declare_more_than_they_hold(tmp_path):
    path = tmp_path / "a.feather"
    pf.write_feather(pa.table({"y": np.zeros(20_000_000)}), path, compression="zstd")
    refused(path, "times its own size", read_frame)
    path = tmp_path / "a.xlsx"
    pd.DataFrame({"a": [1.0], "b": [2.0]}).to_excel(path, index=False)
    with zipfile.ZipFile(path) as store:
        parts = {name: store.read(name) for name in store.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    rows = b"".join(
        b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (i, i) for i in range(9, 40_000)
    )
    wide = {**parts, sheet: parts[sheet].replace(b"</sheetData>", rows + b"</sheetData>")}
    refused(_written(path, _zip(wide)), "times its own size", read_frame)
    long = {**parts, sheet: parts[sheet] + b" " * 100_000_000}
    refused(_written(path, _zip(long)), "times its own size", read_frame)
    laughs = b'<!DOCTYPE x [<!ENTITY a "%s">' % (b"ha" * 1000)
    laughs += b"".join(
        b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 50 if i else b"&a;" * 50) for i in range(6)
    )
    head, body = parts[sheet].split(b"<worksheet", 1)
    body = body.replace(b"<sheetData>", b"<sheetData><row><c><v>&a5;</v></c></row>")
    refused(
        _written(path, _zip({**parts, sheet: head + laughs + b"]><worksheet" + body})),
        "workbook",
        read_frame,
    )


def test_a_damaged_workbook_is_closed(tmp_path):
    path = tmp_path / "x.xlsx"
    pd.DataFrame(X).to_excel(path, index=False)
    with zipfile.ZipFile(path) as store:
        members = {name: store.read(name) for name in store.namelist()}
    sheet = members["xl/worksheets/sheet1.xml"]
    members["xl/worksheets/sheet1.xml"] = sheet[:80] + b"\0" + sheet[80:]
    npz(path, members)
    with pytest.raises(DataError, match="workbook") as caught:
        read_frame(path)
    # while the error, and with it all frames that it came through, is alive
    assert str(path) not in [os.path.realpath(fd) for fd in Path("/proc/self/fd").glob("*")]
    assert str(path) in str(caught.value)


def test_lines_of_many_keys_are_no_table(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(f'{{"k{i}": 1}}' for i in range(20_000)))
    refused(path, "times its own size|columns", read_frame)
    path.write_text("[" * 100_000)
    refused(path, "a JSON object in line 1", read_frame)


def _written(path, data):
    path.write_bytes(data)
    return path


def _zip(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as store:
        for name, data in members.items():
            store.writestr(name, data)
    return file.getvalue()


def test_parquet_declares_more_than_it_holds(tmp_path):
    path = tmp_path / "a.parquet"
    rows = 20_000_000  # a kilobyte each hundred thousand: runs of one value
    table = pa.table({"y": pa.array(np.zeros(rows, np.int8))})
    pq.write_table(table, path, row_group_size=rows)
    refused(path, "times its own size", read_frame)
    # one long text, meant in every row
    table = pa.table({"s": pa.array(["x" * 100_000] * 1000), "y": np.arange(1000.0)})
    pq.write_table(table, path)
    refused(path, "times its own size", read_frame)


def test_parquet_with_columns_of_no_use(tmp_path, caplog):
    path = tmp_path / "a.parquet"
    table = pa.table({"l": [[1], [2]], "b": [b"\xff", b"a"], "s": ["u", None], "y": [1.0, 2.0]})
    pq.write_table(table, path)
    assert list(read_frame(path).columns) == ["s", "y"]
    assert "l, b" in caplog.text


def test_parquet_keeps_text_and_named_indexes(tmp_path):
    path = tmp_path / "a.parquet"
    frame = pd.DataFrame({"s": ["u", None, "u"], "y": [1.0, 2.0, 3.0]})
    for given, columns in (
        (frame, ["s", "y"]),
        (frame.set_index("s"), ["s", "y"]),
        (frame.iloc[::-1], ["s", "y"]),
        (frame.set_index(pd.RangeIndex(3, name="k")), ["k", "s", "y"]),
        (frame.set_index(pd.date_range("2024", periods=3)), ["index", "s", "y"]),
    ):
        given.to_parquet(path)
        read = read_frame(path)
        assert list(read.columns) == columns
        assert read["s"].isna().sum() == 1
        assert pd.api.types.is_string_dtype(read["s"].dtype)


ODD_TEXTS = (b"a,b\n1,\0\n", "a,b\n1,2\n".encode("utf-16"), b"a,b\n\xff,1\n")


@pytest.mark.parametrize(
    ("ending", "data"),
    [
        *((ending, data) for ending in (".ts", ".tsv", ".jsonl") for data in ODD_TEXTS),
        (".csv", ODD_TEXTS[0]),
        (".csv", b"a,b\n\xff\x01,1\n"),
        (".csv", b"a,b\n" + b"1,2\n" * 40_000 + b"\xff,1\n"),  # behind what is looked at
    ],
)
def test_text_that_is_none(tmp_path, ending, data):
    path = tmp_path / f"a{ending}"
    path.write_bytes(data)
    refused(path, "must be")


def test_too_many_columns_and_long_names(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",".join("a" * 120_000) + "\n")
    refused(path, "100,000")
    path.write_text(f"{'a' * 3000},b\n1,2\n")
    refused(path, "255 characters")
    path.write_text("id,b\n" + "a" * 3000 + ",2\n")
    refused(path, "255 characters", series_id="id", layout="long")


@pytest.mark.parametrize("ending", list(READERS))
def test_what_is_no_regular_file(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    os.mkfifo(path)
    refused(path, "a regular file")
    path.unlink()
    path.symlink_to(tmp_path / f"gone{ending}")
    refused(path, "not there")
    path.unlink()
    path.symlink_to("/dev/zero")
    refused(path, "a regular file")
    path.unlink()
    path.mkdir()
    refused(path, "a file")
    path.rmdir()
    path.write_bytes(b"")
    refused(path, "empty")
    path.unlink()
    refused(path, "exists")


@pytest.mark.parametrize(
    "name", ["a" * 300 + ".csv", "a\0.csv", "~no-such-user/a.csv", "a/" * 3000]
)
def test_names_that_cannot_be(name):
    with pytest.raises(DataError, match=r"data|file"):
        read_sequences(name)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", denied)
    refused(path, "Permission denied")


def test_a_file_that_vanishes_or_changes_meanwhile(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n3,x\n3,4\n")
    assert find_files(path) == [path]
    path.unlink()
    refused(path, "exists|No such file")
    # the line of an error is looked for in a second reading
    path.write_text("a,b\n1,2\n3,x\n3,4\n")
    opened = files.open_text
    calls = []

    def vanishing(*args, **kwargs):
        calls.append(1)
        path.unlink()
        return opened(*args, **kwargs)

    monkeypatch.setattr("seqkit.data.tables.open_text", vanishing)
    refused(path, "row 1")


def test_patterns(tmp_path, monkeypatch):
    for i in range(30):
        (tmp_path / f"s{i:02}.csv").write_text("trial,a\nx,1\n")
    (tmp_path / "folder.csv").mkdir()
    read = read_sequences(str(tmp_path / "s*.csv"), series_id="trial")
    assert len(read) == 30
    assert len(find_files(str(tmp_path / "*.csv"))) == 30
    refused(tmp_path / "none*.csv", "matches files")
    monkeypatch.setitem(LIMITS, "files", LIMITS["files"]._replace(value=20))
    refused(tmp_path / "s*.csv", "at most 20 files")


def test_no_more_than_the_free_memory(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 1000)
    monkeypatch.setattr(files, "memory", lambda: 1000)
    refused(path, "free memory")


def test_every_reader_is_looked_at_with_the_same_care(tmp_path):
    for ending in READERS:
        path = tmp_path / f"a{ending}"
        path.write_bytes(pickle.dumps(Bomb()))
        refused(path, "must be", inspect_data)


@pytest.mark.parametrize("frequency", ["D", "h", "s"])
def test_one_far_time_stamp_does_not_fill_the_memory(frequency):
    stamps = pd.date_range("2024-01-01", periods=50, freq=frequency).as_unit("us").tolist()
    stamps[-1] = pd.Timestamp("9999-12-31").as_unit("us")
    frame = pd.DataFrame({"ds": stamps, "y": np.arange(50.0)})
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="9999-12-31"):
            panel_from_frame(frame, missing="interpolate", frequency=frequency)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()


def test_the_limits_are_those_of_the_guide():
    text = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
    for name, limit in LIMITS.items():
        shown = "16 MiB" if name == "slack" else f"{limit.value:,}"
        assert shown in text, name
