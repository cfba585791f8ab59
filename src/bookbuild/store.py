"""Results of executed pages, kept by the key of what they were computed from."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

FORMAT = 1


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, text=True)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class Store:
    """A folder of results. An entry that is damaged counts as absent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def load(self, key: str) -> dict | None:
        """Return the result under a key, or None if there is no sound one."""
        try:
            digest, body = self.path(key).read_text(encoding="utf-8").split("\n", 1)
        except (FileNotFoundError, ValueError, UnicodeDecodeError):
            return None
        if digest != _digest(body):
            return None
        return json.loads(body)

    def save(self, key: str, result: dict) -> None:
        body = json.dumps(result)
        write_atomically(self.path(key), f"{_digest(body)}\n{body}")


def _digest(body: str) -> str:
    return hashlib.sha256(f"{FORMAT}\n{body}".encode()).hexdigest()
