"""The one style sheet: which rules stay, and what pages load."""

import json

import pytest
import tinycss2

from bookbuild.sphinx import assets, policy, styles, weight

PAGE = """<!doctype html>
<html><head><meta charset="utf-8">
<link rel="stylesheet" type="text/css" href="{root}_static/theme.css?v=1" />
<link rel="icon" href="{root}_static/icon.svg">
<link href="{root}_static/parts/more.css" rel="stylesheet">
</head><body class="page"><h1 id="top" class="big  bold">Title</h1>
<script src="{root}_static/move.js?v=1"></script></body></html>
"""


def selector(text: str) -> list:
    return tinycss2.parse_component_value_list(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("p", {"p"}),
        ("main > p.lead#first::before", {"main", "p", "lead", "first"}),
        ("a:hover:not(.plain)", {"a"}),
        (":is(h1, h2) + p", {"p"}),
        ("[data-theme=dark] .card", {"card"}),
        (":root", set()),
        ("*", set()),
        (r".w-md-50\:x", {"w-md-50:x"}),
    ],
)
def test_a_selector_needs_its_tags_classes_and_ids(text, names):
    assert styles.needs(selector(text)) == names


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        ("p{color:red}", "p{color:red}"),
        ("p,table{color:red}", "p{color:red}"),
        ("table{color:red}", ""),
        ("@media print{p{a:b}table{a:b}}", "@media print{p{a:b}}"),
        ("@media print{table{a:b}}", ""),
        ("@supports (a:b){@media print{.x{a:b}}}", ""),
        ("@font-face{src:url(a)}", "@font-face{src:url(a)}"),
        ("@keyframes k{50%{a:b}}", "@keyframes k{50%{a:b}}"),
        ('@charset "UTF-8";p{a:b}', "p{a:b}"),
        ("p{/* why */a:b}", "p{a:b}"),
        ("p:has(.x){a:b}", "p:has(.x){a:b}"),  # brackets count for nothing
    ],
)
def test_only_rules_that_can_hold_are_kept(css, kept):
    assert styles.prune(css, {"p"}) == kept


def test_a_sheet_moves_with_what_it_names(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "base.css").write_text("i{a:url(data:image/png;base64,AA)}")
    sheet = tmp_path / "parts/more.css"
    sheet.write_text('@import "../base.css";b{a:url(fonts/x.woff?v=1) url("#mark")}')
    moved = styles.whole(sheet, tmp_path / "site.css")
    assert moved == (
        "i{a:url(data:image/png;base64,AA)}"
        'b{a:url("parts/fonts/x.woff?v=1") url("#mark")}'
    )


@pytest.fixture
def site(tmp_path):
    root = tmp_path / "html"
    (root / "_static/parts").mkdir(parents=True)
    (root / "_static/theme.css").write_text(".big{a:b}.moved{a:b}.far{a:b}.none{a:b}")
    (root / "_static/parts/more.css").write_text("h1{b:url(x.png)}h2{a:b}")
    (root / "_static/move.js").write_text('import {x} from "./far.js"; y("moved")')
    (root / "_static/far.js").write_text('export const x = "far";')
    (root / "book").mkdir()
    (root / "index.html").write_text(PAGE.format(root=""))
    (root / "book/one.html").write_text(PAGE.format(root="../"))
    (root / "404.html").write_text(PAGE.format(root="/base/"))
    (root / "_static/macros.html").write_text('<link rel="stylesheet" href="{{ x }}">')
    return root


def finish(root):
    styles.Site(root, root.parent / "styles.json").finish()
    for page in (root / "index.html", root / "book/one.html", root / "404.html"):
        if policy.is_finished(page):
            continue
        page.write_text(policy.with_policy(page.read_text()))


def test_pages_load_one_sheet_with_what_they_and_their_scripts_use(site):
    finish(site)
    css = (site / styles.SHEET).read_text()
    assert css.split("\n") == [
        *(".big{a:b}", ".moved{a:b}", ".far{a:b}"),
        'h1{b:url("parts/x.png")}',
    ]
    for name, root in {
        "index.html": "",
        "book/one.html": "../",
        "404.html": "/base/",
    }.items():
        html = (site / name).read_text()
        assert html.count("stylesheet") == 1
        assert f'<link rel="stylesheet" href="{root}_static/site.css?v=' in html
        assert f'<link rel="icon" href="{root}_static/icon.svg">' in html
    assert (site / "_static/macros.html").read_text().count("{{ x }}") == 1


