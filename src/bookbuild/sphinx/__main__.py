"""The process that renders: it imports Sphinx and its extensions, then waits.

It reads one line from its input and builds the site; at the input's end it ends.
"""

import contextlib
import gc
import os
import runpy
import sys
from importlib import import_module

from sphinx.cmd.build import main as sphinx_build

from bookbuild import OUTPUT, SITE

# what these extensions import only when Sphinx sets them up
LATER = ("myst_nb.sphinx_ext", "sphinx.builders.html", "sphinx.search.en")


def preload() -> None:
    # Two extensions import matplotlib, which takes a second, for features that are
    # off here; where there is none, they do the rest of their work.
    sys.modules["matplotlib"] = None
    for name in (*runpy.run_path("conf.py")["extensions"], *LATER):
        # Sphinx itself will say what is wrong with an extension, and better
        with contextlib.suppress(ImportError), contextlib.redirect_stdout(None):
            import_module(name)
    # few of the many objects that it makes are garbage before it ends: looking for
    # them took a fifth of the time
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def main() -> int:
    preload()
    if not sys.stdin.readline():
        return 0
    return sphinx_build(
        [
            *["-b", "html", "-q", "-W", "-n", "--keep-going"],
            *["-j", str(os.cpu_count() or 1)],
            *["-d", str(OUTPUT / ".doctrees"), ".", str(SITE)],
        ]
    )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # the build says so itself
        sys.exit(main())
    sys.exit(130)
