"""What a page's key depends on, and what it does not."""

from pathlib import Path

import pytest

from bookbuild.imports import reach
from bookbuild.keys import Recipe, Recipes, profile
from bookbuild.pages import Cell, Page
from bookbuild.versions import packages_of, versions_behind

ROOT = Path(__file__).parents[2]
FILES = {
    "__init__.py": "from tenphases.repro import seed\n",
    "repro.py": "seed = 0\n",
    "viz.py": "from importlib.resources import files\n",
    "style.mplstyle": "a: 1\n",
    "data/__init__.py": "from . import tables\n",
    "data/tables.py": "def load():\n    from .core import get\n    import mlxtend\n",
    "data/core.py": "x = 1\n",
    "models/__init__.py": "",
    "models/mlp.py": "import torch\n",
    "models/rnn.py": "",
    "recorded/__init__.py": "",
    "recorded/times.json": "{}\n",
    "checks/__init__.py": "import_module(f'tenphases.checks.{name}')\n",
    "checks/phase01.py": "from ..models import mlp\n",
}
ALWAYS = {"__init__.py", "repro.py", "style.mplstyle"}
DATA = {"data/__init__.py", "data/tables.py", "data/core.py"}
MLP = {"models/__init__.py", "models/mlp.py"}
RECORDED = {"recorded/__init__.py", "recorded/times.json"}
REACHED = {
    "import torch": set(),
    "from tenphases import viz": ALWAYS | {"viz.py"},
    "from tenphases import data": ALWAYS | DATA,
    "import tenphases.data.core": ALWAYS | DATA,
    "import tenphases.recorded": ALWAYS | RECORDED,
    "files('tenphases.recorded')": ALWAYS | RECORDED,
    "from tenphases.models.mlp import mlp": ALWAYS | MLP,
    "importlib.import_module('tenphases.models.mlp')": ALWAYS | MLP,
    "script = '''\nfrom tenphases.models import mlp\n'''": ALWAYS | MLP,
    "'''From tenphases import nothing of it.'''": set(),
    "from tenphases.checks import check": ALWAYS
    | {"checks/__init__.py", "checks/phase01.py"}
    | MLP,
    "%matplotlib inline": set(FILES),
}


def page(name: str, *sources: str, requires: tuple[str, ...] = ()) -> Page:
    cells = tuple(Cell(source, 1) for source in sources)
    return Page(name, Path(f"{name}.md"), cells, requires)


def recipe(one: Page, *others: Page, root: Path = ROOT, **options) -> Recipe:
    return Recipes([one, *others], root, **options).of(one)


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "src" / "tenphases" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_key_depends_on_the_code():
    assert recipe(page("a", "x")).key == recipe(page("a", "x")).key
    assert recipe(page("a", "x")).key != recipe(page("a", "y")).key
    assert recipe(page("a", "x", "y")).key != recipe(page("a", "xy")).key


def test_the_key_depends_on_the_profile(monkeypatch):
    before = recipe(page("a", "x")).key
    monkeypatch.setenv("TENPHASES_DATA", "full")
    assert recipe(page("a", "x")).key != before


@pytest.mark.parametrize("source", REACHED)
def test_the_key_depends_on_the_modules_reached_and_on_no_other(root, source):
    for name in FILES:
        path = root / "src" / "tenphases" / name
        before = recipe(page("a", source), root=root).key
        path.write_text(FILES[name] + "# changed\n")
        changed = recipe(page("a", source), root=root).key != before
        path.write_text(FILES[name])
        assert changed == (name in REACHED[source]), name


def test_a_module_that_comes_or_goes_changes_the_key(root):
    reader = page("a", "from tenphases.models import mlp")
    before = recipe(reader, root=root).key
    new = root / "src" / "tenphases" / "models" / "mlp"
    new.mkdir()
    (new / "__init__.py").write_text("")
    assert recipe(reader, root=root).key != before


def test_other_packages_are_found_through_the_package(root):
    found = reach(["from tenphases import data"], root / "src" / "tenphases")
    assert found.modules == {"mlxtend"}
    assert reach(["import os, torch.nn"], root).modules == {"torch"}


