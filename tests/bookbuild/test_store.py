"""The store: sound entries only, and never more than its limit."""

import json
import os

import pytest

from bookbuild import store as module
from bookbuild.store import Store


def key(letter: str) -> str:
    return letter * 64


def test_gives_back_what_was_saved(tmp_path):
    store = Store(tmp_path)
    store.save(key("a"), {"seconds": 1.5})
    assert store.load(key("a")) == {"seconds": 1.5}
    assert store.load(key("b")) is None
    store.save_record("book/page", {"why": "it is new"})
    assert store.record("book/page") == {"why": "it is new"}
    assert store.record("book/other") is None


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[:-3], lambda b: b + b"x", lambda b: b"", lambda b: b"\xff" + b],
)
def test_a_damaged_entry_counts_as_absent(tmp_path, damage):
    store = Store(tmp_path)
    store.save(key("a"), {"seconds": 1.5})
    store.save_record("page", {})
    for path in tmp_path.rglob("*.json"):
        path.write_bytes(damage(path.read_bytes()))
    assert store.load(key("a")) is None
    assert store.record("page") is None


def test_an_entry_of_another_format_counts_as_absent(tmp_path, monkeypatch):
    store = Store(tmp_path)
    monkeypatch.setattr(module, "FORMAT", module.FORMAT + 1)
    store.save(key("a"), {"seconds": 1.5})
    monkeypatch.undo()
    assert store.load(key("a")) is None


def test_leaves_no_temporary_file_behind(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.save(key("a"), {})

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        store.save(key("b"), {})
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [f"{key('a')}.json"]


class TestGarbage:
    @pytest.fixture
    def store(self, tmp_path):
        store = Store(tmp_path)
        for age, letter in enumerate("abcd"):
            store.save(key(letter), {"text": "x" * 1000})
            os.utime(store.path(key(letter)), (1e9 - age, 1e9 - age))
        return store  # a was used last

    def left(self, store):
        return {p.name[0] for p in store.folder.rglob("*.json")}

    def test_the_longest_unused_go_until_the_rest_fit(self, store):
        size = store.path(key("a")).stat().st_size
        assert store.collect_garbage(2 * size, keep=()) == 2 * size
        assert self.left(store) == {"a", "b"}

    def test_what_this_build_shows_stays(self, store):
        store.collect_garbage(0, keep={key("d")})
        assert self.left(store) == {"d"}

    def test_nothing_goes_below_the_limit(self, store):
        assert store.collect_garbage(10**6, keep=()) == 0
        assert self.left(store) == set("abcd")

    def test_loading_counts_as_use(self, store):
        assert store.load(key("d"))
        store.collect_garbage(store.path(key("d")).stat().st_size, keep=())
        assert self.left(store) == {"d"}

    def test_remains_of_a_write_that_was_cut_off_go_after_a_day(self, store):
        folder = store.path(key("a")).parent
        for name, age in (("new", 3600), ("old", 90000)):
            (folder / f".{name}.jsonx").write_text("half")
            os.utime(folder / f".{name}.jsonx", (1e9 - age, 1e9 - age))
        store.collect_garbage(10**6, keep=())
        assert [p.name for p in folder.glob(".*")] == [".new.jsonx"]


def test_a_store_that_may_only_be_read_serves(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.save(key("a"), {"seconds": 1.5})

    def forbidden(*_):
        raise PermissionError(1, "read only")

    monkeypatch.setattr(os, "utime", forbidden)
    assert store.load(key("a")) == {"seconds": 1.5}


def test_what_is_stored_is_plain_json(tmp_path):
    store = Store(tmp_path)
    store.save(key("a"), {"seconds": 1.5})
    digest, body = store.path(key("a")).read_text().split("\n", 1)
    assert len(digest) == 64
    assert json.loads(body) == {"seconds": 1.5}
