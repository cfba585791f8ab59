"""The exercises of Phase 3: typical mistakes get a hint that helps."""

import math

import pytest
import torch
from exercises import Exercises, wrong
from torch import nn
from torch.nn import functional as F

from tenphases.checks import check, phase03

PAGE = Exercises(3)
solution, run = PAGE.solution, PAGE.run


@pytest.mark.parametrize(
    ("exercise", "hint"),
    [
        ("p3.e1", "no answer yet to 'a.relu"),
        ("p3.e3", "is a return missing"),
        ("p3.e4", "raised TypeError|is a return missing"),
        ("p3.e5", "backward pass raises"),
        ("p3.e7", "x requires a gradient afterwards"),
        ("p3.e8", "a gradient that is zero, and not None"),
        ("p3.e10", "no answer yet to 'baseline'"),
    ],
)
def test_what_is_wrong_with_the_starter_is_named(exercise, hint):
    wrong(exercise, PAGE.starter(exercise), hint)


class TestE1:
    @pytest.mark.parametrize(
        ("line", "value", "hint"),
        [
            ("a.relu().sum()", [0, 0.5, 1], r"9 of 10 .*takes the flat one"),
            ("torch.maximum(a, torch.zeros(3)).sum()", [0, 0, 1], "They share"),
            ("(a * a.detach()).sum()", [-2, 0, 4], "counts as a constant"),
            ("(a - a.mean()).sum()", [1, 1, 1], "whatever a is"),
            ("(a / a.max()).sum()", [0.5, 0.5, 0.5], "twice in its own"),
            ("(a * a.argmax()).sum()", "error", "an index has no slope"),
            ("a.round().sum()", "error", "if a is nudged"),
            ("(a > 0).float().sum()", [0, 0, 0], "way back from a bool"),
            ("a.relu().sum()", 1, "should be a list of three numbers"),
            ("a.relu().sum()", [0, 1], "is something else"),
        ],
    )
    def test_hints(self, line, value, hint):
        right = solution("p3.e1")["prediction"]
        wrong("p3.e1", right | {line: value}, hint)

    def test_takes_tuples_and_tensors(self):
        answer = solution("p3.e1")["prediction"] | {"a.relu().sum()": (0.0, 0, 1)}
        check("p3.e1", answer | {"a.round().sum()": torch.zeros(3)})


class TestE2:
    @pytest.mark.parametrize(
        ("key", "value", "hint"),
        [
            ("h", 28.5, "computed once"),
            ("h.is_leaf", True, "made by you"),
            ("h.is_leaf", 0, "'h.is_leaf' is not 0"),
            ("first", 18, "copies nothing"),
            ("first", None, "lets go of that tensor"),
            ("w", -18.5, "pass a derivative on"),
            ("w", -9, "a second step"),
            ("u", -9, "u has no gradient"),
            ("b", 0.5, "which tensors was the optimizer given"),
            ("u.grad", 0, "writes no zeros"),
            ("b.grad", 1, "whose gradients"),
            ("b.grad", None, "whose gradients"),
            ("b.grad", "two", "should be a number, not str"),
        ],
    )
    def test_hints(self, key, value, hint):
        wrong("p3.e2", solution("p3.e2")["facts"] | {key: value}, hint)

    def test_takes_tensors(self):
        check("p3.e2", solution("p3.e2")["facts"] | {"w": torch.tensor(-9.5)})


def diagnose(model, loss, *, nan=True, unused="not reached"):
    found = {}
    for name, p in model.named_parameters():
        if not p.requires_grad:
            found[name] = "frozen"
            continue
        (g,) = torch.autograd.grad(loss, p, retain_graph=True, allow_unused=True)
        if g is None:
            found[name] = unused
        elif nan and not torch.isfinite(g).all():
            found[name] = "not finite"
        else:
            found[name] = "zero" if (g == 0).all() else "learns"
    return found


