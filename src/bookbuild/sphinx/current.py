"""Which documents Sphinx has to read again: those whose content has changed.

Sphinx compares the times of files, which a clock that was set back, a checkout or
a copy can make lie. This compares content: of the source, and of the results that
the page shows.
"""

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from bookbuild import RESULTS
from bookbuild.keys import digest_of
from bookbuild.sphinx import results


def page_digest(app: Sphinx, name: str) -> str:
    """Return a digest of a document's source and of the results that it shows."""
    source = Path(app.env.doc2path(name)).read_bytes()
    result = results.path_of(Path(app.srcdir), name)
    shown = [result] if result.exists() else []
    if b"{page-times}" in source:
        shown = sorted((Path(app.srcdir) / RESULTS).rglob("*.json"))
    return digest_of(source + b"".join(path.read_bytes() for path in shown))


def _outdated(
    app: Sphinx, env: BuildEnvironment, added: set, changed: set, removed: set
) -> list[str]:
    known = getattr(env, "tenphases_digests", {})
    current = {name: page_digest(app, name) for name in env.found_docs}
    env.tenphases_digests = current
    return [
        name
        for name, digest in current.items()
        if name not in added and known.get(name) != digest
    ]


def setup(app: Sphinx) -> None:
    app.connect("env-get-outdated", _outdated)
