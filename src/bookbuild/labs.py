"""``python -m bookbuild.labs FOLDER``: grade a class's labs into one table.

The folder holds ``<name>/lab_1.ipynb`` for each member of the class. Every notebook
runs in a kernel and a folder of its own, cell by cell, whatever its cells raise;
then its answers are graded. Beside each notebook goes ``lab_1_feedback.md``, and
into the folder ``lab_1.csv``. A notebook that cannot be graded (no notebook, a cell
without end) is named, and the others are graded all the same.

This runs the code of the class: do it in a container or under an account of its own.
"""

import argparse
import csv
import json
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell

from bookbuild import BuildError
from bookbuild.execute import OUTPUT_LIMIT, CountingClient
from tenphases.checks.labs import tasks_of

NAME = re.compile(r"lab_(\d+)\.ipynb")
TIME_LIMIT = 300.0  # seconds for one cell
# Runs after the notebook, with the book's own functions and Python's, whatever the
# notebook has called by their names.
GRADING = """
import builtins as _python, importlib as _importlib, json as _json, sys as _sys
for _name in _python.list(_sys.modules):
    if _name.partition(".")[0] == "tenphases":
        del _sys.modules[_name]
_labs = _importlib.import_module("tenphases.checks.labs")
_grades = _labs.grade_all("{lab}", _python.globals())
_python.print("\\n" + _json.dumps(_python.list(_python.map(_python.vars, _grades))))
"""


@dataclass
class Submission:
    """One notebook of the class: its grades, or why it has none."""

    name: str
    path: Path
    lab: int
    grades: list[dict] = field(default_factory=list)
    problem: str = ""

    @property
    def points(self) -> int:
        return sum(grade["points"] for grade in self.grades)


def find(folder: Path, lab: int | None) -> list[Submission]:
    """Return the notebooks of a class, sorted by lab and name.

    Raises BuildError if there are none, or one of a lab that does not exist.
    """
    found = [
        Submission(path.parent.name, path, int(match[1]))
        for path in sorted(folder.glob("*/lab_*.ipynb"))
        if (match := NAME.fullmatch(path.name))
    ]
    chosen = [s for s in found if lab in (None, s.lab)]
    if not chosen:
        raise BuildError(
            f"there is no {folder}/<name>/lab_{lab or 'N'}.ipynb to grade; put each "
            "notebook into a folder with its author's name."
        )
    for number in {s.lab for s in chosen}:
        try:
            tasks_of(f"lab{number}")
        except KeyError as error:
            raise BuildError(f"lab_{number}.ipynb: {error.args[0]}") from None
    return sorted(chosen, key=lambda s: (s.lab, s.name))


def grade(submission: Submission, time_limit: float) -> None:
    """Run a submission's notebook and note its grades, or what prevents them."""
    try:
        notebook = nbformat.read(submission.path, as_version=4)
    except Exception as error:  # whatever is wrong with a file, the class goes on
        first = str(error).partition("\n")[0]
        submission.problem = f"this is no notebook that can be read: {first}"
        return
    notebook.cells.append(new_code_cell(GRADING.format(lab=f"lab{submission.lab}")))
    with tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True) as name:
        client = LabClient(
            notebook,
            timeout=time_limit,
            allow_errors=True,
            kernel_name="python3",
            shutdown_kernel="immediate",
            extra_arguments=["--log-level=ERROR"],  # a class need not hear of ports
            resources={"metadata": {"path": name}},
        )
        try:
            client.execute()
        except CellTimeoutError:
            submission.problem = f"a cell ran longer than {time_limit:g} s"
        except DeadKernelError:
            submission.problem = "a cell ended the kernel"
        except TooMuchOutput:
            megabytes = OUTPUT_LIMIT // 1_000_000
            submission.problem = f"the cells print more than {megabytes} MB"
    if not submission.problem:
        read_grades(submission, notebook.cells[-1])


def read_grades(submission: Submission, cell: nbformat.NotebookNode) -> None:
    """Note what the grading cell printed last, or why it printed nothing."""
    for output in cell.outputs:
        if output.output_type == "error":
            raised = f"{output.ename}: {output.evalue}"
            submission.problem = f"grading raised {raised}".partition("\n")[0]
            return
    text = "".join(o.text for o in cell.outputs if o.get("name") == "stdout")
    lines = text.strip().splitlines()
    try:
        submission.grades = json.loads(lines[-1]) if lines else []
    except ValueError:
        submission.problem = "something in the notebook prints while it is graded"
        return
    if not submission.grades:
        submission.problem = "the notebook redirects what is printed"


class TooMuchOutput(Exception):
    """A notebook prints without end."""


class LabClient(CountingClient):
    """Stops at too much output."""

    total = 0

    def received(self, size: int) -> None:
        self.total += size
        if self.total > OUTPUT_LIMIT:
            raise TooMuchOutput


def feedback(submission: Submission) -> str:
    """Return what a member of the class is told, as Markdown."""
    lines = [f"# Lab {submission.lab}: {submission.name}", ""]
    if submission.problem:
        return "\n".join([*lines, f"Not graded: {submission.problem}.", ""])
    for g in submission.grades:
        said = f"- **{g['task']}**: {g['points']} of {g['possible']}"
        lines.append(f"{said}. {g['message']}" if g["message"] else f"{said}.")
    possible = sum(g["possible"] for g in submission.grades)
    return "\n".join([*lines, "", f"Total: {submission.points} of {possible}.", ""])


def table(submissions: list[Submission]) -> list[list[str]]:
    """Return the table of one lab: a head, and a row for each submission."""
    graded = next((s.grades for s in submissions if s.grades), [])
    tasks = [g["task"].partition(".")[2] for g in graded]
    rows = [["name", *tasks, "total", "problem"]]
    for s in submissions:
        points = [str(g["points"]) for g in s.grades] or [""] * len(tasks)
        total = str(s.points) if s.grades else ""
        rows.append([s.name, *points, total, s.problem])
    return rows


def show(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = (
        "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def grade_class(folder: Path, lab: int | None, time_limit: float) -> int:
    """Grade all, write feedback and tables, print them; return the exit status."""
    submissions = find(folder, lab)
    for i, submission in enumerate(submissions, start=1):
        print(f"{i} of {len(submissions)}: {submission.path}", flush=True)
        grade(submission, time_limit)
        told = submission.path.with_name(f"lab_{submission.lab}_feedback.md")
        told.write_text(feedback(submission), encoding="utf-8")
    for number in sorted({s.lab for s in submissions}):
        rows = table([s for s in submissions if s.lab == number])
        path = folder / f"lab_{number}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        print(f"\nlab {number} ({path})\n{show(rows)}")
    return 1 if any(s.problem for s in submissions) else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="labs", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds <name>/lab_N.ipynb")
    parser.add_argument("--lab", type=int, metavar="N", help="grade this lab only")
    parser.add_argument(
        "--time-limit",
        type=float,
        default=TIME_LIMIT,
        metavar="SECONDS",
        help="for one cell (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    try:
        return grade_class(options.folder, options.lab, options.time_limit)
    except (BuildError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; feedback already written is kept", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