class TestE3:
    def test_one_at_a_time_is_as_good(self):
        check("p3.e3", diagnose)

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (lambda m, x: diagnose(m, x, nan=False), "root is not 'learns'.*NaN"),
            (lambda m, x: diagnose(m, x, unused="zero"), "does not depend on it"),
            (lambda m, x: list(diagnose(m, x).values()), "a dict is wanted"),
            (lambda m, x: {"root": "not finite"}, "should have a key 'first.weight'"),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p3.e3", answer, hint)

    def test_backward_into_grad(self):
        def answer(model, loss):
            found = diagnose(model, loss)
            loss.backward(retain_graph=True)
            return found

        wrong("p3.e3", answer, "changes the .grad of root")

    def test_zero_grad(self):
        def answer(model, loss):
            found = diagnose(model, loss)
            model.zero_grad()
            return found

        wrong("p3.e3", answer, "changes the .grad of root")

    def test_a_graph_that_is_freed(self):
        def answer(model, loss):
            found = diagnose(model, loss)
            torch.autograd.grad(loss, model.body[0].weight)
            return found

        wrong("p3.e3", answer, "the graph should be kept")

    def test_thawing(self):
        def answer(model, loss):
            found = diagnose(model, loss)
            model.requires_grad_(True)
            return found

        wrong("p3.e3", answer, "changes requires_grad of first.weight")


class TestE4:
    @property
    def dual(self):
        return solution("p3.e4")["Dual"]

    def test_right_in_another_way(self):
        class Pair:
            def __init__(self, value, slope=0):
                self.value, self.slope = value, slope

            def lift(self, other):
                return other if isinstance(other, Pair) else Pair(other)

            def __add__(self, o):
                o = self.lift(o)
                return Pair(self.value + o.value, self.slope + o.slope)

            def __mul__(self, o):
                o = self.lift(o)
                return Pair(
                    self.value * o.value, self.value * o.slope + self.slope * o.value
                )

            def __neg__(self):
                return Pair(-self.value, -self.slope)

            def __sub__(self, o):
                return self + -self.lift(o)

            def __rsub__(self, o):
                return self.lift(o) - self

            def __truediv__(self, o):
                o = self.lift(o)
                top = self.slope * o.value - self.value * o.slope
                return Pair(self.value / o.value, top / (o.value * o.value))

            def __rtruediv__(self, o):
                return self.lift(o) / self

            def __pow__(self, n):
                return Pair(self.value**n, n * self.value ** (n - 1) * self.slope)

            def exp(self):
                e = getattr(self.value, "exp", lambda: math.exp(self.value))()
                return Pair(e, e * self.slope)

            __radd__, __rmul__ = __add__, __mul__

        check("p3.e4", Pair)

    @pytest.mark.parametrize(
        ("name", "method", "hint"),
        [
            (
                "__mul__",
                lambda s, o: type(s)(
                    s.value * getattr(o, "value", o), s.slope * getattr(o, "slope", 1)
                ),
                "the slope of a product is not",
            ),
            (
                "__rsub__",
                lambda s, o: s - o,
                "3 - x at x = 1.5 has a wrong value, -1.5",
            ),
            (
                "__rsub__",
                lambda s, o: type(s)(o - s.value, s.slope),
                "the order matters in a difference",
            ),
            (
                "exp",
                lambda s: type(s)(math.exp(s.value), math.exp(s.value)),
                r"\(2 \* x\).exp\(\) .*about the inside",
            ),
            (
                "exp",
                lambda s: type(s)(math.exp(s.value), math.exp(s.value) * s.slope),
                "raised TypeError",
            ),
            ("__neg__", lambda s: None, "is a return missing"),
            ("__neg__", lambda s: -s.value, "should be a Dual, not float"),
            ("__rtruediv__", None, "raised TypeError"),
        ],
    )
    def test_hints(self, name, method, hint):
        dual = self.dual
        original = getattr(dual, name)
        setattr(dual, name, method)
        try:
            wrong("p3.e4", dual, hint)
        finally:
            setattr(dual, name, original)

    def test_an_instance_is_no_class(self):
        wrong("p3.e4", self.dual(1.0), "a class is wanted")


