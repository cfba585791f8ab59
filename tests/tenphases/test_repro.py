import random

import numpy as np
import pytest
import torch

from tenphases import artifact, budget, get_device, set_seed


@pytest.fixture(autouse=True)
def profile(monkeypatch, tmp_path):
    monkeypatch.delenv("TENPHASES_DEVICE", raising=False)
    monkeypatch.setenv("TENPHASES_ARTIFACTS", str(tmp_path / "artifacts"))


def draw():
    numpy = np.random.rand()  # noqa: NPY002 - the generator that pages use
    return random.random(), numpy, torch.rand(1).item()


def test_seed_repeats_all_three_generators():
    set_seed(7)
    first = draw()
    set_seed(7)
    assert draw() == first
    set_seed(8)
    assert all(a != b for a, b in zip(draw(), first, strict=True))


@pytest.mark.parametrize("seed", [0, 2**32 - 1, 2**32 + 5, -1])
def test_seed_may_be_any_integer_that_torch_takes(seed):
    set_seed(seed)
    first = draw()
    set_seed(seed)
    assert draw() == first


def test_device_that_is_asked_for(monkeypatch):
    monkeypatch.setenv("TENPHASES_DEVICE", "CPU")
    assert get_device() == torch.device("cpu")


@pytest.mark.parametrize("found", [None, torch.device("cuda")])
def test_auto_takes_the_accelerator_or_else_the_cpu(monkeypatch, found):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: found)
    assert get_device() == (found or torch.device("cpu"))


def test_unknown_device_lists_the_names(monkeypatch):
    monkeypatch.setenv("TENPHASES_DEVICE", "tpu")
    with pytest.raises(
        ValueError, match="'tpu'; set it to one of auto, cpu, cuda, mps"
    ):
        get_device()


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_absent_device_says_what_to_do(monkeypatch, name):
    backend = {"cuda": torch.cuda, "mps": torch.backends.mps}[name]
    monkeypatch.setenv("TENPHASES_DEVICE", name)
    monkeypatch.setattr(backend, "is_available", lambda: False)
    with pytest.raises(
        RuntimeError, match=f"TENPHASES_DEVICE is {name}.*set it to auto"
    ):
        get_device()
    monkeypatch.setattr(backend, "is_available", lambda: True)
    assert get_device() == torch.device(name)


def test_budget_follows_the_device(monkeypatch):
    monkeypatch.setenv("TENPHASES_DEVICE", "cpu")
    assert budget(cpu=4, gpu=40) == 4
    monkeypatch.setenv("TENPHASES_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert budget(cpu=4, gpu=40) == 40
    with pytest.raises(TypeError):
        budget(4, 40)


def test_artifact_is_a_file_in_the_folder(tmp_path):
    path = artifact("weights.pt")
    assert path == tmp_path / "artifacts" / "weights.pt"
    path.write_text("written by one page")
    assert artifact("weights.pt").read_text() == "written by one page"


def test_artifacts_lie_beside_the_page_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("TENPHASES_ARTIFACTS")
    monkeypatch.chdir(tmp_path)
    assert artifact("a.pt").resolve() == tmp_path / "artifacts" / "a.pt"


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/b", "/etc/passwd", "a/"])
def test_artifact_outside_the_folder_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="plain file name"):
        artifact(name)
    assert not (tmp_path / "artifacts").exists()
