"""One command grades a class, whatever its notebooks do."""

import csv
import subprocess
import sys

import pytest
from nbformat.v4 import new_code_cell, new_output

from bookbuild import labs

HANGS = "while True:\n    pass"


@pytest.fixture
def graded(lab1, tmp_path):
    """A class of eight, graded: exit status, rows of the table by name, output."""
    folder = tmp_path / "submissions"
    some = {t: lab1.solution[t] for t in ("t1", "t3")}
    lab1.hand_in(folder / "ada", lab1.solution)
    lab1.hand_in(folder / "ben", some)
    lab1.hand_in(folder / "cy", lab1.solution, "1 / 0", "del loss")
    lab1.hand_in(folder / "dan", {}, HANGS)
    cheat = "import tenphases.checks as c\nc.require = lambda *a: None\ndel grade_all"
    lab1.hand_in(folder / "eve", {}, cheat)
    lab1.hand_in(folder / "gil", lab1.solution, "vars = print = list = globals = 0")
    lab1.hand_in(folder / "hal", {}, "import io, sys\nsys.stdout = io.StringIO()")
    (folder / "flo").mkdir()
    (folder / "flo" / "lab_1.ipynb").write_text("{")
    # as a teacher starts it, in a process of its own
    done = subprocess.run(
        [sys.executable, "-m", "bookbuild.labs", str(folder), "--time-limit", "30"],
        capture_output=True,
        text=True,
        check=False,
    )
    with (folder / "lab_1.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    return folder, done.returncode, rows, done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="kernels are killed by signals")
def test_a_class_is_graded_into_a_table(graded):
    folder, status, rows, output = graded
    assert status == 1  # three could not be graded
    assert list(rows) == ["ada", "ben", "cy", "dan", "eve", "flo", "gil", "hal"]
    assert rows["ada"]["total"] == "20"
    assert (rows["ben"]["t1"], rows["ben"]["t2"], rows["ben"]["total"]) == (
        "3",
        "0",
        "5",
    )
    assert rows["cy"]["t4"] == "0" and rows["cy"]["total"] == "18"
    assert rows["dan"]["problem"] == "a cell ran longer than 30 s"
    assert rows["eve"]["total"] == "0"
    assert rows["flo"]["problem"].startswith("this is no notebook that can be read")
    assert rows["gil"]["total"] == "20"
    assert rows["hal"]["problem"] == "the notebook redirects what is printed"
    assert "ada" in output and "total" in output
    told = (folder / "cy" / "lab_1_feedback.md").read_text()
    assert "**lab1.t4**: 0 of 2. the notebook does not define `loss`." in told
    assert "Total: 18 of 20." in told
    assert "Not graded" in (folder / "dan" / "lab_1_feedback.md").read_text()


def test_what_a_notebook_prints_into_its_grades_is_said(tmp_path):
    submission = labs.Submission("ada", tmp_path / "lab_1.ipynb", 1)
    printed = new_output("stream", name="stdout", text='[{"points": 2}]\nnoise\n')
    labs.read_grades(submission, new_code_cell("", outputs=[printed]))
    assert submission.grades == []
    assert submission.problem.startswith("something in the notebook prints")


def test_an_empty_folder_is_said(tmp_path, capsys):
    assert labs.main([str(tmp_path), "--lab", "2"]) == 2
    assert "lab_2.ipynb to grade" in capsys.readouterr().err


def test_a_lab_that_does_not_exist_is_said(lab1, tmp_path, capsys):
    path = lab1.hand_in(tmp_path / "ada", {})
    path.rename(path.with_name("lab_9.ipynb"))
    assert labs.main([str(tmp_path)]) == 2
    assert "there is no lab 'lab9'" in capsys.readouterr().err
