"""The built site in _build/html, as a browser and a crawler would find it."""

import ast
import base64
import hashlib
import json
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup

SITE = Path("_build/html").resolve()
# what a browser fetches by itself, as opposed to links that a reader follows
FETCHED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "link": "href",
    "object": "data",
}
NOT_FETCHED = {"canonical", "next", "prev", "index", "search", "author", "license"}


def html_pages() -> list[Path]:
    found = sorted(SITE.rglob("*.html"))
    return [p for p in found if "_static" not in p.relative_to(SITE).parts]


if not SITE.is_dir():
    pytest.skip("there is no built site; run: nox -s build", allow_module_level=True)


@pytest.fixture(scope="module")
def soups() -> dict[Path, BeautifulSoup]:
    return {
        path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in html_pages()
    }


def content_pages(soups):
    for path, soup in soups.items():
        if soup.select_one("article"):
            yield path, soup


def local_target(page: Path, url: str) -> tuple[Path, str] | None:
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return None
    target = page
    if parts.path:
        base = SITE if parts.path.startswith("/") else page.parent
        target = (base / unquote(parts.path).lstrip("/")).resolve()
    if target.is_dir():
        target /= "index.html"
    return target, unquote(parts.fragment)


def test_there_is_a_site(soups):
    assert (SITE / "index.html") in soups
    assert (SITE / "404.html") in soups
    assert len(soups) > 15


def test_every_link_and_anchor_leads_somewhere(soups):
    broken = []
    for page, soup in soups.items():
        if page.name == "404.html":
            continue  # its links are absolute, for a server's root
        for link in soup.select("a[href]"):
            found = local_target(page, link["href"])
            if found is None:
                continue
            target, fragment = found
            anchors = soups.get(target)
            if not target.exists() or (
                fragment
                and anchors is not None
                and not anchors.find(attrs={"id": fragment})
                and not anchors.find("a", attrs={"name": fragment})
            ):
                broken.append(f"{page.relative_to(SITE)}: {link['href']}")
    assert not broken


def test_no_page_asks_another_host_for_anything(soups):
    asked = []
    for page, soup in soups.items():
        for tag, attribute in FETCHED.items():
            for element in soup.find_all(tag):
                if NOT_FETCHED & set(element.get("rel", [])):
                    continue
                url = element.get(attribute, "")
                if urlsplit(url).netloc:
                    asked.append(f"{page.relative_to(SITE)}: {url}")
    for sheet in SITE.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        for url in re.findall(r"(?:url\(|@import\s+)['\"]?(https?://[^'\")]+)", text):
            asked.append(f"{sheet.relative_to(SITE)}: {url}")
    assert not asked


def test_everything_a_page_fetches_is_there(soups):
    missing = []
    for page, soup in soups.items():
        if page.name == "404.html":
            continue
        for tag, attribute in FETCHED.items():
            for element in soup.find_all(tag):
                found = local_target(page, element.get(attribute, ""))
                if found and not found[0].exists():
                    missing.append(f"{page.relative_to(SITE)}: {element[attribute]}")
    assert not missing


def test_every_page_has_a_policy_that_lets_its_own_scripts_run(soups):
    for page, soup in content_pages(soups):
        policy = soup.head.find("meta", {"http-equiv": "content-security-policy"})
        assert policy is not None, page
        assert not policy.find_previous("script"), f"{page}: a script comes before it"
        rules = dict(r.strip().split(" ", 1) for r in policy["content"].split(";"))
        assert rules["default-src"] == "'none'"
        assert "unsafe" not in rules["script-src"]
        assert "://" not in policy["content"]  # no other host
        for script in soup.find_all("script", src=False):
            if script.get("type", "text/javascript") == "text/javascript":
                digest = hashlib.sha256(script.string.encode()).digest()
                assert base64.b64encode(digest).decode() in rules["script-src"], page


def test_pages_are_shown_before_their_scripts_run(soups):
    for page, soup in content_pages(soups):
        # its own scripts want the others before them
        if page.name == "search.html":
            continue
        for script in soup.find_all("script", src=True, defer=False):
            assert script.get("type") == "module", page  # as these always do
        assert not soup.head.find("script", src=True), page


