import datetime
import sys

import pytest

from tenphases import data


def test_phrases_mean_their_date():
    dates = data.date_phrases(train=500, test=100)
    assert (len(dates.train), len(dates.test)) == (500, 100)
    for phrase in dates.train + dates.test:
        day = datetime.date.fromisoformat(phrase.iso)
        assert 1950 <= day.year <= 2049
        assert str(day.day) in phrase.text and str(day.year) in phrase.text
    assert {p.language for p in dates.train} == {*dates.languages}
    assert len(dates.languages) == 12
    assert repr(dates).startswith("dates in words: 500 training and 100 test phrases")


def test_english():
    texts = {p.text for p in data.date_phrases(["en"], train=2000, test=0).train}
    assert any(text.startswith("Sunday, March ") for text in texts)


def test_no_day_is_in_both_parts_whatever_the_languages():
    dates = data.date_phrases(train=5000, test=1000, seed=5)
    other = data.date_phrases(["da", "cs"], train=0, test=1000, seed=5)
    trained = {p.iso for p in dates.train}
    assert trained.isdisjoint(p.iso for p in dates.test + other.test)
    assert {p.language for p in other.test} == {"da", "cs"}
    assert other.train == ()


def test_same_seed_same_phrases():
    def draw(seed):
        return data.date_phrases(train=50, test=5, seed=seed)

    assert draw(1).train == draw(1).train != draw(2).train


@pytest.mark.parametrize("code", ["xx", "klingon!", ""])
def test_unknown_language(code):
    with pytest.raises(ValueError, match="Babel knows no language"):
        data.date_phrases([code])


@pytest.mark.parametrize("kwargs", [{"languages": []}, {"train": -1}, {"test": -1}])
def test_wrong_arguments(kwargs):
    with pytest.raises(ValueError, match="a language or more, and counts from 0"):
        data.date_phrases(**kwargs)


def test_missing_babel(monkeypatch):
    monkeypatch.setitem(sys.modules, "babel", None)
    with pytest.raises(data.DataError, match="date_phrases needs the package babel"):
        data.date_phrases(["en"])
