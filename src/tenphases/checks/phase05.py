"""Checks of Phase 5's exercises, ``book/05-training-optimization/exercises.md``."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Dataset, TensorDataset

from tenphases.checks import (
    WrongAnswer,
    call,
    require,
    require_causes,
    require_number,
    require_values,
    returned,
)

# --- e1: what a loader hands out ------------------------------------------------

LOADED = {
    "len(DataLoader(ten, batch_size=4))": "is the short batch at the end one?",
    "len(DataLoader(ten, batch_size=4, drop_last=True))": "only whole batches count.",
    "len(DataLoader(ten, batch_size=3, sampler=[0, 0, 5]))": "a sampler says which "
    "examples there are, and how often.",
    "next(iter(DataLoader(ten, batch_size=None)))[0].ndim": "without batches, an "
    "example comes as the data set returns it.",
    "next(iter(DataLoader([1.5, 2.5], batch_size=2))).dtype == torch.float32": "a "
    "Python float has 64 bits; what does collating make of it?",
    'next(iter(DataLoader([{"a": 1}, {"a": 2}], batch_size=2)))["a"].tolist()': "a "
    "batch of dicts is a dict of batches.",
    "order(shuffled) == order(shuffled)": "the same loader, a second pass; is its "
    "generator wound back?",
    "order(make(3)) == order(make(3))": "two loaders, the same seed, a first pass.",
    "order(make(3)) == list(range(10))": "what does shuffle=True do?",
}


def make(seed: int) -> DataLoader:
    """A shuffling loader of the numbers 0 to 9, with a generator of its own."""
    ten = TensorDataset(torch.arange(10))
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(ten, batch_size=5, shuffle=True, generator=generator)


def order(loader: DataLoader) -> list[int]:
    """One pass over a loader of numbers, as a list."""
    return [int(number) for (batch,) in loader for number in batch]


def e1(answer: object) -> None:
    """A dict from each expression of LOADED to its value."""
    names = {"torch": torch, "DataLoader": DataLoader, "order": order, "make": make}
    names["ten"] = TensorDataset(torch.arange(10))
    require_values(
        answer, LOADED, lambda text: eval(text, {**names, "shuffled": make(0)})
    )


# --- e2: where is the rate? -----------------------------------------------------

RATES = {
    "StepLR(o, 10, gamma=0.1), 25": "how many steps of ten are over?",
    "ExponentialLR(o, 0.5), 3": "it halves at every step.",
    "LinearLR(o, start_factor=0.1, total_iters=10), 0": "it warms up from a tenth.",
    "LinearLR(o, start_factor=0.1, total_iters=10), 5": "half way between 0.1 and 1.",
    "LinearLR(o, start_factor=0.1, total_iters=10), 50": "what comes after warming up?",
    "CosineAnnealingLR(o, T_max=100), 50": "the cosine of a right angle is 0.",
    "CosineAnnealingLR(o, T_max=100), 100": "it has come down.",
    "CosineAnnealingLR(o, T_max=100), 200": "does a cosine stay down?",
    "LambdaLR(o, lambda step: min(1, (step + 1) / 10)), 4": "the function is called "
    "with the number of steps taken.",
    "OneCycleLR(o, max_lr=2.5, total_steps=100), 0": "it starts at a twenty-fifth of "
    "its maximum, whatever the optimizer was given.",
}


def e2(answer: object) -> None:
    """A dict from each schedule and number of steps in RATES to the rate then."""
    require_values(answer, RATES, rate_after)


def rate_after(text: str) -> float:
    """The learning rate, 1 at first, after so many steps of a schedule."""
    schedule, _, steps = text.rpartition(", ")
    weight = nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    o = torch.optim.SGD([weight], lr=1.0)
    scheduler = eval(schedule, {**vars(lr_scheduler), "o": o})
    for _ in range(int(steps)):
        o.step()
        scheduler.step()
    return float(o.param_groups[0]["lr"])


# --- e3: like with like ---------------------------------------------------------


def e3(answer: object) -> None:
    """buckets(lengths, size, seed): batches of indices of similar lengths."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 200, (103,), generator=generator).tolist()
    given = list(lengths)
    batches = returned(answer, given, 10, 0)
    require(isinstance(batches, list), "a list of lists is wanted.")
    flat = [int(i) for batch in batches for i in batch]
    require(
        sorted(flat) == list(range(103)),
        f"every index from 0 to 102 once is wanted; there are {len(flat)}, of which "
        f"{len(set(flat))} differ.",
    )
    sizes = sorted(len(batch) for batch in batches)
    require(sizes == [3, *[10] * 10], f"ten batches of 10 and one of 3, not {sizes}.")
    require(given == lengths, "your function changed the list of lengths.")
    ordered = sorted(lengths)
    best = _padding([ordered[i : i + 10] for i in range(0, 103, 10)])
    waste = _padding([[lengths[i] for i in batch] for batch in batches])
    require(
        waste <= 1.6 * best,
        f"padding adds {waste} steps; batches of neighbours in length need {best}.",
    )
    heads = [lengths[int(batch[0])] for batch in batches]
    rising = heads in (sorted(heads), sorted(heads, reverse=True))
    require(not rising, "the batches come sorted by length; shuffle their order.")
    require(answer(lengths, 10, 0) == batches, "the same seed gives other batches.")
    require(answer(lengths, 10, 1) != batches, "another seed gives the same batches.")


