"""What a reader does: search, switch the theme, fold and unfold."""

import pytest

# what is looked for, and a page that must be among the first three found
QUERIES = {
    "broadcasting": "broadcasting",
    "range test": "plot_lr_range_test",
    "dropout": "regularization",
    "vanishing gradient": "activations",
    "momentum": "gradient-descent",
    "checkpoint": "checkpointing",
    "TensorBoard": "tensorboard-logs",
    "softmax regression": "softmax-regression",
    "CartPole": "plot_dqn_cartpole",
    "batch normalisation": "batch-normalization",
}


@pytest.mark.parametrize("query", QUERIES)
def test_search_finds(page, site_url, query):
    page.goto(site_url)
    page.keyboard.press("Control+k")
    page.keyboard.type(query)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=*")
    page.get_by_text("Search finished").wait_for()
    results = page.locator("#search-results li a")
    first = results.evaluate_all("all => all.slice(0, 3).map((a) => a.href)")
    assert any(QUERIES[query] in link for link in first), first


def test_the_lens_does_not_cover_what_is_typed(page, site_url):
    room = """form => {
        const input = form.querySelector("input"), box = input.getBoundingClientRect();
        const text = box.left + parseFloat(getComputedStyle(input).paddingLeft);
        return text - form.querySelector(".fa-magnifying-glass, svg")
            .getBoundingClientRect().right;
    }"""
    page.goto(f"{site_url}search.html?q=momentum")
    assert page.locator("main form.bd-search").evaluate(room) > 0
    page.goto(site_url)
    page.keyboard.press("Control+k")
    assert page.locator("dialog form.bd-search").evaluate(room) > 0


def test_formulas_have_their_fonts_before_one_comes_to_them(page, site_url):
    page.goto(f"{site_url}book/05-training-optimization/checkpointing.html")
    # to ask for the place of a formula would lay it out, and fetch its fonts
    near = "e => e.checkVisibility({contentVisibilityAuto: true})"
    assert not page.locator("mjx-container").first.evaluate(near)
    page.wait_for_function(
        """() => ["MJXTEX", "MJXTEX-I"].every((name) => [...document.fonts].some(
            (font) => font.family.endsWith(name) && font.status === "loaded"))""",
        timeout=5000,
    )
    assert not page.locator("mjx-container").first.evaluate(near)


def test_the_theme_switch_changes_page_and_figures(page, site_url):
    page.goto(f"{site_url}book/04-neural-networks/optimizers.html")
    button = page.locator(".theme-switch-button").first
    seen = {}
    for _ in range(3):
        theme = page.evaluate("document.documentElement.dataset.theme")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shown = page.locator(f"article img.only-{theme}").first.is_visible()
        other = "dark" if theme == "light" else "light"
        hidden = not page.locator(f"article img.only-{other}").first.is_visible()
        seen[theme] = (ground, shown, hidden)
        button.click()
    assert seen.keys() == {"light", "dark"}
    assert seen["light"][0] != seen["dark"][0]
    assert all(shown and hidden for _, shown, hidden in seen.values())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_first_visit_follows_the_system(browser, site_url, scheme):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(site_url, wait_until="commit")
    page.wait_for_selector("h1")
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    context.close()


def test_wide_code_is_a_stop_of_the_tab_key_when_it_comes_near(browser, site_url):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{site_url}book/04-neural-networks/training-loop.html")
    page.wait_for_load_state()
    page.evaluate(
        """() => {
          const sections = [...document.querySelectorAll("section > section")];
          const of = (s) => [...s.querySelectorAll("pre")];
          window.far = of(sections.findLast((s) => of(s).length));
        }"""
    )
    stops = "far.filter((e) => e.tabIndex === 0).length"
    wide = "far.filter((e) => e.scrollWidth > e.clientWidth).length"
    assert page.evaluate(stops) == 0
    page.evaluate("far[0].scrollIntoView({behavior: 'instant'})")
    page.wait_for_function(f"{stops} > 0")
    assert page.evaluate(wide) > 0
    page.wait_for_function(f"{stops} >= {wide}")
    context.close()
