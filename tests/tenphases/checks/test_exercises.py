"""The exercises of every phase: starters fail, solutions pass, nonsense is told."""

import inspect

import pytest
import torch
from exercises import PHASES, Exercises, wrong

PAGES = {phase: Exercises(phase) for phase in PHASES}
ALL = [(phase, name) for phase, page in PAGES.items() for name in page.names]


@pytest.mark.parametrize("phase", PHASES)
class TestPage:
    def test_every_check_has_a_starter_and_a_solution_and_vice_versa(self, phase):
        page = PAGES[phase]
        tags = {tag for cell in page.cells for tag in cell.tags}
        for kind in ("starter", "solution"):
            found = {t.removeprefix(f"{kind}-") for t in tags if t.startswith(kind)}
            assert found == set(page.names)

    def test_there_are_enough_of_them(self, phase):
        assert len(PAGES[phase].names) >= 8


@pytest.mark.parametrize(("phase", "exercise"), ALL)
class TestStartersAndSolutions:
    def test_the_checker_is_described(self, phase, exercise):
        checker = PAGES[phase].checker(exercise)
        assert checker.__doc__
        assert list(inspect.signature(checker).parameters) == ["answer"]

    def test_the_untouched_starter_is_wrong(self, phase, exercise):
        wrong(exercise, PAGES[phase].starter(exercise), r"\w \w")

    def test_the_solution_is_right(self, phase, exercise, capsys):
        page = PAGES[phase]
        assert f'check("{exercise}"' in page.tagged(f"solution-{exercise}")
        page.solution(exercise)
        assert f"{exercise}: right" in capsys.readouterr().out

    @pytest.mark.parametrize("answer", [None, 42, "x", {}, [1], torch.zeros(3)])
    def test_nonsense_gets_a_sentence(self, phase, exercise, answer):
        wrong(exercise, answer, "is wanted|a key")
