"""What ruff finds in the cells of a chapter, and what it does not know of."""

import re
import subprocess
from collections.abc import Iterator

from bookbuild.lint.source import Problem, Source

# what PyTorch has replaced
OLD = {
    r"\bmodels\.\w+\(.*\bpretrained=": "write weights=... instead",
    r"\btorch\.cuda\.amp\b": "use torch.amp",
    r"\btorch\.jit\.\w+\(": "use torch.export or torch.compile",
    r"\bautograd\.Variable\b": "use a tensor",
    r"\btorch\.(?:symeig|qr|svd|chain_matmul|range|lstsq|eig)\(": "use torch.linalg",
    r"\btorch\.set_default_tensor_type\b": "use torch.set_default_dtype",
    r"\btorchtext\b": "use what reads the text itself",
    r"\bF\.(?:tanh|sigmoid)\(": "use torch.tanh or torch.sigmoid",
    r"\bsuper\(\w+, ?self\)": "write super()",
    r"\bdynamo=False\b": "leave it out",
}
# what the style of figures does without
FIGURES = {
    r"\bplt\.title\(|\bsuptitle\(": "a figure has no title; its caption says it",
    r"""\bcolor=["'](?:black|white|[kw])["']""": (
        "use viz.INK or viz.PAPER, which change on dark pages"
    ),
    r"""\b(?:[xy]label=|set_[xy]label\()["'][A-Z][a-z]+ [a-z]""": (
        "labels of axes begin in lower case"
    ),
}
RUFF = "E4,E7,E9,F,B,UP"
# pages import where a thing is first used, and show values by naming them
RUFF_IGNORED = "E402,E703,E731,E741,B018,B015,F811,E701,E702,B007,B008,B023,B905"


def _search(page: Source, known: dict[str, str]) -> Iterator[tuple[int, str, str]]:
    for number, line in page.code.items():
        for pattern, advice in known.items():
            if match := re.search(pattern, line.partition("#")[0]):
                yield number, match[0], advice


def check_old(page: Source) -> Iterator[Problem]:
    for number, found, advice in _search(page, OLD):
        yield number, f"{found!r} is of an older PyTorch; {advice}"


def check_figures(page: Source) -> Iterator[Problem]:
    for number, found, advice in _search(page, FIGURES):
        yield number, f"{found!r}: {advice}"


def check_alt(script: Source) -> Iterator[Problem]:
    text = "\n".join(script.code.values())
    if "plt." in text and not script.described:
        yield 1, 'no figure has alt text; write # sphinx_gallery_alt = "..." above it'


def check_ruff(chapter: Source) -> Iterator[Problem]:
    """Have ruff read the cells as one module, each line at its own number."""
    last = max(chapter.code, default=0)
    lines = [chapter.code.get(n, "") for n in range(1, last + 1)]
    if not last or any(re.match(r"\s*[%!]", line) for line in lines):
        return  # magics are no Python
    command = ["ruff", "check", "--quiet", "--isolated", "--output-format=concise"]
    # exercises and labs import what their readers will need
    ignored = RUFF_IGNORED if chapter.is_page else f"{RUFF_IGNORED},F401"
    command += ["--select", RUFF, "--ignore", ignored, "--stdin-filename", "p.py"]
    done = subprocess.run(
        [*command, "-"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        if match := re.match(r"p\.py:(\d+):\d+: (.*)", line):
            yield int(match[1]), match[2]
