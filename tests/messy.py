"""Files as people have them: how each is written, and what it means or how it can be mended.

`CASES` is the list; `tests/test_messy_files.py` reads each, and writes the table of
`docs/data.md` from what was said of them.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

N = 60
Y = np.round(100 + 10 * np.sin(np.arange(N) / 2) + np.arange(N) / 3, 2)  # two decimals
DAYS = pd.date_range("2023-01-05", periods=N, freq="D")
MONTHS = pd.date_range("2015-01-01", periods=N, freq="MS")
HOURS = pd.date_range("2023-02-01", periods=N, freq="h")
QUARTERS = pd.date_range("1990-01-01", periods=N, freq="QS")
WEEKS = pd.date_range("2018-12-31", periods=N, freq="W-MON")
YEARS = pd.date_range("1949-01-01", periods=N, freq="YS")


@dataclass(frozen=True)
class Case:
    """A file, and what reading it must come to.

    Attributes
    ----------
    name : str
        Of the file.
    what : str
        What is unusual of it.
    write : callable
        Makes the bytes.
    stamps : pandas.DatetimeIndex or None
        Those that are meant; None for a file that has none, or that cannot be read.
    values : numpy.ndarray
        Those that are meant.
    data : dict
        Of the recipe, besides path and target.
    said : tuple of str
        Parts of what must be said of it.
    refused : tuple of str
        Parts of the error that it must come to; empty if it is read.
    """

    name: str
    what: str
    write: Callable[[], bytes]
    stamps: pd.DatetimeIndex | None = None
    values: Any = field(default_factory=lambda: Y)
    data: dict[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def table(stamps: Any, values: Any = Y, sep: str = ",", decimal: str = ".", head: str = "date{}y"):
    """Return the text of two columns."""
    rows = [
        f"{s}{sep}{v if isinstance(v, str) and decimal == '.' else str(v).replace('.', decimal)}"
        for s, v in zip(stamps, values, strict=True)
    ]
    return "\n".join(([head.format(sep)] if head else []) + rows) + "\n"


def text(*args: Any, encoding: str = "utf-8", **kwargs: Any) -> Callable[[], bytes]:
    return lambda: table(*args, **kwargs).encode(encoding)


def dated(form: str, stamps: pd.DatetimeIndex, **kwargs: Any) -> Callable[[], bytes]:
    return text(stamps.strftime(form), **kwargs)


def edited(change: Callable[[str], str], *args: Any, **kwargs: Any) -> Callable[[], bytes]:
    return lambda: change(table(*args, **kwargs)).encode()


def line(number: int, new: str) -> Callable[[str], str]:
    """Return a change that puts another line in place of one."""

    def change(old: str) -> str:
        lines = old.split("\n")
        lines[number] = new
        return "\n".join(lines)

    return change


ISO = DAYS.strftime("%Y-%m-%d")
BIG = np.round(1000 * Y, 2)  # 100,000 and more


def grouped(value: float, thousands: str, decimal: str) -> str:
    return f"{value:,.2f}".replace(",", "T").replace(".", decimal).replace("T", thousands)


def excel(frame: pd.DataFrame, **kwargs: Any) -> bytes:
    file = io.BytesIO()
    frame.to_excel(file, index=False, **kwargs)
    return file.getvalue()


def titled_excel() -> bytes:
    rows = [["Sales of the shop", None], [None, None], ["date", "y"]]
    rows += [[stamp, value] for stamp, value in zip(DAYS, Y, strict=True)]
    return excel(pd.DataFrame(rows, dtype=object), header=False)


def two_sheets() -> bytes:
    file = io.BytesIO()
    with pd.ExcelWriter(file) as book:
        FRAME.to_excel(book, sheet_name="2023", index=False)
        FRAME.to_excel(book, sheet_name="2024", index=False)
    return file.getvalue()


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as store:
        for name in names:
            store.writestr(name, table(ISO))
    return file.getvalue()


def framed(write: Callable[[pd.DataFrame, io.BytesIO], Any]) -> Callable[[], bytes]:
    def make() -> bytes:
        file = io.BytesIO()
        write(FRAME, file)
        return file.getvalue()

    return make


def lines_of_json() -> bytes:
    rows = [{"date": s, "y": float(v)} for s, v in zip(ISO, Y, strict=True)]
    return "\n".join(map(json.dumps, rows)).encode()


def json_series() -> bytes:
    steps = [{"date": s, "y": float(v)} for s, v in zip(ISO, Y, strict=True)]
    lists = {key: [step[key] for step in steps] for key in ("date", "y")}
    return json.dumps({"id": "a"} | lists).encode()


def gluonts() -> bytes:
    return json.dumps({"start": "2023-01-05", "target": Y.tolist(), "item_id": "a"}).encode()


def business_days() -> pd.DatetimeIndex:
    days = pd.date_range("2023-01-02", periods=N + 3, freq="B")
    return days.delete([10, 33, 59])  # holidays, one of them in the test part


FRAME = pd.DataFrame({"date": DAYS, "y": Y})
SENTINEL = np.where(np.isin(np.arange(N), (7, 8, 31)), -999, Y)
GAPPED = np.where(SENTINEL == -999, np.nan, Y)
TWO = pd.DataFrame({"date": ISO, "north": Y, "south": Y + 1})
CLOCK = pd.date_range("2024-10-26 12:00", periods=N, freq="h", tz="Europe/Berlin")
NAIVE = pd.date_range("2024-03-30 12:00", periods=N, freq="h")
BUSINESS = business_days()
UNIX = (HOURS - pd.Timestamp("1970-01-01")) // pd.Timedelta(seconds=1)
SERIAL = (DAYS - pd.Timestamp("1899-12-30")).days
SHORT = pd.date_range("2023-03-01", periods=12, freq="D")

GERMAN = ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September",
          "Oktober", "November", "Dezember"]  # fmt: skip
FRENCH = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.",
          "nov.", "déc."]  # fmt: skip
SPANISH = ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto",
           "septiembre", "octubre", "noviembre", "diciembre"]  # fmt: skip
ITALIAN = ["gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic"]
FINNISH = ["tammikuu", "helmikuu", "maaliskuu", "huhtikuu"]

CASES = (
    # dialects
    Case("plain.csv", "commas, points, ISO dates", text(ISO), DAYS),
    Case("semicolons.csv", "semicolons and decimal commas", text(ISO, sep=";", decimal=","), DAYS,
         said=("semicolons", "decimal commas")),
    Case("tabs.csv", "tabs", text(ISO, sep="\t"), DAYS, said=("tabs",)),
    Case("bars.csv", "bars", text(ISO, sep="|"), DAYS, said=("bars",)),
    Case("spaces.csv", "columns parted by spaces", text(ISO, sep="   "), DAYS, said=("spaces",)),
    Case("header.tsv", "`.tsv` with a header", text(ISO, sep="\t"), DAYS, said=("tabs",)),
    Case("sep_line.csv", "Excel's line `sep=;`", lambda: b"sep=;\n" + text(ISO, sep=";")(), DAYS,
         said=("semicolons",)),
    Case("thousands_eu.csv", "`100.000,00` with semicolons",
         text(ISO, [grouped(v, ".", ",") for v in BIG], sep=";"), DAYS, BIG,
         said=("decimal commas", "thousands parted by '.'")),
    Case("thousands_us.csv", "`\"100,000.00\"` in quotes",
         text(ISO, [f'"{v:,.2f}"' for v in BIG]), DAYS, BIG,
         said=("thousands parted by ','",)),
    Case("thousands_ch.csv", "`100'000.00`",
         text(ISO, [grouped(v, "'", ".") for v in BIG]), DAYS, BIG, said=("thousands",)),
    Case("thousands_fr.csv", "`100 000,00` with narrow spaces",
         text(ISO, [grouped(v, "\u202f", ",") for v in BIG], sep=";"), DAYS, BIG,
         said=("thousands",)),
    Case("doubt.csv", "`1,234` in every cell: thousands or decimals",
         text(ISO, [f"{i + 1},{i + 100}" for i in range(N)], sep=";"),
         refused=("doubt.csv", "1,100", "data.thousands", "data.decimal")),
    Case("doubt_counted.csv", "the same beside a column of small whole numbers",
         lambda: "\n".join(["n;y", *(f"{i + 1};{i + 1},{i + 100}" for i in range(N))]).encode(),
         refused=("doubt_counted.csv", "1,100", "data.thousands", "data.decimal", "--decimal")),
    Case("doubt_said.csv", "the same, with `data.decimal: ','`",
         text(ISO, [f"{i + 1},{i + 100}" for i in range(N)], sep=";"), DAYS,
         np.array([float(f"{i + 1}.{i + 100}") for i in range(N)]), {"decimal": ","}),
    Case("percent.csv", "percent signs", text(ISO, [f"{v} %" for v in Y]), DAYS,
         said=("% was taken off",)),
    Case("percent_some.csv", "percent signs in some cells",
         edited(line(9, "2023-01-13,0.97"), ISO, [f"{v} %" for v in Y]),
         refused=("percent_some.csv", "column 'y'", "one unit", "0.97")),
    Case("dollars.csv", "currencies", text(ISO, [f"${v}" for v in Y]), DAYS, said=("$ was",)),
    Case("euros.csv", "currencies behind decimal commas",
         text(ISO, [f"{v} €" for v in Y], sep=";", decimal=","), DAYS, said=("€ was",)),
    Case("quoted.csv", "every cell in quotes",
         text([f'"{s}"' for s in ISO], [f'"{v}"' for v in Y], head='"date"{}"y"'), DAYS),
    Case("minus.csv", "typographic minus signs, parentheses",
         text(ISO, [f"\u2212{v}" if i % 2 else f"({v})" for i, v in enumerate(Y)]), DAYS, -Y),
    Case("crlf.csv", "line ends of Windows", lambda: text(ISO)().replace(b"\n", b"\r\n"), DAYS),
    Case("cr.csv", "line ends of old Macs", lambda: text(ISO)().replace(b"\n", b"\r"), DAYS),
    Case("two_units.csv", "a word among numbers", edited(line(9, "2023-01-13,broken"), ISO),
         refused=("two_units.csv:10", "column 'y'", "broken")),
    # encodings
    Case("bom.csv", "UTF-8 with a byte order mark", text(ISO, encoding="utf-8-sig"), DAYS),
    Case("utf16.csv", "UTF-16", text(ISO, encoding="utf-16"), DAYS, said=("utf-16",)),
    Case("latin1.csv", "Latin-1", text(ISO, head="date{}y °C", encoding="latin-1"), DAYS,
         data={"target": "y °C"}, said=("cp1252",)),
    Case("latin1_late.csv", "Latin-1 behind what is looked at",
         lambda: text(ISO)() + "\n".join(f"2024-01-01,{i}" for i in range(9000)).encode() + b"\xe9",
         refused=("latin1_late.csv", "data.encoding")),
    Case("binary.csv", "no text at all", lambda: bytes(range(256)) * 4,
         refused=("binary.csv", "text", "NUL")),
    # where the table begins
    Case("no_header.csv", "no header", text(ISO, head=""), DAYS,
         data={"time": "column_0", "target": "column_1"}, said=("no header", "column_0")),
    Case("title.csv", "title and source above the table",
         lambda: b"Sales of the shop\nSource: till\n\n" + text(ISO)(), DAYS,
         said=("2 lines above the table", "Sales of the shop")),
    Case("padded_title.csv", "a title whose line Excel has filled up",
         lambda: b"Sales of the shop;\n;\n" + text(ISO, sep=";", decimal=",")(), DAYS,
         said=("line above the table", "('Sales of the shop')")),
    Case("comments.csv", "comment lines",
         edited(lambda t: "# made by a logger\n" + line(5, "# restart\n2023-01-09,96.77")(t), ISO),
         DAYS, np.where(np.arange(N) == 4, 96.77, Y), said=("comment lines",)),
    Case("hash_header.csv", "a header behind `#`", text(ISO, head="# date{}y"), DAYS,
         said=("date, y",)),
    Case("blank_first.csv", "blank lines first", lambda: b"\n\n" + text(ISO)(), DAYS),
    Case("footer.csv", "a footer", lambda: text(ISO)() + b"Source: office,\n",
         refused=("footer.csv:62", "time 'date'", "Source: office")),
    Case("longer_line.csv", "a line of too many cells", edited(line(9, "2023-01-13,1,2"), ISO),
         refused=("longer_line.csv", "2 cells", "line 10")),
    # missing values
    Case("sentinel.csv", "-999 for missing", text(ISO, SENTINEL), DAYS, SENTINEL,
         said=("-999 stands in 3 of 60 rows", "data.missing_values: [-999]")),
    Case("sentinel_said.csv", "the same, with `data.missing_values: [-999]`", text(ISO, SENTINEL),
         DAYS, GAPPED, {"missing_values": [-999], "missing": "interpolate"}),
    Case("dashes.csv", "`-` for missing",
         text(ISO, [("-" if np.isnan(v) else v) for v in GAPPED]),
         refused=("dashes.csv:9", "column 'y'", "'-'", "missing_values")),
    Case("dashes_said.csv", "the same, with `data.missing_values: ['-']`",
         text(ISO, [("-" if np.isnan(v) else v) for v in GAPPED]), DAYS, GAPPED,
         {"missing_values": ["-"], "missing": "interpolate"}),
    # dates
    Case("day_first.csv", "day first, by days", dated("%d/%m/%Y", DAYS), DAYS, said=("day first",)),
    Case("month_first.csv", "month first, by days", dated("%m/%d/%Y", DAYS), DAYS,
         said=("month first",)),
    Case("day_first_months.csv", "day first, months: both readings are dates",
         dated("%d.%m.%Y", MONTHS), MONTHS, said=("day first",)),
    Case("month_first_months.csv", "month first, months", dated("%m/%d/%Y", MONTHS), MONTHS,
         said=("month first",)),
    Case("day_first_hours.csv", "day first, hours of three days", dated("%d.%m.%Y %H:%M", HOURS),
         HOURS, said=("day first",)),
    Case("both.csv", "twelve days that are twelve months in the other reading",
         text(SHORT.strftime("%d/%m/%Y"), Y[:12]),
         refused=("both.csv:2", "01/03/2023", "2023-03-01", "2023-01-03", "day_first")),
    Case("both_said.csv", "the same, with `data.day_first: true`",
         text(SHORT.strftime("%d/%m/%Y"), Y[:12]), SHORT, Y[:12], {"day_first": True}),
    Case("mixed_dates.csv", "two ways of writing dates", edited(line(9, "13.01.2023,5"), ISO),
         refused=("mixed_dates.csv:10", "time 'date'", "13.01.2023", "date_format")),
    Case("two_digits.csv", "two digits of a year", dated("%d.%m.%y", DAYS), DAYS,
         said=("two digits",)),
    Case("ampm.csv", "AM and PM", dated("%m/%d/%Y %I:%M %p", HOURS), HOURS),
    Case("month_names.csv", "`2015-Jan`", dated("%Y-%b", MONTHS), MONTHS, said=("by name",)),
    Case("name_year.csv", "`Jan 2015`", dated("%b %Y", MONTHS), MONTHS, said=("by name",)),
    Case("name_yy.csv", "`Jan-15`", dated("%b-%y", MONTHS), MONTHS, said=("two digits",)),
    Case("deutsch.csv", "`5. Januar 2023`",
         lambda: table([f"{s.day}. {GERMAN[s.month - 1]} {s.year}" for s in DAYS]).encode(), DAYS,
         said=("by name, year (German)",)),
    Case("mrz.csv", "`Mrz 15`, semicolons and decimal commas",
         text([f"{GERMAN[s.month - 1][:3].replace('Mär', 'Mrz')} {s:%y}" for s in MONTHS], sep=";",
              decimal=",", head="Monat{}y"), MONTHS, data={"time": "Monat"}, said=("(German)",)),
    Case("francais.csv", "`1er janv. 2023`, Latin-1",
         text([f"{s.day}{'er' if s.day == 1 else ''} {FRENCH[s.month - 1]} {s.year}" for s in DAYS],
              encoding="latin-1", sep=";"), DAYS, said=("(French)", "cp1252")),
    Case("espanol.csv", "`5 de enero de 2023`",
         text([f"{s.day} de {SPANISH[s.month - 1]} de {s.year}" for s in DAYS]), DAYS,
         said=("(Spanish)",)),
    Case("mese.csv", "year, and month by its Italian name, in two columns",
         text([f"{s.year},{ITALIAN[s.month - 1]}" for s in MONTHS], head="anno{0}mese{0}y"), MONTHS,
         data={"time": ["anno", "mese"]}),
    Case("suomi.csv", "months in a language that is not read",
         text([f"{s.day}. {FINNISH[s.month - 1]} {s.year}" for s in DAYS]),
         refused=("suomi.csv:2", "time 'date'", "5. tammikuu 2023", "English, German, French")),
    Case("quarters.csv", "`1990Q3`", text([f"{s.year}Q{s.quarter}" for s in QUARTERS]), QUARTERS,
         said=("quarter",)),
    Case("quarters_dash.csv", "`1990-Q3`", text([f"{s.year}-Q{s.quarter}" for s in QUARTERS]),
         QUARTERS, said=("quarter",)),
    Case("quarters_first.csv", "`Q3 1990`", text([f"Q{s.quarter} {s.year}" for s in QUARTERS]),
         QUARTERS, said=("quarter",)),
    Case("weeks.csv", "`2019-W02`", dated("%G-W%V", WEEKS), WEEKS, said=("ISO week",)),
    Case("years.csv", "a column of years", dated("%Y", YEARS, head="Year{}y"), YEARS,
         data={"time": "Year"}, said=("year",)),
    Case("unix.csv", "Unix seconds", text(UNIX), HOURS, data={"time": "date"}, said=("unix_sec",)),
    Case("unix_ms.csv", "Unix milliseconds", text(UNIX * 1000), HOURS, data={"time": "date"},
         said=("unix_milli",)),
    Case("serials.csv", "Excel's serial numbers", text(SERIAL), DAYS, data={"time": "date"},
         said=("excel",)),
    Case("yyyymmdd.csv", "`20230105`", dated("%Y%m%d", DAYS), DAYS, data={"time": "date"}),
    Case("date_time.csv", "date and time of day in two columns",
         dated("%d.%m.%Y,%H:%M", HOURS, head="date{0}hour{0}y"), HOURS,
         data={"time": ["date", "hour"]}, said=("make one stamp, the first 2023-02-01",)),
    Case("year_month.csv", "year and month in two columns",
         dated("%Y,%m", MONTHS, head="year{0}month{0}y"), MONTHS,
         data={"time": ["year", "month"], "target": "y"}),
    Case("year_quarter.csv", "year and quarter in two columns",
         text([f"{s.year},{s.quarter}" for s in QUARTERS], head="Year{0}Quarter{0}y"), QUARTERS,
         data={"time": ["Year", "Quarter"], "target": "y"}),
    Case("year_month_day.csv", "year, month and day in three columns",
         dated("%Y,%m,%d", DAYS, head="year{0}month{0}day{0}y"), DAYS,
         data={"time": ["year", "month", "day"], "target": "y"}),
    Case("zoned.csv", "hours with an offset: they become UTC",
         text([f"{s:%Y-%m-%dT%H:%M}+01:00" for s in HOURS + pd.Timedelta(hours=1)]), HOURS),
    Case("utc.csv", "hours with a Z", dated("%Y-%m-%dT%H:%M:%SZ", HOURS), HOURS),
    Case("clock.csv", "hours of a clock that is set back, with `data.time_zone: Europe/Berlin`",
         dated("%Y-%m-%d %H:%M", CLOCK), CLOCK.tz_convert(None),
         data={"time_zone": "Europe/Berlin"}),
    Case("clock_bare.csv", "the same without it", dated("%Y-%m-%d %H:%M", CLOCK),
         refused=("clock_bare.csv", "used once", "data.time_zone")),
    Case("clock_forward.csv", "an hour that there is not on that clock",
         dated("%Y-%m-%d %H:%M", NAIVE), data={"time_zone": "Europe/Berlin"},
         refused=("clock_forward.csv:16", "Europe/Berlin", "2024-03-31 02:00")),
    Case("own_format.csv", "`data.date_format: '%Y|%d|%m'`", dated("%Y|%d|%m", DAYS), DAYS,
         data={"time": "date", "date_format": "%Y|%d|%m"}),
    Case("strange.csv", "dates that no form fits", text([f"{s:%Y %B %d}." for s in DAYS]),
         refused=("strange.csv:2", "time 'date'", "2023 January 05.", "date_format")),
    Case("descending.csv", "the newest row first", text(ISO[::-1], Y[::-1]),
         refused=("descending.csv", "later than the one before", "data.sort: true")),
    Case("descending_said.csv", "the same, with `data.sort: true`", text(ISO[::-1], Y[::-1]), DAYS,
         data={"sort": True}),
    Case("twice.csv", "a stamp twice", edited(line(9, "2023-01-12,5"), ISO),
         refused=("used once", "series_id")),
    Case("holidays.csv", "business days without holidays, `data.missing: interpolate`",
         text(BUSINESS.strftime("%Y-%m-%d")), BUSINESS, data={"missing": "interpolate"}),
    Case("wrong_frequency.csv", "months read as days, with `data.frequency: D`",
         dated("%Y-%m-%d", MONTHS), data={"frequency": "D", "missing": "interpolate"},
         refused=("wrong_frequency.csv", "1,736 of 1,796", "2015-01-01", "data.date_format")),
    # formats
    Case("book.xlsx", "Excel", lambda: excel(FRAME), DAYS),
    Case("titled.xlsx", "Excel with a title", titled_excel, DAYS, said=("above the table",)),
    Case("sheets.xlsx", "Excel with two sheets", two_sheets, DAYS, said=("data.sheet",)),
    Case("table.feather", "feather", framed(lambda f, file: f.to_feather(file)), DAYS),
    Case("table.parquet", "parquet", framed(lambda f, file: f.to_parquet(file)), DAYS),
    Case("lines.jsonl", "an object a line", lines_of_json, DAYS),
    Case("series.jsonl", "a series a line, its steps as lists", json_series, DAYS),
    Case("uneven.jsonl", "the same, lists of two lengths",
         lambda: json_series().replace(b'"y": [', b'"y": [1, '),
         refused=("uneven.jsonl:1", "lists of one length")),
    Case("gluonts.jsonl", "GluonTS's entries, with `data.frequency: D`", gluonts, DAYS,
         data={"frequency": "D"}),
    Case("packed.csv.gz", "gzip", lambda: gzip.compress(text(ISO)()), DAYS),
    Case("packed.csv.bz2", "bzip2", lambda: bz2.compress(text(ISO)()), DAYS),
    Case("packed.csv.xz", "xz", lambda: lzma.compress(text(ISO)()), DAYS),
    Case("packed.csv.zip", "zip of one file", lambda: zipped("a.csv"), DAYS),
    Case("two_files.csv.zip", "zip of two files", lambda: zipped("a.csv", "b.csv"),
         refused=("two_files.csv.zip", "of one file", "b.csv", "Unpack")),
    Case("cut.csv.gz", "half a gzip", lambda: gzip.compress(text(ISO)())[:200],
         refused=("cut.csv.gz", "whole gzip", "download it again")),
    Case("notes.txt", "an ending that is not known", text(ISO),
         refused=("notes.txt", "ending", ".csv")),
    # several faults at once
    Case("german.csv", "title, semicolons, decimal commas, Latin-1, day first, two columns",
         lambda: ("Wärmebedarf 2023\nDatum;Uhrzeit;y\n" + "".join(
             f"{s:%d.%m.%Y};{s:%H:%M};{str(v).replace('.', ',')}\n"
             for s, v in zip(HOURS, Y, strict=True))).encode("latin-1"), HOURS,
         data={"time": ["Datum", "Uhrzeit"]}, said=("cp1252", "decimal commas", "Wärmebedarf")),
    Case("export.csv", "UTF-16, tabs, quotes, currencies, month first",
         text([f'"{s:%m/%d/%Y}"' for s in MONTHS], [f'"$ {v:,.2f}"' for v in BIG], sep="\t",
              encoding="utf-16"), MONTHS, BIG, said=("utf-16", "tabs", "$ was", "month first")),
)  # fmt: skip


def shown(message: str, folder: Path) -> str:
    """Return a message without the folder of the file, as a cell of a Markdown table."""
    for name in (f"{folder}/", f"{os.path.relpath(folder)}/"):
        message = message.replace(name, "")
    return message.replace("|", "\\|").replace("\n", " ")
