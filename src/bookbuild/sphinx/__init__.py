"""Sphinx extension: renders stored results. It executes nothing itself."""

from importlib import import_module

PARTS = (
    *("site", "current", "quick", "numbering", "chapters", "gallery", "figures"),
    *("pagebar", "sidebar", "phaseline", "downloads", "times", "explorer", "progress"),
    *("parts", "citations", "mathematics", "weight", "styles", "policy"),
)


def setup(app) -> dict:
    for name in PARTS:
        import_module(f"{__name__}.{name}").setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
