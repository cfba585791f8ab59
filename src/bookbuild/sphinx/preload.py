"""Import what Sphinx will need, and nothing that this book does not use."""

import contextlib
import gc
import runpy
import sys
from importlib import import_module
from types import ModuleType

from bookbuild.sphinx import PARTS

# what these extensions import only when Sphinx sets them up
LATER = ("myst_nb.sphinx_ext", "sphinx.builders.html", "sphinx.search.en")
# how MyST-NB executes, which it never does here; it takes most of a second to import
EXECUTORS = {"cache": "Cache", "direct": "Direct", "inline": "Inline"}
# These are imported for what is off here: figures of social cards, Jupyter's web
# server. Where they are absent, Sphinx-Gallery and jupytext do the rest of their work.
UNUSED = (
    "matplotlib",
    "jupytext.sync_contentsmanager",
    "jupytext.async_contentsmanager",
)


def preload() -> None:
    look_up_entry_points_once()
    leave_out()
    from sphinx.application import builtin_extensions

    ours = (f"bookbuild.sphinx.{part}" for part in PARTS)
    asked_for = runpy.run_path("conf.py")["extensions"]
    for name in (*asked_for, *builtin_extensions, *ours, *LATER):
        # Sphinx itself will say what is wrong with an extension, and better
        with contextlib.suppress(ImportError), contextlib.redirect_stdout(None):
            import_module(name)
    # few of the many objects that it makes are garbage before it ends: looking for
    # them took a fifth of the time
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def look_up_entry_points_once() -> None:
    """Read the metadata of all packages once, not at each of a dozen questions."""
    names = ("importlib.metadata", "importlib_metadata")  # pybtex asks the second
    for name in names:
        with contextlib.suppress(ModuleNotFoundError):
            module = import_module(name)
            module.entry_points = module.entry_points().select


def leave_out() -> None:
    for name in UNUSED:
        sys.modules[name] = None
    for name, kind in EXECUTORS.items():
        module = ModuleType(f"myst_nb.core.execute.{name}")
        setattr(module, f"NotebookClient{kind}", None)
        sys.modules[module.__name__] = module