def _padding(batches: list[list[int]]) -> int:
    return sum(max(batch) * len(batch) - sum(batch) for batch in batches)


# --- e4: the average of a walk --------------------------------------------------


def e4(answer: object) -> None:
    """Average(model, decay): a moving average of a model's weights."""
    kind = type(answer).__name__
    require(isinstance(answer, type), f"a class is wanted, not {kind}.")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    average = call(lambda: answer(model, decay=0.9))
    require(hasattr(average, "model"), "Average should keep its copy in .model.")
    copy = average.model
    require(isinstance(copy, nn.Module), ".model should be a module.")
    wanted = [p.detach().clone() for p in model.parameters()]
    for step in range(5):
        model(torch.randn(8, 3))  # moves the running statistics
        with torch.no_grad():
            for p in model.parameters():
                p.add_(torch.randn(p.shape))
        kept = [p.detach().clone() for p in model.parameters()]
        call(average.update, model)
        for p, was in zip(model.parameters(), kept, strict=True):
            require(torch.equal(p, was), "update changes the model that is trained.")
        wanted = [0.9 * w + 0.1 * k for w, k in zip(wanted, kept, strict=True)]
        for p, w in zip(copy.parameters(), wanted, strict=True):
            near = torch.allclose(p, w, atol=1e-5)
            require(near, f"after update {step + 1} the average is wrong.")
    for (name, mine), theirs in zip(copy.named_buffers(), model.buffers(), strict=True):
        require(torch.equal(mine, theirs), f"the buffer {name} should be the model's.")
        apart = mine.data_ptr() != theirs.data_ptr()
        require(apart, f"the buffer {name} is shared with the model; copy it.")
    require(not copy.training, "the copy is for evaluation; it should be in that mode.")
    require(model.training, "the model itself should stay in training mode.")
    learns = any(p.requires_grad for p in copy.parameters())
    require(not learns, "no gradient is needed for the average.")


# --- e5: pictures that fade -----------------------------------------------------


def e5(answer: object) -> None:
    """Noisy(images, labels): a Dataset that adds noise to each image it returns."""
    kind = type(answer).__name__
    fits = isinstance(answer, type) and issubclass(answer, Dataset)
    require(fits, f"a subclass of Dataset is wanted, not {kind}.")
    images, labels = torch.zeros(4, 1, 20, 20), torch.arange(4)
    given = images.clone()
    data = call(answer, given, labels)
    require(call(lambda: len(data)) == 4, "its length should be 4 for 4 images.")
    draws = torch.stack([call(lambda: data[1])[0] for _ in range(50)])
    x, y = call(lambda: data[2])
    require(tuple(x.shape) == (1, 20, 20), f"an image has shape {tuple(x.shape)}.")
    require(int(y) == 2, f"the label of image 2 is {y}, not 2.")
    spread = draws[-1].std().item()
    require(
        spread < 0.2,
        f"the first look at an image is noisy by {draws[0].std():.2f}, the fiftieth "
        f"by {spread:.2f}; where does the noise stay?",
    )
    require(torch.equal(given, images), "the images of the data set were changed.")
    require(not torch.equal(draws[0], draws[1]), "the noise should be new each time.")
    require(0.08 < draws[0].std() < 0.12, "the noise should have deviation 0.1.")
    require(0.08 < spread < 0.12, "the noise should have deviation 0.1 every time.")


# --- e6: a rate that comes back -------------------------------------------------


