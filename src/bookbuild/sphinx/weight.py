"""Each page loads only what it uses, and its images take their place at once.

Extensions put their scripts and styles on every page. Here stands what a page must
hold to need one.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

ICONS_STYLE = "icons.css"
NEVER = re.compile(r"(?!)")
# scripts that others in the page itself count on
AT_ONCE = ("documentation_options.js",)
# by what is in a script's or a style's name, or in the script itself
NEEDED_FOR = {
    # runs cells on other people's servers; Sphinx-Gallery's tags are not used
    r"thebe|THEBE|sg-tags|sg_gallery-binder": NEVER,
    r"sg_gallery": re.compile(r"sphx-glr"),
    r"mystnb": re.compile(r'class="cell[ _"]'),
    r"toggle": re.compile(r'class="[^"]*\b(?:toggle|dropdown)\b'),
    r"copybutton|clipboard": re.compile(r'class="highlight'),
    r"sphinx-design|design-tabs": re.compile(r'class="[^"]*\bsd-'),
    r"exercise": re.compile(r'class="[^"]*\b(?:exercise|solution)\b'),
    r"[Mm]ath[Jj]ax|scrollers": re.compile(r'class="math '),
}
SIZE = re.compile(r'style="width: (\d+)px; height: (\d+)px;"')

# the icons that the theme's templates and styles show, by Font Awesome's fonts
SOLID = {
    "angle-down": 0xF107,
    "angle-left": 0xF104,
    "angle-right": 0xF105,
    "arrow-up": 0xF062,
    "bars": 0xF0C9,
    "bell": 0xF0F3,
    "chevron-down": 0xF078,
    "circle-check": 0xF058,
    "circle-exclamation": 0xF06A,
    "circle-half-stroke": 0xF042,
    "circle-info": 0xF05A,
    "circle-xmark": 0xF057,
    "download": 0xF019,
    "lightbulb": 0xF0EB,
    "list": 0xF03A,
    "magnifying-glass": 0xF002,
    "moon": 0xF186,
    "pencil": 0xF303,
    "share": 0xF064,
    "sun": 0xF185,
    "triangle-exclamation": 0xF071,
    "up-right-from-square": 0xF35D,
}
BRANDS = {"github": 0xF09B}  # on the button to the repository
FONTS = {
    "fa-solid-900": ("Free", 900, SOLID),
    "fa-brands-400": ("Brands", 400, BRANDS),
}
# a font declared later goes first; the theme's own has whatever is missing here
FACE = """\
@font-face {{
  font-family: "Font Awesome 6 {family}";
  font-weight: {weight};
  font-display: block;
  src: url({name}.woff) format("woff");
}}
"""


def is_needed(asset: str, body: str) -> bool:
    """Say whether a page with this body uses a script or a style."""
    wants = [want for name, want in NEEDED_FOR.items() if re.search(name, asset)]
    return all(want.search(body) for want in wants)


def _leave_out(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    body = context.get("body", "")
    for kind in ("script_files", "css_files"):
        assets = {_text(asset): asset for asset in context[kind]}  # each only once
        context[kind] = [a for text, a in assets.items() if is_needed(text, body)]
    if template != "search.html":  # whose own scripts want the others before them
        context["script_files"] = [_deferred(s) for s in context["script_files"]]
    body = SIZE.sub(r'width="\1" height="\2"', body)
    context["body"] = body.replace('loading="lazy"', 'loading="lazy" decoding="async"')


def _deferred(script):
    """Return the script so that the page is shown first; they keep their order."""
    name = getattr(script, "filename", None)
    if not name or str(name).endswith(AT_ONCE) or "async" in script.attributes:
        return script
    attributes = {**script.attributes, "defer": "defer"}
    return type(script)(name, priority=script.priority, **attributes)


def _text(asset) -> str:
    name = getattr(asset, "filename", asset)
    return str(name or asset.attributes.get("body", ""))


def write_icons(folder: Path) -> None:
    """Write fonts of the icons in use, and the style that puts them first."""
    import pydata_sphinx_theme
    from fontTools import subset  # takes a while, and is seldom needed

    theme = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme"
    style = []
    for name, (family, weight, icons) in FONTS.items():
        source = theme / f"static/vendor/fontawesome/webfonts/{name}.ttf"
        options = subset.Options(flavor="woff", layout_features=[])
        font = subset.load_font(str(source), options)
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=icons.values())
        subsetter.subset(font)
        subset.save_font(font, str(folder / f"{name}.woff"), options)
        style.append(FACE.format(family=family, weight=weight, name=name))
    (folder / ICONS_STYLE).write_text("".join(style), encoding="utf-8")


def setup(app: Sphinx) -> None:
    app.add_css_file(ICONS_STYLE)
    app.connect("html-page-context", _leave_out, priority=950)
