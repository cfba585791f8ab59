"""Results of executed pages, kept by the key of what they were computed from.

The folder may be shared: by builds that run at once, by machines, by a CI cache.
Every file is complete or absent, and carries a digest of its content.
"""

import contextlib
import os
from collections.abc import Container
from pathlib import Path

from bookbuild.files import read_checked, write_checked

FORMAT = 2
RECORDS = "pages"  # for each page, what its last run was made from


class Store:
    """A folder of results. An entry that is damaged counts as absent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def load(self, key: str) -> dict | None:
        """Return the result under a key, or None if there is no sound one."""
        result = read_checked(self.path(key), FORMAT)
        if result is not None:
            self._mark_used(key)
        return result

    def save(self, key: str, result: dict) -> None:
        write_checked(self.path(key), result, FORMAT)

    def record(self, page: str) -> dict | None:
        """Return what is known of a page's last run, or None if there was none."""
        return read_checked(self._record_path(page), FORMAT)

    def save_record(self, page: str, record: dict) -> None:
        write_checked(self._record_path(page), record, FORMAT)

    def collect_garbage(self, limit: int, keep: Container[str]) -> int:
        """Delete the results unused for longest until the rest take up at most
        ``limit`` bytes, but none whose key is in ``keep``; return the bytes freed.

        Remains of writes that were cut off go too, once they are a day old by the
        folder's own clock.
        """
        entries = self._entries()
        size = sum(stat.st_size for _, stat in entries)
        newest = max((stat.st_mtime for _, stat in entries), default=0.0)
        freed = 0
        for path, stat in sorted(entries, key=lambda entry: entry[1].st_mtime):
            half_written = path.suffix != ".json" or path.name.startswith(".")
            too_much = size - freed > limit and path.stem not in keep
            if newest - stat.st_mtime > 86400 if half_written else too_much:
                path.unlink(missing_ok=True)  # another build may have been faster
                freed += stat.st_size
        return freed

    def _entries(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        for path in self.folder.glob("[0-9a-f][0-9a-f]/*"):
            # another build may have deleted it since
            with contextlib.suppress(FileNotFoundError):
                found.append((path, path.stat()))
        return found

    def _record_path(self, page: str) -> Path:
        return self.folder / RECORDS / f"{page}.json"

    def _mark_used(self, key: str) -> None:
        # a store that may only be read is as good
        with contextlib.suppress(PermissionError, FileNotFoundError):
            os.utime(self.path(key))
