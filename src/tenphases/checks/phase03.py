"""Checks of Phase 3's exercises, ``book/03-autograd-backprop/exercises.md``."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional as F

from tenphases.checks import (
    WrongAnswer,
    call,
    require,
    require_keys,
    require_number,
    require_tensor,
    returned,
)
from tenphases.data import photograph

# --- e1: ten slopes -------------------------------------------------------------

LINES = {
    "a.relu().sum()": "at 0 there are two slopes; PyTorch takes the flat one.",
    "torch.maximum(a, torch.zeros(3)).sum()": "of two equal numbers, which is the "
    "larger? They share.",
    "torch.where(a > 0, a**2, 5 * a).sum()": "each element has the slope of its own "
    "branch.",
    "(a * a.detach()).sum()": "one factor varies, the other counts as a constant.",
    "(a - a.mean()).sum()": "what is this sum, whatever a is?",
    "a.cumsum(0).sum()": "in how many partial sums is each element?",
    "(a / a.max()).sum()": "the largest is in every fraction, and twice in its own.",
    "(a * a.argmax()).sum()": "an index has no slope; what number is it here?",
    "a.round().sum()": "what happens if a is nudged?",
    "(a > 0).float().sum()": "is there any way back from a bool?",
}


def e1(answer: object) -> None:
    """A dict from each line of LINES to the gradient of a, or "error"."""
    require_keys(answer, LINES)
    true = {line: _slopes(line) for line in LINES}
    given = {line: _plain(answer[line]) for line in LINES}
    right = sum(_same(given[line], true[line]) for line in LINES)
    for line, hint in LINES.items():
        where = f"({right} of {len(LINES)} are right) {line}"
        form = given[line] == "error" or isinstance(given[line], list)
        require(form, f'{where} should be a list of three numbers, or "error".')
        require(_same(given[line], true[line]), f"{where} is something else; {hint}")


def _plain(value: object) -> object:
    if isinstance(value, Tensor):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def _same(given: object, true: object) -> bool:
    if "error" in (given, true) or not isinstance(given, list) or len(given) != 3:
        return given == true
    numbers = all(isinstance(v, int | float) for v in given)
    return numbers and all(map(math.isclose, given, true))


def _slopes(line: str) -> object:
    a = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    result = eval(line, {"torch": torch, "a": a})  # one of our own lines
    if not result.requires_grad:
        return "error"
    return torch.autograd.grad(result, a)[0].tolist()


# --- e2: read the program -------------------------------------------------------

FACTS = {
    "h": 6.0,
    "h.is_leaf": False,
    "first": 22.0,
    "w": -9.5,
    "u": -3.0,
    "b": 1.0,
    "u.grad": None,
    "b.grad": 2.0,
}
MISREAD = [
    ("h", (27.0, 28.5), "h was computed once, from the old w and u."),
    ("h.is_leaf", (True,), "a leaf is made by you, not computed."),
    ("first", (18.0,), "`first = w.grad` copies nothing; what is added there later?"),
    ("first", (36.0, 40.0), "to what does h.detach() pass a derivative on?"),
    ("first", (None, 0.0), "zero_grad lets go of that tensor, and leaves it as it is."),
    ("first", (1.0, 23.0), "after zero_grad, the new gradient is a new tensor."),
    ("w", (-18.0, -18.5), "to what does h.detach() pass a derivative on?"),
    ("w", (0.0, -0.5, -7.0, -7.5), "two backward passes precede the first step."),
    ("w", (-9.0,), "there is a second step."),
    ("w", (-20.5,), "what is left of the old gradient after zero_grad?"),
    ("u", (-9.0,), "in the second step u has no gradient."),
    ("u", (3.0, -15.0), "h * h.detach() depends on u; through which factor?"),
    ("b", (0.5, 0.0, -0.5), "which tensors was the optimizer given?"),
    ("u.grad", (0.0,), "zero_grad writes no zeros."),
    ("u.grad", (12.0, 24.0), "zero_grad came after that."),
    ("b.grad", (1.0,), "whose gradients does optimizer.zero_grad() clear?"),
    ("b.grad", (None, 0.0), "whose gradients does optimizer.zero_grad() clear?"),
]


def e2(answer: object) -> None:
    """A dict of facts about the program in the statement, at its end."""
    require_keys(answer, FACTS)
    for key, fact in FACTS.items():
        value = answer[key]
        if fact is not None and value is not None and not isinstance(fact, bool):
            value = require_number(value, repr(key))
        hints = [text for k, wrong, text in MISREAD if k == key and value in wrong]
        hint = hints[0] if hints else "read the program once more, line by line."
        right = type(value) is type(fact) and value == fact
        require(right, f"{key!r} is not {answer[key]!r}; {hint}")


# --- e3: who learns? ------------------------------------------------------------


class _Patient(nn.Module):
    """One parameter or more for each diagnosis."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.body = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        self.spare = nn.Linear(4, 4)
        self.dead = nn.Linear(4, 2)
        self.root = nn.Parameter(torch.zeros(2))
        self.first.weight.requires_grad_(False)
        nn.init.constant_(self.dead.bias, -1e3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(self.first(x)) + self.dead(x).relu()
        return h + self.root.sqrt() + self.spare(x).mean().detach()


def e3(answer: object) -> None:
    """diagnose(model, loss): a dict from parameters' names to a word."""
    torch.manual_seed(0)
    model, x = _Patient(), torch.randn(64, 4)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    loss = model(x).square().mean()
    found = returned(answer, model, loss)
    words = {"first.weight": "frozen", "root": "not finite"}
    for name, _ in model.named_parameters():
        part = name.partition(".")[0]
        word = {"spare": "not reached", "dead": "zero"}.get(part, "learns")
        words.setdefault(name, word)
    require_keys(found, words)
    for name, word in words.items():
        reason = {
            "frozen": "it does not require a gradient",
            "not reached": "the loss does not depend on it",
            "zero": "its gradient is zero in every element",
            "not finite": "its gradient has an infinity or a NaN",
            "learns": "its gradient is finite and somewhere not zero",
        }[word]
        require(found[name] == word, f"{name} is not {found[name]!r}: {reason}.")
    for name, p in model.named_parameters():
        same = p.grad is not None and torch.equal(p.grad, torch.ones_like(p))
        require(same, f"your function changes the .grad of {name}.")
        kept = p.requires_grad == (words[name] != "frozen")
        require(kept, f"your function changes requires_grad of {name}.")
    try:
        loss.backward()
    except RuntimeError as error:
        raise WrongAnswer(
            "after your function, loss.backward() raises; the graph should be kept."
        ) from error


# --- e4: dual numbers -----------------------------------------------------------

DUAL = {
    "x + x": lambda x: x + x,
    "x + 3": lambda x: x + 3,
    "3 + x": lambda x: 3 + x,
    "-x": lambda x: -x,
    "x - 3": lambda x: x - 3,
    "3 - x": lambda x: 3 - x,
    "(x + 1) - x": lambda x: (x + 1) - x,
    "x * x": lambda x: x * x,
    "3 * x": lambda x: 3 * x,
    "x * 3": lambda x: x * 3,
    "x / 2": lambda x: x / 2,
    "2 / x": lambda x: 2 / x,
    "(x + 1) / x": lambda x: (x + 1) / x,
    "x**3": lambda x: x**3,
    "x**-0.5": lambda x: x**-0.5,
    "x.exp()": lambda x: x.exp(),
    "(2 * x).exp()": lambda x: (2 * x).exp(),
    "x * (-x * x).exp()": lambda x: x * (-x * x).exp(),
}


def e4(answer: object) -> None:
    """Dual(value, slope): arithmetic that carries a derivative along."""
    kind = type(answer).__name__
    require(isinstance(answer, type), f"a class is wanted, not {kind}.")
    for text, f in DUAL.items():
        _check_dual(answer, text, f, 1.5)
        _check_dual(answer, text, f, 0.3)
    for text, f in DUAL.items():
        _check_nested(answer, text, f, 1.5)


def _derivatives(f: Callable, x: float) -> list[float]:
    point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y = f(point) + 0 * point**3
    (first,) = torch.autograd.grad(y, point, create_graph=True)
    (second,) = torch.autograd.grad(first, point)
    return [y.item(), first.item(), second.item()]


def _check_dual(dual: type, text: str, f: Callable, x: float) -> None:
    at = f"{text} at x = {x}"
    result = returned(lambda: f(call(dual, x, 1.0)))
    kind = type(result).__name__
    require(isinstance(result, dual), f"{at} should be a Dual, not {kind}.")
    value, slope, _ = _derivatives(f, x)
    found = [_attribute(result, name, at) for name in ("value", "slope")]
    near = math.isclose(found[0], value, rel_tol=1e-9)
    require(near, f"{at} has a wrong value, {found[0]:.6g}.")
    near = math.isclose(found[1], slope, rel_tol=1e-9)
    require(near, f"{at} has a wrong slope, {found[1]:.6g}; {_why(text, found[1])}")


def _attribute(result: object, name: str, at: str) -> float:
    require(hasattr(result, name), f"{at} should have a .{name}.")
    return require_number(getattr(result, name), f"the {name} of {at}")


def _why(text: str, slope: float) -> str:
    if text == "x * x" and slope == 1:
        return "the slope of a product is not the product of the slopes."
    if text.startswith("3 - ") and slope == 1:
        return "the order matters in a difference."
    if "exp" in text:
        return "what does the chain rule say about the inside?"
    return "write the rule down on paper first."


def _check_nested(dual: type, text: str, f: Callable, x: float) -> None:
    at = f"{text} at Dual(Dual({x}, 1), Dual(1, 0))"
    result = returned(lambda: f(dual(dual(x, 1.0), dual(1.0, 0.0))))
    slope = getattr(result, "slope", None)
    if isinstance(slope, dual):  # else it is a constant, and its slope is a number
        slope = slope.slope
        found = require_number(slope, f"the slope of the slope of {at}")
        second = _derivatives(f, x)[2]
        near = math.isclose(found, second, rel_tol=1e-9, abs_tol=1e-12)
        require(near, f"{at}: the second derivative is wrong, {found:.6g}.")
    else:
        require_number(slope, f"the slope of {at}")


# --- e5: Kepler's equation ------------------------------------------------------


def e5(answer: object) -> None:
    """Kepler, a Function of M and e: the E with E - e sin E = M."""
    kind = type(answer).__name__
    function = isinstance(answer, type) and issubclass(answer, torch.autograd.Function)
    require(function, f"a subclass of torch.autograd.Function is wanted, not {kind}.")
    M = torch.tensor([-2.0, 0.1, 1.0, 3.0], dtype=torch.float64)
    e = torch.tensor([0.0, 0.2, 0.5, 0.9], dtype=torch.float64)
    E = returned(answer.apply, M, e)
    require(isinstance(E, Tensor), "Kepler.apply should return a tensor.")
    fits = torch.allclose(E - e * E.sin(), M, atol=1e-9)
    require(fits, "the E that comes back does not satisfy Kepler's equation.")
    for weight in (torch.ones_like(M), torch.tensor([1.0, -2.0, 3.0, 0.5])):
        _check_kepler(answer, M.clone(), e.clone(), weight.double())
    one = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    points = (M.requires_grad_(), e.requires_grad_())
    for inputs in (points, (M, one)):
        try:
            gradcheck(answer.apply, inputs)
            where = "the gradient of the gradient is wrong; is E saved as a tensor?"
            require(gradgradcheck(answer.apply, inputs, raise_exception=False), where)
        except RuntimeError as error:
            raise WrongAnswer(f"gradcheck says: {_line(error)}") from error


def _check_kepler(kepler: type, M: Tensor, e: Tensor, g: Tensor) -> None:
    M, e = M.requires_grad_(), e.requires_grad_()
    E = kepler.apply(M, e)
    try:
        found = torch.autograd.grad(E, (M, e), g, allow_unused=True)
    except (RuntimeError, TypeError, ValueError, AttributeError, NameError) as error:
        raise WrongAnswer(f"the backward pass raises: {_line(error)}") from error
    with torch.no_grad():
        E, first = E.detach(), 1 / (1 - e * E.cos())
        true = {"M": g * first, "e": g * E.sin() * first}
    weights = "" if g.eq(1).all() else f", for grad_output {g.tolist()},"
    for (name, wanted), value in zip(true.items(), found, strict=True):
        require(value is not None, f"backward returns no derivative for {name}.")
        if weights and torch.allclose(value * g, wanted):
            raise WrongAnswer("backward should multiply by grad_output.")
        flipped = torch.allclose(value, -wanted)
        require(not flipped, f"the derivative for {name} has the wrong sign.")
        require_tensor(value, wanted, f"the derivative for {name}{weights}", atol=1e-8)


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]