def test_a_page_with_something_new_gives_all_pages_a_new_sheet(site):
    finish(site)
    before = (site / "book/one.html").read_text()
    (site / "index.html").write_text(PAGE.format(root="").replace("big", "none"))
    finish(site)
    assert ".none{a:b}" in (site / styles.SHEET).read_text()
    after = (site / "book/one.html").read_text()
    assert after != before
    version = json.loads((site.parent / "styles.json").read_text())["version"]
    assert f"site.css?v={version}" in after


def test_a_page_with_nothing_new_changes_no_other(site):
    finish(site)
    before = (site / "book/one.html").stat().st_mtime_ns
    (site / "index.html").write_text(PAGE.format(root="").replace("Title", "Name"))
    finish(site)
    assert (site / "book/one.html").stat().st_mtime_ns == before
    assert (site / "index.html").read_text().count("site.css") == 1


def test_a_script_that_names_something_new_gives_it_its_rules(site):
    finish(site)
    (site / "_static/far.js").write_text('export const x = "none";')
    finish(site)
    assert ".none{a:b}" in (site / styles.SHEET).read_text()


def test_what_only_a_deleted_page_used_goes_with_it(site):
    (site / "book/one.html").write_text(PAGE.format(root="../").replace("big", "none"))
    finish(site)
    assert ".none{a:b}" in (site / styles.SHEET).read_text()
    (site / "book/one.html").unlink()
    styles.Site(site, site.parent / "styles.json").finish()
    assert ".none{a:b}" not in (site / styles.SHEET).read_text()


# --- scripts, and the first screen --------------------------------------------


@pytest.mark.parametrize("block", ['<p class="x">', '<div class="cell docutils">'])
def test_the_first_screen_ends_at_a_block_that_gets_an_id(block):
    body, mark = weight.mark_first_screen(block * 30)
    assert body.count(mark) == 1
    before, _, _ = body.partition(f' id="{mark}"')
    assert before.count("<") == weight.FIRST_SCREEN


def test_a_block_keeps_the_id_that_it_has():
    body = '<p id="a"><ul><section id="my-part">'
    assert weight.mark_first_screen(body) == (body, "my-part")
    assert weight.mark_first_screen("<b>short</b>") == ("<b>short</b>", "")


def test_code_keeps_its_text_without_spans_that_colour_nothing():
    code = '<span class="n">x</span> <span class="o">=</span> <span class="mi">1</span>'
    assert weight.PLAIN.sub(r"\1", code) == 'x = <span class="mi">1</span>'


def test_the_theme_measures_no_code_and_is_otherwise_as_it_was(tmp_path):
    assets.write_theme_script(tmp_path)
    ours = (tmp_path / assets.THEME_SCRIPT).read_text()
    theirs = (assets.theme_files() / assets.THEME_SCRIPT).read_text()
    assert "scrollWidth" in theirs
    assert "scrollWidth" not in ours
    assert 100 < len(theirs) - len(ours) < 300


def test_another_theme_is_noticed(tmp_path, monkeypatch):
    script = tmp_path / assets.THEME_SCRIPT
    script.parent.mkdir()
    script.write_text("nothing like it")
    monkeypatch.setattr(assets, "theme_files", lambda: tmp_path)
    with pytest.raises(RuntimeError, match="mend MEASURES_ALL"):
        assets.write_theme_script(tmp_path / "out")


def test_assets_are_made_again_when_a_package_is_another(tmp_path, monkeypatch):
    folder = assets.lay_out(tmp_path)
    icons = folder / assets.ICONS_STYLE
    icons.write_text("spoilt")
    assets.lay_out(tmp_path)
    assert icons.read_text() == "spoilt"
    monkeypatch.setattr(assets, "version_or_absent", lambda name: "9.9")
    assets.lay_out(tmp_path)
    assert "@font-face" in icons.read_text()