def test_pages_load_one_sheet_and_say_where_the_first_screen_ends(soups):
    for page, soup in content_pages(soups):
        (sheet,) = soup.select("link[rel=stylesheet]")
        assert "_static/site.css" in sheet["href"], page
        if page.parent == SITE and page.name != "index.html":
            continue  # Sphinx's own pages are short
        (mark,) = soup.select("link[rel=expect]")
        assert len(soup.select(f"[id='{mark['href'][1:]}']")) == 1, page


def test_references_are_a_list_to_screen_readers(soups):
    page = next(p for p in soups if p.name == "bibliography.html")
    entries = soups[page].select("div.citation")
    assert len(entries) > 100
    assert {entry["role"] for entry in entries} == {"listitem"}


def test_no_page_holds_code_that_the_policy_would_stop(soups):
    stopped = []
    for page, soup in soups.items():
        for element in soup.find_all(True):
            handlers = [name for name in element.attrs if name.startswith("on")]
            link = element.get("href", "")
            if handlers or link.startswith("javascript:"):
                stopped.append(f"{page.relative_to(SITE)}: {element.name} {handlers}")
    assert not stopped


def test_one_main_heading_a_page(soups):
    counts = {
        str(page.relative_to(SITE)): len(soup.find_all("h1"))
        for page, soup in content_pages(soups)
    }
    assert {page: n for page, n in counts.items() if n != 1} == {}


def test_every_image_says_what_it_shows(soups):
    silent = [
        f"{page.relative_to(SITE)}: {image['src']}"
        for page, soup in content_pages(soups)
        for image in soup.select("article img")
        # a thumbnail decorates the title beside it
        if not image.find_parent(class_="sphx-glr-thumbcontainer")
        and (not image.get("alt", "").strip() or image["alt"].startswith("../"))
    ]
    assert not silent


def test_every_page_introduces_itself_to_those_who_link_to_it(soups):
    for page, soup in content_pages(soups):
        if page.name in ("genindex.html", "search.html", "404.html"):
            continue
        assert soup.find("meta", property="og:title"), page
        assert soup.find("meta", property="og:description"), page


def test_an_executed_page_says_what_it_ran_on(soups):
    executed = [soup for _, soup in content_pages(soups) if soup.select(".page-bar")]
    assert len(executed) >= 11
    for soup in executed:
        bar = soup.select_one(".page-bar").get_text()
        assert re.search(r"Ran in \d+ s on .+ with torch \d", bar)


def test_no_markup_is_left_over(soups):
    leftovers = re.compile(r"\{(?:glue|ref|doc|numref|cite|eq|term)[:\w]*\}|:ref:`")
    for page, soup in content_pages(soups):
        for block in soup.select("article pre, article code"):
            block.decompose()
        text = soup.select_one("article").get_text()
        assert not leftovers.search(text), page


def test_every_download_is_there_and_sound(soups):
    offered = {
        local_target(page, link["href"])[0]
        for page, soup in content_pages(soups)
        for link in soup.select(".page-bar a[download]")
    }
    assert len(offered) >= 22
    for path in offered:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            nbformat.validate(nbformat.from_dict(json.loads(text)))
        else:
            ast.parse(text)


def test_each_phase_offers_its_notebooks_in_a_zip(soups):
    offered = {
        local_target(page, link["href"])[0]
        for page, soup in soups.items()
        for link in soup.select(".page-zip a[download]")
    }
    assert len(offered) == 10
    for path in offered:
        names = zipfile.ZipFile(path).namelist()
        assert names and all(name.endswith(".ipynb") for name in names)


def test_downloaded_notebooks_read_well_in_plain_jupyter():
    leftovers = re.compile(r"\{[\w:]+\}`|^:::|^```\{|^\([\w-]+\)=$|:\w+:`", re.M)
    for path in (SITE / "downloads").rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                prose = re.sub(r"`[^`\n]*`(?!`)", "", cell.source)
                assert not leftovers.search(cell.source), (path, cell.source)
                assert "glue:" not in prose


def test_the_wheel_holds_the_package_and_nothing_of_the_build():
    (wheel,) = (SITE / "downloads").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "tenphases/training.py" in names
    assert "tenphases/tenphases.mplstyle" in names
    assert not [n for n in names if n.startswith(("bookbuild", "tests"))]