def kepler(backward, keep=lambda inputs, output: (inputs[1], output), solve=None):
    solve = solve or solution("p3.e5")["solve_kepler"]

    class Answer(torch.autograd.Function):
        @staticmethod
        def forward(M, e):
            return solve(M, e)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*keep(inputs, output))

    Answer.backward = staticmethod(backward)
    return Answer


def slopes(ctx, g, *, power=1, sign=1, with_g=True):
    e, E = ctx.saved_tensors
    first = (g if with_g else 1) / (1 - e * E.cos()) ** power
    return first, sign * (first * E.sin()).sum_to_size(e.shape)


class TestE5:
    def test_right_in_another_way(self):
        solve = solution("p3.e5")["solve_kepler"]

        def again(ctx, g):
            M, e = ctx.saved_tensors
            E = solve(M, e)
            first = g / (1 - e * E.cos())
            return first, first * E.sin()

        check("p3.e5", kepler(again, keep=lambda inputs, output: inputs))

    @pytest.mark.parametrize(
        ("change", "hint"),
        [
            ({"with_g": False}, "multiply by grad_output"),
            ({"sign": -1}, "for e has the wrong sign"),
            ({"power": 2}, "derivative for M has a wrong value"),
            ({"power": -1}, "derivative for M has a wrong value"),
        ],
    )
    def test_hints(self, change, hint):
        wrong("p3.e5", kepler(lambda ctx, g: slopes(ctx, g, **change)), hint)

    def test_mistaking_M_for_E(self):
        keep = lambda inputs, output: (inputs[1], inputs[0])  # noqa: E731
        wrong("p3.e5", kepler(slopes, keep=keep), "for M has a wrong value")

    def test_one_derivative_for_two_inputs(self):
        answer = kepler(lambda ctx, g: slopes(ctx, g)[0])
        wrong("p3.e5", answer, "backward pass raises: .*expected 2, got 1")
        answer = kepler(lambda ctx, g: (slopes(ctx, g)[0], None))
        wrong("p3.e5", answer, "no derivative for e")

    def test_an_E_that_is_cut_off(self):
        def cut(ctx, g):
            e, E = ctx.saved_tensors
            first = g / (1 - e * E.detach().cos())
            return first, first * E.detach().sin()

        wrong("p3.e5", kepler(cut), "gradient of the gradient")

    def test_an_equation_that_is_not_solved(self):
        answer = kepler(slopes, solve=lambda M, e: M + e * M.sin())
        wrong("p3.e5", answer, "does not satisfy Kepler's equation")

    def test_a_plain_function(self):
        wrong("p3.e5", solution("p3.e5")["solve_kepler"], "subclass of torch.autograd")


def norm_backward(y, sigma, g, *, mu=True, spread=True, dim=1, divide=True):
    out = g.clone()
    if mu:
        out = out - g.mean(dim, keepdim=True)
    if spread:
        out = out - y * (g * y).mean(dim, keepdim=True)
    return out / sigma if divide else out


