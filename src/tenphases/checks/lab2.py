"""Checks of Lab 2, ``book/labs/lab_2.md``: training a network."""

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from tenphases import data
from tenphases.checks import (
    WrongAnswer,
    call,
    require,
    require_number,
    require_tensor,
    returned,
)

TASKS = {
    "t1": ("Classifier", 3),
    "t2": ("cross_entropy", 2),
    "t3": ("prepare", 3),
    "t4": ("train_epoch", 3),
    "t5": ("evaluate", 3),
    "t6": ("Momentum", 3),
    "t7": ("checkpoint", 3),
    "t8": ("predict", 4),
}
WANTED = 0.93  # of the test images; softmax regression has about 0.91


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def t1(answer: object) -> None:
    require(isinstance(answer, type), "a class is wanted.")
    model = call(lambda: answer(12, 8, 6, 5, dropout=0.5))
    require(isinstance(model, nn.Module), "the class should be an nn.Module.")
    shapes = [tuple(p.shape) for p in model.parameters()]
    wanted = [(8, 12), (8,), (6, 8), (6,), (5, 6), (5,)]
    require(
        shapes == wanted,
        f"model.parameters() has the shapes {shapes}, not {wanted}; are the layers "
        "where nn.Module can find them?",
    )
    images = draw(7, 1, 3, 4)
    model.eval()
    logits = returned(model, images)
    hidden = images.flatten(1)
    weights = list(model.parameters())
    for i in range(0, 6, 2):
        hidden = F.linear(hidden, weights[i], weights[i + 1])
        hidden = hidden.relu() if i < 4 else hidden
    require_tensor(logits, hidden.detach(), "the logits in evaluation mode")
    model.train()
    with torch.random.fork_rng(devices=[]):
        differ = not torch.equal(model(images), model(images))
    require(differ, "in training mode, dropout should change the logits at random.")


def t2(answer: object) -> None:
    logits, targets = 3 * draw(6, 4), torch.tensor([0, 3, 1, 1, 2, 0])
    given = logits.clone().requires_grad_()
    value = returned(answer, given, targets)
    require_tensor(value, F.cross_entropy(logits, targets), "the loss")
    require(value.requires_grad, "no gradient can flow through the loss.")
    far = returned(answer, torch.tensor([[10_000.0, 0.0]]), torch.tensor([1]))
    require(bool(far.isfinite()), f"a logit of 10,000 gives {far.item()}.")
    require(abs(far.item() - 10_000) < 1, f"logits 10,000 and 0 give {far.item():.1f}.")


def t3(answer: object) -> None:
    images = 40 + 10 * draw(50, 1, 2, 2)
    images[::7] *= 3  # so that it shows which part the numbers come from
    labels = torch.arange(50)
    state = torch.random.get_rng_state()
    parts = returned(answer, images.clone(), labels, 0)
    moved = not torch.equal(state, torch.random.get_rng_state())
    torch.random.set_rng_state(state)
    pair = isinstance(parts, tuple | list) and len(parts) == 2
    require(pair, "two datasets are wanted.")
    for part in parts:
        kind = type(part).__name__
        require(isinstance(part, TensorDataset), f"a TensorDataset, not {kind}.")
    (x, y), (valid_x, valid_y) = (part.tensors for part in parts)
    sizes = (len(y), len(valid_y))
    require(sizes == (40, 10), f"of 50, 40 and 10 are wanted, not {sizes}.")
    both = torch.cat([y, valid_y])
    require(len(both.unique()) == 50, "some examples are in both parts, or in none.")
    require(not torch.equal(both, labels), "the split is not random.")
    raw = images[y]
    mean, std = raw.mean(), raw.std(correction=0)
    for value, which, name in ((x, y, "training"), (valid_x, valid_y, "validation")):
        wanted = (images[which] - mean) / std
        near = value.shape == wanted.shape and torch.allclose(value, wanted, atol=0.02)
        require(
            near,
            f"the {name} images do not have the training part's mean taken off and "
            "are not divided by its standard deviation (one number each).",
        )
    again = returned(answer, images.clone(), labels, 0)
    require(torch.equal(again[0].tensors[1], y), "the same seed gives another split.")
    other = returned(answer, images.clone(), labels, 1)
    differs = not torch.equal(other[0].tensors[1], y)
    require(differs, "another seed should give another split.")
    require(not moved, "the global random state moved on; use a Generator.")


def batches_of(count: int, size: int) -> list[tuple[Tensor, Tensor]]:
    x, y = draw(count, 3), torch.arange(count) % 2
    return list(zip(x.split(size), y.split(size), strict=True))


class Watched(nn.Module):
    """A linear layer that notes in which mode it was called, and with a graph?"""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        with torch.no_grad():
            self.layer.weight.copy_(draw(2, 3, seed=4))
            self.layer.bias.zero_()
        self.seen: set[tuple[bool, bool]] = set()

    def forward(self, x: Tensor) -> Tensor:
        self.seen.add((self.training, torch.is_grad_enabled()))
        return self.layer(x)


