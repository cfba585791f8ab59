"""What every check shares: the lookup, the message, the helpers."""

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from tenphases.checks import (
    WrongAnswer,
    call,
    check,
    phase01,
    plain,
    require,
    require_keys,
    require_number,
    require_tensor,
    returned,
)


class TestCheck:
    def test_says_right_in_one_line(self, monkeypatch, capsys):
        monkeypatch.setattr(phase01, "e1", lambda answer: None)
        assert check("p1.e1", 42) is None
        assert capsys.readouterr().out == "p1.e1: right\n"

    @pytest.mark.parametrize(
        "name", ["p1.e99", "p99.e1", "e1", "p1", "p1.require", "p1.torch", "", 1]
    )
    def test_an_unknown_exercise_is_a_key_error_with_a_sentence(self, name):
        with pytest.raises(KeyError, match=r"there is no exercise .* to check"):
            check(name, 42)

    def test_leaves_the_random_state_alone(self, monkeypatch):
        monkeypatch.setattr(phase01, "e1", lambda answer: torch.rand(3))
        before = torch.get_rng_state()
        check("p1.e1", 42)
        assert torch.equal(torch.get_rng_state(), before)

    def test_a_wrong_answer_prints_no_verdict(self, capsys):
        with pytest.raises(WrongAnswer):
            check("p1.e1", 42)
        assert capsys.readouterr().out == ""


class TestWrongAnswer:
    def test_is_an_assertion_error(self):
        with pytest.raises(AssertionError, match="not yet"):
            require(False, "not yet")
        require(True, "never seen")

    def test_ipython_shows_one_line(self, capsys):
        shell = InteractiveShell.instance()
        try:
            shell.run_cell("from tenphases.checks import check\ncheck('p1.e1', 42)")
        finally:
            InteractiveShell.clear_instance()
        printed = capsys.readouterr()
        lines = (printed.out + printed.err).strip().splitlines()
        assert lines == ["Not yet: a dict is wanted, not int."]


class TestCall:
    def test_gives_the_result(self):
        assert call(max, 2, 3) == 3
        assert returned(max, 2, 3) == 3

    def test_wants_a_function(self):
        with pytest.raises(WrongAnswer, match="a function is wanted, not int"):
            call(5)

    def test_an_exception_becomes_a_wrong_answer_that_quotes_the_line(self):
        def answer(x):
            return x + torch.zeros(3)

        with pytest.raises(WrongAnswer) as caught:
            call(answer, torch.zeros(2))
        message = str(caught.value)
        assert message.startswith("your function raised RuntimeError at `return x +")
        assert "size of tensor" in message
        assert isinstance(caught.value.__cause__, RuntimeError)

    def test_a_message_of_many_lines_becomes_one(self):
        def answer():
            raise ValueError("first\nsecond")

        with pytest.raises(WrongAnswer, match=r"ValueError.*first$"):
            call(answer)

    def test_too_few_arguments_and_builtins_have_no_line(self):
        with pytest.raises(WrongAnswer, match=r"raised TypeError: .*argument"):
            call(lambda: 1, 2)
        with pytest.raises(WrongAnswer, match="raised TypeError: "):
            call(len, 5)

    def test_a_missing_return_is_named(self):
        with pytest.raises(WrongAnswer, match="is a return missing"):
            returned(lambda: None)
        assert call(lambda: None) is None


class TestRequireNumber:
    @pytest.mark.parametrize(
        "value", [2, 2.0, torch.tensor(2), torch.tensor([2.0]), np.float32(2)]
    )
    def test_takes_what_is_a_number(self, value):
        assert require_number(value, "x") == 2.0

    @pytest.mark.parametrize("value", [None, "2", True, torch.zeros(2), [2], ...])
    def test_refuses_what_is_none(self, value):
        with pytest.raises(WrongAnswer, match="x should be a number, not"):
            require_number(value, "x")


class TestRequireKeys:
    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            ([1, 2], "a dict is wanted, not list"),
            ({"a": 1}, "the dict should have a key 'b'"),
            ({"a": 1, "b": ...}, "there is no answer yet to 'b'"),
            ({"a": 1, "b": 2, "c": 3}, "the dict should have no key 'c'"),
        ],
    )
    def test_says_in_what_respect(self, answer, message):
        with pytest.raises(WrongAnswer, match=message):
            require_keys(answer, ("a", "b"))

    def test_takes_any_values_in_any_order(self):
        require_keys({"b": None, "a": torch.ones(2)}, ("a", "b"))


def test_plain_makes_lists_of_tensors_arrays_and_tuples():
    for value in (torch.tensor([1, 2]), np.array([1, 2]), (1, 2), [1, 2]):
        assert plain(value) == [1, 2]
    assert plain("raises") == "raises"
    assert plain(torch.tensor(2.5)) == 2.5


class TestRequireTensor:
    expected = torch.tensor([[1.0, 2.0], [3.0, 4.0]])

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ([[1, 2], [3, 4]], "x should be a tensor, not list"),
            (torch.ones(4), r"x should have shape \(2, 2\), not \(4,\)"),
            (
                torch.ones(2, 2).int(),
                "x should have dtype torch.float32, not torch.int",
            ),
            (
                torch.tensor([[1, 2], [9.5, 4]]),
                r"x has a wrong value, 9.5, at .*\(1, 0\)",
            ),
            (torch.full((2, 2), torch.nan), r"wrong value, nan, at index \(0, 0\)"),
        ],
    )
    def test_says_in_what_respect(self, value, message):
        with pytest.raises(WrongAnswer, match=message):
            require_tensor(value, self.expected, "x")

    def test_forgives_rounding_and_gradients(self):
        value = (self.expected + 1e-7).requires_grad_()
        require_tensor(value, self.expected, "x")
        require_tensor(torch.tensor([True]), torch.tensor([True]), "x")

    def test_wraps_no_bytes(self):
        with pytest.raises(WrongAnswer, match="wrong value, 255"):
            require_tensor(
                torch.tensor([255], dtype=torch.uint8),
                torch.tensor([0], dtype=torch.uint8),
                "x",
            )


def test_every_public_name_has_a_docstring():
    functions = (check, require, call, returned, require_keys, plain)
    for function in (*functions, require_number, require_tensor):
        assert function.__doc__
