"""Real photographs in colour that ship inside scikit-image and scikit-learn."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tenphases.data.core import Source, package_file

# name: (package, file, licence, who and what); the licences are those that the
# packages give in skimage/data/_fetchers.py and sklearn/datasets/images/README.txt
TABLE = {
    "astronaut": (
        "skimage",
        "data/astronaut.png",
        "public domain",
        "the astronaut Eileen Collins, NASA",
    ),
    "cat": (
        "skimage",
        "data/chelsea.png",
        "CC0 1.0",
        "the cat Chelsea, by Stefan van der Walt",
    ),
    "coffee": (
        "skimage",
        "data/coffee.png",
        "CC0 1.0",
        "a cup of coffee at Pikolo Espresso Bar, by Rachel Michetti",
    ),
    "rocket": (
        "skimage",
        "data/rocket.jpg",
        "public domain",
        "the launch of DSCOVR on a Falcon 9, SpaceX",
    ),
    "galaxies": (
        "skimage",
        "data/hubble_deep_field.jpg",
        "public domain",
        "the Hubble eXtreme Deep Field, NASA",
    ),
    "retina": (
        "skimage",
        "data/retina.jpg",
        "CC0 1.0",
        "the retina of a left eye, by Mikael Häggström",
    ),
    "tissue": (
        "skimage",
        "data/ihc.png",
        "no known copyright restrictions",
        "stained glands of a colon under the microscope, CMMI",
    ),
    "china": (
        "sklearn",
        "datasets/images/china.jpg",
        "CC BY 2.0",
        "a palace in China, by danielbuechele on Flickr",
    ),
    "flower": (
        "sklearn",
        "datasets/images/flower.jpg",
        "CC BY 2.0",
        "a dahlia, by vultilion on Flickr",
    ),
}
PHOTOGRAPHS = tuple(TABLE)


def photograph(name: str) -> Tensor:
    """Return a colour photograph, uint8 of shape (3, H, W).

    ``name`` is one of ``PHOTOGRAPHS``. Raises ValueError for another name and
    DataError if the package that holds it is not installed. Never uses a network.
    """
    package, file, *_ = _entry(name)
    path = package_file(package, file, f"the photograph {name!r}")
    with Image.open(path) as image:
        array = np.array(image.convert("RGB"))  # (H, W, 3)
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()


def photograph_source(name: str) -> Source:
    """Return who made a photograph, the package it is in, and its licence."""
    package, file, licence, what = _entry(name)
    return Source(name, f"{package}/{file}", licence, note=what)


def _entry(name: str) -> tuple[str, str, str, str]:
    if name not in TABLE:
        raise ValueError(
            f"there is no photograph {name!r}; choose {', '.join(PHOTOGRAPHS)}."
        )
    return TABLE[name]
