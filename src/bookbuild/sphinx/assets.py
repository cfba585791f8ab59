"""Files that the site makes for itself out of those of the packages.

The theme's icons as fonts of those that are used, MathJax's fonts and the style of
set formulas, and the theme's script without what it does to every block of code.
They lie in a folder of static files, which Sphinx copies over the theme's own.
"""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from bookbuild import OUTPUT
from bookbuild.files import digest_of, write_atomically
from bookbuild.sphinx import mathematics
from bookbuild.versions import version_or_absent

SOURCES = ("pydata-sphinx-theme", "sphinx-mathjax-offline", "fonttools", "mini-racer")
MATH_FONTS = "output/chtml/fonts/woff-v2"  # in MathJax's folder, and beside its style
ICONS_STYLE = "icons.css"

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

THEME_SCRIPT = "scripts/pydata-sphinx-theme.js"
# It asks each block of code for its width, and so has the browser lay out the whole
# page at once, before anybody has come to its end. book/assets/scrollers.js asks those
# that are laid out.
MEASURES_ALL = re.compile(
    r'document\.querySelectorAll\(\["pre",[^]]*\]\.join\(", "\)\)'
    r"\.forEach\(\w=>\{\w\.tabIndex=[^}]*\}\)"
)
CHANGED = (
    "bookbuild/sphinx/assets.py was written for another pydata-sphinx-theme: find in "
    f"its {THEME_SCRIPT} what makes wide code a stop of the Tab key, and mend "
    "MEASURES_ALL."
)


def lay_out(root: Path) -> Path:
    """Make the files, unless they are there from the same packages; return where."""
    folder = root / OUTPUT / "assets"
    stamp = root / OUTPUT / "assets.sha256"
    versions = [version_or_absent(name) for name in SOURCES]
    digest = digest_of(repr(versions) + Path(__file__).read_text(encoding="utf-8"))
    if folder.is_dir() and stamp.exists() and stamp.read_text("utf-8") == digest:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    style = folder / mathematics.STYLE
    fonts = mathematics.mathjax_folder() / MATH_FONTS
    shutil.copytree(fonts, style.parent / MATH_FONTS)
    mathematics.write_style(style)
    write_icons(folder)
    write_theme_script(folder)
    write_atomically(stamp, digest)
    return folder


def theme_files() -> Path:
    (theme,) = find_spec("pydata_sphinx_theme").submodule_search_locations
    return Path(theme, "theme", "pydata_sphinx_theme", "static")


def write_theme_script(folder: Path) -> None:
    """Write the theme's script without the loop over all blocks of code."""
    code = (theme_files() / THEME_SCRIPT).read_text(encoding="utf-8")
    code, found = MEASURES_ALL.subn("0", code)
    if found != 1:
        raise RuntimeError(CHANGED)
    write_atomically(folder / THEME_SCRIPT, code)


def write_icons(folder: Path) -> None:
    """Write fonts of the icons in use, and the style that puts them first."""
    from fontTools import subset  # takes a while, and is seldom needed

    style = []
    for name, (family, weight, icons) in FONTS.items():
        source = theme_files() / f"vendor/fontawesome/webfonts/{name}.ttf"
        options = subset.Options(flavor="woff", layout_features=[])
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=icons.values())
        with subset.load_font(str(source), options) as font:
            subsetter.subset(font)
            subset.save_font(font, str(folder / f"{name}.woff"), options)
        style.append(FACE.format(family=family, weight=weight, name=name))
    (folder / ICONS_STYLE).write_text("".join(style), encoding="utf-8")
