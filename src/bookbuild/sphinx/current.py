"""Which documents Sphinx has to read and write again, and which to delete.

Sphinx compares the times of files, which a clock that was set back, a checkout or
a copy can make lie. This compares content: of the source, and of the results that
the page shows. And it has every page written again when the sidebar has changed,
which all of them show; Sphinx would leave the old one where nothing else is new.
"""

from functools import cache
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from bookbuild import RESULTS
from bookbuild.files import digest_of
from bookbuild.pages import EXAMPLES
from bookbuild.sphinx import results
from bookbuild.sphinx.figures import DARK_ENDING


def page_digest(app: Sphinx, name: str) -> str:
    """Return a digest of a document's source, of the results that it shows, and of
    the files that it includes."""
    root = Path(app.srcdir)
    source = Path(app.env.doc2path(name)).read_bytes()
    shown = {results.path_of(root, name)}
    shown |= {root / path for path in app.env.dependencies.get(name, ())}
    if b"{page-times}" in source:
        shown |= set((root / RESULTS).rglob("*.json"))
    # dark figures are made of the others, and only when the page is read
    made = {path for path in shown if path.name.endswith(DARK_ENDING)}
    content = [_digest_of_file(path) for path in sorted(shown - made) if path.is_file()]
    return digest_of(digest_of(source) + "".join(content))


@cache  # a page is asked for before it is read, after it, and for its downloads
def _digest_of_file(path: Path) -> str:
    return digest_of(path.read_bytes())


def _outdated(
    app: Sphinx, env: BuildEnvironment, added: set, changed: set, removed: set
) -> list[str]:
    known = getattr(env, "tenphases_digests", {})
    return [
        name
        for name in env.found_docs
        if name not in added and known.get(name) != page_digest(app, name)
    ]


def _remember(app: Sphinx, env: BuildEnvironment) -> None:
    # now that all is read, it is known what each document includes
    env.tenphases_digests = {name: page_digest(app, name) for name in env.found_docs}


def sidebar_digest(env: BuildEnvironment) -> str:
    """Return a digest of what the sidebar shows: titles, and their order."""
    titles = sorted((name, title.astext()) for name, title in env.titles.items())
    return digest_of(repr([titles, sorted(env.toctree_includes.items())]))


def _show_new_sidebar(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Return the documents to write again, though nothing in them has changed."""
    before = getattr(env, "tenphases_sidebar", None)
    env.tenphases_sidebar = sidebar_digest(env)
    return [] if before in (None, env.tenphases_sidebar) else sorted(env.found_docs)


def _delete_old(app: Sphinx, error: Exception | None) -> None:
    """Delete the pages of documents that are no more, or have another name."""
    if error is not None or app.builder.name != "html":
        return
    for folder in ("book", EXAMPLES):
        for path in Path(app.outdir, folder).rglob("*.html"):
            name = path.relative_to(app.outdir).with_suffix("").as_posix()
            if name not in app.env.found_docs:
                path.unlink()


def setup(app: Sphinx) -> None:
    app.connect("env-get-outdated", _outdated)
    app.connect("env-updated", _remember)
    app.connect("env-updated", _show_new_sidebar)
    app.connect("build-finished", _delete_old)
