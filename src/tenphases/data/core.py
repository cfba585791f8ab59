"""What every loader shares: the result, the profile, the cache and the split."""

import os
import pkgutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

PROFILES = ("bundled", "full")
# import names that differ from what pip calls the package
PIP_NAMES = {"sklearn": "scikit-learn", "skimage": "scikit-image"}


class DataError(RuntimeError):
    """Data could not be had; the message says why and what to do."""


@dataclass(frozen=True)
class Source:
    """Where data comes from and on what terms it may be used."""

    name: str
    origin: str
    licence: str
    note: str = ""

    def __str__(self) -> str:
        first = f"{self.name}: {self.origin}; licence: {self.licence}"
        return f"{first}\n{self.note}" if self.note else first

    def card(self, sizes: str, *lines: str) -> str:
        """Return what a set says of itself: its sizes, its own lines, its terms."""
        terms = (f"origin   {self.origin}", f"licence  {self.licence}")
        return "\n".join([f"{self.name}: {sizes}", *lines, *terms])


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A training and a test set with the names that belong to their columns.

    ``train`` and ``test`` hold (inputs, targets). ``classes`` is empty for a
    regression, ``features`` for images.
    """

    train: TensorDataset
    test: TensorDataset
    classes: tuple[str, ...]
    features: tuple[str, ...]
    source: Source

    def __repr__(self) -> str:
        inputs, targets = self.train.tensors
        sizes = f"{len(self.train):,} training and {len(self.test):,} test examples"
        return self.source.card(
            sizes,
            _line(f"inputs   {_describe(inputs)}", self.features),
            _line(f"targets  {_describe(targets)}", self.classes),
        )


def _describe(tensor: Tensor) -> str:
    sizes = ["N", *map(str, tensor.shape[1:])]
    shape = ", ".join(sizes) + ("," if len(sizes) == 1 else "")
    return f"({shape}) {str(tensor.dtype).removeprefix('torch.')}"


def _line(text: str, names: tuple[str, ...]) -> str:
    """Add as many names as a page's 78 columns hold."""
    for shown in range(len(names), 0, -1):
        rest = ", ..." if shown < len(names) else ""
        line = f"{text}: {', '.join(names[:shown])}{rest}"
        if len(line) <= 78:
            return line
    return text


def profile() -> str:
    """Return the data profile, ``bundled`` or ``full``, from ``TENPHASES_DATA``.

    Raises ValueError for any other value.
    """
    name = os.environ.get("TENPHASES_DATA", "bundled").lower()
    if name not in PROFILES:
        raise ValueError(
            f"TENPHASES_DATA is {name!r}; set it to one of {', '.join(PROFILES)}."
        )
    return name


def cache_dir() -> Path:
    """Return the folder for fetched files, made if need be.

    It is ``TENPHASES_CACHE`` or else ``tenphases`` in the platform's cache folder
    (``XDG_CACHE_HOME``, which is ``~/.cache`` by default, on Linux). Raises
    DataError if the folder cannot be made or written to.
    """
    chosen = os.environ.get("TENPHASES_CACHE")
    folder = Path(chosen).expanduser() if chosen else _platform_cache() / "tenphases"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error.strerror) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(folder, "no permission")
    return folder.absolute()


def _unwritable(folder: Path, why: str | None) -> DataError:
    return DataError(
        f"the cache folder {folder} cannot be written to ({why}); "
        "set TENPHASES_CACHE to a folder that can."
    )


def _platform_cache() -> Path:
    if sys.platform == "win32":
        usual = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        usual = Path.home() / "Library" / "Caches"
    else:
        usual = Path.home() / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or usual)


def require(module: str, wanted_by: str, *, extra: str = "data") -> ModuleType:
    """Import an optional module, or raise DataError that says how to install it.

    ``extra`` names the extra of tenphases that the module comes with.
    """
    package = module.partition(".")[0]
    try:
        # not import_module: the build takes that, of a computed name, for an import
        # of any module beside this one
        return pkgutil.resolve_name(f"{module}:")
    except ModuleNotFoundError as error:
        # a package that is there but broken must show its own traceback
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise _missing(package, wanted_by, extra) from error


def package_file(package: str, file: str, wanted_by: str) -> Path:
    """Return the path of a file inside an installed package, without importing it.

    The import would cost up to three seconds (pandas, SciPy) and give nothing that
    the file does not hold. Raises DataError if the package or the file is missing.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(package, wanted_by)
    path = Path(spec.submodule_search_locations[0], file)
    if not path.is_file():
        name = PIP_NAMES.get(package, package)
        raise DataError(
            f"the installed {name} has no file {file}, which {wanted_by} needs; "
            "run: pip install --force-reinstall 'tenphases[data]'"
        )
    return path


def _missing(package: str, wanted_by: str, extra: str = "data") -> DataError:
    return DataError(
        f"{wanted_by} needs the package {PIP_NAMES.get(package, package)}; "
        f"run: pip install 'tenphases[{extra}]'"
    )


def split_indices(
    count: int, *, seed: int, labels: Tensor | None = None, test_share: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Return shuffled, disjoint indices of a training and a test set.

    With ``labels`` (N,) int64 every class gives the same share to the test set.
    The generator is its own, so torch's global one is left alone. Shapes: (train,)
    and (test,), int64.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(count, generator=generator)
    groups = torch.zeros(count, dtype=torch.int64) if labels is None else labels[order]
    is_test = torch.zeros(count, dtype=torch.bool)
    for group in groups.unique():
        rows = (groups == group).nonzero().squeeze(1)
        is_test[rows[: round(test_share * len(rows))]] = True
    return order[~is_test], order[is_test]


def split_dataset(
    inputs: Tensor,
    targets: Tensor,
    *,
    source: Source,
    seed: int,
    classes: tuple[str, ...] = (),
    features: tuple[str, ...] = (),
) -> Dataset:
    """Return the 80/20 split of (inputs, targets), stratified if there are classes."""
    labels = targets if classes else None
    rows = split_indices(len(inputs), seed=seed, labels=labels)
    train, test = (TensorDataset(inputs[part], targets[part]) for part in rows)
    return Dataset(train, test, classes, features, source)