# --- e6: a normalisation, backwards ---------------------------------------------


def e6(answer: object) -> None:
    """norm_backward(y, sigma, g): the gradient of x, where y = (x - mean) / sigma."""
    generator = torch.Generator().manual_seed(0)
    for shape in ((5, 7), (3, 4), (4, 3)):
        x, g = (
            torch.randn(shape, generator=generator, dtype=torch.float64)
            for _ in range(2)
        )
        x = 3 * x + 10
        _check_norm(answer, x, g)


def _check_norm(answer: object, x: Tensor, g: Tensor) -> None:
    x = x.clone().requires_grad_()
    sigma = (x.var(dim=1, keepdim=True, correction=0) + 1e-5).sqrt()
    y = (x - x.mean(dim=1, keepdim=True)) / sigma
    (true,) = torch.autograd.grad(y, x, g)
    y, sigma = y.detach(), sigma.detach()
    value = returned(answer, y.clone(), sigma.clone(), g.clone())
    if isinstance(value, Tensor) and value.shape == true.shape:
        along = {"dim": 1, "keepdim": True}
        mean_g, mean_gy = g.mean(**along), (g * y).mean(**along)
        columns = g - g.mean(dim=0) - y * (g * y).mean(dim=0)
        for wrong, hint in [
            (g / sigma, "the mean and sigma depend on x, too."),
            ((g - mean_g) / sigma, "sigma depends on x, too."),
            ((g - y * mean_gy) / sigma, "the mean depends on x, too."),
            (g - mean_g - y * mean_gy, "where is sigma?"),
            (columns / sigma, "which axis was normalised?"),
            (true * sigma**2, "sigma is on the wrong side of the fraction."),
        ]:
            close = torch.allclose(value.detach().to(wrong), wrong)
            require(not close, f"for x of shape {tuple(x.shape)}: {hint}")
    what = f"for x of shape {tuple(x.shape)} the gradient"
    require_tensor(value, true, what, atol=1e-8)


