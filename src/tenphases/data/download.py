"""Downloads by torchvision that leave whole files or none."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten

from tenphases.data.core import DataError, cache_dir


def download(kind: type, inside: str, folder: Path, names: list[str]) -> None:
    """Let a dataset of torchvision download and check its files; put them in place.

    ``kind`` leaves the files ``names`` in ``inside`` of its root; they come to
    ``folder``, below :func:`cache_dir`. torchvision takes any file that exists for a
    good one and unpacks in place, so a file must appear only when it is whole,
    whatever interrupts the download. Raises DataError if it fails.
    """
    try:
        with TemporaryDirectory(dir=cache_dir(), prefix=".download-") as draft:
            kind(draft, download=True)
            folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                os.replace(Path(draft, inside, name), folder / name)
    except (RuntimeError, OSError) as error:  # URLError is an OSError
        reason = shorten(str(error), width=160, placeholder=" ...")
        raise DataError(
            f"{kind.__name__} could not be downloaded; check the network and try "
            f"again, or put the unpacked files in {folder} (the cause: {reason})."
        ) from error
