"""Dates as many languages write them, with the date that they mean."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from tenphases.data.core import Source, require

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "sv", "pl", "tr", "fi", "id")
STYLES = ("full", "long", "medium")  # "short" leaves open which number is the month
FIRST, LAST = datetime.date(1950, 1, 1), datetime.date(2049, 12, 31)
DATES = Source(
    name="dates in words",
    origin="package babel; Unicode CLDR",
    licence="Unicode License v3 (the names and patterns), BSD-3-Clause (Babel)",
    note="Days from 1950 to 2049 in the full, long and medium style of a language.",
)


class DatePhrase(NamedTuple):
    """A date as it is written, the same date as ``YYYY-MM-DD``, and the language."""

    text: str
    iso: str
    language: str


@dataclass(frozen=True, eq=False, repr=False)
class DatePhrases:
    """Phrases for training and for testing, which have no day in common."""

    train: tuple[DatePhrase, ...]
    test: tuple[DatePhrase, ...]
    languages: tuple[str, ...]
    source: Source

    def __repr__(self) -> str:
        sizes = f"{len(self.train):,} training and {len(self.test):,} test phrases"
        return self.source.card(sizes, f"languages {', '.join(self.languages)}")


def date_phrases(
    languages: Sequence[str] = LANGUAGES,
    *,
    train: int = 20_000,
    test: int = 2_000,
    seed: int = 0,
) -> DatePhrases:
    """Random dates in random languages and styles, as Babel writes them.

    ``languages`` are codes of Babel's locales. ``seed`` reserves a fifth of all days
    for tests, the same days whatever the languages, then draws the phrases. Raises
    ValueError for a language that Babel does not know or a negative count, and
    DataError if Babel is missing.
    """
    locales = [_locale(code) for code in languages]
    if not locales or min(train, test) < 0:
        raise ValueError("date_phrases wants a language or more, and counts from 0.")
    generator = torch.Generator().manual_seed(seed)
    days = torch.randperm((LAST - FIRST).days + 1, generator=generator)
    tested = len(days) // 5
    parts = (days[tested:], train), (days[:tested], test)
    phrases = [_draw(locales, among, count, generator) for among, count in parts]
    return DatePhrases(*phrases, languages=tuple(languages), source=DATES)


def _locale(code: str):
    require("babel", "date_phrases")
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(code)
    except (UnknownLocaleError, ValueError) as error:
        raise ValueError(f"Babel knows no language {code!r}.") from error


def _draw(locales, days, count: int, generator) -> tuple[DatePhrase, ...]:
    from babel.dates import format_date

    def draw(values):
        rows = torch.randint(len(values), (count,), generator=generator)
        return [values[row] for row in rows.tolist()]

    phrases = []
    for day, locale, style in zip(
        draw(days.tolist()), draw(locales), draw(STYLES), strict=True
    ):
        date = FIRST + datetime.timedelta(days=day)
        text = format_date(date, style, locale=locale)
        phrases.append(DatePhrase(text, date.isoformat(), str(locale)))
    return tuple(phrases)
