import hashlib
import os
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenphases import data
from tenphases.data import wheels

CONTENT = b"three,rows\n1,2\n3,4\n" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
WANTED = ("tinydata==1.0", "tinydata/files/table.csv", SHA256)
METADATA = """Metadata-Version: 2.1
Name: tinydata
Version: 1.0
Requires-Python: >=99
Requires-Dist: a-package-that-is-not-there
"""


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """Build a wheel in a folder that is pip's only source; return its path."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    path = folder / "tinydata-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tinydata/__init__.py", "raise SystemExit('imported')")
        archive.writestr("tinydata/files/table.csv", CONTENT)
        archive.writestr("../evil.csv", CONTENT)
        archive.writestr("tinydata-1.0.dist-info/METADATA", METADATA)
        archive.writestr(
            "tinydata-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("tinydata-1.0.dist-info/RECORD", "")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return path


@pytest.fixture
def no_pip_run(monkeypatch):
    def run(*args, **kwargs):
        raise AssertionError("pip was run")

    return lambda: monkeypatch.setattr(wheels.subprocess, "run", run)


def files(cache):
    return [path.relative_to(cache) for path in cache.rglob("*") if path.is_file()]


def test_fetches_one_file_then_works_offline_and_mends(wheel, cache, no_pip_run):
    path = data.fetch_wheel(*WANTED)
    assert path.read_bytes() == CONTENT
    assert [str(p) for p in files(cache)] == [
        os.path.join("wheels", "tinydata-1.0", "tinydata", "files", "table.csv")
    ]
    path.write_bytes(CONTENT[:-1])  # a damaged file is fetched again
    assert data.fetch_wheel(*WANTED).read_bytes() == CONTENT
    no_pip_run()
    assert data.fetch_wheel(*WANTED[:2], SHA256.upper()) == path


def test_wrong_hash_is_refused_and_not_kept(wheel, cache):
    with pytest.raises(data.DataError, match=f"has the sha256 {SHA256}, not the"):
        data.fetch_wheel(*WANTED[:2], "0" * 64)
    assert files(cache) == []


def test_missing_member(wheel, cache):
    with pytest.raises(
        data.DataError, match=r"tinydata-1\.0.* holds no file tinydata/"
    ):
        data.fetch_wheel("tinydata==1.0", "tinydata/other.csv", SHA256)
    assert files(cache) == []


@pytest.mark.parametrize(
    "member",
    [
        "../evil.csv",
        "a/../../evil.csv",
        "/etc/passwd",
        "..\\evil.csv",
        "C:evil",
        "",
        ".",
        "a/",
        "./a",
    ],
)
def test_member_outside_the_folder_is_refused_before_anything_runs(
    member, wheel, no_pip_run, cache
):
    no_pip_run()
    with pytest.raises(ValueError, match="not a plain path inside a wheel"):
        data.fetch_wheel("tinydata==1.0", member, SHA256)
    assert not cache.exists()


@pytest.mark.parametrize(
    "requirement",
    ["tinydata", "tinydata>=1", "--index-url=x==1", "../x==1", "x==1 y", "x==../1"],
)
def test_requirement_must_be_one_version(requirement, no_pip_run):
    no_pip_run()
    with pytest.raises(ValueError, match="name==version"):
        data.fetch_wheel(requirement, "a", SHA256)


def test_no_index_is_one_sentence(wheel, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))
    with pytest.raises(data.DataError) as caught:
        data.fetch_wheel(*WANTED)
    message = str(caught.value)
    assert message.startswith("pip could not fetch tinydata==1.0; check the network")
    assert "No matching distribution" in message and "\n" not in message


def test_no_pip_is_one_sentence(monkeypatch, no_pip_run):
    no_pip_run()
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(data.DataError, match=r"needs pip, .* run: uv pip install pip"):
        data.fetch_wheel(*WANTED)


def test_damaged_wheel(wheel, monkeypatch, cache):
    content = bytearray(wheel.read_bytes())
    start = content.find(b"tinydata/files/table.csv") + len("tinydata/files/table.csv")
    content[start + 4 : start + 12] = b"\xff" * 8
    wheel.write_bytes(content)
    with pytest.raises(data.DataError, match="cannot be unpacked"):
        data.fetch_wheel(*WANTED)
    assert files(cache) == []


def test_interruption_leaves_nothing_behind(wheel, monkeypatch, cache):
    def interrupt(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(wheels.os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            data.fetch_wheel(*WANTED)
    assert files(cache) == []
    assert data.fetch_wheel(*WANTED).read_bytes() == CONTENT


def test_two_at_once_do_no_harm(wheel, cache):
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda _: data.fetch_wheel(*WANTED), range(2)))
    assert paths[0] == paths[1] and paths[0].read_bytes() == CONTENT
    assert len(files(cache)) == 1


@pytest.mark.network
def test_real_wheel_from_the_package_index():
    sha256 = "04982e89f0a43dacb3fa7d212360f9ca6d544a801660d21d8b4e49738af6af8a"
    try:
        path = data.fetch_wheel("iniconfig==2.1.0", "iniconfig/exceptions.py", sha256)
    except data.DataError as error:
        if not str(error).startswith("pip could not fetch"):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert "class ParseError" in path.read_text()
