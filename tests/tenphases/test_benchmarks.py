import json
import re
import subprocess
import time
from pathlib import Path

import pytest
import torch

from tenphases import benchmarks

CHAPTER = Path(__file__).parents[2] / "book/01-pytorch-basics/gpu-acceleration.md"
ROWS = [{"op": "matmul", "runner": "accelerator", "size": 64, "seconds": 2.5e-6}]


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch):
    monkeypatch.setenv("TENPHASES_DEVICE", "cpu")


def test_what_is_recorded_is_loaded(tmp_path):
    path = benchmarks.record("matmul-timing", ROWS, folder=tmp_path / "new")
    (run,) = benchmarks.load("matmul-timing", folder=tmp_path / "new")
    assert path.parent == tmp_path / "new"
    assert set(run) == set(benchmarks.KEYS)
    assert run["results"] == ROWS
    assert run["device"] and run["device_type"] == "cpu"
    assert run["torch"] == torch.__version__ and run["cuda"] is None
    assert run["date"].endswith("+00:00")


def test_a_second_record_of_a_device_replaces_the_first(tmp_path):
    benchmarks.record("matmul-timing", ROWS, folder=tmp_path)
    rows = [*ROWS, {"op": "matmul", "size": 128, "seconds": 1e-5}]
    benchmarks.record("matmul-timing", rows, folder=tmp_path)
    assert [
        r["results"] for r in benchmarks.load("matmul-timing", folder=tmp_path)
    ] == [rows]
    assert len(list(tmp_path.iterdir())) == 1  # no draft is left


def test_devices_and_names_are_kept_apart(tmp_path, monkeypatch):
    for device in ("Brand A 100", "Brand B/200"):
        monkeypatch.setattr(benchmarks, "device_name", lambda _, name=device: name)
        benchmarks.record("matmul-timing", ROWS, folder=tmp_path)
    benchmarks.record("matmul", ROWS, folder=tmp_path)
    runs = benchmarks.load("matmul-timing", folder=tmp_path)
    assert [run["device"] for run in runs] == ["Brand A 100", "Brand B/200"]
    assert len(benchmarks.load("matmul", folder=tmp_path)) == 1


def test_nothing_recorded_is_an_empty_list(tmp_path):
    assert benchmarks.load("matmul-timing", folder=tmp_path) == []
    assert benchmarks.load("matmul-timing", folder=tmp_path / "absent") == []


def test_the_folder_is_the_modules_own_unless_the_environment_says(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("TENPHASES_BENCHMARKS", raising=False)
    assert benchmarks._folder(None) == benchmarks.HERE
    monkeypatch.setenv("TENPHASES_BENCHMARKS", str(tmp_path))
    benchmarks.record("matmul-timing", ROWS)
    assert len(benchmarks.load("matmul-timing")) == 1


def test_every_shipped_record_can_be_read():
    for path in benchmarks.HERE.glob("*.json"):
        name = path.name.split("--")[0]
        assert benchmarks.load(name, folder=benchmarks.HERE), path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"name": "matmul-timing", "resu', "is not JSON"),
        ("[]", "no keys"),
        ('{"name": "matmul-timing", "results": []}', "no device, device_type"),
    ],
)
def test_a_corrupt_file_is_named(tmp_path, text, says):
    path = tmp_path / "matmul-timing--x.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=says) as caught:
        benchmarks.load("matmul-timing", folder=tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("rows", [[], "ab", {"op": 1}])
def test_a_file_without_rows_is_refused(tmp_path, rows):
    path = benchmarks.record("matmul-timing", ROWS, folder=tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"results": rows}))
    with pytest.raises(ValueError, match="results"):
        benchmarks.load("matmul-timing", folder=tmp_path)