def t4(answer: object) -> None:
    model, same = Watched(), Watched()
    batches = batches_of(10, 4)
    model.eval()
    for p in model.parameters():
        p.grad = torch.ones_like(p)  # left over from something before
    ours = torch.optim.SGD(model.parameters(), lr=0.5)
    mean = returned(answer, model, batches, F.cross_entropy, ours)
    optimizer, total = torch.optim.SGD(same.parameters(), lr=0.5), 0.0
    for x, y in batches:
        loss = F.cross_entropy(same(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
    modes = {training for training, _ in model.seen}
    require(modes == {True}, "the model was not in training mode at every batch.")
    for p, q in zip(model.parameters(), same.parameters(), strict=True):
        require(
            torch.allclose(p, q, atol=1e-6),
            "the weights differ from those of a plain loop; are gradients left over, "
            "is there one step a batch?",
        )
    value = require_number(mean, "the mean loss")
    require(not isinstance(mean, Tensor), "a float is wanted, not a tensor.")
    require(
        abs(value - total / 10) < 1e-5,
        f"the mean loss is {value:.4f}; does every example count the same, in the "
        "last and shorter batch, too?",
    )


def t5(answer: object) -> None:
    batches = batches_of(10, 4)
    for training in (True, False):
        model = Watched().train(training)
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in batches) / 10
        model.seen.clear()
        value = returned(answer, model, batches)
        number = require_number(value, "the accuracy")
        require(not isinstance(value, Tensor), "a float is wanted, not a tensor.")
        require(
            abs(number - right) < 1e-6,
            f"the accuracy is {number:.4f}; does every example count the same?",
        )
        modes = {mode for mode, _ in model.seen}
        require(modes == {False}, "the model was not in evaluation mode.")
        graphs = {graph for _, graph in model.seen}
        require(graphs == {False}, "the model was called with a graph being built.")
        was = "training" if training else "evaluation"
        require(model.training == training, f"the model had been in {was} mode.")


def t6(answer: object) -> None:
    require(isinstance(answer, type), "a class is wanted.")
    ours, theirs = nn.Linear(3, 1), nn.Linear(3, 1)
    theirs.load_state_dict(ours.state_dict())
    idle = nn.Parameter(torch.ones(2))
    mine = call(lambda: answer((p for p in [*ours.parameters(), idle]), 0.1, 0.9))
    oracle = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    for step in range(20):
        x = draw(5, 3, seed=step)
        for model, optimizer in ((ours, mine), (theirs, oracle)):
            call(optimizer.zero_grad)
            (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
            call(optimizer.step)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            require(
                torch.allclose(p, q, atol=1e-5),
                f"after step {step + 1} the weights differ from those of torch.optim.",
            )
    require(bool((idle == 1).all()), "a parameter without a gradient was changed.")
    plain = all(p.requires_grad and p.is_leaf for p in ours.parameters())
    require(plain, "the parameters are no leaves any more; update them in place.")


def t7(answer: object) -> None:
    pair = isinstance(answer, tuple | list) and len(answer) == 2
    require(pair, "the pair (save, load) is wanted.")
    save, load = answer

    def start() -> tuple[nn.Module, torch.optim.Optimizer]:
        model = Watched()
        return model, torch.optim.Adam(model.parameters(), lr=0.1)

    def steps(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        for x, y in batches_of(10, 4):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.pt"
        model, optimizer = start()
        steps(model, optimizer)
        call(save, path, model, optimizer)
        require(path.exists(), "save wrote no file.")
        try:
            torch.load(path, weights_only=True)
        except Exception as error:
            first = str(error).partition("\n")[0]
            raise WrongAnswer(
                f"torch.load(..., weights_only=True) refuses the file: {first}"
            ) from error
        steps(model, optimizer)
        resumed, its_optimizer = start()
        call(load, path, resumed, its_optimizer)
    steps(resumed, its_optimizer)
    for p, q in zip(model.parameters(), resumed.parameters(), strict=True):
        require(
            torch.equal(p, q),
            "the resumed run ends at other weights; does the optimizer remember?",
        )


def t8(answer: object) -> None:
    images, labels = data.mnist().test.tensors
    predicted = returned(answer, images.clone())
    require(isinstance(predicted, Tensor), "predict should return a tensor.")
    shape = tuple(predicted.shape)
    require(shape == tuple(labels.shape), f"the shape {shape} is not (N,).")
    whole = not predicted.is_floating_point()
    require(whole, "labels should be integers, not probabilities.")
    single = returned(answer, images[:1].clone())
    alone = bool((single == predicted[:1]).all())
    require(alone, "an image alone gets another label than among others.")
    share = (predicted.cpu() == labels).float().mean().item()
    require(share >= WANTED, f"{share:.1%} of the test images are right; {WANTED:.0%}?")
