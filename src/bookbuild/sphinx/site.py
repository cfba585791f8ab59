"""What the site is told of itself: its address, its repository, its own files."""

from pathlib import Path
from urllib.parse import urlsplit

from sphinx.application import Sphinx
from sphinx.config import Config

from bookbuild.address import colab_url, repository, site_url
from bookbuild.pages import EXAMPLES, GALLERY
from bookbuild.sphinx import assets


def source_url(app: Sphinx, name: str) -> str | None:
    """Return where a page's source can be edited, if the repository is known."""
    if not app.config.tenphases_repository:
        return None
    if name.startswith(f"{EXAMPLES}/"):
        source = f"{GALLERY}{name.removeprefix(EXAMPLES)}.py"
    else:
        source = f"{name}.md"
    return f"{app.config.tenphases_repository}/edit/main/{source}"


def _configure(app: Sphinx, config: Config) -> None:
    known = repository()
    config.tenphases_repository = known or ""
    config.tenphases_colab = colab_url(known)
    config.html_baseurl = config.ogp_site_url = site_url()
    config.notfound_urls_prefix = urlsplit(site_url()).path or "/"
    if known:
        config.html_theme_options |= {
            "repository_url": known,
            "use_repository_button": True,
            "use_issues_button": True,
        }
    config.html_static_path.append(str(assets.lay_out(Path(app.srcdir))))
    config.html_math_renderer = "typeset"
    # these two read nothing that another document writes, but do not say so
    for name in ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex"):
        if name in app.extensions:
            app.extensions[name].parallel_read_safe = True
            app.extensions[name].parallel_write_safe = True


def setup(app: Sphinx) -> None:
    app.add_config_value("tenphases_repository", "", "env")
    app.add_config_value("tenphases_colab", "", "env")
    app.connect("config-inited", _configure, priority=900)
