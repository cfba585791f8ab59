"""The line through a phase, from a made-up table of contents; and the phases' hues."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from docutils import nodes

from bookbuild.sphinx.phaseline import phase_line, phase_of

ROOT = Path(__file__).parents[2]
STYLE = (ROOT / "book/assets/book.css").read_text(encoding="utf-8")
# what the hues stand on, beside the tint of code
PAPER = {"light": "#ffffff", "dark": "#121212"}
TITLES = {
    "book/03-grad/index": "Phase 3: Autograd",
    "book/03-grad/chains": "Chains & rules",
    "book/03-grad/graphs": "Graphs",
    "examples/03_grad/index": "Phase 3: Autograd",
    "examples/03_grad/plot_a": "A",
    "book/labs/index": "Labs",
    "book/labs/lab_1": "Lab 1",
}
INDEXES = [name for name in TITLES if name.endswith("index")]
ENV = SimpleNamespace(
    titles={name: nodes.title("", title) for name, title in TITLES.items()},
    toctree_includes={
        index: [n for n in TITLES if n.startswith(index[:-5]) and n != index]
        for index in INDEXES
    },
)


def line(name: str) -> BeautifulSoup:
    return BeautifulSoup(phase_line(ENV, name, lambda n: f"{n}.html"), "html.parser")


def test_it_counts_the_pages_and_marks_this_one():
    found = line("book/03-grad/graphs")
    assert found.select_one("nav > a").get_text() == "Phase 3: Autograd"
    assert found.select_one("nav > a")["href"] == "book/03-grad/index.html"
    assert found.select_one("nav > span").get_text() == "page 2 of 2"
    steps = found.select("ol a")
    assert [a["href"] for a in steps] == [
        "book/03-grad/chains.html",
        "book/03-grad/graphs.html",
    ]
    assert [a.get("aria-current") for a in steps] == [None, "page"]


def test_each_step_has_its_page_as_name():
    step = line("book/03-grad/graphs").select_one("ol a")
    assert step.get_text() == step["title"] == "Chains & rules"


def test_search_leaves_the_line_out_of_its_excerpts():
    assert "headerlink" in line("book/03-grad/graphs").nav["class"]


def test_examples_have_a_line_of_their_own():
    assert "example 1 of 1" in line("examples/03_grad/plot_a").get_text()


@pytest.mark.parametrize("name", ["index", "book/labs/lab_1", *INDEXES])
def test_what_is_no_part_of_a_phase_has_no_line(name):
    assert phase_line(ENV, name, str) is None


def test_every_page_of_a_phase_has_its_colour():
    assert phase_of("book/03-grad/index") == phase_of("examples/03_grad/plot_a") == "03"
    assert phase_of("book/labs/lab_1") is None
    assert phase_of("index") is None


def contrast(a: str, b: str) -> float:
    """Contrast of two colours, after WCAG 2.2."""

    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", PAPER)
def test_hues_and_the_colours_of_code_can_be_read(theme):
    blocks = dict(
        zip(PAPER, re.findall(r"\{([^{}]*--p1:[^{}]*)\}", STYLE), strict=True)
    )
    colors = dict(re.findall(r"--(p\d+|code-\w+): (#\w{6})", blocks[theme]))
    papers = (PAPER[theme], colors.pop("code-paper"))
    del colors["code-edge"]  # decoration
    assert len(colors) == 15
    weak = {
        name: f"{contrast(color, paper):.2f} on {paper}"
        for name, color in colors.items()
        for paper in papers
        if contrast(color, paper) < 4.5
    }
    assert not weak


def test_each_phase_has_its_hue_once():
    for n in range(1, 11):
        assert STYLE.count(f"--accent: var(--p{n})") == 1
        assert f".phase-{n:02}," in STYLE
