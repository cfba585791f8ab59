"""The parts of the build, one by one."""

import ast
import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from tinybook import cell

from bookbuild import BuildError, address
from bookbuild.engine import check_requirements
from bookbuild.execute import Job, PageError, Runner, hide_places, join_streams
from bookbuild.myst import MystError, Resolver, number_equations, plain_markdown
from bookbuild.pages import Cell, Page, discover, find, read_chapter
from bookbuild.sphinx import chapters, results
from bookbuild.sphinx.archives import write_wheel, write_zips
from bookbuild.sphinx.downloads import format_glued, script_text
from bookbuild.sphinx.figures import DARK, darken

ROOT = Path(__file__).parents[2]


def page(name: str, *sources: str, requires: tuple[str, ...] = ()) -> Page:
    cells = tuple(Cell(source, 1) for source in sources)
    return Page(name, Path(f"{name}.md"), cells, requires)


class TestPages:
    def test_a_cell_knows_its_line(self, tmp_path):
        path = tmp_path / "book" / "a.md"
        path.parent.mkdir()
        text = (
            "---\nfile_format: mystnb\n---\n# A\n\n```{code-cell}\n:tags: [t]\nx\n```\n"
        )
        path.write_text(text)
        (cell,) = read_chapter(path, tmp_path).cells
        assert cell.source == "x"
        assert cell.tags == {"t"}
        assert text.splitlines()[cell.line - 1] in (":tags: [t]", "x")

    def test_an_unknown_name_lists_the_known_ones(self):
        with pytest.raises(BuildError, match="the pages are a, b"):
            find([page("a"), page("b")], "c")

    def test_the_exercises_of_a_phase_go_by_its_folder_too(self):
        pages = [
            Page(f"book/{f}/exercises", Path(f"book/{f}/exercises.md"), ())
            for f in ("01-a", "02-b")
        ]
        assert find(pages, "02-b/exercises") is pages[1]
        assert find(pages, "book/01-a/exercises.md") is pages[0]
        with pytest.raises(BuildError, match="the pages are 01-a/exercises, 02-b/exer"):
            find(pages, "exercises")


class TestEngine:
    def test_a_kernel_that_does_not_start_is_the_pages_failure(self):
        runner = Runner(Job(page("a", "x")))
        runner.manager.kernel_name = "absent"
        with pytest.raises(PageError, match="no kernel could be started"):
            runner.run()

    def test_a_page_stopped_while_its_kernel_starts_does_not_run(self):
        runner = Runner(Job(page("a", "import time\ntime.sleep(600)")))
        runner.stop()
        with pytest.raises(PageError, match="the build was stopped"):
            runner.run()

    @pytest.mark.parametrize(
        ("first", "second", "message"),
        [
            (("absent",), (), "requires absent, which is no page"),
            (("second",), ("first",), "requires first, which requires it"),
            (("first",), (), "requires first, which requires it"),
        ],
    )
    def test_requirements_must_lead_somewhere_and_end(self, first, second, message):
        pages = [page("first", requires=first), page("second", requires=second)]
        with pytest.raises(BuildError, match=message):
            check_requirements(pages)


class TestOutputs:
    def stream(self, text: str, name: str = "stdout") -> dict:
        return {"output_type": "stream", "name": name, "text": text}

    def test_text_is_one_block_however_it_was_written(self):
        parts = [self.stream("a"), self.stream("b\n"), self.stream("!", "stderr")]
        assert [o["text"] for o in join_streams(parts)] == ["ab\n", "!"]

    def test_of_a_progress_bar_the_last_state_is_left(self):
        bar = [self.stream("start\n 1%\r"), self.stream(" 2%\r 3%\nend\r\n")]
        assert join_streams(bar)[0]["text"] == "start\n 3%\nend\n"

    def test_names_no_place_of_this_machine(self):
        library = Path(sysconfig.get_path("purelib"), "torch", "x.py")
        outputs = [
            [{"output_type": "stream", "text": "/tmp/ipykernel_12/34.py:1: careful"}],
            [{"output_type": "error", "traceback": [f"File {library}:5", "plain"]}],
        ]
        hide_places(outputs)
        assert outputs[0][0]["text"] == "cell:1: careful"
        trace = outputs[1][0]["traceback"]
        assert trace == ["File .../site-packages/torch/x.py:5", "plain"]


