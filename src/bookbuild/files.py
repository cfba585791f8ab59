"""Files that are whole or absent, and digests of what is in them."""

import hashlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path


def digest_of(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


def hash_files(root: Path, *places: str) -> str:
    """Return a hash of the names and contents of files and folders below a root."""
    digest = hashlib.sha256()
    for place in places:
        path = root / place
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in inside:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(file.relative_to(root).as_posix().encode() + b"\0")
                digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}", text=True)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o666 & ~_mask())  # mkstemp lets nobody else read it
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@cache
def _mask() -> int:
    """Return what the process takes from the permissions of new files."""
    mask = os.umask(0o22)  # it can only be read by setting it
    os.umask(mask)
    return mask


def write_checked(path: Path, content: dict, form: int) -> None:
    """Write JSON with a digest of itself and of the number of its format."""
    body = json.dumps(content)
    write_atomically(path, f"{_seal(body, form)}\n{body}")


def read_checked(path: Path, form: int) -> dict | None:
    """Return what ``write_checked`` wrote, or None if it is absent, damaged or of
    another format."""
    try:
        seal, body = path.read_text(encoding="utf-8").split("\n", 1)
    except (FileNotFoundError, ValueError):  # ValueError: no newline, no UTF-8
        return None
    return json.loads(body) if seal == _seal(body, form) else None


def _seal(body: str, form: int) -> str:
    return digest_of(f"{form}\n{body}")
