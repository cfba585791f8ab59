import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Give every test an empty cache and the default profile."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TENPHASES_CACHE", str(folder))
    monkeypatch.delenv("TENPHASES_DATA", raising=False)
    return folder
