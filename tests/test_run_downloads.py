"""Which downloads CI runs, and where."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import run_downloads
from run_downloads import OFFLINE, choose, extras_named

CONNECT = "import socket; socket.create_connection(({host!r}, {port}), timeout=0.2)"


def write_notebook(path: Path, first: str) -> None:
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": [first]}]}))


def test_four_runs_of_half_the_pages_run_every_download_once(tmp_path):
    for i in range(7):
        (tmp_path / f"page{i}.ipynb").touch()
    chosen = [
        path.name
        for turn in range(4)
        for path in choose(tmp_path, [], either=True, share=2, turn=turn)
    ]
    names = [f"page{i}{kind}" for i in range(7) for kind in (".ipynb", ".py")]
    assert sorted(chosen) == sorted(names)


def test_without_options_all_downloads_run(tmp_path):
    (tmp_path / "a.ipynb").touch()
    (tmp_path / "b.ipynb").touch()
    for names, count in (([], 4), (["b"], 2)):
        found = choose(tmp_path, names, either=False, share=1, turn=3)
        assert len(found) == count


@pytest.mark.parametrize(
    ("first", "extras"),
    [
        ('run([*pip, f"tenphases[data,tools] @ {source}", *kept])', "data,tools"),
        ('#     pip install "tenphases-0.1.0-py3-none-any.whl[data]"', "data"),
    ],
)
def test_extras_are_read_from_the_first_cell(tmp_path, first, extras):
    write_notebook(tmp_path / "a.ipynb", first)
    assert extras_named(tmp_path / "a.ipynb") == extras
    assert extras_named(tmp_path / "a.py") == extras  # those of its notebook


def test_a_first_cell_without_extras_is_a_fault(tmp_path):
    write_notebook(tmp_path / "a.ipynb", "import torch")
    with pytest.raises(SystemExit, match="names no extras"):
        extras_named(tmp_path / "a.ipynb")


def test_pages_that_need_the_same_extras_share_an_environment(tmp_path, monkeypatch):
    for name, extras in (("a", "data"), ("b", "data,tools"), ("c", "data")):
        write_notebook(tmp_path / f"{name}.ipynb", f"tenphases[{extras}]")
    (tmp_path / "tenphases-1-py3-none-any.whl").touch()
    seen = {}

    def run_group(wheel, extras, paths):
        seen[extras] = [path.name for path in paths]
        return extras == "data"  # one of its downloads failed

    monkeypatch.setattr(run_downloads, "run_group", run_group)
    monkeypatch.setattr(sys, "argv", ["run_downloads", str(tmp_path)])
    assert run_downloads.main() == 1
    assert seen == {
        "data": ["a.ipynb", "a.py", "c.ipynb", "c.py"],
        "data,tools": ["b.ipynb", "b.py"],
    }


def run(tmp_path, *arguments: str) -> subprocess.CompletedProcess:
    (tmp_path / "sitecustomize.py").write_text(OFFLINE)
    command = [sys.executable, *arguments]
    return subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tmp_path)},
        check=False,
    )


def test_a_page_cannot_reach_out(tmp_path):
    # an address that is kept for examples
    done = run(tmp_path, "-c", CONNECT.format(host="192.0.2.1", port=80))
    assert "a page must not reach out to 192.0.2.1" in done.stderr


def test_a_page_may_talk_to_its_own_machine(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = run(tmp_path, "-c", CONNECT.format(host="localhost", port=port))
    assert done.returncode == 0, done.stderr


def test_pip_may_reach_out(tmp_path):
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    code = CONNECT.format(host="192.0.2.1", port=80)
    (tmp_path / "pip" / "__main__.py").write_text(code)
    assert "must not reach out" not in run(tmp_path, "-m", "pip").stderr
