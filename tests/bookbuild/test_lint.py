"""The page linter: what it finds, where, and what it lets pass."""

from string import Template

import pytest

from bookbuild.lint import check, read
from bookbuild.lint.__main__ import main
from bookbuild.lint.spelling import is_known
from bookbuild.new import TEMPLATES

GOOD = """\
---
file_format: mystnb
---
(good)=
# Good

:::{admonition} In this chapter
:class: objectives
:::

Plain prose with `normalized`, a formula $color
+ behavior$ and code:

```python
x = torch.jit.script(model)
```

```{code-cell}
---
mystnb:
  image:
    alt: A line.
  figure:
    caption: A line.
---
import math

math.pi
assert math.pi > 3
```

```{code-cell}
:tags: [hide-input]

print(math.e)
```

## Summary

## Exercises

:::{exercise-start} One
:label: ex-good-1
:::
An error of 0.3 has been measured, and its accuracy is 0.97.
:::{exercise-end}
:::
:::{solution-start} ex-good-1
:::

## Further reading
"""

SCRIPT = f'''"""
A good script
=============

{"Question and finding. " * 20}
"""

import matplotlib.pyplot as plt

# %%
# A line
# ------
# It rises:
#
# .. math:: \\lVert color \\rVert

# sphinx_gallery_alt = "A line."
plt.plot([1])

# %%
# To vary: the line.
'''


def problems(tmp_path, text: str, name: str) -> list[str]:
    path = tmp_path / "book" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return [f"{number}: {message}" for number, message in sorted(check(path))]


