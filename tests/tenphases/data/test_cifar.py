import hashlib
import pickle
import shutil
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision.datasets.cifar as torchvision_cifar
from torchvision.datasets import CIFAR10

from tenphases import data
from tenphases.data import cifar

TRAIN = [name for name, _ in CIFAR10.train_list]
PART = 8  # pictures in each of the made-up files


class OldDtype:
    """Pickles as the NumPy of 2009 wrote uint8, with align=0."""

    def __reduce__(self):
        return np.dtype, ("u1", 0, 1)


class OldArray:
    """Pickles as an array of such a dtype."""

    def __init__(self, array):
        self.array = array

    def __reduce__(self):
        rebuild, arguments, _ = self.array.__reduce__()
        state = (1, self.array.shape, OldDtype(), False, self.array.tobytes())
        return rebuild, arguments, state


def write_file(path, content):
    path.write_bytes(pickle.dumps(content, protocol=2))
    return hashlib.md5(path.read_bytes()).hexdigest()


def write_set(folder, monkeypatch):
    """Write a small set whose first pixels are its labels; let checksums agree."""
    folder.mkdir(parents=True)
    sums = {}
    for name in (*TRAIN, "test_batch"):
        labels = [(i + len(sums)) % 10 for i in range(PART)]
        pixels = np.zeros((PART, 3072), dtype=np.uint8)
        pixels[:, 0], pixels[:, 1025], pixels[:, -1] = labels, 7, 255
        content = {"data": OldArray(pixels), "labels": labels}
        sums[name] = write_file(folder / name, content)
    names = {"label_names": list(cifar.CIFAR_CLASSES)}
    meta = {**CIFAR10.meta, "md5": write_file(folder / "batches.meta", names)}
    monkeypatch.setattr(CIFAR10, "meta", meta)
    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in TRAIN])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])


@pytest.fixture
def full(monkeypatch):
    monkeypatch.setenv("TENPHASES_DATA", "full")


def download_with(monkeypatch, function):
    monkeypatch.setattr(torchvision_cifar, "download_and_extract_archive", function)


def check(pictures):
    for part, count in ((pictures.train, 5 * PART), (pictures.test, PART)):
        inputs, targets = part.tensors
        assert inputs.shape == (count, 3, 32, 32) and inputs.dtype == torch.float32
        assert targets.shape == (count,) and targets.dtype == torch.int64
        assert torch.equal((255 * inputs[:, 0, 0, 0]).round().long(), targets)
        assert (inputs[:, 1, 0, 1] == torch.tensor(7 / 255)).all()  # row 0, column 1
        assert (inputs[:, 2, 31, 31] == 1).all() and inputs.is_contiguous()
    assert pictures.classes[:2] == ("airplane", "automobile")
    assert len(pictures.classes) == 10 and "none stated" in str(pictures)


def test_it_is_read_from_files_that_the_reader_put_there(cache, monkeypatch):
    write_set(cache / "cifar-10-batches-py", monkeypatch)
    check(data.cifar10())


def test_without_files_it_says_what_to_do(cache):
    with pytest.raises(data.DataError) as caught:
        data.cifar10()
    message = str(caught.value)
    assert "set TENPHASES_DATA=full" in message and "batches.meta" in message
    assert str(cache / "cifar-10-batches-py") in message and "\n" not in message


def test_full_profile_downloads_once(full, cache, tmp_path, monkeypatch):
    write_set(tmp_path / "source", monkeypatch)
    asked = []

    def copy(url, root, filename, md5):
        asked.append((url, md5))
        shutil.copytree(tmp_path / "source", f"{root}/cifar-10-batches-py")

    download_with(monkeypatch, copy)
    check(data.cifar10())
    check(data.cifar10())
    assert asked == [(CIFAR10.url, CIFAR10.tgz_md5)]
    assert [path.name for path in cache.iterdir()] == ["cifar-10-batches-py"]


@pytest.mark.parametrize("error", [URLError("no route"), RuntimeError("corrupted")])
def test_failed_download_is_one_sentence(full, cache, monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    download_with(monkeypatch, fail)
    with pytest.raises(data.DataError, match="could not be downloaded; check the netw"):
        data.cifar10()
    assert list(cache.rglob("*")) == []


def test_a_damaged_file_is_said_to_be_damaged(cache, monkeypatch):
    folder = cache / "cifar-10-batches-py"
    write_set(folder, monkeypatch)
    (folder / "test_batch").write_bytes(b"half a file")
    with pytest.raises(data.DataError, match="damaged; delete them and load again"):
        data.cifar10()
