"""Dates and tables come back from whatever form they are written in."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pytest
from conftest import some
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from seqkit.data.dates import (
    FORMS,
    NUMBER_FORMS,
    is_date_text,
    more_regular,
    read_numbers,
    read_texts,
)
from seqkit.data.dialect import ReadSettings, find_dialect
from seqkit.data.months import LANGUAGES, language_of, month_numbers, without_accents
from seqkit.data.stamps import read_stamps
from seqkit.data.tables import read_table
from seqkit.errors import DataError

FREQUENCIES = ("D", "h", "15min", "MS", "ME", "QS", "YS", "W-MON", "B", "7D")
WRITTEN = [form for form in FORMS if form.rewrite is None or "%b" in form.form or "%B" in form.form]


def us(stamps):
    return pd.DatetimeIndex(stamps).to_numpy().astype("M8[us]")


@pytest.mark.parametrize("form", some(FORMS), ids=lambda form: form.example)
def test_every_form_reads_its_example(form):
    read = read_texts(pd.Series([form.example]), day_first=form.first != "month")
    assert not np.isnat(read.values).any()
    years = read.values.astype("M8[Y]").astype(int) + 1970
    assert years[0] in (1990, 2004, 2018, 2019, 2024)


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(WRITTEN),
    frequency=st.sampled_from(FREQUENCIES),
    start=st.datetimes(pd.Timestamp("1971-01-01"), pd.Timestamp("2030-01-01")),
    n=st.integers(3, 60),
    clock=st.sampled_from(["", " %H:%M", " %H:%M:%S", " %I:%M %p"]),
    seed=st.integers(0, 9),
)
def test_what_is_written_is_read_or_shown_to_be_in_doubt(form, frequency, start, n, clock, seed):
    """A column of one form is read as it was meant, or both readings of it are regular."""
    stamps = pd.date_range(pd.Timestamp(start).floor("D"), periods=n, freq=frequency)
    pattern = "%Y-%m-%d" if form.form == "ISO8601" else form.form
    clock = clock if "%d" in pattern else ""
    text = pd.Series(stamps.strftime(pattern + clock)).sample(frac=1, random_state=seed)
    meant = us(pd.to_datetime(text, format=pattern + clock))
    assume("%y" not in pattern or (np.ptp(meant.astype("M8[Y]").astype(int)) < 30))
    read = read_texts(text)
    if read.clash:
        assert form.first
        other = us(pd.to_datetime(text, format=_exchanged(pattern) + clock))
        assert more_regular(meant, other) is None
    else:
        np.testing.assert_array_equal(read.values, meant)


def _exchanged(pattern):
    return pattern.translate(str.maketrans("dm", "md"))


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(3, 400))
def test_days_beyond_the_twelfth_leave_no_doubt(month, n):
    stamps = pd.date_range(f"2023-{month:02}-01", periods=n + 12, freq="D")
    read = read_texts(pd.Series(stamps.strftime("%d/%m/%Y")))
    assert (read.form, read.clash) == ("day first", "")


@pytest.mark.parametrize("form", some(NUMBER_FORMS), ids=lambda form: form.name)
def test_numbers_that_are_dates(form):
    stamps = us(pd.date_range("1995-03-01", periods=9, freq="YS" if form.name == "year" else "MS"))
    days = (stamps - np.datetime64("1899-12-30", "us")) / np.timedelta64(1, "D")
    text = pd.DatetimeIndex(stamps).strftime
    patterns = {"yyyymmdd": "%Y%m%d", "yyyymm": "%Y%m", "yyyymmddhh": "%Y%m%d%H",
                "yyyymmddhhmm": "%Y%m%d%H%M", "year": "%Y"}  # fmt: skip
    units = {"seconds": 1e6, "milliseconds": 1e3, "microseconds": 1, "nanoseconds": 1e-3}
    if form.name in patterns:
        numbers = text(patterns[form.name]).astype(float).to_numpy()
    elif form.name == "excel":
        numbers = days
    else:
        numbers = stamps.astype(np.int64) / units[form.name.removeprefix("unix_")]
    read = read_numbers(numbers, "date")
    assert read.form == form.name
    np.testing.assert_array_equal(read.values, stamps)


@pytest.mark.parametrize("name", ["step", "ds", "t", "cycle", "time"])
def test_counters_are_no_dates(name):
    for first in (1, 1949, 20_000, 200_001, 1_000_000):
        counter = read_stamps(pd.Series(np.arange(first, first + 40), name=name))
        assert (counter.form, counter.values.dtype.kind) == ("", "i")


def test_two_digits_of_a_year_are_of_one_century():
    for first, last in (("1949-01-01", 1949), ("1961-01-01", 1961), ("1995-01-01", 1995),
                        ("2012-01-01", 2012)):  # fmt: skip
        stamps = pd.date_range(first, periods=144, freq="MS")
        read = read_texts(pd.Series(stamps.strftime("%b-%y")))
        np.testing.assert_array_equal(read.values, us(stamps), str(last))


# What the Unicode CLDR has for abbreviated and full names (release 48).
CLDR = {
    "German": "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez. Januar Februar März "
    "April Mai Juni Juli August September Oktober November Dezember",
    "French": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc. janvier février mars "
    "avril mai juin juillet août septembre octobre novembre décembre",
    "Spanish": "ene feb mar abr may jun jul ago sept oct nov dic enero febrero marzo abril mayo "
    "junio julio agosto septiembre octubre noviembre diciembre",
    "Italian": "gen feb mar apr mag giu lug ago set ott nov dic gennaio febbraio marzo aprile "
    "maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "Portuguese": "jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez. janeiro fevereiro "
    "março abril maio junho julho agosto setembro outubro novembro dezembro",
    "Dutch": "jan feb mrt apr mei jun jul aug sep okt nov dec januari februari maart april mei "
    "juni juli augustus september oktober november december",
}


@pytest.mark.parametrize("language", some(CLDR))
@pytest.mark.parametrize("change", [str, str.upper, str.title, without_accents])
@pytest.mark.parametrize(
    "form", ["{d}. {m} {y}", "{y}-{m}-{d}", "{d} de {m} de {y}", "{d}/{m}/{y}"]
)
def test_months_are_read_in_every_language(language, change, form):
    names = CLDR[language].split()
    for twelve in (names[:12], names[12:]):
        dates = [(d, m, 2010 + i) for i, (d, m) in enumerate([(5, k) for k in range(12)] * 2)]
        text = pd.Series([form.format(d=d, m=change(twelve[m]), y=y) for d, m, y in dates])
        read = read_texts(text)
        meant = us(pd.to_datetime([f"{y}-{m + 1}-{d}" for d, m, y in dates]))
        np.testing.assert_array_equal(read.values, meant)
        assert read.form.endswith(f"({language})")
        if "/" not in form and "." not in "".join(twelve):
            said = form.replace("{d}", "%d").replace("{m}", "%B").replace("{y}", "%Y")
            said = said.replace(" de ", " ")
            np.testing.assert_array_equal(read_texts(text, said).values, meant)


# Abbreviated and full names of the days, Monday first, likewise.
CLDR_DAYS = {
    "English": "Mon Tue Wed Thu Fri Sat Sun Monday Tuesday Wednesday Thursday Friday Saturday "
    "Sunday",
    "German": "Mo. Di. Mi. Do. Fr. Sa. So. Montag Dienstag Mittwoch Donnerstag Freitag Samstag "
    "Sonntag",
    "French": "lun. mar. mer. jeu. ven. sam. dim. lundi mardi mercredi jeudi vendredi samedi "
    "dimanche",
    "Spanish": "lun mar mié jue vie sáb dom lunes martes miércoles jueves viernes sábado domingo",
    "Italian": "lun mar mer gio ven sab dom lunedì martedì mercoledì giovedì venerdì sabato "
    "domenica",
    "Portuguese": "seg. ter. qua. qui. sex. sáb. dom. segunda-feira terça-feira quarta-feira "
    "quinta-feira sexta-feira sábado domingo",
    "Dutch": "ma di wo do vr za zo maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
}


@pytest.mark.parametrize("language", CLDR_DAYS)
@pytest.mark.parametrize("change", [str, str.upper, without_accents])
@pytest.mark.parametrize("form", ["{w} {d}", "{w}, {d}", "{d} {w}", "{d} ({w})"])
def test_a_day_of_the_week_changes_no_date(language, change, form):
    stamps = pd.date_range("2024-01-29", periods=40, freq="D")
    names, months = CLDR_DAYS[language].split(), CLDR.get(language, "").split()[12:]
    for seven in (names[:7], names[7:]):
        days = [change(seven[stamp.weekday()]) for stamp in stamps]
        for written in ("%d.%m.%Y", "%Y-%m-%d", "%d %B %Y", "%Y-%m-%d 10:30"):
            dates = list(stamps.strftime(written))
            if "%B" in written and months:
                dates = [f"{s.day} {months[s.month - 1]} {s.year}" for s in stamps]
            text = pd.Series([form.format(w=w, d=d) for w, d in zip(days, dates, strict=True)])
            read = read_texts(text)
            meant = stamps + pd.Timedelta("10h30min" if ":" in written else "0h")
            np.testing.assert_array_equal(read.values, us(meant), err_msg=text[0])
            assert is_date_text(text.tolist())


def test_what_is_a_month_and_a_day_of_the_week_is_a_month():
    text = pd.Series(["mar 5 2024", "mar 6 2024", "mar 7 2024"])  # Tuesday in French
    np.testing.assert_array_equal(
        read_texts(text).values, us(pd.date_range("2024-03-05", periods=3))
    )


def test_no_word_is_two_months():
    months = {}
    for language in some(LANGUAGES):
        for word in CLDR.get(language, "").split():
            [number] = month_numbers([word])
            assert months.setdefault(word.lower(), number) == number
    assert month_numbers(["load"]) is None
    assert language_of(["5 load 2023", "5 mai 2023"]) is None


# --- tables ---------------------------------------------------------------------------------------

numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 2)).filter(lambda x: x == 0 or abs(x) > 0.01)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(numbers, numbers), min_size=6, max_size=30),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    marks=st.sampled_from([(".", ""), (",", ""), (".", ","), (",", "."), (".", "'"), (",", " ")]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
    above=st.sampled_from([[], ["Sales"], ["Sales of 2024", "", "Source: till"], ["# made"], [""]]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_a_table_comes_back_from_any_dialect(
    tmp_path, rows, separator, marks, encoding, above, end
):
    decimal, thousands = marks

    def written(value):
        whole = f"{value:,.2f}".replace(",", "~").replace(".", decimal)
        return whole.replace("~", thousands)

    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator, lineterminator="\n")
    writer.writerow(["date", "größe", "b"])
    stamps = pd.date_range("2024-01-01", periods=len(rows)).strftime("%Y-%m-%d")
    for stamp, row in zip(stamps, rows, strict=True):
        writer.writerow([stamp, *map(written, row)])
    text = "\n".join([*above, file.getvalue()]).replace("\n", end)
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(encoding))
    frame = read_table(path).frame
    assert list(frame.columns) == ["date", "größe", "b"]
    np.testing.assert_array_equal(frame[["größe", "b"]].to_numpy(float), np.array(rows))
    assert frame["date"].tolist() == stamps.tolist()


def test_what_is_said_overrules_what_is_found(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes("a;b\n1,5;2\n2,5;3\n".encode("cp1252"))
    found = find_dialect(path)
    assert (found.separator, found.decimal, found.header) == (";", ",", True)
    said = ReadSettings(separator=",", decimal=".", header=False, encoding="latin-1")
    found = find_dialect(path, said)
    assert (found.separator, found.decimal, found.header) == (",", ".", False)
    assert found.encoding == "latin-1"
    with pytest.raises(DataError, match="encoding"):
        find_dialect(path, ReadSettings(encoding="utf-99"))


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("0\n5\n6\n", True),
        ("0,1\n5,9\n6,3\n", True),
        ("0,1,2\n5,9,3\n6,3,7\n", True),
        ("id,2019,2018,2017\nA,5,9,3\nB,6,3,7\n", True),
        ("country,2020\nA,5\nB,6\n", True),
        ("id,2020-01-01,2020-02-01\nA,5,9\nB,6,3\n", True),
        ("id,value\na,1\nb,2\n", True),
        ("a,b\nc,d\n", True),
        (",".join(f"{0.5 * i}" for i in range(12)) + "\n" + ",".join("5,3" * 6) + "\n", True),
        ("112\n118\n132\n", False),
        ("1,112\n2,118\n3,132\n", False),
        ("1,2\n2,5\n3,4\n", False),
        ("run,1.5,2.5\nrest,2.5,1.5\n", False),
        ("2024-01-01,5\n2024-01-02,6\n", False),
        ("2019,5\n2020,6\n", False),
        ("1,2,3\n4,5,6\n7,8,9\n", False),
        ("1,2,3\n4,5,6\n9,8,7\n4,1,3\n", True),
        ("3,5,9\n4,1,6\n9,8,7\n4,1,3\n", False),
        ("5.5;3\n6.5;4\n", False),
        ("2024-01-01;\n2024-01-02;5\n2024-01-03;6\n", False),
        ("date;\n2024-01-01;5\n2024-01-02;6\n", True),
    ],
)
def test_a_header_is_told_from_a_first_row(tmp_path, text, header):
    path = tmp_path / "x.csv"
    path.write_text(text)
    assert find_dialect(path).header is header