def test_the_key_depends_on_the_versions_behind_an_import():
    def with_version(name: str, source: str) -> str:
        def version_of(package, installed):
            return "0" if package == name else installed

        return recipe(page("a", source), version_of=version_of).key

    for source, package, matters in (
        ("import torchvision", "torchvision", True),
        ("import torchvision", "pillow", True),  # torchvision requires it
        ("import sklearn.datasets", "scikit-learn", True),
        ("import sklearn.datasets", "scipy", True),
        ("import sklearn.datasets", "torchvision", False),
        ("import math", "sphinx", False),
        ("x", "ipykernel", True),  # it runs every page
    ):
        changed = with_version(package, source) != recipe(page("a", source)).key
        assert changed == matters, (source, package)


def test_the_key_depends_on_packages_that_a_loader_names_in_a_string(root):
    loader = root / "src" / "tenphases" / "data" / "core.py"
    loader.write_text("def load():\n    return read('skimage.data', 'cat.png')\n")
    reader = page("a", "from tenphases import data")
    for package, matters in (("scikit-image", True), ("timm", False)):

        def version_of(name, installed, package=package):
            return "0" if name == package else installed

        new = recipe(reader, root=root, version_of=version_of)
        assert (new.key != recipe(reader, root=root).key) == matters, package
    assert recipe(reader, root=root).named == ["scikit-image"]


def test_a_module_may_have_another_name_than_its_package():
    assert packages_of("sklearn") == ("scikit-learn",)
    assert versions_behind(["no_such_module"]) == {"no-such-module": "absent"}


def test_the_key_depends_on_the_pages_that_it_requires():
    second = page("second", "read", requires=("first",))
    one = recipe(second, page("first", "x")).key
    assert recipe(second, page("first", "y")).key != one


def test_differences_are_said_in_words(root, monkeypatch):
    first = page("first", "y")
    second = page("a", "from tenphases import viz", "x", requires=("first",))
    old = recipe(second, first, root=root)
    (root / "src" / "tenphases" / "viz.py").write_text("changed")
    monkeypatch.setenv("TENPHASES_DATA", "full")
    second = page("a", "from tenphases import viz", "z", requires=("first",))
    new = recipe(second, first, root=root, version_of=lambda name, _: "0")
    said = new.differences(vars(old))
    torch = old.versions["torch"]
    for sentence in (
        "code cell 2 changed",
        "src/tenphases/viz.py changed",
        f"torch {torch} became 0",
        "data bundled became full",
        "page first changed",
    ):
        assert sentence in said
    assert new.differences(vars(new)) == []


def test_a_hidden_gpu_is_none(monkeypatch):
    monkeypatch.setenv("TENPHASES_DEVICE", "auto")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert profile()["device"] != "cuda"


LAZY = """
from importlib import import_module
_MODULES = {"images": ("mnist", "cat"), "words": ("glove",)}
def __getattr__(name):
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
"""


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("from tenphases import data\ndata.mnist()", {"images"}),
        ("from tenphases.data import glove", {"words"}),
        ("import tenphases.data as d\nd.cat, d.glove", {"images", "words"}),
        ("from tenphases import data\nmnist = data.core.x", set()),
        ("from tenphases import data\ngetattr(data, chosen)", {"images", "words"}),
        ("from tenphases import data as d\nvars(d)", {"images", "words"}),
        ("from tenphases import data\ngetattr(data, 'cat')", {"images"}),
        ("from tenphases import data\ngetattr(other, chosen)", set()),
        ("s = 'from tenphases import data\\ndata.mnist()'", {"images"}),
        ("x.mnist()", set()),
    ],
)
def test_of_a_lazy_package_the_modules_that_are_asked_for_are_reached(
    root, source, modules
):
    package = root / "src" / "tenphases"
    (package / "data" / "__init__.py").write_text(LAZY)
    for name in ("images", "words"):
        (package / "data" / f"{name}.py").write_text("")
    found = {file.stem for file in reach([source], package).files}
    assert found & {"images", "words"} == modules


def test_a_lazy_package_is_asked_in_any_cell(root):
    package = root / "src" / "tenphases"
    (package / "data" / "__init__.py").write_text(LAZY)
    (package / "data" / "words.py").write_text("")
    found = reach(["from tenphases import data", "data.glove()"], package)
    assert package / "data" / "words.py" in found.files