class TestE6:
    def test_from_the_jacobian(self):
        def answer(y, sigma, g):
            D = y.shape[1]
            eye = torch.eye(D, dtype=y.dtype)
            jac = (eye - 1 / D - y[:, :, None] * y[:, None] / D) / sigma[..., None]
            return torch.einsum("bj,bji->bi", g, jac)

        check("p3.e6", answer)

    @pytest.mark.parametrize(
        ("change", "hint"),
        [
            ({"mu": False, "spread": False}, "mean and sigma depend on x"),
            ({"spread": False}, "sigma depends on x"),
            ({"mu": False}, "the mean depends on x"),
            ({"divide": False}, "where is sigma"),
            ({"dim": 0}, "which axis was normalised"),
        ],
    )
    def test_hints(self, change, hint):
        answer = lambda y, s, g: norm_backward(y, s, g, **change)  # noqa: E731
        wrong("p3.e6", answer, hint)

    def test_hints_about_form(self):
        wrong("p3.e6", lambda y, s, g: norm_backward(y, s, g).sum(0), "have shape")
        answer = lambda y, s, g: norm_backward(y, s, g).float()  # noqa: E731
        wrong("p3.e6", answer, "dtype torch.float64")
        answer = lambda y, s, g: norm_backward(y, s, g) * s**2  # noqa: E731
        wrong("p3.e6", answer, "wrong side of the fraction")
        answer = lambda y, s, g: norm_backward(y, s, 2 * g)  # noqa: E731
        wrong("p3.e6", answer, "the gradient has a wrong value")


def attack(model, x, y, size=0.1, *, own=True, quiet=True, cut=True, up=1, clamp=True):
    x = x.detach().clone() if own else x
    x.requires_grad_()
    loss = F.cross_entropy(model(x), y)
    if quiet:
        (g,) = torch.autograd.grad(loss, x)
    else:
        loss.backward()
        g = x.grad
    if not own:
        x.requires_grad_(False)
        x.grad = None
    result = x + up * size * g.sign()
    result = result.clamp(0, 1) if clamp else result
    return result.detach() if cut else result


class TestE7:
    def test_right_in_another_way(self):
        def answer(model, x, y, size=0.1):
            f = torch.func.grad(lambda x: F.cross_entropy(model(x), y))
            return (x + size * f(x).detach().sign()).clamp(0, 1)

        def with_inputs(model, x, y, size=0.1):
            x = x.clone().requires_grad_()
            F.cross_entropy(model(x), y).backward(inputs=[x])
            return (x + size * x.grad.sign()).clamp(0, 1).detach()

        check("p3.e7", answer)
        check("p3.e7", with_inputs)
        check("p3.e7", lambda *a: attack(*a, own=False))

    @pytest.mark.parametrize(
        ("change", "hint"),
        [
            ({"quiet": False}, "changes the .grad of 0.weight"),
            ({"cut": False}, "drags the graph along"),
            ({"up": -1}, "the result has a wrong value"),
            ({"clamp": False}, "the result has a wrong value"),
        ],
    )
    def test_hints(self, change, hint):
        wrong("p3.e7", lambda *a: attack(*a, **change), hint)

    def test_zero_grad_is_no_mend(self):
        def answer(model, x, y, size=0.1):
            result = attack(model, x, y, size, quiet=False)
            model.zero_grad()
            return result

        wrong("p3.e7", answer, "changes the .grad of 0.weight")

    def test_freezing_the_model(self):
        def answer(model, x, y, size=0.1):
            model.requires_grad_(False)
            return attack(model, x, y, size, quiet=False)

        wrong("p3.e7", answer, "requires no gradient any more")

    def test_a_fixed_size(self):
        answer = lambda model, x, y, size: attack(model, x, y)  # noqa: E731
        wrong("p3.e7", answer, "for size=0.03 the result has a wrong value")

    def test_in_place(self):
        def answer(model, x, y, size=0.1):
            return x.copy_(attack(model, x, y, size))

        wrong("p3.e7", answer, "changes x")


def freeze(layer):
    for p in layer.parameters():
        p.requires_grad_(False).grad = None


