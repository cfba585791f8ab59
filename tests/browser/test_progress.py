"""A reader's marks: made, seen, kept, carried to another browser, and never lost."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

CHAPTER = "book/02-tensors-operations/broadcasting"
OTHER = "book/02-tensors-operations/tensor-creation.html"
INDEX = "book/02-tensors-operations/index.html"
KEY = "ten-phases-progress"
READ = "domcontentloaded"  # scripts have run, equations need not be set
FULL = "Storage.prototype.setItem = () => { throw new DOMException('full') }"
FORBIDDEN = """
  Object.defineProperty(window, 'localStorage', {
    get() { throw new DOMException('forbidden', 'SecurityError') }
  })
"""


@pytest.fixture
def go(page: Page, site_url: str):
    def open_page(name: str):
        page.goto(f"{site_url}{name}", wait_until=READ)
        return page

    return open_page


def finish(page: Page):
    return page.get_by_label("I have finished this page")


def kept(page: Page) -> dict:
    return json.loads(page.evaluate(f"localStorage.getItem('{KEY}')") or "{}")


def test_without_scripts_there_is_no_trace_of_it(browser, site_url):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for name in (f"{CHAPTER}.html", INDEX, "index.html"):
        page.goto(f"{site_url}{name}", wait_until=READ)
        assert page.locator('[class^="progress-"]:visible').count() == 0
        assert "progress" not in page.locator("article").inner_text().lower()
    context.close()


def test_a_finished_page_is_seen_everywhere(go):
    page = go(f"{CHAPTER}.html")
    finish(page).check()
    page.get_by_label("Exercise 2 done").check()
    marks = page.locator(".bd-links .progress-mark")
    expect(marks).to_have_count(1)
    page.reload()
    expect(finish(page)).to_be_checked()
    expect(page.get_by_label("Exercise 2 done")).to_be_checked()
    expect(page.get_by_label("Exercise 1 done")).not_to_be_checked()
    page = go(INDEX)
    link = page.locator('.bd-links a[href="broadcasting.html"]')
    expect(link.get_by_role("img", name="done")).to_be_visible()
    counts = page.locator("article .progress-count")
    expect(counts).to_contain_text(re.compile(r"1 of \d+ pages, 1 of \d+ exercises"))
    page = go("index.html")
    second = page.locator(".phase-card").nth(1).locator(".progress-count")
    expect(second).to_contain_text("1 of ")
    expect(
        page.locator(".phase-card").first.locator(".progress-count")
    ).to_contain_text("0 of ")


def test_a_mark_can_be_taken_back(go):
    page = go(f"{CHAPTER}.html")
    finish(page).check()
    assert list(kept(page)["done"]) == [CHAPTER]
    finish(page).uncheck()
    assert kept(page)["done"] == {}
    expect(page.locator(".bd-links .progress-mark")).to_have_count(0)


def test_an_index_counts_every_page_and_exercise_that_has_a_box(go):
    page = go(INDEX)
    phase = json.loads(page.locator("#progress-list").text_content())
    (pages,) = phase.values()
    assert CHAPTER in pages and any(name.startswith("examples/02") for name in pages)
    for name, exercises in list(pages.items())[:4]:
        page = go(f"{name}.html")
        expect(finish(page)).to_be_visible()
        assert page.locator("div.exercise .progress-tick").count() == exercises


def test_pages_that_are_no_reading_have_no_box(go):
    for name in (INDEX, "index.html", "book/appendix/glossary.html", "search.html"):
        assert finish(go(name)).count() == 0


def test_marks_are_carried_to_another_browser(go, browser, site_url, tmp_path):
    page = go(f"{CHAPTER}.html")
    finish(page).check()
    page = go("index.html")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert list(json.loads(file.read_text())["done"]) == [CHAPTER]
    context = browser.new_context()
    other = context.new_page()
    other.goto(f"{site_url}{OTHER}", wait_until=READ)
    finish(other).check()
    other.goto(f"{site_url}index.html", wait_until=READ)
    other.get_by_label("Import").set_input_files(file)
    expect(other.get_by_role("alert")).to_have_text("1 marks were read.")
    assert len(kept(other)["done"]) == 2  # its own, and those of the file
    context.close()


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"book": "other", "done": {}}'])
def test_another_file_changes_nothing(go, tmp_path, text):
    page = go(f"{CHAPTER}.html")
    finish(page).check()
    page = go("index.html")
    file = tmp_path / "other.json"
    file.write_text(text)
    page.get_by_label("Import").set_input_files(file)
    expect(page.get_by_role("alert")).to_contain_text("Choose a file of marks")
    assert list(kept(page)["done"]) == [CHAPTER]


@pytest.mark.parametrize("fault", [FULL, FORBIDDEN], ids=["full", "forbidden"])
def test_where_nothing_can_be_kept_it_says_so_and_exports(page, site_url, fault):
    page.add_init_script(fault)
    page.goto(f"{site_url}{CHAPTER}.html", wait_until=READ)
    page.get_by_label("Exercise 1 done").check()
    finish(page).check()
    alert = page.get_by_role("alert")
    expect(alert).to_have_count(1)
    expect(alert).to_contain_text("This browser cannot keep your marks")
    with page.expect_download() as download:
        alert.get_by_role("button", name="Export").click()
    done = json.loads(download.value.path().read_text())["done"]
    assert set(done) == {CHAPTER, f"{CHAPTER}#ex-broadcasting-1"}


def test_two_tabs_do_not_undo_each_other(go, site_url):
    page = go(f"{CHAPTER}.html")
    other = page.context.new_page()
    other.goto(f"{site_url}{OTHER}", wait_until=READ)
    finish(other).check()
    expect(page.locator(".bd-links .progress-mark")).to_have_count(1)
    finish(page).check()
    assert len(kept(other)["done"]) == 2
    expect(other.locator(".bd-links .progress-mark")).to_have_count(2)


def test_what_cannot_be_read_is_put_aside(go):
    page = go("index.html")
    page.evaluate(f"localStorage.setItem('{KEY}', 'spoilt')")
    page = go(f"{CHAPTER}.html")
    finish(page).check()
    assert list(kept(page)["done"]) == [CHAPTER]
    assert page.evaluate(f"localStorage.getItem('{KEY}-unread')") == "spoilt"
