"""Sphinx extension: renders stored results. It executes nothing itself."""

from sphinx.application import Sphinx

from bookbuild.sphinx import (
    chapters,
    downloads,
    figures,
    gallery,
    numbering,
    pagebar,
    site,
)


def setup(app: Sphinx) -> dict:
    for part in (site, numbering, chapters, gallery, figures, pagebar, downloads):
        part.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