class TestE8:
    def test_right_in_another_way(self):
        def zero_first(layer):
            layer.zero_grad(set_to_none=True)
            layer.requires_grad_(False)

        def new_parameters(layer):
            for name, p in list(layer.named_parameters()):
                new = nn.Parameter(p.detach().clone(), requires_grad=False)
                setattr(layer, name, new)

        check("p3.e8", zero_first)
        check("p3.e8", new_parameters)

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (lambda layer: layer.requires_grad_(False), "zero, and not None"),
            (lambda layer: layer.zero_grad(), "it still gets gradients"),
            (lambda layer: layer.eval(), "it still gets gradients"),
            (lambda layer: nn.init.zeros_(layer.weight), "what the layer computes"),
            (lambda layer, more: None, "raised TypeError"),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p3.e8", answer, hint)

    def test_cutting_the_graph_starves_the_layers_before(self):
        def answer(layer):
            freeze(layer)
            layer.forward = torch.no_grad()(layer.forward)

        wrong("p3.e8", answer, "layer 0 should go on learning")

    def test_a_hook_that_gives_zeros(self):
        def answer(layer):
            for p in layer.parameters():
                p.grad = None
                p.register_hook(torch.zeros_like)

        wrong("p3.e8", answer, "it still gets gradients")


class TestE9:
    @pytest.mark.parametrize(
        ("swap", "hint"),
        [
            ("AB", "A is not 'zeros'.*hidden layer gives 0"),
            ("CE", "C is not 'sum'.*another length"),
            ("CD", "C is not 'unemptied'.*each step adds"),
            ("AC", "A is not 'healthy'.*falls smoothly"),
            ("DE", "D is not 'sum'"),
        ],
    )
    def test_hints(self, swap, hint):
        one, other = swap
        right = solution("p3.e9")["causes"]
        answer = right | {one: right[other], other: right[one]}
        wrong("p3.e9", answer, hint)

    def test_a_cause_twice_and_a_cause_of_ones_own(self):
        right = solution("p3.e9")["causes"]
        wrong("p3.e9", right | {"A": "sum"}, "each cause has one curve")
        wrong("p3.e9", right | {"A": "luck"}, "'luck' is no cause on the list")


@pytest.fixture(scope="module")
def project():
    return solution("p3.e10")


class TestE10:
    def test_the_check_knows_the_photograph_of_the_page(self, project):
        truth = phase03.view("cat", 40, 130)
        assert torch.equal(truth, project["truth"])
        assert torch.equal(phase03.damage(truth), project["known"])

    def test_takes_the_total_variation(self, project):
        def restore(image, known):
            return project["descend"](image, known, project["variation"], lr=0.008)

        error = project["error"](restore(project["image"], project["known"]))
        report = {"restore": restore, "baseline": 0.15, "error": error}
        check("p3.e10", report | {"baseline": torch.tensor(project["baseline"])})

    @pytest.mark.parametrize(
        ("change", "hint"),
        [
            ({"error": 0.02}, "is not the error that restore reaches"),
            ({"error": "4 %"}, "the error should be a number, not str"),
            ({"baseline": 14.4}, "is no error of a baseline"),
            ({"baseline": 0.01}, "is no error of a baseline"),
        ],
    )
    def test_hints_about_numbers(self, project, change, hint):
        wrong("p3.e10", project["report"] | change, hint)

    def test_hints_about_restore(self, project):
        restore, local = project["restore"], project["local_mean"]
        own = project["error"](local(project["image"], project["known"]))

        def first_only(image, known):
            good = restore(image, known)
            return good if len(image) == 128 else local(image, known)

        for answer, hint in [
            (lambda image, known: image * float("nan"), "comes back with a NaN"),
            (lambda image, known: restore(image, known)[:-1], "float32 of shape"),
            (lambda image, known: restore(image, known).double(), "float32 of shape"),
            (
                lambda image, known: restore(image, known).requires_grad_(),
                "drags a graph",
            ),
            (lambda image, known: 0.9 * restore(image, known), "changes known pixels"),
            (lambda image, known: restore(image, known).tolist(), "return a tensor"),
            (first_only, "lost pixels of another photograph"),
        ]:
            wrong("p3.e10", project["report"] | {"restore": answer}, hint)
        report = {"restore": local, "baseline": own, "error": own}
        wrong("p3.e10", report, "you should be clearly better")
