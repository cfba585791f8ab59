"""The downloads: every executed page as a notebook and as a script, and the wheel."""

import ast
import base64
import json
import mimetypes
import re
import shutil
from pathlib import Path
from textwrap import indent

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from sphinx.application import Sphinx

from bookbuild import BuildError
from bookbuild.files import digest_of
from bookbuild.myst import MystError, Resolver, number_equations, plain_markdown
from bookbuild.pages import EXAMPLES, read_notebook
from bookbuild.sphinx import archives, results
from bookbuild.sphinx.citations import cite, references_cell
from bookbuild.sphinx.current import page_digest
from bookbuild.sphinx.install import FOLDER, install_cell, used_by

IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<path>(?!\w+:)[\w./-]+)\)")


def chapter_notebook(app: Sphinx, name: str) -> NotebookNode:
    """Return a chapter as a notebook without outputs, for plain Jupyter."""
    source = Path(app.srcdir, f"{name}.md")
    text = source.read_text(encoding="utf-8")
    notebook = read_notebook(text)
    result = results.load(app.srcdir, name)
    resolver = make_resolver(app, name, text, glued_values(result))
    first = install_cell(app.config.html_baseurl, used_by(result))
    cells = [new_code_cell(first)]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            try:
                cell.source = plain_markdown(cell.source, resolver)
            except MystError as error:
                raise BuildError(f"{source}: {error}.") from None
            attach_images(cell, source.parent)
            cells += [cell] if cell.source else []
        elif cell.cell_type == "code":
            cells += code_cells(app, name, cell)
    cells += references_cell(app, text)
    clean = nbformat.v4.new_notebook(cells=cells)
    clean.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    return clean


def code_cells(app: Sphinx, name: str, cell: NotebookNode) -> list[NotebookNode]:
    """Return a code cell without the site's options, and its figure's caption."""
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    known = {"raises-exception"} & set(cell.metadata.get("tags", []))
    cell.metadata = nbformat.from_dict({"tags": sorted(known)} if known else {})
    if "caption" not in figure:
        return [cell]
    label = figure_label(app, name, figure.get("name", ""))
    return [cell, new_markdown_cell(f"*{label}: {figure['caption']}*")]


def figure_label(app: Sphinx, name: str, label: str) -> str:
    numbers = app.env.toc_fignumbers.get(name, {}).get("figure", {})
    number = numbers.get(label.lower().replace("_", "-"))
    return f"Figure {'.'.join(map(str, number))}" if number else "Figure"


def glued_values(result: dict) -> dict[str, str]:
    """Return what the page published with ``glue``, as text by name."""
    values = {}
    for outputs in result["outputs"]:
        for output in outputs:
            record = output.get("metadata", {}).get("scrapbook")
            if record:
                (values[record["name"]],) = output["data"].values()
    return values


def format_glued(values: dict[str, str], text: str) -> str:
    """Render ``name`` or ``name:.2f``, as MyST-NB's ``glue:text`` does."""
    name, _, spec = text.partition(":")
    value = ast.literal_eval(values[name])  # glue publishes the repr
    return format(value, spec) if spec else str(value)


def make_resolver(app: Sphinx, name: str, text: str, glued: dict) -> Resolver:
    env = app.env
    base = app.config.html_baseurl
    equations = number_equations(text)
    labels = env.domains["std"].labels
    anonymous = env.domains["std"].anonlabels

    def page_link(docname: str, title: str) -> str:
        return f"[{title}]({base}{docname}.html)" if base else f"*{title}*"

    def link(title: str, path: str) -> str:
        docname = env.relfn2path(path.removesuffix(".md"), name)[0]
        if docname not in env.titles:
            raise BuildError(f"{name} links to {path}, which is no page.")
        return page_link(docname, title or env.titles[docname].astext())

    def ref(target: str) -> str:
        title, label = split_target(target)
        docname, _, found = labels.get(label.lower(), ("", "", ""))
        if not docname:
            docname, found = anonymous[label.lower()][0], label
        return page_link(docname, title or found)

    def numbered(target: str) -> str:
        # of a figure that is missing, Sphinx has warned already
        return figure_label(app, *anonymous.get(target.lower(), ("", "")))

    def equation(label: str) -> str:
        if label not in equations:
            raise BuildError(
                f"{name} refers to the equation {label}, which is not on this page; "
                "name the page that has it."
            )
        return f"({equations[label]})"

    return Resolver(
        roles={
            "glue:text": lambda t: format_glued(glued, t),
            "ref": ref,
            "doc": lambda t: link(*split_target(t)),
            "numref": numbered,
            "eq": equation,
            "cite:p": lambda t: f"({cite(app, t, ', ')})",
            "cite:t": lambda t: cite(app, t, " ", brackets=True),
            "term": lambda t: split_target(t)[0] or split_target(t)[1],
        },
        link=link,
        online=page_link(name, env.titles[name].astext()) if base else "",
    )


def split_target(text: str) -> tuple[str, str]:
    """Split ``title <target>`` as roles write it; no title is an empty one."""
    match = re.fullmatch(r"(.*\S)\s*<(.+)>", text)
    return (match.group(1), match.group(2)) if match else ("", text)