class TestChapters:
    TEXT = "---\nfile_format: mystnb\n---\n# A\n\n```{code-cell}\nx\n```\n"

    def read(self, monkeypatch, root: Path, sources: list[str]):
        path = results.path_of(root, "a")
        path.parent.mkdir(parents=True)
        output = {"output_type": "stream", "name": "stdout", "text": "42"}
        path.write_text(json.dumps({"sources": sources, "outputs": [[output]]}))
        monkeypatch.setattr(chapters, "_current", (root, "a"))
        return chapters.read(self.TEXT)

    def test_outputs_stand_beside_the_code_that_made_them(self, monkeypatch, tmp_path):
        notebook = self.read(monkeypatch, tmp_path, ["x"])
        assert notebook.cells[-1].outputs[0].text == "42"

    def test_outputs_of_other_code_are_not_shown(self, monkeypatch, tmp_path):
        notebook = self.read(monkeypatch, tmp_path, ["y"])
        assert notebook.cells[-1].outputs == []
        assert "no outputs" in notebook.cells[1].source


class TestFigures:
    def test_only_the_four_neutral_colours_change(self):
        assert (
            darken("fill: #fffffe; stroke: #2e7fe0") == "fill: #121212; stroke: #2e7fe0"
        )

    def test_they_are_those_of_the_package(self):
        tree = ast.parse((ROOT / "src" / "tenphases" / "viz.py").read_text())
        values = [
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == "(PAPER, INK, MUTED, GRID)"
        ]
        assert values == [tuple(DARK)]


RESOLVER_ROLES = {
    "glue:text": lambda t: {"a": "1"}[t],
    "eq": lambda t: f"({ {'eq-a': 1}[t] })".replace(" ", ""),
    "ref": lambda t: f"*{t}*",
}


def plain(text: str) -> str:
    resolver = Resolver(
        roles=RESOLVER_ROLES, link=lambda text, path: f"<{text}|{path}>"
    )
    return plain_markdown(text, resolver)


class TestMyst:
    @pytest.mark.parametrize(
        ("myst", "markdown"),
        [
            ("(label)=\n# Title", "# Title"),
            (
                "is {glue:text}`a`, see {eq}`eq-a` and {ref}`b`.",
                "is 1, see (1) and *b*.",
            ),
            ("$$\nx\n$$ (eq-a)", "$$\nx \\tag{1}\n$$"),
            ("[t](p.md) and [](q.md#s)", "<t|p.md> and <|q.md>"),
            ("[`code`](p.md)", "<`code`|p.md>"),
            ("`{glue:text}` stays code", "`{glue:text}` stays code"),
            ("```python\n{ref}`b`\n```", "```python\n{ref}`b`\n```"),
            (":::{note}\nOne {glue:text}`a`.\n:::", "> **Note**\n>\n> One 1."),
            (
                "::::{tab-set}\n:::{tab-item} Linux\nrun\n:::\n::::",
                "> **Linux**\n>\n> run",
            ),
            (":::{exercise-start} Do\n:label: e\n:::", "### Exercise: Do"),
            # there is nothing to try in a notebook
            ("One.\n:::{explorer} x\nTry it.\n:::\nTwo.", "One.\n\nTwo."),
        ],
    )
    def test_becomes_plain_markdown(self, myst, markdown):
        assert plain(myst) == markdown

    def test_an_explorer_becomes_a_link_where_the_site_has_an_address(self):
        there = "[Page](https://book.test/page.html)"
        resolver = Resolver(roles={}, link=lambda *_: "", online=there)
        text = plain_markdown(":::{explorer} x\nTry it.\n:::", resolver)
        assert there in text and "Try it" not in text

    def test_a_solution_bears_its_exercises_title(self):
        text = ":::{exercise-start} Do\n:label: e\n:::\n:::{solution-start} e\n:::"
        assert "#### Solution: Do" in plain(text)

    @pytest.mark.parametrize(
        "myst", ["{unknown}`x`", ":::{mermaid}\nx\n:::", ":::{note}\nnever closed"]
    )
    def test_what_a_download_cannot_show_is_refused(self, myst):
        with pytest.raises(MystError):
            plain(myst)

    def test_equations_are_numbered_as_they_stand(self):
        assert number_equations("$$\na\n$$ (one)\n\n$$\nb\n$$ (two)") == {
            "one": 1,
            "two": 2,
        }


