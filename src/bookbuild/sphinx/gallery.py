"""Gallery pages: Sphinx-Gallery writes them, the engine has run them.

Sphinx-Gallery has no hook for results that were computed elsewhere, so its step
that executes one block is replaced by one that looks the block's outputs up.
"""

import json
import re
from pathlib import Path
from textwrap import indent

from sphinx.application import Sphinx
from sphinx_gallery import gen_gallery, gen_rst

from bookbuild.files import digest_of, hash_files
from bookbuild.pages import EXAMPLES, GALLERY, visible_text
from bookbuild.sphinx import results

ALT = re.compile(r"^# sphinx_gallery_alt = (['\"])(.*)\1\s*$", re.M)
NO_OUTPUTS = """
.. danger:: This page has no outputs: it failed in this build, or was not part of it.

"""
TEXT = """
.. rst-class:: sphx-glr-script-out

.. code-block:: none

{}
"""
IMAGE = """
.. image:: /{path}
   :alt: {alt}
   :class: sphx-glr-single-img

"""


def render_block(compiler, block, _globals, script_vars, gallery_conf, file_conf):
    """Return the stored outputs of a code block as reStructuredText.

    Stands in for ``sphinx_gallery.gen_rst.execute_code_block``.
    """
    if block.type == "text":
        return ""
    index = script_vars["blocks_seen"] = script_vars.get("blocks_seen", -1) + 1
    root = Path(gallery_conf["src_dir"])
    name = _page_name(root, Path(script_vars["src_file"]))
    result = results.load(root, name)
    if result is None or result["sources"][index : index + 1] != [block.content]:
        if script_vars.get("no_outputs"):  # said once is enough
            return ""
        script_vars["no_outputs"] = True
        results.report_missing(name)
        return NO_OUTPUTS
    alts = [match.group(2) for match in ALT.finditer(block.content)]
    parts = []
    for output in result["outputs"][index]:
        svg = output.get("data", {}).get("image/svg+xml")
        if svg is not None:
            path = _save(svg, script_vars)
            alt = alts.pop(0) if alts else ""
            where = path.relative_to(root).as_posix()
            parts.append(IMAGE.format(path=where, alt=alt))
        elif text := visible_text(output).rstrip():
            parts.append(TEXT.format(indent(text, "    ")))
    return "".join(parts)


def _save(svg: str, script_vars: dict) -> Path:
    path = Path(script_vars["image_path_iterator"].next()).with_suffix(".svg")
    # an unchanged figure keeps its time, so that Sphinx need not read the page again
    if not path.exists() or path.read_text(encoding="utf-8") != svg:
        path.write_text(svg, encoding="utf-8")
    return path


def _page_name(root: Path, script: Path) -> str:
    place = script.relative_to(root / GALLERY).with_suffix("")
    return f"{EXAMPLES}/{place.as_posix()}"


def _write_what_changed(app: Sphinx) -> None:
    """Have Sphinx-Gallery write those pages again whose results have changed.

    By itself it judges whether a page is current by the script alone. And it parses
    every script thrice to find that there is nothing to do; then it is not asked.
    """
    root = Path(app.srcdir)
    record = Path(app.doctreedir, "gallery.json")
    before = json.loads(record.read_text()) if record.exists() else {}
    now = _digests(root)
    if now == before and all((root / f"{name}.rst").exists() for name in now):
        return
    for name in now:
        if now[name] != before.get(name):
            (root / f"{name}.py.md5").unlink(missing_ok=True)
    gen_gallery.generate_gallery_rst(app)
    record.write_text(json.dumps(now))


def _digests(root: Path) -> dict[str, str]:
    """Return for each page of the gallery a digest of all that it is made from."""
    ours = Path(__file__).read_bytes() + (root / "_config.yml").read_bytes()
    made_from = {f"{EXAMPLES}/index": hash_files(root, GALLERY).encode()}
    for script in (root / GALLERY).rglob("plot_*.py"):
        name = _page_name(root, script)
        result = results.path_of(root, name)
        made_from[name] = result.read_bytes() if result.exists() else b""
    return {name: digest_of(ours + content) for name, content in made_from.items()}


def setup(app: Sphinx) -> None:
    gen_rst.execute_code_block = render_block
    listeners = app.events.listeners["builder-inited"]
    theirs = gen_gallery.generate_gallery_rst
    # exactly one: were there none, a newer Sphinx-Gallery might show old results
    [step] = [listener for listener in listeners if listener.handler is theirs]
    app.disconnect(step.id)
    app.connect("builder-inited", _write_what_changed)
