"""Results that somebody typed, although a page computes its numbers.

Only what says of itself that it was measured is taken for a result: a metric and its
value, or how long or how often something took. "A loss of 0.2", which may be any, is
an assumption, and so is a number in an exercise; a sentence with a citation reports
what others measured.
"""

import re
from collections.abc import Iterator

from bookbuild.lint.source import Problem, Source, plain

METRIC = (
    r"(?:accurac(?:y|ies)|loss(?:es)?|errors?|perplexity|precision|recall|"
    r"MAE|RMSE|mAP|AUC|F1|R²)"
)
VALUE = r"(?:\d*\.\d+(?:\s?%)?|\d+\s?(?:%|per cent))"
VERB = (
    r"(?:of|is|was|are|were|at|to|by|reach(?:es|ed)|falls to|fell to|drops to|rises "
    r"to|ends at|about|only|below|above|=|:)"
)
RESULTS = (
    rf"\b{METRIC}(?: \w+)? (?:{VERB} )+{VALUE}",
    rf"\b(?:reach(?:es|ed)|gets|got|scores|scored|achieves?d?) (?:\w+ )?{VALUE}",
    rf"{VALUE} (?:test |training |validation )?{METRIC}\b",
    r"\b(?:takes|took|ran in|runs in|needed) (?:only |about )?\d[\d.]* ?"
    r"(?:ms|s|seconds|minutes)\b",
    r"\b\d[\d.]* times (?:as (?:fast|quick|slow)|faster|slower|quicker)",
)
ASSUMED = re.compile(
    r"\ban? (?:\w+ )?$|\b(?:must|should|if|suppose|say|would|at least)\b[^.;]*$", re.I
)
ADVICE = (
    "looks like a typed result; let a cell compute and glue it, or cite who measured it"
)


def check(page: Source) -> Iterator[Problem]:
    if page.path.stem == "exercises" or page.path.parent.name == "labs":
        return
    cited = {n for n, line in page.prose.items() if "{cite:" in line}
    lines = plain(_outside_exercises(page))
    for number, line in lines.items():
        if {number - 1, number, number + 1} & cited:
            continue
        before = lines.get(number - 1, "")
        for pattern in RESULTS:
            match = re.search(pattern, line)
            if match and not ASSUMED.search(f"{before} {line[: match.start()]}"):
                yield number, f"{match[0].strip()!r} {ADVICE}"


def _outside_exercises(page: Source) -> dict[int, str]:
    kept, inside = {}, False
    for number, line in page.prose.items():
        if re.match(r":{3,}\{(?:exercise|solution)-start\}", line):
            inside = True
        elif re.match(r":{3,}\{(?:exercise|solution)-end\}", line):
            inside = False
        elif not inside:
            kept[number] = line
    return kept
