"""What a page may load and run, told to the browser: a content-security policy.

The book needs no other host and no code but its own, so a browser may refuse the
rest, whatever slipped into a page. A script runs if it is a file of the site or if its
hash stands in the policy; the hashes are those of the scripts that the finished page
holds. Styles are free: MathJax and Pygments set them on single elements, where hashes
do not count.
"""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from sphinx.application import Sphinx

from bookbuild.files import write_atomically

RULES = {
    "default-src": "'none'",
    "connect-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self' data:",  # the theme's style sheets hold small pictures
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "base-uri": "'none'",
    "form-action": "'self'",  # the search
}
MARK = "content-security-policy"
SCRIPT = re.compile(r"(?is)<script\b(?P<attributes>[^>]*)>(?P<code>.*?)</script>")
HEAD = re.compile(r"<head[^>]*>\s*(?:<meta charset=[^>]*>)?", re.I)
OURS = re.compile(rf'\n?<meta http-equiv="{MARK}"[^>]*>', re.I)
# no browser runs these
DATA = re.compile(r"""\btype=["'](?:text/x-|application/(?:ld\+)?json)""", re.I)


def hash_of(code: str) -> str:
    digest = b64encode(sha256(code.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def inline_scripts(html: str) -> list[str]:
    """Return the code of the scripts that stand in a page."""
    return [
        match["code"]
        for match in SCRIPT.finditer(html)
        if not re.search(r"\bsrc=", match["attributes"])
        and not DATA.search(match["attributes"])
    ]


def policy_of(html: str) -> str:
    """Return the policy of a page that has just the scripts that it has."""
    hashes = sorted({hash_of(code) for code in inline_scripts(html)})
    rules = RULES | {"script-src": " ".join([RULES["script-src"], *hashes])}
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def with_policy(html: str) -> str:
    """Return a page with its policy in the head, above all that it governs."""
    bare = OURS.sub("", html)
    head = HEAD.search(bare)
    if head is None:
        return html
    meta = f'\n<meta http-equiv="{MARK}" content="{policy_of(bare)}">'
    return bare[: head.end()] + meta + bare[head.end() :]


def _write_all(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        if is_finished(path):  # as this build has not written it anew
            continue
        html = path.read_text(encoding="utf-8")
        guarded = with_policy(html)
        if guarded != html:
            write_atomically(path, guarded)


def is_finished(path: Path) -> bool:
    """Say whether a page has its policy, the last thing that it gets."""
    with path.open("rb") as file:
        return MARK.encode() in file.read(1000)


def setup(app: Sphinx) -> None:
    # after all others that change finished pages
    app.connect("build-finished", _write_all, priority=999)
