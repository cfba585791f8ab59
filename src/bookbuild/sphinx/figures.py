"""Every image with its size, and every SVG figure a second time, for dark pages.

The figures' four neutral colours are known, so the dark version is a matter of
replacing them; the theme shows the one that fits.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.images import get_image_size

# PAPER, INK, MUTED and GRID of tenphases.viz, and what stands for them on dark
# pages. (Importing that module would import torch, which costs a build seconds.)
DARK = {
    "#fffffe": "#121212",
    "#2b2f36": "#dfe3e8",
    "#636973": "#a6adb8",
    "#d9dde3": "#3a4049",
}
DARK_ENDING = "-dark.svg"
SIZE = re.compile(r'<svg[^>]*?width="([\d.]+)pt" height="([\d.]+)pt"', re.S)
VIEW = re.compile(r'<svg[^>]*?viewBox="0 0 (\d+) (\d+)"', re.S)


def darken(svg: str) -> str:
    """Return the figure with its neutral colours replaced."""
    for light, dark in DARK.items():
        svg = svg.replace(light, dark)
    return svg


def pixels(path: Path) -> tuple[int, int] | None:
    """Return how wide and high an image is shown, if that can be told."""
    if path.suffix != ".svg":
        return get_image_size(path)
    svg = path.read_text(encoding="utf-8")
    if size := SIZE.search(svg):  # 96 pixels to 72 points
        return tuple(round(float(points) * 4 / 3) for points in size.groups())
    return (view := VIEW.search(svg)) and tuple(map(int, view.groups()))


def _prepare_images(app: Sphinx, doctree: nodes.document) -> None:
    for image in list(doctree.findall(nodes.image)):
        if "://" in image["uri"]:
            continue
        _, name = app.env.relfn2path(image["uri"], app.env.docname)
        path = Path(name)
        if not path.exists():
            continue  # Sphinx itself reports the missing image
        image["loading"] = "lazy"
        if "width" not in image and (size := pixels(path)):
            # both, so that the place is kept while the image comes (see weight)
            image["width"], image["height"] = (f"{side}px" for side in size)
        if path.suffix == ".svg":
            _add_dark_version(image, path)


def _add_dark_version(image: nodes.image, path: Path) -> None:
    svg = path.read_text(encoding="utf-8")
    dark = darken(svg)
    if dark == svg:
        return
    other = path.with_name(path.stem + DARK_ENDING)
    if not other.exists() or other.read_text(encoding="utf-8") != dark:
        other.write_text(dark, encoding="utf-8")
    twin = image.deepcopy()
    twin["uri"] = image["uri"].removesuffix(".svg") + DARK_ENDING
    image["classes"].append("only-light")
    twin["classes"].append("only-dark")
    # in a span of their own: the theme also hides a caption that stands right
    # beside a hidden image
    pair = nodes.inline("", "", image.deepcopy(), twin)
    image.parent[image.parent.index(image)] = pair


def setup(app: Sphinx) -> None:
    # before Sphinx collects the images, at the default priority of 500
    app.connect("doctree-read", _prepare_images, priority=100)
