"""Sphinx extension: renders stored results. It executes nothing itself."""

from sphinx.application import Sphinx

from bookbuild.sphinx import (
    chapters,
    current,
    downloads,
    figures,
    gallery,
    numbering,
    pagebar,
    site,
    times,
)


def setup(app: Sphinx) -> dict:
    parts = (site, current, numbering, chapters, gallery, figures, pagebar, downloads)
    for part in (*parts, times):
        part.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
