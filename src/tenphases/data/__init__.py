"""Real data for the book's pages: tables, images and files out of wheels.

Everything is read from packages that pip installs (``tenphases[data]``), so the
default profile needs no network beyond the package index. ``TENPHASES_DATA=full``
downloads the famous data sets instead, into ``TENPHASES_CACHE``. Each loader
returns a :class:`Dataset` that prints its shapes, split, licence and origin.
"""

from tenphases.data.core import (
    DataError,
    Dataset,
    Source,
    cache_dir,
    profile,
    split_indices,
)
from tenphases.data.images import fashion_mnist, mnist
from tenphases.data.patches import photo_patches
from tenphases.data.photographs import PHOTOGRAPHS, photograph, photograph_source
from tenphases.data.tables import auto_mpg, penguins, table
from tenphases.data.wheels import fetch_wheel

__all__ = [
    "PHOTOGRAPHS",
    "DataError",
    "Dataset",
    "Source",
    "auto_mpg",
    "cache_dir",
    "fashion_mnist",
    "fetch_wheel",
    "mnist",
    "penguins",
    "photo_patches",
    "photograph",
    "photograph_source",
    "profile",
    "split_indices",
    "table",
]
