"""What a page's result depends on, and the key made of it.

A page depends on its own cells, on the files of ``tenphases`` that it reaches by
import, on the versions of the packages that it imports and of those behind them,
on Python, on the profile, and on the pages that it requires. Prose is in no key.
"""

import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from bookbuild.files import digest_of
from bookbuild.imports import reach
from bookbuild.pages import Page
from bookbuild.versions import all_versions, packages_of, versions_behind

ENGINE = 8  # raise it when the engine stores or runs pages differently
# what the kernel itself is made of, whatever the page imports
KERNEL = ("ipykernel", "matplotlib_inline", "torch", "numpy", "matplotlib")


@dataclass(frozen=True)
class Recipe:
    """All that a result is made from."""

    cells: list[str]  # a digest each
    files: dict[str, str]  # path below the root to digest
    versions: dict[str, str]
    profile: dict[str, str]
    requires: dict[str, str]  # page to key
    python: str
    imports: dict[str, str]  # of the versions, those of the page's own imports
    modules: list[str]  # that it imports
    named: list[str]  # packages that a loader may read from
    engine: int = ENGINE

    @cached_property
    def key(self) -> str:
        return digest_of(json.dumps(asdict(self), sort_keys=True))

    def differences(self, old: dict) -> list[str]:
        """Say in words how this recipe differs from an older one, given as a dict."""
        new = asdict(self)
        said = []
        if old["cells"] != new["cells"]:
            said.append(_changed_cells(old["cells"], new["cells"]))
        words = {"files": "", "versions": "", "profile": "", "requires": "page "}
        for part, word in words.items():
            for name in sorted({*old[part], *new[part]}):
                was, now = old[part].get(name), new[part].get(name)
                if was != now:
                    said.append(word + _change(part, name, was, now))
        for part in ("python", "engine"):
            if old[part] != new[part]:
                said.append(f"{part} {old[part]} became {new[part]}")
        return said


def _changed_cells(old: list[str], new: list[str]) -> str:
    if len(old) != len(new):
        return f"it had {len(old)} cells and has {len(new)}"
    which = [str(i + 1) for i in range(len(new)) if old[i] != new[i]]
    return f"code cell {', '.join(which)} changed"


def _change(part: str, name: str, was: str | None, now: str | None) -> str:
    if part in ("files", "requires"):  # digests say nothing to a person
        verb = "is new" if was is None else "is gone" if now is None else "changed"
        return f"{name} {verb}"
    return f"{name} {was or 'absent'} became {now or 'absent'}"


class Recipes:
    """The recipes of a set of pages. ``version_of`` may stand in for a version."""

    def __init__(
        self,
        pages: list[Page],
        root: Path,
        *,
        device_of: Callable[[Page], str] | None = None,
        version_of: Callable[[str, str], str] = lambda name, installed: installed,
    ) -> None:
        self.root = root
        self.package = root / "src" / "tenphases"
        self.by_stem = {page.stem: page for page in pages}
        self.device_of = device_of or (lambda page: profile()["device"])
        self.version_of = version_of
        self._known: dict[str, Recipe] = {}

    def of(self, page: Page) -> Recipe:
        """Return a page's recipe, as the files were when it was first asked for."""
        if page.name not in self._known:
            self._known[page.name] = self.read(page)
        return self._known[page.name]

    def read(self, page: Page) -> Recipe:
        """Return a page's recipe as the files of the package are now."""
        reached = reach((cell.source for cell in page.cells), self.package)
        own = {name for module in reached.modules for name in packages_of(module)}
        if reached.everything:
            versions = all_versions()
        else:
            versions = versions_behind({*reached.modules, *reached.named, *KERNEL})
        versions = {n: self.version_of(n, v) for n, v in sorted(versions.items())}
        files = {
            file.relative_to(self.root).as_posix(): digest_of(file.read_bytes())
            for file in sorted(reached.files)
        }
        return Recipe(
            cells=[digest_of(f"{c.source}\0{sorted(c.tags)}") for c in page.cells],
            files=files,
            versions=versions,
            profile={**profile(), "device": self.device_of(page)},
            requires={s: self.of(self.by_stem[s]).key for s in page.requires},
            python=platform.python_version(),
            imports={name: versions[name] for name in sorted(own)},
            modules=sorted(reached.modules),
            named=sorted({p for word in reached.named for p in packages_of(word)}),
        )


def profile() -> dict[str, str]:
    """Return what the environment asks for and which accelerators are in sight.

    Finding out by importing torch would cost every build seconds, so this looks
    at the device files that the drivers make.
    """
    device = os.environ.get("TENPHASES_DEVICE", "auto").lower()
    if device == "auto":
        cuda = os.environ.get("CUDA_VISIBLE_DEVICES") != "" and (
            Path("/dev/nvidia0").exists()
        )
        apple = platform.system() == "Darwin" and platform.machine() == "arm64"
        device = "cuda" if cuda else "mps" if apple else "cpu"
    return {
        "device": device,
        "data": os.environ.get("TENPHASES_DATA", "bundled").lower(),
        "benchmarks": os.environ.get("TENPHASES_BENCHMARKS", ""),
    }
