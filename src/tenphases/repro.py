"""What makes a run repeatable: the seed, the device and the budget.

Three environment variables set a run's profile:

- ``TENPHASES_DEVICE``: ``auto`` (default), ``cpu``, ``cuda`` or ``mps``.
- ``TENPHASES_ARTIFACTS``: the folder for files that a page leaves for another
  (default: ``artifacts`` in the current folder).
- ``TENPHASES_DATA``: read by :mod:`tenphases.data`.
"""

import os
import random
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

T = TypeVar("T")
DEVICES = ("auto", "cpu", "cuda", "mps")


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and torch (every device) with the same number."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - pages use the global generator
    torch.manual_seed(seed)


def get_device() -> torch.device:
    """Return the device that ``TENPHASES_DEVICE`` asks for; ``auto`` finds one.

    Raises ValueError for a name that is none of ``DEVICES`` and RuntimeError for
    a device that this machine does not have.
    """
    name = os.environ.get("TENPHASES_DEVICE", "auto").lower()
    if name not in DEVICES:
        raise ValueError(
            f"TENPHASES_DEVICE is {name!r}; set it to one of {', '.join(DEVICES)}."
        )
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or (
            torch.device("cpu")
        )
    if name == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            "TENPHASES_DEVICE is cuda, but torch sees no CUDA device; "
            "set it to auto or cpu, or install the CUDA build of torch."
        )
    if name == "mps" and not torch.backends.mps.is_available():
        raise RuntimeError(
            "TENPHASES_DEVICE is mps, but torch sees no Apple GPU; "
            "set it to auto or cpu."
        )
    return torch.device(name)


def budget(*, cpu: T, gpu: T) -> T:
    """Return the page's effort (epochs, steps, seeds) for the device at hand."""
    return cpu if get_device().type == "cpu" else gpu


def artifact(name: str) -> Path:
    """Return the path of a file that one page writes and another may read.

    Raises ValueError if ``name`` is not a plain file name.
    """
    if name in ("", "..") or Path(name).name != name:
        raise ValueError(f"artifact wants a plain file name, not {name!r}.")
    folder = Path(os.environ.get("TENPHASES_ARTIFACTS", "artifacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name
