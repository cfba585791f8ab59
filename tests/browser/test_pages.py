"""Each page of the built site, in a browser, at two widths and in two themes."""


def test_axe_finds_nothing_against_wcag(seen):
    assert not seen.violations


def test_the_console_has_no_errors(seen):
    assert not seen.errors


def test_no_other_host_is_asked_for_anything(seen):
    assert not seen.foreign


def test_a_phone_never_scrolls_sideways(seen):
    assert not seen.facts["too wide"]


def test_the_skip_link_is_the_first_stop_and_leads_to_the_text(seen):
    assert seen.facts["first stop"] == {"text": "Skip to main content", "seen": True}
    assert seen.facts["in the text"]


def test_what_has_the_focus_shows_it(seen):
    assert not seen.facts["no focus mark"]


def test_mathematics_is_set_and_nothing_is_left_over(seen):
    assert not seen.facts["left over"]


def test_figures_are_legible_in_both_themes(seen):
    assert not seen.facts["figures on light"]
    assert not seen.facts["figures on dark"]


def test_nothing_moves_while_the_page_loads(seen):
    assert not seen.facts["unsized"]
    assert seen.facts["shift"] < 0.01  # browsers call 0.1 good


def test_code_and_outputs_look_different(seen):
    assert not seen.facts["alike"]


def test_long_outputs_stay_within_a_screen(seen):
    assert not seen.facts["too tall"]


def test_on_a_wide_screen_no_line_of_code_is_cut_off(seen):
    assert not seen.facts["cut off"]
