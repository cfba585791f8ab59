"""CIFAR-10: small colour pictures of ten kinds of things."""

import warnings
from pathlib import Path

import torch
from torch.utils.data import TensorDataset

from tenphases.data.core import DataError, Dataset, Source, cache_dir, profile
from tenphases.data.download import download

# in the order of batches.meta
CIFAR_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
CIFAR_10 = Source(
    name="CIFAR-10",
    origin="downloaded by torchvision; Krizhevsky 2009, University of Toronto",
    licence="none stated; its authors ask to be cited",
    note="The usual 50,000 training and 10,000 test pictures, chosen from the "
    "Tiny Images, which were gathered on the web.",
)


def cifar10() -> Dataset:
    """32x32 colour pictures of ten kinds of things, 50,000 and 10,000.

    Shapes: inputs (N, 3, 32, 32) float32 in [0, 1]; targets (N,) int64. Reads the
    files of the Python version in ``cifar-10-batches-py`` of :func:`cache_dir`; the
    full profile downloads them (163 MB) if they are not there. Raises DataError
    otherwise, if the download fails, and if a file is not what torchvision's
    checksums say. Source: Krizhevsky (2009), Learning Multiple Layers of Features
    from Tiny Images.
    """
    from torchvision.datasets import CIFAR10

    root = cache_dir()
    folder = root / CIFAR10.base_folder
    names = [name for name, _ in (*CIFAR10.train_list, *CIFAR10.test_list)]
    names.append(CIFAR10.meta["filename"])
    if not all((folder / name).is_file() for name in names):
        if profile() != "full":
            raise DataError(
                f"{CIFAR_10.name} is not among the bundled data; set TENPHASES_DATA="
                f"full to download it, or put the files {', '.join(names)} in {folder}."
            )
        download(CIFAR10, CIFAR10.base_folder, folder, names)
    parts = [_read_part(CIFAR10, root, train=train) for train in (True, False)]
    return Dataset(*parts, classes=CIFAR_CLASSES, features=(), source=CIFAR_10)


def _read_part(kind: type, root: Path, *, train: bool) -> TensorDataset:
    try:
        with warnings.catch_warnings():
            # the files were pickled by a NumPy of 2009, which wrote align=0
            warnings.filterwarnings("ignore", message=r".*align")
            part = kind(root, train=train)
    except (RuntimeError, OSError) as error:
        raise _damaged(root / kind.base_folder) from error
    pixels = torch.from_numpy(part.data).permute(0, 3, 1, 2)  # (N, 3, 32, 32)
    inputs = pixels.contiguous().float().div_(255)
    return TensorDataset(inputs, torch.tensor(part.targets))


def _damaged(folder: Path) -> DataError:
    return DataError(
        f"the CIFAR-10 files in {folder} are damaged; delete them and load again."
    )
