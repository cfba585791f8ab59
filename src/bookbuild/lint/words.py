"""Words that the style guide does without, and what to do about them."""

import re
from collections.abc import Iterator

from bookbuild.lint.source import Problem, Source, plain

AVOIDED = {
    r"\blet(?:'|\N{RIGHT SINGLE QUOTATION MARK})s\b": "say what happens",
    r"\bdiv(?:e|ing) in(?:to)?\b": "begin",
    r"\bin this (?:section|chapter|tutorial),? (?:we|you) will\b": "begin at once",
    r"\bit is (?:important|worth) (?:to note|noting)\b": "leave it out",
    r"\b(?:delve|leverag(?:e|es|ing)|seamless(?:ly)?)\b": "use a plain word",
    r"\b(?:utili[sz]e[sd]?|in order to|a myriad of)\b": "use a plain word",
    r"\b(?:powerful|awesome|amazing|blazing(?:ly)?)\b": "show it with a number",
    r"\b(?:cutting-edge|game[- ]chang(?:er|ing)|revolutionary)\b": "say what is new",
    r"\b(?:obviously|needless to say|as we all know)\b": "leave it out, or show it",
    r"[\U0001F300-\U0001FAFF]": "leave the emoji out",
}


def check(page: Source) -> Iterator[Problem]:
    for number, line in plain(page.prose).items():
        for pattern, advice in AVOIDED.items():
            if match := re.search(pattern, line, re.I):
                yield number, f"{match[0]!r}: {advice}"