# --- e7: a measurement that trains ----------------------------------------------


def e7(answer: object) -> None:
    """attack(model, x, y, size): images, and no trace of the measurement."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    y = torch.arange(5) % 3
    x = torch.rand(5, 6)
    sent = x.clone()
    point = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(point), y), point)
    true = {size: (x + size * g.sign()).clamp(0, 1) for size in (0.1, 0.03)}
    for p in model[0].parameters():
        p.grad = torch.ones_like(p)
    for size, wanted in true.items():
        value = returned(answer, model, x, y, size)
        require(not x.requires_grad, "x requires a gradient afterwards, unlike before.")
        require(torch.equal(x, sent), "your function changes x.")
        for name, p in model.named_parameters():
            first = name.startswith("0")
            same = p.grad.eq(1).all() if first and p.grad is not None else not first
            same = same and (first or p.grad is None)
            require(bool(same), f"your function changes the .grad of {name}.")
            require(p.requires_grad, f"{name} requires no gradient any more.")
        require_tensor(value, wanted, f"for size={size} the result")
        require(not value.requires_grad, "the result drags the graph along.")


# --- e8: frozen, and yet it moves -----------------------------------------------


def e8(answer: object) -> None:
    """freeze(layer): from now on no optimizer moves its weights."""
    for to_none in (True, False):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh())
        model.append(nn.Linear(4, 1))
        optimizer = torch.optim.SGD(
            model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1
        )
        x, y = torch.randn(8, 3), torch.randn(8, 1)

        def step(model=model, optimizer=optimizer, x=x, y=y, to_none=to_none):
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad(set_to_none=to_none)
            loss.backward()
            optimizer.step()

        for _ in range(3):
            step()
        layer, before = model[2], [p.detach().clone() for p in model.parameters()]
        call(answer, layer)
        out = F.linear(x[:, :1].expand(8, 4), before[2], before[3])
        same = torch.equal(layer(x[:, :1].expand(8, 4)), out)
        require(same, "your function changes what the layer computes.")
        for count in (1, 2, 3):
            step()
            now = [p.detach() for p in (layer.weight, layer.bias)]
            how = f"zero_grad(set_to_none={to_none}), momentum and weight decay"
            still = all(map(torch.equal, now, before[2:4]))
            reason = "what does SGD do with a gradient that is zero, and not None?"
            if layer.weight.requires_grad:
                reason = "it still gets gradients."
            require(still, f"with {how} the layer moves in step {count}; {reason}")
        asked = any(p.requires_grad for p in layer.parameters())
        require(not asked, "gradients of frozen weights are computed for nothing.")
        for i in (0, 4):
            moved = not torch.equal(model[i].weight.detach(), before[i])
            require(moved, f"layer {i} should go on learning, and it does not move.")


# --- e9: five programs ----------------------------------------------------------

CAUSES = {
    "cut": "its first layer gets no gradient at all, and yet the loss falls.",
    "zeros": "what can a network learn while its hidden layer gives 0?",
    "healthy": "the loss falls smoothly, and the gradient gets shorter.",
    "unemptied": "what becomes of a gradient to which each step adds?",
    "sum": "the same steps, with a gradient of another length.",
}


def e9(answer: object) -> None:
    """A dict from the letters of the plot to the causes."""
    letters = dict(zip("ABCDE", CAUSES, strict=True))
    require_keys(answer, letters)
    for value in answer.values():
        require(value in CAUSES, f"{value!r} is no cause on the list.")
    once = len(set(answer.values())) == len(CAUSES)
    require(once, "each cause has one curve; one of yours has two.")
    for letter, cause in letters.items():
        given = answer[letter]
        require(given == cause, f"{letter} is not {given!r}: {CAUSES[given]}")


# --- e10: mend a photograph -----------------------------------------------------


def damage(image: Tensor, seed: int = 0) -> Tensor:
    """Return where the pixels are known: a third of them, and no scratch is."""
    generator = torch.Generator().manual_seed(seed)
    known = torch.rand(image.shape, generator=generator) < 1 / 3
    for row in torch.randint(0, len(image), (4,), generator=generator).tolist():
        known[row : row + 3] = False
    return known


def view(name: str, top: int, left: int, size: int = 128) -> Tensor:
    """Return a square of a photograph in grey, from 0 to 1."""
    grey = photograph(name).float().mean(dim=0) / 255
    return grey[top : top + size, left : left + size]


def e10(answer: object) -> None:
    """A dict: restore(image, known), and the errors of it and of a baseline."""
    require_keys(answer, ("restore", "baseline", "error"))
    truth = view("cat", 40, 130)
    known = damage(truth, seed=0)
    error = _rmse(answer["restore"], truth, known, "the cat")
    given = require_number(answer["error"], "the error")
    baseline = require_number(answer["baseline"], "the baseline")
    unit = "; is it the root mean square over the lost pixels, from 0 to 1?"
    require(
        math.isclose(given, error, rel_tol=0.02),
        f"{given:.4f} is not the error that restore reaches{unit}",
    )
    mean = (truth[known].mean() - truth[~known]).square().mean().sqrt().item()
    credible = 0.9 * error < baseline < 1.05 * mean
    require(credible, f"{baseline:.4f} is no error of a baseline{unit}")
    _judge(error, truth, known, "the cat")
    other = view("coffee", 120, 200, size=96)
    known = damage(other, seed=1)
    name = "another photograph"
    _judge(_rmse(answer["restore"], other, known, name), other, known, name)


def _rmse(restore: object, truth: Tensor, known: Tensor, name: str) -> float:
    image = torch.where(known, truth, 0.0)
    value = returned(restore, image.clone(), known.clone())
    require(isinstance(value, Tensor), "restore should return a tensor.")
    shape = tuple(truth.shape)
    right = value.shape == truth.shape and value.dtype == truth.dtype
    require(right, f"restore should return float32 of shape {shape}.")
    require(not value.requires_grad, "what restore returns drags a graph along.")
    value = value.cpu()
    require(bool(value.isfinite().all()), f"{name} comes back with a NaN or infinity.")
    kept = torch.allclose(value[known], truth[known], atol=2e-3)
    require(kept, f"restore changes known pixels of {name}.")
    return (value - truth)[~known].square().mean().sqrt().item()


def _judge(error: float, truth: Tensor, known: Tensor, name: str) -> None:
    """Compare with the mean of the known pixels around each lost one."""
    weight = known.float()[None, None]
    sums = [
        F.conv2d(t, torch.ones(1, 1, 7, 7), padding=3)[0, 0]
        for t in (weight * truth, weight)
    ]
    local = sums[0] / sums[1].clamp(min=1)
    rough = (local - truth)[~known].square().mean().sqrt().item()
    require(
        error < 0.85 * rough,
        f"the lost pixels of {name} are off by {error:.4f}; the mean of the known "
        f"pixels around each is off by {rough:.4f}, and you should be clearly better.",
    )