def attach_images(cell: NotebookNode, folder: Path) -> None:
    """Carry the images of a Markdown cell inside the notebook."""

    def attach(match: re.Match) -> str:
        path = folder / match["path"]
        kind = mimetypes.guess_type(path.name)[0] or "image/png"
        content = base64.b64encode(path.read_bytes()).decode()
        cell.setdefault("attachments", {})[path.name] = {kind: content}
        return f"![{match['alt']}](attachment:{path.name})"

    cell.source = IMAGE.sub(attach, cell.source)


def gallery_notebook(app: Sphinx, name: str) -> NotebookNode:
    """Return Sphinx-Gallery's notebook with our first cell."""
    path = Path(app.srcdir, f"{name}.ipynb")
    notebook = nbformat.read(path, as_version=4)
    notebook.nbformat_minor = 5  # the first that gives cells an id
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    result = results.load(app.srcdir, name)
    first = install_cell(app.config.html_baseurl, used_by(result))
    notebook.cells.insert(0, new_code_cell(first))
    for cell in notebook.cells:
        cell.source = re.sub(r"^# sphinx_gallery_.*\n?", "", cell.source, flags=re.M)
        if cell.cell_type == "markdown":
            cell.source = plain_rst_roles(app, name, cell.source)
        else:
            cell.metadata.pop("collapsed", None)
    return notebook


def plain_rst_roles(app: Sphinx, name: str, text: str) -> str:
    """Resolve the reStructuredText references that Sphinx-Gallery leaves."""
    resolver = make_resolver(app, name, "", {})

    def role(match: re.Match) -> str:
        if match["name"] not in ("ref", "doc", "term"):
            raise BuildError(
                f"{name}: the role :{match['name']}: cannot be downloaded."
            )
        if match["name"] == "doc":
            title, target = split_target(match["text"])
            return resolver.link(title, target.removeprefix("/"))
        return resolver.roles[match["name"]](match["text"])

    return re.sub(r":(?P<name>[\w:]+):`(?P<text>[^`]+)`", role, text)


def script_text(notebook: NotebookNode) -> str:
    """Return a notebook as a Python script that runs from start to end.

    A cell that is meant to raise would end the script, so its error is printed.
    """
    notebook = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for cell in notebook.cells:
        cell.pop("attachments", None)
        if "raises-exception" in cell.metadata.get("tags", []):
            cell.metadata.pop("tags")
            body = indent(cell.source, "    ")
            cell.source = (
                # Python deletes this name afterwards, so it must not be a page's own
                f"try:\n{body}\nexcept Exception as _raised:\n"
                '    print(f"{type(_raised).__name__}: {_raised}")'
            )
    return jupytext.writes(notebook, fmt="py:percent")


def write(app: Sphinx, name: str, path: Path) -> None:
    """Write one page's notebook, and beside it its script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    gallery = name.startswith(f"{EXAMPLES}/")
    notebook = (gallery_notebook if gallery else chapter_notebook)(app, name)
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i}"  # the same at every build
    nbformat.write(notebook, path)
    if gallery:
        shutil.copy(Path(app.srcdir, f"{name}.py"), path.with_suffix(".py"))
    else:
        path.with_suffix(".py").write_text(script_text(notebook), encoding="utf-8")


def common_digest(app: Sphinx) -> str:
    """Return a digest of what any download may take from the rest of the book."""
    standard = app.env.domains["std"]
    here = Path(__file__)
    ours = ("citations.py", "install.py")
    files = [
        here,
        *(here.with_name(name) for name in ours),
        here.parents[1] / "myst.py",
    ]
    files += [Path(app.srcdir, name) for name in app.config.bibtex_bibfiles]
    known = [
        *(sorted(standard.labels.items()), sorted(standard.anonlabels.items())),
        sorted((name, title.astext()) for name, title in app.env.titles.items()),
        sorted(app.env.toc_fignumbers.items()),
        *(install_cell(app.config.html_baseurl), app.config.html_baseurl),
        *(path.read_text(encoding="utf-8") for path in files),
    ]
    return digest_of(repr(known))


def _write_all(app: Sphinx, error: Exception | None) -> None:
    """Write the downloads whose page, or whose common part, has changed."""
    if error is not None or app.builder.format != "html":
        return
    target = Path(app.outdir, FOLDER)
    stamp = Path(app.doctreedir, "downloads.json")
    before = json.loads(stamp.read_text()) if stamp.exists() else {}
    common = common_digest(app)
    root = Path(app.srcdir)
    names = sorted(n for n in app.env.found_docs if results.path_of(root, n).exists())
    digests = {name: digest_of(common + page_digest(app, name)) for name in names}
    for name in names:
        path = target / f"{name}.ipynb"
        if before.get(name) != digests[name] or not path.exists():
            write(app, name, path)
    for path in [*target.rglob("*.ipynb"), *target.rglob("*.py")]:
        if path.relative_to(target).with_suffix("").as_posix() not in digests:
            path.unlink()  # of a page that is no more, or has another name
    if digests != before or not (target / archives.ALL).exists():
        archives.write_zips(target)
    archives.write_wheel(root, target)
    stamp.write_text(json.dumps(digests))


def setup(app: Sphinx) -> None:
    app.connect("build-finished", _write_all)
