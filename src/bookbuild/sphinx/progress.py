"""A reader's own marks: which pages and exercises there are to be ticked off.

progress.js keeps the marks in the reader's browser. The pages that count them, the
landing page and each phase's index, hold a list of what there is, phase by phase: the
number of exercises on each page. Without scripts nothing of this is seen.
"""

import json
import re
from collections import Counter

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from bookbuild.pages import EXAMPLES
from bookbuild.sphinx import results

PHASE = re.compile(rf"(?:book/|{EXAMPLES}/)(\d\d)[-_]")
INDEX = re.compile(r"book/(\d\d)-[\w-]+/index")
# it has its height before the script comes, so that nothing moves
PLACE = '<p class="progress-count pst-js-only">&nbsp;</p>'
LIST = '<script type="application/json" id="progress-list">{}</script>'


def contents(app: Sphinx, env: BuildEnvironment) -> dict[str, dict[str, int]]:
    """Return for each phase's index its executed pages, with their exercises."""
    exercises = Counter(
        entry["docname"]
        for entry in getattr(env, "sphinx_exercise_registry", {}).values()
        if entry["type"].startswith("exercise")
    )
    indexes = {m[1]: name for name in env.found_docs if (m := INDEX.fullmatch(name))}
    found: dict[str, dict[str, int]] = {name: {} for name in sorted(indexes.values())}
    for name in sorted(env.found_docs):
        phase = PHASE.match(name)
        if phase and phase[1] in indexes and results.path_of(app.srcdir, name).exists():
            found[indexes[phase[1]]][name] = exercises[name]
    return found


def _count_anew(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Return the pages to write again, since there is more or less to count."""
    before = getattr(env, "tenphases_progress", None)
    env.tenphases_progress = contents(app, env)
    counting = [app.config.root_doc, *env.tenphases_progress]
    return [] if before == env.tenphases_progress else counting


def _add_list(app: Sphinx, name: str, template: str, context: dict, doctree) -> None:
    known = app.env.tenphases_progress
    if name in known:
        known = {name: known[name]}
        context["body"] = context["body"].replace("</h1>", f"</h1>{PLACE}", 1)
    elif name != app.config.root_doc:
        return
    # nothing here can end the element: the names of pages hold no "<"
    context["body"] += LIST.format(json.dumps(known))


def setup(app: Sphinx) -> None:
    app.connect("env-updated", _count_anew)
    app.connect("html-page-context", _add_list)
    app.add_js_file("progress.js", loading_method="defer")
    app.add_css_file("progress.css")
