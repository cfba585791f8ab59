"""What the site is told of itself: its address, its repository, its own files."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from sphinx.application import Sphinx
from sphinx.config import Config

from bookbuild import OUTPUT
from bookbuild.address import colab_url, repository, site_url
from bookbuild.pages import EXAMPLES, GALLERY

# what the pages load, and what MathJax then loads for rarer commands (\boldsymbol)
MATHJAX = (
    "tex-mml-chtml.js",
    "output/chtml/fonts/woff-v2",
    "input/tex/extensions",
)


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
    config.html_static_path.append(str(_assets(Path(app.srcdir))))
    config.mathjax_path = "mathjax/" + MATHJAX[0]
    # these two read nothing that another document writes, but do not say so
    for name in ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex"):
        if name in app.extensions:
            app.extensions[name].parallel_read_safe = True
            app.extensions[name].parallel_write_safe = True


def _assets(root: Path) -> Path:
    """Lay out the part of MathJax that the pages use and return its folder."""
    folder = root / OUTPUT / "assets"
    target = folder / "mathjax"
    if not all((target / part).exists() for part in MATHJAX):
        source = Path(find_spec("sphinx-mathjax-offline").submodule_search_locations[0])
        for part in MATHJAX:
            origin = source / "static" / "mathjax" / part
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                shutil.copytree(origin, target / part, dirs_exist_ok=True)
            else:
                shutil.copy(origin, target / part)
    return folder


def setup(app: Sphinx) -> None:
    app.add_config_value("tenphases_repository", "", "env")
    app.add_config_value("tenphases_colab", "", "env")
    app.connect("config-inited", _configure, priority=900)