def replaced(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize("template", sorted(TEMPLATES.iterdir()), ids=lambda p: p.name)
def test_new_pages_pass(tmp_path, template):
    known = {"name": "means", "title": "Means", "underline": "====="}
    text = Template(template.read_text(encoding="utf-8")).substitute(known)
    name = "means.md" if template.suffix == ".md" else "plot_means.py"
    assert problems(tmp_path, text, name) == []


def test_a_good_chapter_passes(tmp_path):
    assert problems(tmp_path, GOOD, "good.md") == []
    chapter = read(tmp_path / "book" / "good.md")
    assert [chapter.lines[n - 1] for n in chapter.code if chapter.code[n]] == [
        *("import math", "math.pi", "assert math.pi > 3", "print(math.e)")
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "found"),
    [
        ("(good)=", "(bad)=", 1, "there is no label"),
        (":class: objectives", ":class: note", 1, "no box of objectives"),
        ("## Summary\n", "", 50, "no section 'Summary'; write"),
        ("assert math.pi > 3", "math.tau", 51, "write an assert"),
        ("    alt: A line.\n", "", 18, "no alt text"),
        ("-start} ex-good-1", "-start} ex-good-2", 43, "ex-good-1 has no solution"),
        ("Plain prose", "Let's see", 11, """"Let's": say what happens"""),
        ("Plain prose", "A powerful idea", 11, "'powerful': show it with a number"),
        ("Plain prose", "The color", 11, "'color' is not spelt"),
        ("alt: A line", "alt: A gray line", 22, "'gray' is not spelt"),
        ("Plain prose", "We normalize", 11, "'normalize' is not spelt"),
        ("Plain prose", "Its accuracy is 0.97 ", 11, "'accuracy is 0.97' looks"),
        ("math.pi\n", "torch.jit.script(f)\n", 28, "of an older PyTorch"),
        ("math.pi\n", "plt.title('a')\n", 28, "a figure has no title"),
        ("math.pi\n", "ax.plot(x, color='k')\n", 28, "use viz.INK"),
        ("math.pi\n", 'ax.set(xlabel="Mean error")\n', 28, "begin in lower case"),
        ("math.pi\n", "x" * 79 + "\n", 28, "has 79 columns"),
        ("math.pi\n", "math.pi\n" * 30, 18, "has 32 lines; split it after 30"),
        ("math.pi\n", "print(undefined)\n", 28, "Undefined name `undefined`"),
        ("math.pi\n", "def f(:\n", 28, "invalid-syntax"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, old, new, line, found):
    said = problems(tmp_path, replaced(GOOD, old, new), "good.md")
    assert any(found in one and one.startswith(f"{line}: ") for one in said), said


def test_a_good_script_passes(tmp_path):
    assert problems(tmp_path, SCRIPT, "plot_a.py") == []


@pytest.mark.parametrize(
    ("old", "new", "line", "found"),
    [
        ("To vary", "The end", 21, "the script does not end with `To vary: ...`"),
        ("# sphinx_gallery_alt", "# alt", 1, "no figure has alt text"),
        ("A good script", "One two three four five six seven", 1, "has 7 words"),
        ("Question and", "Its", 1, "the docstring has 40 words"),
        ("It rises", "Its color rises", 13, "'color' is not spelt"),
        ("It rises", "Let's see", 13, "say what happens"),
        ("It rises", "It reaches 97.3 %", 13, "'reaches 97.3 %' looks like a typed"),
        ("plt.plot([1])", "plt.plot([1])\n" * 31, 10, "31 lines; split it after 30"),
        ("plt.plot([1])", "x" * 89, 18, "has 89 columns"),
        ("plt.plot([1])", "plt.plot(F.tanh(x))", 18, "use torch.tanh"),
    ],
)
def test_what_is_wrong_with_a_script_is_said(tmp_path, old, new, line, found):
    said = problems(tmp_path, replaced(SCRIPT, old, new), "plot_a.py")
    assert any(found in one and one.startswith(f"{line}: ") for one in said), said


@pytest.mark.parametrize(
    "text",
    [
        "The network reaches 97.3 % here.",
        "Its test accuracy was only 0.971.",
        "Validation loss falls to 0.31.",
        "It ended with 96 % test accuracy.",
        "One epoch takes 12 s.",
        "The kernel is 3.4 times as fast.",
    ],
)
def test_a_typed_result_is_found(tmp_path, text):
    said = problems(tmp_path, replaced(GOOD, "Plain prose", text), "good.md")
    assert any("typed result" in one for one in said)


@pytest.mark.parametrize(
    "text",
    [
        "It reaches {glue:text}`best:.1%` here.",
        "A loss of 0.2 leaves a fifth.",
        "If the accuracy is 0.97, we stop.",
        "The accuracy was 0.971 {cite:p}`lecun1998`.",
        "At a rate of 0.03 the loss explodes; python 3.11 is enough.",
        "The rows are 300 times as many.",
    ],
)
def test_assumptions_settings_and_citations_are_no_results(tmp_path, text):
    said = problems(tmp_path, replaced(GOOD, "Plain prose", text), "good.md")
    assert not [one for one in said if "typed result" in one]


def test_spelling_is_british_and_knows_the_projects_words():
    known = "colour normalise PyTorch PyTorch's logits Softmax optimizer sizes"
    assert all(map(is_known, known.split()))
    unknown = "color behavior pytorch recieve initialize seperate Pytorch"
    assert not any(map(is_known, unknown.split()))


def test_the_projects_words_are_sorted_and_needed():
    from bookbuild.lint.spelling import WORDS, _dictionary

    words = [x for x in WORDS.read_text("utf-8").splitlines() if not x.startswith("#")]
    assert words == sorted(set(words), key=lambda word: (word.lower(), word))
    lookup = _dictionary().lookup
    needed = ("optimizer", "prize", "seize")  # their -ise would pass otherwise
    assert [w for w in words if lookup(w) and w not in needed] == []


def test_the_command_counts(tmp_path, capsys):
    problems(tmp_path, GOOD, "good.md")
    path = str(tmp_path / "book" / "good.md")
    assert main([path]) == 0
    assert capsys.readouterr().out == "1 files: ok\n"
    problems(tmp_path, GOOD.replace("(good)=", "(bad)="), "good.md")
    assert main([path]) == 1
    assert capsys.readouterr().out.endswith("1 files: 1 problems\n")
