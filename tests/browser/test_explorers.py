"""The explorers as a reader meets them: by keyboard, by mouse, and without scripts."""

import re

import pytest
from playwright.sync_api import Page, expect

PAGES = {
    "broadcasting": "book/02-tensors-operations/broadcasting.html",
    "strides": "book/02-tensors-operations/reshaping-views.html",
    "surface": "book/03-autograd-backprop/gradient-descent.html",
    "convolution": "book/06-cnn-image-processing/index.html",
}
READ = "domcontentloaded"  # scripts have run, equations need not be set


@pytest.fixture
def explorer(page: Page, site_url: str):
    """Open an explorer's page and return its box, once its script has run."""

    def open_page(name: str):
        page.goto(f"{site_url}{PAGES[name]}", wait_until=READ)
        box = page.locator(f'.explorer-box[data-name="{name}"]')
        expect(box.locator("form")).to_be_visible()
        return box

    return open_page


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_there_is_the_picture_of_the_start(browser, site_url, name):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site_url}{PAGES[name]}", wait_until=READ)
    box = page.locator(f'.explorer-box[data-name="{name}"]')
    expect(box.locator("form")).to_be_hidden()
    expect(box.locator("svg").first).to_be_visible()
    expect(box.locator(".explorer-off")).to_be_visible()
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_the_script_starts_with_the_picture_that_was_there(page, site_url, name):
    parts = (".explorer-figure", ".explorer-says")
    html = page.request.get(f"{site_url}{PAGES[name]}").text()
    page.set_content(re.sub("(?<=<)(/?)script", r"\1template", html))
    before = [page.locator(part).inner_html() for part in parts]
    page.goto(f"{site_url}{PAGES[name]}", wait_until=READ)
    expect(page.locator(".explorer form")).to_be_visible()
    assert [page.locator(part).inner_html() for part in parts] == before


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_need_not_scroll_sideways(explorer, page, name):
    page.set_viewport_size({"width": 390, "height": 844})
    box = explorer(name)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for control in box.locator("form :is(input, select, button):visible").all():
        area = control.bounding_box()
        assert area["height"] >= 24, "WCAG 2.5.8 asks for 24 pixels"
        assert area["x"] + area["width"] <= 390


@pytest.mark.parametrize("name", PAGES)
def test_every_control_can_be_reached_by_keyboard_and_is_named(explorer, page, name):
    box = explorer(name)
    box.locator("form").evaluate("form => form.elements[0].focus()")
    groups = "input, select, button"
    count = box.locator(f"form :is({groups})").count()
    for _ in range(count):
        focused = page.evaluate(
            "() => { const e = document.activeElement, o = getComputedStyle(e);"
            " return [e.closest('.explorer') !== null, o.outlineStyle,"
            " e.labels?.length || e.ariaLabel || e.textContent] }"
        )
        assert focused[0] and focused[1] != "none" and focused[2]
        page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.closest('.explorer form')")


def test_only_pages_with_an_explorer_load_its_script(page, site_url):
    for name, count in ((PAGES["strides"], 1), ("index.html", 0)):
        page.goto(f"{site_url}{name}", wait_until=READ)
        assert page.locator('script[src*="/explore/"]').count() == count


def test_a_convolution_by_keyboard(explorer, page):
    box = explorer("convolution")
    says, padding = box.locator(".explorer-says"), box.get_by_label("Padding")
    padding.focus()
    page.keyboard.press("ArrowRight")
    expect(says).to_contain_text("⌊(32 + 2·1 − 1·(3 − 1) − 1) / 1⌋ + 1 = 32")
    box.get_by_label("Stride").focus()
    page.keyboard.press("End")
    expect(says).to_contain_text("/ 4⌋ + 1 = 8")
    # the chosen pixel stays inside of the output, which has become smaller
    assert int(box.get_by_label("Output column").input_value()) <= 7


def test_a_kernel_of_ones_own(explorer):
    box = explorer("convolution")
    for i in range(9):
        box.get_by_label("weight in").nth(i).fill("0")
    expect(box.get_by_role("combobox", name="Kernel")).to_have_value("own")
    box.get_by_label("weight in row 2, column 2").fill("1/2")
    says = box.locator(".explorer-says")
    middle = re.search(r"0\.5·([\d.]+)", says.inner_text())[1]
    total = re.search(r"= ([\d.]+)\.$", says.inner_text().strip())[1]
    assert float(total) == pytest.approx(float(middle) / 2, abs=1e-3)
    box.get_by_label("weight in row 2, column 2").fill("much")
    expect(says).to_contain_text("Write each weight as a number")


def test_the_mouse_chooses_an_output_pixel(explorer):
    box = explorer("convolution")
    output = box.locator('svg[data-map="output"]')
    side = output.bounding_box()["width"]
    output.hover(position={"x": side * 3.5 / 30, "y": side * 20.5 / 30})
    expect(box.locator(".explorer-says")).to_contain_text("Output (20, 3)")


def test_two_shapes_that_clash_say_what_torch_says(explorer):
    box = explorer("broadcasting")
    says = box.locator(".explorer-says")
    expect(says).to_have_text("(64, 1) and (64,) give (64, 64).")
    box.get_by_label("Shape of a").fill("3, 4")
    box.get_by_label("Shape of b").fill("2, 4")
    expect(says).to_have_text(
        "RuntimeError: The size of tensor a (3) must match the size of tensor b (2) "
        "at non-singleton dimension 0"
    )
    assert box.locator("svg .conflict").count() == 3
    box.get_by_label("Shape of b").fill("2; 4")
    expect(says).to_contain_text("Write a shape as")


def test_strides_of_a_view_and_the_place_of_its_elements(explorer, page):
    box = explorer("strides")
    box.get_by_role("button", name="x.T", exact=True).click()
    says = box.locator(".explorer-says")
    expect(says).to_contain_text("Stride (1, 4), offset 0, not contiguous.")
    box.get_by_label("Element").focus()
    page.keyboard.press("End")
    expect(says).to_contain_text("Element (3, 2) lies at 0 + 3·1 + 2·4 = 11.")
    box.get_by_label("A view of it").fill("x[5]")
    expect(says).to_have_text("index 5 is out of bounds for dimension 0 with size 3")


def test_a_descent_that_is_too_fast_is_seen_to_diverge(explorer, page):
    box = explorer("surface")
    says, rate = box.locator(".explorer-says"), box.get_by_label("Step size")
    expect(says).not_to_contain_text("diverges")
    rate.focus()
    for _ in range(3):  # past 2 / 20, the limit of the ravine
        page.keyboard.press("ArrowRight")
    expect(rate).to_have_attribute("aria-valuetext", "0.11")
    expect(says).to_contain_text("It diverges")
    box.get_by_label("Momentum").fill("0.9")  # nearly twice the limit
    expect(says).not_to_contain_text("diverges")


def test_a_click_sets_the_start(explorer):
    box = explorer("surface")
    map_ = box.locator('svg[data-map="surface"]')
    area = map_.bounding_box()
    map_.click(position={"x": area["width"] * 0.75, "y": area["height"] * 0.5})
    expect(box.get_by_label("Start, x")).to_have_attribute("aria-valuetext", "1")
    expect(box.get_by_label("Start, y")).to_have_attribute("aria-valuetext", "0")
