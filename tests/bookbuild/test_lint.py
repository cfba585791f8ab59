"""The page linter: what it finds, where, and what it lets pass."""

import pytest

from bookbuild.lint import check_chapter, check_script, main, read

GOOD = """\
---
file_format: mystnb
---
(good)=
# Good

:::{admonition} In this chapter
:class: objectives
:::

Plain prose with `normalized`, a formula $color$ and code:

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
```

```{code-cell}
:tags: [hide-input]

print(math.e)
```

:::{exercise-start} One
:label: ex-good-1
:::
:::{solution-start} ex-good-1
:::
"""


def problems(tmp_path, text: str, name: str = "good.md") -> list[str]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    check = check_script if name.endswith(".py") else check_chapter
    return [f"{number}: {message}" for number, message in sorted(check(path))]


def test_a_good_chapter_passes(tmp_path):
    assert problems(tmp_path, GOOD) == []
    chapter = read(tmp_path / "good.md")
    assert [chapter.lines[n - 1] for n in chapter.code if chapter.code[n]] == [
        *("import math", "math.pi", "print(math.e)")
    ]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("(good)=", "(bad)=", "there is no label"),
        (":class: objectives", ":class: note", "no box of objectives"),
        ("    alt: A line.\n", "", "no alt text"),
        ("ex-good-1\n:::\n:::{sol", "ex-good-2\n:::\n:::{sol", "ex-good-2 has no sol"),
        ("Plain prose", "Let's see", """"Let's": say what happens"""),
        ("Plain prose", "A powerful idea", "'powerful': show it with a number"),
        ("Plain prose", "The color", "'color': use British spelling"),
        ("math.pi", "torch.jit.script(f)", "of an older PyTorch"),
        ("math.pi", "x" * 79, "has 79 columns"),
        ("math.pi", "\n".join(["math.pi"] * 31), "has 32 lines"),
        ("math.pi", "print(undefined)", "Undefined name `undefined`"),
        ("math.pi", "def f(:", "invalid-syntax"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, old, new, found):
    text = GOOD.replace(old, new)
    said = problems(tmp_path, text)
    assert any(found in line for line in said), said
    line = int(next(line for line in said if found in line).partition(":")[0])
    assert 1 <= line <= len(text.splitlines())


def test_a_script_says_what_to_vary_and_describes_its_figure(tmp_path):
    said = problems(tmp_path, '"""Title"""\nplt.plot([1])\n', "plot_a.py")
    assert "no figure has alt text" in said[0]
    assert "what to vary" in said[1]
    good = '# sphinx_gallery_alt = "A line."\nplt.plot([1])\n# To vary: the line.\n'
    assert problems(tmp_path, good, "plot_a.py") == []


def test_the_command_counts(tmp_path, capsys):
    problems(tmp_path, GOOD)
    assert main([str(tmp_path / "good.md")]) == 0
    assert capsys.readouterr().out == "1 pages: ok\n"
    problems(tmp_path, GOOD.replace("(good)=", "(bad)="))
    assert main([str(tmp_path / "good.md")]) == 1
    assert capsys.readouterr().out.endswith("1 pages: 1 problems\n")
