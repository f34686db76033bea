"""Names of months in seven languages, which become English ones, and of days, which go.

The full names are those of the Unicode CLDR; an abbreviation is any beginning of one, of three
letters or more, that no other month of the language has, with or without a point and accents.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

__all__ = [
    "LANGUAGES",
    "english_months",
    "language_of",
    "month_numbers",
    "without_accents",
    "without_weekday",
]

_ENGLISH = ("January February March April May June July August September October November "
            "December")  # fmt: skip
LANGUAGES: dict[str, tuple[str, str]] = {
    "English": (_ENGLISH, ""),
    "German": (
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "Jänner=1 Feber=2 Mrz=3 Maerz=3",
    ),
    "French": (
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "",
    ),
    "Spanish": (
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "setiembre=9",
    ),
    "Italian": (
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
        "dicembre",
        "",
    ),
    "Portuguese": (
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "",
    ),
    "Dutch": (
        "januari februari maart april mei juni juli augustus september oktober november december",
        "mrt=3",
    ),
}
"""By language the twelve names, and other words with their months."""

WEEKDAYS = (
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday "
    "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonnabend Sonntag "
    "lundi mardi mercredi jeudi vendredi samedi dimanche "
    "lunes martes miércoles jueves viernes sábado domingo "
    "lunedì martedì mercoledì giovedì venerdì sabato domenica "
    "segunda terça quarta quinta sexta "
    "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag"
)
"""Names of the days of a week, in the same languages; an abbreviation has two letters or more."""
SHORTEST = 3
WORD = re.compile(r"[^\W\d_]{3,}\.?")
# What stands between the parts of a date: "1er", "1º", "5 de mayo de 2015".
_ORDINAL = re.compile(r"(?<=\d)(?:er|º|ª|°)(?=\W)")
_OF = re.compile(r"\s+(?:de|del|di)\s+", re.IGNORECASE)


def without_accents(text: str) -> str:
    """Return a text in small letters, without accents.

    Examples
    --------
    >>> without_accents("Année")
    'annee'
    """
    letters = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in letters if not unicodedata.combining(c))


def _folded(word: str) -> str:
    return without_accents(word.strip().rstrip("."))


_DAYS = {name[:end] for name in map(_folded, WEEKDAYS.split()) for end in range(2, len(name) + 1)}
_BEFORE = re.compile(r"^([^\W\d_]+)(?:-feira)?\.?,?\s+(?=.*\d)", re.IGNORECASE)
_BEHIND = re.compile(r"(?<=\d),?\s+\(?([^\W\d_]+)(?:-feira)?\.?\)?$", re.IGNORECASE)


def without_weekday(cell: str) -> str:
    """Return a date without the day of the week before or behind it.

    Examples
    --------
    >>> without_weekday("Mon, 04 Jan 2021"), without_weekday("terça-feira, 5 de janeiro de 2021")
    ('04 Jan 2021', '5 de janeiro de 2021')
    >>> without_weekday("04.01.2021 (Mo.)"), without_weekday("Load, 3")
    ('04.01.2021', 'Load, 3')
    """
    for side in (_BEFORE, _BEHIND):
        match = side.search(cell)
        if match and _folded(match[1]) in _DAYS:
            return side.sub("", cell)
    return cell


def _names(language: str) -> dict[str, int]:
    """Return the month of every name, abbreviations among them."""
    full, more = LANGUAGES[language]
    names = {_folded(name): number for number, name in enumerate(full.split(), start=1)}
    found: dict[str, int] = {}
    for name, number in names.items():
        for end in range(SHORTEST, len(name) + 1):
            if sum(other.startswith(name[:end]) for other in names) == 1:
                found[name[:end]] = number
    found |= names  # "mai" is a month, whatever begins like it
    return found | {_folded(word.split("=")[0]): int(word.split("=")[1]) for word in more.split()}


_MONTHS = {language: _names(language) for language in LANGUAGES}


def language_of(cells: Iterable[str]) -> str | None:
    """Return the language in which all words of some dates are months, English first, or None.

    Examples
    --------
    >>> language_of(["1. Mai 2015", "Okt. 2015"]), language_of(["5 mai", "12 août"])
    ('German', 'French')
    >>> language_of(["2015-05-01"]), language_of(["mai", "load"])
    (None, None)
    """
    words = {_folded(word) for cell in cells for word in WORD.findall(_OF.sub(" ", cell))}
    known = (name for name, months in _MONTHS.items() if words and words <= months.keys())
    return next(known, None)


def month_numbers(names: Sequence[str]) -> list[int] | None:
    """Return the months of their names, or None where these are anything else.

    Examples
    --------
    >>> month_numbers(["Jänner", "Feb.", "März"])
    [1, 2, 3]
    """
    language = language_of(names)
    known = _MONTHS.get(language or "", {})
    folded = [_folded(name) for name in names]
    return [known[name] for name in folded] if folded and set(folded) <= known.keys() else None


def english_months(cell: str, language: str, full: bool = False) -> str:
    """Return a date with its month in English, without what stands between its parts.

    Parameters
    ----------
    cell, language : str
    full : bool, default=False
        Write January and not Jan.

    Examples
    --------
    >>> english_months("1. März 2015", "German"), english_months("1er août 2015", "French")
    ('1. Mar 2015', '1 Aug 2015')
    >>> english_months("5 de mayo de 2015", "Spanish", full=True)
    '5 May 2015'
    """
    number = _MONTHS[language]
    written = _ENGLISH.split()

    def english(match: re.Match[str]) -> str:
        month = number.get(_folded(match[0]))
        if month is None:
            return match[0]
        return written[month - 1][: None if full else SHORTEST]

    return WORD.sub(english, _OF.sub(" ", _ORDINAL.sub("", cell)))