@pytest.mark.parametrize(
    "rows",
    [[], [1.0], [{"seconds": float("nan")}], [{"seconds": torch.tensor(1.0)}]],
)
def test_rows_that_cannot_be_recorded_leave_the_old_file(tmp_path, rows):
    path = benchmarks.record("matmul-timing", ROWS, folder=tmp_path)
    before = path.read_text()
    with pytest.raises(ValueError, match="results"):
        benchmarks.record("matmul-timing", rows, folder=tmp_path)
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_breaks_off_leaves_the_old_file(tmp_path, monkeypatch):
    path = benchmarks.record("matmul-timing", ROWS, folder=tmp_path)

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(benchmarks.os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        benchmarks.record("matmul-timing", [{"seconds": 9}], folder=tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    assert benchmarks.load("matmul-timing", folder=tmp_path)[0]["results"] == ROWS


@pytest.mark.parametrize("name", ["", "../x", "Matmul", "a--b", "a b", "a/b", "*"])
def test_names_are_plain(tmp_path, name):
    with pytest.raises(ValueError, match="name"):
        benchmarks.record(name, ROWS, folder=tmp_path)
    with pytest.raises(ValueError, match="name"):
        benchmarks.load(name, folder=tmp_path)


def test_the_commit_is_this_repositorys_only(tmp_path, monkeypatch):
    def git(*command):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)

    git("init", "-q")
    monkeypatch.setattr(benchmarks, "HERE", tmp_path)
    assert benchmarks._commit() is None  # the file is not tracked here
    (tmp_path / "__init__.py").touch()
    git("add", ".")
    git(*["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x"])
    assert len(benchmarks._commit()) == 40
    (tmp_path / "__init__.py").write_text("changed")
    assert benchmarks._commit().endswith("-dirty")


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert benchmarks._commit() is None


def test_fastest_ignores_the_slow_first_call_and_a_slow_block():
    pauses = iter([0.05, 0.002, 0.02, *[0.002] * 100])
    seconds = benchmarks.fastest(lambda: time.sleep(next(pauses)), budget=0)
    assert 0.002 <= seconds < 0.02


def test_fastest_times_short_work_in_blocks():
    calls = []
    seconds = benchmarks.fastest(lambda: calls.append(1), budget=0.01)
    assert len(calls) > 100
    assert 0 < seconds < 1e-4


def test_fastest_waits_for_the_device(monkeypatch):
    waited = []
    monkeypatch.setattr(benchmarks, "wait", waited.append)
    benchmarks.fastest(lambda: time.sleep(0.001), "cuda", budget=0, repeats=3)
    assert waited == ["cuda"] * 8  # before and after: warm-up and three blocks


def test_the_cpu_needs_no_waiting():
    benchmarks.wait("cpu")
    benchmarks.wait(torch.device("meta"))


def run_the_chapters_cell():
    """Run the cell that loads the records, as the page does on the CPU."""
    cells = re.findall(
        r"^```\{code-cell\}\n(.*?)^```$", CHAPTER.read_text(), re.M | re.S
    )
    (cell,) = [cell for cell in cells if "benchmarks.load(" in cell]
    names = {"benchmarks": benchmarks, "device": torch.device("cpu"), "torch": torch}
    exec(cell, names)
    return names["recorded"], names["curves"]


@pytest.mark.skipif(not CHAPTER.exists(), reason="the book is not here")
def test_the_chapter_shows_recorded_accelerators_only(tmp_path, monkeypatch):
    monkeypatch.setenv("TENPHASES_BENCHMARKS", str(tmp_path))
    assert run_the_chapters_cell() == ("no accelerator run has been recorded yet", {})

    benchmarks.record("matmul-timing", ROWS)  # a CPU's: not shown
    assert run_the_chapters_cell() == ("no accelerator run has been recorded yet", {})

    journey = {"op": "matmul", "runner": "accelerator, there and back"}
    rows = [*ROWS, *({**journey, "size": n, "seconds": 1.0 * n} for n in (8, 64))]
    monkeypatch.setattr(benchmarks, "device_name", lambda _: "Made-up GPU")
    path = benchmarks.record("matmul-timing", rows)
    as_gpu = json.loads(path.read_text()) | {"device_type": "cuda"}
    path.write_text(json.dumps(as_gpu))
    recorded, curves = run_the_chapters_cell()
    assert recorded.startswith(f"Made-up GPU, torch {torch.__version__}, 20")
    assert curves == {("matmul", "Made-up GPU"): {8: 8.0, 64: 64.0}}
