"""The content-security policy: which scripts of a page it lets run."""

from base64 import b64encode
from hashlib import sha256

from bookbuild.sphinx.policy import inline_scripts, policy_of, with_policy

PAGE = """\
<!DOCTYPE html>
<html>
  <head>
    <meta charset="utf-8" />
    <title>A page</title>
    <script src="own.js"></script>
    <script data-cfasync="false">
      let a = "é" < "f";
    </script>
    <script type="text/x-thebe-config">{ no: script }</script>
    <script type="application/ld+json">{"no": "script"}</script>
  </head>
  <body><SCRIPT>let b;</SCRIPT></body>
</html>
"""


def hashed(code: str) -> str:
    return f"'sha256-{b64encode(sha256(code.encode()).digest()).decode()}'"


def test_the_scripts_that_stand_in_a_page_are_found():
    assert inline_scripts(PAGE) == ['\n      let a = "é" < "f";\n    ', "let b;"]


def test_the_policy_names_their_hashes_and_nothing_unsafe():
    rules = dict(rule.split(" ", 1) for rule in policy_of(PAGE).split("; "))
    own, *hashes = rules["script-src"].split()
    assert own == "'self'"
    assert set(hashes) == {hashed(code) for code in inline_scripts(PAGE)}
    assert rules["default-src"] == "'none'"
    assert "unsafe-eval" not in policy_of(PAGE)


def test_it_stands_above_all_that_it_governs():
    guarded = with_policy(PAGE)
    assert guarded.index("<meta charset") < guarded.index("http-equiv")
    assert guarded.index("http-equiv") < guarded.index("<title>")
    assert guarded.count("http-equiv") == 1


def test_it_is_renewed_with_the_page_and_else_left_alone():
    guarded = with_policy(PAGE)
    assert with_policy(guarded) == guarded
    changed = with_policy(guarded.replace("let b", "let c"))
    assert hashed("let c;") in changed and hashed("let b;") not in changed
    assert changed.count("http-equiv") == 1


def test_what_has_no_head_is_left_alone():
    index = "<!DOCTYPE html><title>tenphases</title><a href='x'>x</a>\n"
    assert with_policy(index) == index
