"""Checks of Phase 4's exercises, ``book/04-neural-networks/exercises.md``."""

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tenphases import data
from tenphases.checks import (
    WrongAnswer,
    call,
    require,
    require_causes,
    require_number,
    require_values,
    returned,
)

# --- e1: what a module knows ----------------------------------------------------


class Net(nn.Module):
    """The module of the statement."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 3)
        self.blocks = [nn.Linear(3, 3), nn.Linear(3, 3)]
        self.heads = nn.ModuleDict({"a": nn.Linear(3, 2, bias=False)})
        self.again = self.first
        self.scale = nn.Parameter(torch.ones(3))
        self.shift = torch.zeros(3)
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("cache", torch.zeros(5), persistent=False)


KNOWN = {
    "len(list(net.parameters()))": "is a list a place where nn.Module looks, and "
    "is a tensor that is met twice counted twice?",
    "sum(p.numel() for p in net.parameters())": "add up the sizes of the parameters "
    "that you counted in the line before.",
    "len(list(net.buffers()))": "what was registered as one?",
    "len(net.state_dict())": "it holds names: parameters and persistent buffers, "
    "and one tensor may go by two names.",
    "len(list(net.modules()))": "the net itself is one; a list of modules is none.",
    "net.again.weight is net.first.weight": "does an assignment copy a layer?",
    "net.double().seen.dtype == torch.float64": "are buffers converted?",
    "net.double().shift.dtype == torch.float64": "who knows of a plain tensor?",
    "net.eval().blocks[0].training": "whom does eval() reach?",
}


def e1(answer: object) -> None:
    """A dict from each expression of KNOWN to its value."""
    require_values(answer, KNOWN, lambda text: eval(text, _names(net=Net())))


def _names(**more: object) -> dict:
    return {"torch": torch, "F": F, **more}


# --- e2: which loss is larger? --------------------------------------------------

PAIRS = {
    "F.cross_entropy(z + 5, t) ? F.cross_entropy(z, t)": "what does softmax do with "
    "a constant that is added to every logit?",
    "F.cross_entropy(2 * z, t) ? F.cross_entropy(z, t)": "the target has the largest "
    "logit; does doubling make the model surer of it?",
    "F.cross_entropy(z.softmax(1), t) ? F.cross_entropy(z, t)": "softmax leaves "
    "numbers between 0 and 1; how far apart can they be as logits?",
    "F.cross_entropy(z.log_softmax(1), t) ? F.cross_entropy(z, t)": "what is the "
    "log-softmax of a log-softmax?",
    "F.nll_loss(z, t) ? F.cross_entropy(z, t)": "nll_loss takes the target's number "
    "and turns its sign; it does no softmax.",
    "F.cross_entropy(z[:, 1:], t) ? math.log(2)": "which logits are left, and what "
    "is their softmax?",
    "F.cross_entropy(0 * z, t) ? F.cross_entropy(torch.zeros(1, 10), t)": "guessing "
    "blindly among more classes costs more.",
    "F.cross_entropy(z, t, label_smoothing=0.1) ? F.cross_entropy(z, t)": "a part of "
    "the target goes to classes with small probabilities.",
    "F.mse_loss(e, 0 * e) ? F.l1_loss(e, 0 * e)": "both errors are below 1.",
    "F.huber_loss(e, 0 * e) ? F.mse_loss(e, 0 * e)": "Huber's loss is half the "
    "square near zero.",
}


def e2(answer: object) -> None:
    """A dict from each pair of PAIRS to "<", "=" or ">"."""
    z, t = torch.tensor([[3.0, 0.0, 0.0]]), torch.tensor([0])
    names = _names(z=z, t=t, e=torch.tensor([0.5, -0.5]), math=math)

    def sign(pair: str) -> str:
        left, right = (float(eval(part, names)) for part in pair.split("?"))
        if math.isclose(left, right, rel_tol=1e-5):
            return "="
        return "<" if left < right else ">"

    require_values(answer, PAIRS, sign)


# --- e3: a table of a model -----------------------------------------------------


class _Forked(nn.Module):
    """Calls one layer twice, another never, and a third inside a container."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(3, 3)
        self.twice = nn.Linear(4, 4)
        self.tail = nn.Sequential(nn.ReLU(), nn.Linear(4, 2, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.twice(self.twice(x)))


def e3(answer: object) -> None:
    """summary(model, x): a list of (name, shape, parameters), one row a call."""
    model, x = _Forked(), torch.zeros(5, 4)
    rows = returned(answer, model, x)
    wanted = [
        ("twice", (5, 4), 20),
        ("twice", (5, 4), 20),
        ("tail.0", (5, 4), 0),
        ("tail.1", (5, 2), 8),
    ]
    require(isinstance(rows, list), f"a list is wanted, not {type(rows).__name__}.")
    for row in rows:
        require(len(row) == 3, f"a row is (name, shape, parameters), not {row!r}.")
    found = [(name, tuple(shape), int(count)) for name, shape, count in rows]
    names = [row[0] for row in found]
    require("unused" not in names, "`unused` is never called, but has a row.")
    containers = {"", "tail"} & set(names)
    require(not containers, "a module that has children should have no row.")
    require(
        names == [row[0] for row in wanted],
        f"the names are {names}; a row for each call, in the order of the calls.",
    )
    for row, want in zip(found, wanted, strict=True):
        require(row[1] == want[1], f"the output of {row[0]} has shape {want[1]}.")
        require(row[2] == want[2], f"{row[0]} does not have {row[2]} parameters.")
    left = sum(len(m._forward_hooks) for m in model.modules())
    require(left == 0, f"{left} hooks are still on the model; remove them.")


# --- e4: Lion -------------------------------------------------------------------


def e4(answer: object) -> None:
    """Lion(params, lr, betas, weight_decay): a torch.optim.Optimizer."""
    kind = type(answer).__name__
    fits = isinstance(answer, type) and issubclass(answer, torch.optim.Optimizer)
    require(fits, f"a subclass of torch.optim.Optimizer is wanted, not {kind}.")
    start = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    p, still = nn.Parameter(start.clone()), nn.Parameter(torch.ones(2))
    optimizer = call(
        lambda: answer([p, still], lr=0.1, betas=(0.9, 0.8), weight_decay=0.5)
    )
    m, q = torch.zeros_like(start), start.clone()
    for step in range(6):
        # the sign of what is blended differs from that of g and of m in between
        g = torch.tensor([1.0, -2.0, -3.0 if step < 2 else 1.0]).double()
        p.grad = g.clone()
        call(optimizer.step)
        old = q.clone()
        q = q - 0.1 * ((0.9 * m + (1 - 0.9) * g).sign() + 0.5 * q)
        if not torch.allclose(p.detach(), q):
            _explain_lion(p.detach(), old, g, m, step)
        m = 0.8 * m + (1 - 0.8) * g
    require(bool((still == 1).all()), "a parameter without a gradient was changed.")
    require(p.grad is not None and torch.equal(p.grad, g), "step changed p.grad.")
    other = answer([nn.Parameter(p.detach().clone()), still], lr=1.0)
    other.load_state_dict(optimizer.state_dict())
    (group,) = other.param_groups
    (copy, _) = group["params"]
    copy.grad = torch.tensor([0.1, 0.1, -0.1]).double()
    other.step()
    q = q - 0.1 * ((0.9 * m + 0.1 * copy.grad).sign() + 0.5 * q)
    require(
        torch.allclose(copy.detach(), q),
        "after load_state_dict it goes another way; is m kept in self.state, and are "
        "lr, betas and weight_decay read from the group?",
    )


def _explain_lion(p: Tensor, old: Tensor, g: Tensor, m: Tensor, step: int) -> None:
    update = (0.9 * m + 0.1 * g).sign()
    says = "which beta blends for the step, and which for the memory?"
    if torch.allclose(p, old - 0.1 * update):
        says = "the weight decay is missing."
    elif torch.allclose(p, old - 0.1 * (0.9 * m + 0.1 * g + 0.5 * old)):
        says = "the sign is missing."
    elif torch.allclose(p, old - 0.1 * g.sign() - 0.05 * old):
        says = "it follows the sign of the gradient alone."
    elif torch.allclose(p, old - 0.1 * (0.9 * m + 0.1 * (g + 0.5 * old)).sign()):
        says = "the decay belongs outside the sign."
    raise WrongAnswer(f"after step {step + 1} the parameter is wrong; {says}")


# --- e5: a tower of one floor ---------------------------------------------------


def e5(answer: object) -> None:
    """tower(width, depth): a network with so many hidden layers of its own."""
    model = returned(answer, 5, 4)
    kind = type(model).__name__
    require(isinstance(model, nn.Module), f"tower should return a module, not {kind}.")
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    shapes = [tuple(m.weight.shape) for m in linear]
    require(
        shapes == [(5, 5)] * 4 + [(1, 5)],
        f"tower(5, 4) has linear layers of the shapes {shapes}, once each layer is "
        "counted once; wanted are four of (5, 5) and one of (1, 5).",
    )
    same = any(
        torch.equal(a.weight, b.weight)
        for a, b in itertools.combinations(linear[:-1], 2)
    )
    require(not same, "two layers start with the same weights; draw each anew.")
    bends = [m for m in model.modules() if isinstance(m, nn.ReLU)]
    require(bool(bends), "where are the ReLUs?")
    require(call(model, torch.zeros(3, 5)).shape == (3, 1), "(N, width) to (N, 1)?")


# --- e6: a student who is not listened to ---------------------------------------


def e6(answer: object) -> None:
    """prepare(features): the pair (model, optimizer)."""
    pair = returned(answer, 400)
    fits = isinstance(pair, tuple | list) and len(pair) == 2
    require(fits, "a pair is wanted: model and optimizer.")
    model, optimizer = pair
    known = {id(p) for group in optimizer.param_groups for p in group["params"]}
    owned = {id(p) for p in model.parameters()}
    require(
        known == owned,
        f"of the model's {len(owned)} parameters the optimizer knows "
        f"{len(owned & known)}.",
    )
    first, last = (m for m in model.modules() if isinstance(m, nn.Linear))
    for layer, name in ((first, "first"), (last, "last")):
        require(
            bool((layer.bias == 0).all()), f"the {name} layer's biases start at zero."
        )
        wanted = math.sqrt(2 / layer.in_features)
        tolerance = 0.1 if layer is first else 0.5
        require(
            abs(layer.weight.std().item() / wanted - 1) < tolerance,
            f"the {name} layer's weights should start with a standard deviation of "
            f"{wanted:.3f}, as the function means them to.",
        )


# --- e7: the gain of a bend -----------------------------------------------------

BENDS = {
    "relu": (torch.relu, math.sqrt(2)),
    "abs": (torch.abs, 1.0),
    "identity": (lambda z: z, 1.0),
    "leaky_relu(0.2)": (lambda z: F.leaky_relu(z, 0.2), math.sqrt(2 / 1.04)),
    "sin": (torch.sin, 1 / math.sqrt((1 - math.exp(-2)) / 2)),
    "3 * relu": (lambda z: 3 * torch.relu(z), math.sqrt(2) / 3),
}


def e7(answer: object) -> None:
    """gain(f): what to multiply weights by so that f keeps the mean square."""
    for name, (f, wanted) in BENDS.items():
        value = require_number(returned(answer, f), f"gain({name})")
        if math.isclose(value, 1 / wanted**2, rel_tol=0.02) and wanted != 1:
            raise WrongAnswer(f"gain({name}) is its mean square; how does it enter?")
        if name == "relu" and math.isclose(value, 1.713, rel_tol=0.02):
            raise WrongAnswer(
                "gain(relu) keeps the variance of the outputs; but the next layer "
                "sums their squares, and a mean that is not 0 counts."
            )
        require(
            math.isclose(value, wanted, rel_tol=0.01),
            f"gain({name}) is {value:.4f}, more than 1 % off; "
            "average over enough of the normal distribution.",
        )


# --- e8: five patients ----------------------------------------------------------

CAUSES = {
    "P": "softmax twice",
    "Q": "all weights zero",
    "R": "as it should be",
    "S": "sigmoid in ten layers",
    "T": "rate a hundred times too small",
}
SIGNS = {
    "softmax twice": "a loss that comes to rest at -1 + log(e + 9) and no lower.",
    "all weights zero": "a first layer whose gradient is exactly zero, and so is not "
    "on a logarithmic axis.",
    "as it should be": "a loss that falls fast and far.",
    "sigmoid in ten layers": "a gradient that is there, and many orders too small.",
    "rate a hundred times too small": "a healthy gradient, and a loss that creeps.",
}


def e8(answer: object) -> None:
    """A dict from each curve's letter to its cause."""
    require_causes(answer, CAUSES, SIGNS)


# --- e9: digits that do not stand still -----------------------------------------

WANTED = 0.85  # softmax regression and a plain network stay near 0.4


def shift(images: Tensor, right: int, down: int) -> Tensor:
    """Move 8x8 images (N, 64) by whole pixels; zeros come in at the edges."""
    padded = F.pad(images.reshape(-1, 8, 8), (1, 1, 1, 1))
    moved = padded[:, 1 - down : 9 - down, 1 - right : 9 - right]
    return moved.reshape(-1, 64)


def e9(answer: object) -> None:
    """A module from images (N, 64), values 0 to 16, to logits (N, 10)."""
    kind = type(answer).__name__
    require(isinstance(answer, nn.Module), f"an nn.Module is wanted, not {kind}.")
    images, labels = data.table("digits", seed=0).test.tensors
    answer.eval()
    with torch.no_grad():
        logits = returned(answer, images)
        shape = tuple(getattr(logits, "shape", ()))
        require(shape == (len(labels), 10), f"logits (N, 10) are wanted, not {shape}.")
        again = call(answer, images[:7])
        alone = torch.allclose(again, logits[:7], atol=1e-4)
        require(alone, "images get other logits in other company.")
        scores = {}
        for right, down in itertools.product((-1, 0, 1), repeat=2):
            found = answer(shift(images, right, down)).argmax(dim=1)
            scores[right, down] = (found == labels).float().mean().item()
    mean = sum(scores.values()) / len(scores)
    still, worst = scores[0, 0], min(scores.values())
    require(
        mean >= WANTED,
        f"over the nine positions {mean:.2f} are right, {still:.2f} where the digits "
        f"stand still, {worst:.2f} in the worst place; {WANTED} are wanted.",
    )
