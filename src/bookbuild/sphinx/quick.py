"""What an edit of one page need not wait for.

Formatting the bibliography and compiling the theme's templates anew took a quarter
of the time after such an edit, and the former grows with the book; so both are kept.
Few pages are written sooner by one process than by several, since to copy a process
of this size takes longer than to write a page. And the pages that Sphinx makes by
itself (index, search, 404) need not be written again where what they show is as it
was.
"""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import FileSystemBytecodeCache
from pybtex.database import Entry
from pybtex.style import FormattedEntry
from pybtex.style.formatting import BaseStyle
from sphinx.application import Sphinx

from bookbuild.files import digest_of
from bookbuild.sphinx.current import sidebar_digest

FEW = 12  # pages
OWN_PAGES = ("gen_indices", "gen_pages_from_extensions", "gen_additional_pages")
format_anew = BaseStyle.format_entry


def _keep_templates(app: Sphinx) -> None:
    templates = getattr(app.builder, "templates", None)
    if templates is not None:  # some builders write no HTML
        folder = Path(app.doctreedir, "templates")
        folder.mkdir(parents=True, exist_ok=True)
        templates.environment.bytecode_cache = FileSystemBytecodeCache(str(folder))


def _write_few_alone(app: Sphinx) -> None:
    builder = app.builder
    in_parallel = getattr(builder, "_write_parallel", None)
    record = Path(app.doctreedir, "own_pages.sha256")

    def write(names: Sequence[str], nproc: int) -> None:
        digest = _own_pages_digest(app)
        as_before = record.exists() and record.read_text(encoding="utf-8") == digest
        if len(names) > FEW:
            in_parallel(names, nproc)
        else:
            builder._write_serial(names)
            for task in OWN_PAGES if as_before else ():
                setattr(builder, task, lambda: None)
        record.write_text(digest, encoding="utf-8")

    if in_parallel is not None:
        builder._write_parallel = write


def _own_pages_digest(app: Sphinx) -> str:
    """Return a digest of what Sphinx's own pages show: the sidebar and the index."""
    entries = app.env.domaindata["index"]["entries"]
    return digest_of(sidebar_digest(app.env) + repr(sorted(entries.items())))


def setup(app: Sphinx) -> None:
    def format_entry(style: BaseStyle, label: str, entry: Entry) -> FormattedEntry:
        """Stands in for ``BaseStyle.format_entry``."""
        if not hasattr(app.env, "tenphases_references"):  # pickled with the rest
            app.env.tenphases_references = {}
        known = app.env.tenphases_references
        key = digest_of(f"{type(style).__name__} {label} {entry!r}")
        if key not in known:
            known[key] = format_anew(style, label, entry)
        return known[key]

    BaseStyle.format_entry = format_entry
    app.connect("builder-inited", _keep_templates)
    app.connect("builder-inited", _write_few_alone)
