"""The first cell of a download: what it asks pip for, and what it leaves alone."""

import json
import os
import subprocess
import sys

import pytest

from bookbuild.sphinx.install import extras_of, install_cell
from bookbuild.versions import module_of

SITE = "https://book.test/"
# stands in for pip, and writes down what it was asked for
PIP = "import json, sys\nprint(json.dumps(sys.argv[1:]))\n"


def asked_of_pip(folder, cell: str, *installed: str) -> tuple[str, list[str]]:
    """Run a cell where nothing but these packages is installed, written name==version;
    return what it printed and what it asked pip for."""
    (folder / "pip").mkdir()
    (folder / "pip" / "__init__.py").touch()
    (folder / "pip" / "__main__.py").write_text(PIP)
    for name, version in (one.split("==") for one in installed):
        (folder / f"{name}.py").touch()
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(text)
    (folder / "cell.py").write_text(cell)
    done = subprocess.run(
        [sys.executable, "-S", "cell.py"],  # -S: without this machine's packages
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    said, _, asked = done.stdout.partition("[")
    return said.strip(), json.loads(f"[{asked}") if asked else []


def test_an_empty_environment_gets_all(tmp_path):
    said, asked = asked_of_pip(tmp_path, install_cell(SITE, {"optuna", "torch"}))
    assert said == "installing tenphases optuna and what they need"
    assert asked[:2] == ["install", "--quiet"]
    assert asked[2].startswith("tenphases[data,tools] @ https://book.test/downloads/")
    assert asked[2].endswith("-py3-none-any.whl")
    assert asked[3:] == []


def test_torch_is_left_in_place(tmp_path):
    colab = ("torch==2.11.0+cu128", "torchvision==0.26.0+cu128", "optuna==4.0")
    said, asked = asked_of_pip(tmp_path, install_cell(SITE, {"optuna"}), *colab)
    assert said == "installing tenphases and what they need"
    assert asked[3:] == list(colab[:2])  # pip would say so rather than change them


def test_what_is_there_is_not_installed_again(tmp_path):
    cell = install_cell(SITE, {"optuna", "scikit-learn", "ipython", "numpy"})
    there = ("tenphases==0.1.0", "optuna==4.0", "sklearn==1.5", "torch==2.11")
    assert asked_of_pip(tmp_path, cell, *there) == ("", [])


def test_a_missing_package_of_data_is_noticed(tmp_path):
    said, _ = asked_of_pip(
        tmp_path, install_cell(SITE, {"scikit-learn"}), "tenphases==0.1.0"
    )
    assert said == "installing sklearn and what they need"


def test_the_cell_says_what_it_does_and_fits_a_phone():
    cell = install_cell(SITE, {"onnx", "onnxscript", "scikit-image"})
    first, second = cell.splitlines()[:2]
    assert first.startswith("# Installs what this page needs and is missing: tenphases")
    assert "left in place" in second
    code = [line for line in cell.splitlines() if "https://" not in line]
    assert max(map(len, code[1:])) <= 88


def test_without_an_address_the_cell_says_what_to_download():
    cell = install_cell("", {"optuna"})
    assert "# This page needs tenphases, optuna. If an import fails, download" in cell
    assert '-py3-none-any.whl[data,tools]"' in cell
    compile(cell, "cell", "exec")


def test_what_runs_a_notebook_is_no_part_of_the_page():
    assert extras_of({"ipython", "ipykernel", "torch"}) == {"data": []}


@pytest.mark.parametrize(
    ("package", "module"),
    [("scikit-learn", "sklearn"), ("optuna", "optuna"), ("bokeh-sampledata", None)],
)
def test_a_package_is_known_by_its_module(package, module):
    assert module_of(package) == (module or "bokeh_sampledata")