class TestDownloads:
    def test_a_glued_number_is_formatted(self):
        assert format_glued({"a": "0.98765"}, "a:.1%") == "98.8%"
        assert format_glued({"a": "1234567"}, "a:,") == "1,234,567"
        assert format_glued({"a": repr("it's")}, "a") == "it's"

    def test_a_cell_that_raises_does_not_end_the_script(self, capsys):
        raising = new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})
        own = new_code_cell("error = 'mine'")
        after = new_code_cell("print(error)")
        exec(script_text(new_notebook(cells=[own, raising, after])), {})
        assert capsys.readouterr().out == "ZeroDivisionError: division by zero\nmine\n"


class TestArchives:
    def test_each_phase_has_a_zip_and_the_book_has_one(self, tmp_path):
        names = ["book/04-nets/a", "examples/04_nets/plot_b", "book/05-more/c"]
        for name in names:
            path = tmp_path / f"{name}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        (tmp_path / "phase-09.zip").touch()  # of notebooks that are no more
        write_zips(tmp_path)
        assert content(tmp_path / "ten-phases.zip") == {f"{n}.ipynb": n for n in names}
        assert set(content(tmp_path / "phase-04.zip")) == {
            "book/04-nets/a.ipynb",
            "examples/04_nets/plot_b.ipynb",
        }
        assert sorted(path.name for path in tmp_path.glob("*.zip")) == [
            *("phase-04.zip", "phase-05.zip", "ten-phases.zip")
        ]
        before = (tmp_path / "ten-phases.zip").read_bytes()
        write_zips(tmp_path)
        assert (tmp_path / "ten-phases.zip").read_bytes() == before

    def test_pip_finds_the_wheel_in_the_index(self, tmp_path):
        wheel = tmp_path / "root" / "_build" / "wheel" / "tenphases-9-py3-none-any.whl"
        wheel.parent.mkdir(parents=True)
        with zipfile.ZipFile(wheel, "w") as archive:
            info = "tenphases-9.dist-info"
            head = "Metadata-Version: 2.1\nName: tenphases\nVersion: 9\n"
            archive.writestr(f"{info}/METADATA", head)
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        site = tmp_path / "site"
        site.mkdir()
        write_wheel(tmp_path / "root", site)
        index = (site / "simple").as_uri()
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--isolated"]
        command += ["--index-url", index, "-d", str(tmp_path / "got"), "tenphases"]
        subprocess.run(command, check=True, capture_output=True)
        assert (tmp_path / "got" / wheel.name).read_bytes() == wheel.read_bytes()


def content(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


class TestSite:
    @pytest.mark.parametrize(
        ("named", "known"),
        [
            ("https://github.com/a/b.git", "https://github.com/a/b"),
            ("git@github.com:a/b.git", "https://github.com/a/b"),
            ("/some/folder", None),
        ],
    )
    def test_the_repository_comes_from_the_environment(self, monkeypatch, named, known):
        monkeypatch.setenv("TENPHASES_REPOSITORY", named)
        assert address.repository() == known

    def test_colab_needs_a_repository_and_a_branch(self, monkeypatch):
        monkeypatch.setenv("TENPHASES_PAGES_BRANCH", "gh-pages")
        assert address.colab_url(None) == ""
        assert address.colab_url("https://github.com/a/b").endswith(
            "/github/a/b/blob/gh-pages/downloads"
        )
        monkeypatch.delenv("TENPHASES_PAGES_BRANCH")
        assert address.colab_url("https://github.com/a/b") == ""


def test_a_page_may_not_bear_the_name_of_what_it_imports(tiny_book):
    tiny_book.chapter("wave", cell("import wave"))
    tiny_book.toc()
    with pytest.raises(BuildError, match=r"wave\.md imports wave; its download"):
        discover(tiny_book.root)