def e6(answer: object) -> None:
    """schedule(optimizer, epochs, batches, warm): stepped after every batch."""
    weight = nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    optimizer = torch.optim.SGD([weight], lr=0.4)
    scheduler = returned(answer, optimizer, 5, 30, 20)
    rates = []
    for _ in range(5 * 30):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        call(scheduler.step)
    rates.append(optimizer.param_groups[0]["lr"])
    top = max(rates)
    require(
        abs(top - 0.4) < 0.005,
        f"the highest rate is {top:.3f}; the optimizer was given 0.4.",
    )
    require(rates[0] < 0.1, f"the first rate, {rates[0]:.3f}, is no warm-up.")
    peak = next(i for i, rate in enumerate(rates) if rate > 0.999 * top)
    require(
        17 <= peak <= 23, f"the rate is highest after {peak} batches, wanted are 20."
    )
    after = rates[peak:]
    rises = [i for i in range(1, len(after)) if after[i] > after[i - 1] + 1e-9]
    require(
        not rises,
        f"after the warm-up the rate rises again at batch {peak + (rises or [0])[0]}; "
        "in what unit does T_max count?",
    )
    require(
        after[-1] < 0.01 and after[len(after) // 2] > 0.1,
        f"half way down the rate is {after[len(after) // 2]:.3f}, at the end "
        f"{after[-1]:.3f}; it should come down to 0 over all epochs, as a cosine does.",
    )


# --- e7: the luckiest of many ---------------------------------------------------


def e7(answer: object) -> None:
    """optimism(k): the expected maximum of k standard normal numbers."""
    true = {1: 0.0, 2: 1 / math.sqrt(math.pi), 3: 1.5 / math.sqrt(math.pi)}
    true |= {10: 1.53875, 100: 2.50759, 1000: 3.24144}
    for k, wanted in true.items():
        value = require_number(returned(answer, k), f"optimism({k})")
        if k > 1 and math.isclose(value, math.sqrt(2 * math.log(k)), rel_tol=1e-3):
            raise WrongAnswer(
                f"optimism({k}) is the bound sqrt(2 log k), {value:.3f}; how far from "
                "it is the mean itself?"
            )
        require(
            math.isclose(value, wanted, rel_tol=0.01, abs_tol=0.01),
            f"optimism({k}) is {value:.4f}, more than 1 % off.",
        )


# --- e8: five reports -----------------------------------------------------------

CAUSES = {
    "V": "validation rows were trained on",
    "W": "test images come from another scanner",
    "X": "nothing is wrong",
    "Y": "validation labels out of order",
    "Z": "dropout was left on in validation",
}
SIGNS = {
    "validation rows were trained on": "a validation accuracy as perfect as the "
    "training accuracy, and a test that is not.",
    "test images come from another scanner": "a good validation, honestly short of "
    "training, and a test far below.",
    "nothing is wrong": "validation and test that agree, a little below training.",
    "validation labels out of order": "a validation accuracy of chance, one in ten.",
    "dropout was left on in validation": "a validation well below the test, and well "
    "above chance.",
}


def e8(answer: object) -> None:
    """A dict from each report's letter to its cause."""
    require_causes(answer, CAUSES, SIGNS)


# --- e9: a run that can be killed -----------------------------------------------

STEPS, EVERY = 60, 10  # of the run; and how many steps may be lost


class Killed(BaseException):
    """What the check raises in the middle of a run, as a power cut would."""


class Life:
    """Counts the steps of one life of the run, and may end it."""

    def __init__(self, until: int = STEPS) -> None:
        self.until = until
        self.seen: list[int] = []

    def __call__(self, step: int) -> None:
        self.seen.append(int(step))
        if step >= self.until:
            raise Killed


def e9(answer: object) -> None:
    """train(folder, after_step): survives being killed, with the same weights."""
    require(callable(answer), f"a function is wanted, not {type(answer).__name__}.")
    with tempfile.TemporaryDirectory() as name:
        whole, life = _live(answer, Path(name) / "whole", STEPS)
        require(
            life.seen == list(range(STEPS)),
            f"an undisturbed run calls after_step(0) to after_step({STEPS - 1}).",
        )
        again, _ = _live(answer, Path(name) / "again", STEPS)
        _require_equal(whole, again, "two undisturbed runs")
        folder = Path(name) / "killed"
        for until in (17, 18, 44):
            result, life = _live(answer, folder, until)
            require(result is None, f"killed after step {until}, it went on.")
        _, life = _live(answer, folder, 50)
        require(
            44 - EVERY <= life.seen[0] <= 45,
            f"killed after step 44, it goes on with step {life.seen[0]}; at most "
            f"{EVERY} steps may be lost.",
        )
        files = sorted(
            (f for f in folder.rglob("*") if f.is_file()),
            key=lambda f: f.stat().st_mtime_ns,
        )
        require(bool(files), "there is no file in the folder.")
        content = files[-1].read_bytes()
        files[-1].write_bytes(content[: len(content) // 2])
        result, _ = _live(answer, folder, STEPS)
        _require_equal(whole, result, "an undisturbed run and one that was killed")


def _live(answer: object, folder: Path, until: int) -> tuple[dict | None, Life]:
    """One life of the run: its result, or None if it was killed."""
    folder.mkdir(exist_ok=True)
    life = Life(until)
    try:
        return returned(answer, folder, life), life
    except Killed:
        return None, life


def _require_equal(first: object, second: object, what: str) -> None:
    for state in (first, second):
        fits = isinstance(state, Mapping) and all(
            isinstance(v, Tensor) for v in state.values()
        )
        require(fits and bool(state), "train should return the model's state_dict().")
    for name in first:
        require(
            name in second and torch.equal(first[name], second[name]),
            f"{what} end with different {name}; what else is random, or remembers?",
        )
