"""Files that are whole or absent, and that others may read."""

import os

import pytest

from bookbuild.files import write_atomically


def test_what_is_written_can_be_read_by_a_web_server(tmp_path):
    write_atomically(tmp_path / "site/index.html", "text")
    usual = tmp_path / "usual"
    usual.write_text("text")
    ours = tmp_path / "site/index.html"
    assert ours.stat().st_mode == usual.stat().st_mode
    assert ours.read_text() == "text"


def test_what_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    write_atomically(path, "before")

    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "after")
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
