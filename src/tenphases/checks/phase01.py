"""Checks of Phase 1's exercises, ``book/01-pytorch-basics/exercises.md``."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tenphases.checks import (
    WrongAnswer,
    plain,
    require,
    require_keys,
    require_number,
    require_tensor,
    returned,
)
from tenphases.data import table

# --- e1: ten lines of arithmetic ------------------------------------------------

LINES = {
    "(byte + 10).tolist()": "a Python number does not widen a uint8.",
    "(byte - 5).tolist()": "what comes before 0 in a type that has no sign?",
    "(byte * 2 / 2).tolist()": "read from the left: what dtype has byte * 2?",
    "(byte / 2 * 2).tolist()": "the division comes first; what dtype does it give?",
    "(byte.sum() * 2).item()": "in what dtype does PyTorch add up integers?",
    "(byte > -1).tolist()": "the number is made a uint8 before it is compared.",
    "(half + 1).tolist()": "how far apart are neighbours in float16 at this size?",
    "torch.tensor([0.5, 1.5, 2.5]).round().tolist()": "which way do ties go?",
    "torch.tensor([2.7, -2.7]).long().tolist()": "converting does not round.",
    "(torch.tensor([7, -7]) // 2).tolist()": "it rounds, but neither to the "
    "nearest number nor towards zero.",
}


def e1(answer: object) -> None:
    """A dict from each line of LINES to the value that it gives."""
    require_keys(answer, LINES)
    given = {key: plain(value) for key, value in answer.items()}
    true = {line: _evaluate(line) for line in LINES}
    right = sum(given[line] == true[line] for line in LINES)
    for line, hint in LINES.items():
        where = f"({right} of {len(LINES)} are right) {line}"
        kind = type(given[line]).__name__
        require(
            isinstance(given[line], list) == isinstance(true[line], list),
            f"{where} is not of type {kind}.",
        )
        require(given[line] == true[line], f"{where} gives something else; {hint}")


def _evaluate(line: str) -> object:
    names = {
        "torch": torch,
        "byte": torch.tensor([250, 3], dtype=torch.uint8),
        "half": torch.tensor([2048.0, 0.5], dtype=torch.float16),
    }
    return eval(line, names)  # one of our own lines, never the reader's


# --- e2: read the program -------------------------------------------------------


def e2(answer: object) -> None:
    """A dict of facts about the program in the statement."""
    facts = _wine_facts()
    require_keys(answer, facts)
    mistakes = [
        ("parameters", 13 * 32 + 32 * 3, "a layer adds something, too."),
        ("weight", (13, 32), "print the weight of nn.Linear(2, 5)."),
        ("batches", facts["batches"] - 1, "what becomes of the wines left over?"),
        ("last x", (32, 13), "do 32s divide the training wines evenly?"),
        ("logits", facts["last x"], "what does the model make of 13 numbers?"),
        ("loss", (1,), "a single number has no axes."),
        ("loss", (facts["last x"][0],), "backward() starts from a single number."),
        ("steps", 10, "step() stands in the inner loop."),
        ("first grad", 0, "there has been no backward() yet."),
    ]
    for key, fact in facts.items():
        value = _fact(answer[key])
        hints = [hint for k, wrong, hint in mistakes if k == key and wrong == value]
        hint = hints[0] if hints else "read the program once more, line by line."
        require(value == fact, f"{key!r} is not {answer[key]!r}; {hint}")


def _fact(value: object) -> object:
    value = plain(value)
    return tuple(value) if isinstance(value, list) else value


def _wine_facts() -> dict[str, object]:
    """Build the program's parts and look, without training."""
    wine = table("wine")
    model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    batches = list(DataLoader(wine.train, batch_size=32))
    x, y = batches[-1]
    loss = nn.functional.cross_entropy(model(x), y)
    return {
        "parameters": sum(w.numel() for w in model.parameters()),
        "weight": tuple(model[0].weight.shape),
        "batches": len(batches),
        "last x": tuple(x.shape),
        "logits": tuple(model(x).shape),
        "loss": tuple(loss.shape),
        "steps": 10 * len(batches),
        "first grad": model[2].bias.grad,  # None
    }


# --- e3: photographs of all sizes -----------------------------------------------


def e3(answer: object) -> None:
    """pad_images(images): (B, C, H, W) padded with 0, and a mask (B, H, W)."""
    for shapes in ([(3, 2, 5), (3, 4, 3)], [(1, 6, 2)], [(3, 4, 4), (3, 4, 4)]):
        _check_padded(answer, shapes, torch.uint8)
    _check_padded(answer, [(1, 3, 2), (1, 2, 4), (1, 1, 1)], torch.float32)


def _check_padded(answer: object, shapes: list, dtype: torch.dtype) -> None:
    images, sent = _images(shapes, dtype), _images(shapes, dtype)
    value = returned(answer, sent)
    two = isinstance(value, tuple | list) and len(value) == 2
    require(two, "return two tensors, the batch and the mask.")
    batch, mask = value
    expected, inside = _padded(images)
    given = f"for images of the shapes {shapes} the"
    require_tensor(batch, expected, f"{given} batch")
    if isinstance(mask, Tensor):
        all_channels = mask.shape == batch.shape
        require(not all_channels, "the mask should have no axis for the channels.")
        bright = (expected != 0).any(dim=1)
        require(
            torch.equal(bright, inside) or not torch.equal(mask, bright),
            "a photograph may have black pixels; your mask takes them for padding.",
        )
    require_tensor(mask, inside, f"{given} mask")
    for image, other in zip(images, sent, strict=True):
        require(torch.equal(image, other), "your function changes the images.")


def _padded(images: list[Tensor]) -> tuple[Tensor, Tensor]:
    height, width = (max(image.shape[k] for image in images) for k in (1, 2))
    batch = images[0].new_zeros(len(images), len(images[0]), height, width)
    inside = torch.zeros(len(images), height, width, dtype=torch.bool)
    for i, image in enumerate(images):
        _, h, w = image.shape
        batch[i, :, :h, :w] = image
        inside[i, :h, :w] = True
    return batch, inside


def _images(shapes: list, dtype: torch.dtype) -> list[Tensor]:
    """Images without zeros, except for one black pixel in the first."""
    images = [
        torch.arange(1, math.prod(shape) + 1).reshape(shape).to(dtype)
        for shape in shapes
    ]
    images[0][:, 0, 1] = 0
    return images


# --- e4: weights in a byte ------------------------------------------------------


def e4(answer: object) -> None:
    """quantize(x, bits): uint8 codes, step and low, so that x is low + step * code."""
    generator = torch.Generator().manual_seed(0)
    for bits in (8, 3, 1):
        x = torch.randn(7, 11, generator=generator)
        _check_codes(answer, x, bits, f"for normal random numbers and bits={bits},")
        _check_codes(answer, x.abs() + 100, bits, f"for numbers near 100, bits={bits},")
    _check_codes(answer, torch.full((4,), 0.25), 8, "for four numbers that are equal,")


def _check_codes(answer: object, x: Tensor, bits: int, where: str) -> None:
    sent, top = x.clone(), 2**bits - 1
    value = returned(answer, sent, bits)
    three = isinstance(value, tuple | list) and len(value) == 3
    require(three, "return three things: the codes, the step, the lowest number.")
    codes = value[0]
    step, low = require_number(value[1], "the step"), require_number(value[2], "low")
    require(torch.equal(sent, x), "your function changes its input.")
    require(isinstance(codes, Tensor), f"{where} the codes should be a tensor.")
    require(
        codes.dtype == torch.uint8 and codes.shape == x.shape,
        f"{where} the codes should be uint8 of shape {tuple(x.shape)}, "
        f"not {codes.dtype} of shape {tuple(codes.shape)}.",
    )
    off = low + step * codes.detach().cpu().double() - x
    half = float(x.max() - x.min()) / top / 2
    slack = 1e-5 * float(x.abs().max())
    if not off.abs().max() <= half + slack:
        raise WrongAnswer(
            f"{where} a number is off by {off.abs().max():.3g}, which is more than "
            f"{half:.3g}; {_why_off(off, codes, x, top, slack)}"
        )
    require(codes.max() <= top, f"{where} no code should be larger than {top}.")


def _why_off(off: Tensor, codes: Tensor, x: Tensor, top: int, slack: float) -> str:
    if codes[x == x.max()].min() == 0 < codes.max():
        return "the largest number got the code 0, so something has wrapped."
    if off.max() <= slack:
        return "all errors go down: converting to an integer cuts the fraction off."
    if codes.max() < top:
        return f"the code {top} is never used."
    return "is the order codes, step, low?"


# --- e5: move anything ----------------------------------------------------------


def e5(answer: object) -> None:
    """to_device(batch, device): the same structure with every tensor moved."""
    _compare_moved(returned(answer, torch.ones(2), "meta"), torch.ones(2), "batch")
    sent = _mixed_batch()
    try:
        moved = returned(answer, sent, torch.device("meta"))
    except WrongAnswer as error:
        endless = "your function calls itself without end; what is inside a string?"
        require(not isinstance(error.__cause__, RecursionError), endless)
        raise
    _compare_moved(moved, _mixed_batch(), "batch")
    require(
        sent["images"].device.type == "cpu" and sent["pair"][1][0].device.type == "cpu",
        "your function changes the batch that it is given; build a new one.",
    )


def _mixed_batch() -> dict:
    return {
        "images": torch.ones(2, 3),
        "pair": (torch.zeros(2, dtype=torch.int64), [torch.ones(4), 7]),
        "names": ["cat", "coffee"],
        "size": (300, 451),
        "extra": {"mask": None, "weight": torch.ones(())},
    }


def _compare_moved(moved: object, sent: object, where: str) -> None:
    wanted, kind = type(sent).__name__, type(moved).__name__
    require(type(moved) is type(sent), f"{where} should be a {wanted}, not a {kind}.")
    if isinstance(sent, Tensor):
        require(moved.device.type == "meta", f"{where} is still on {moved.device}.")
        same = moved.shape == sent.shape and moved.dtype == sent.dtype
        require(same, f"{where} has lost its shape or its dtype.")
    elif isinstance(sent, dict):
        require(list(moved) == list(sent), f"{where} should have its keys as before.")
        for key in sent:
            _compare_moved(moved[key], sent[key], f"{where}[{key!r}]")
    elif isinstance(sent, list | tuple):
        require(len(moved) == len(sent), f"{where} should have its length as before.")
        for i, (one, other) in enumerate(zip(moved, sent, strict=True)):
            _compare_moved(one, other, f"{where}[{i}]")
    else:
        require(moved == sent, f"{where} is no tensor and should stay {sent!r}.")


# --- e6: the best model that was lost -------------------------------------------


def e6(answer: object) -> None:
    """snapshot(model): a state dict that later training leaves alone."""
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    before = {name: t.clone() for name, t in model.state_dict().items()}
    state = returned(answer, model)
    require(
        not isinstance(state, nn.Module),
        "a whole model comes back; load_state_dict wants a state dict.",
    )
    kind = type(state).__name__
    require(isinstance(state, Mapping), f"a state dict is wanted, not {kind}.")
    for name, tensor in model.state_dict().items():
        require(torch.equal(tensor, before[name]), f"your function changes {name}.")
        tensor += 1  # as training would, in place
    for name, now in model.state_dict().items():
        require(name in state, f"{name} is missing; is it a parameter?")
        require(isinstance(state[name], Tensor), f"{name} should be a tensor.")
        require(
            not torch.equal(state[name], now),
            f"when the model is trained, the snapshot's {name} changes with it; "
            "a new dict may hold the same tensors.",
        )
    for name, tensor in before.items():
        require_tensor(state[name], tensor, f"{name} in the snapshot")
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise WrongAnswer(f"load_state_dict refuses the snapshot: {reason}") from error


# --- e7: a stopwatch that lies --------------------------------------------------


class _Device:
    """A device on paper: 500 µs a call, and the troubles that it is given."""

    SECONDS = 500e-6

    def __init__(self, *, queue=False, slow_start=False, interrupted=False) -> None:
        self.queue, self.slow_start, self.interrupted = queue, slow_start, interrupted
        self.now = self.free = 0.0
        self.calls = self.looks = 0

    def clock(self) -> float:
        self.looks += 1
        return self.now

    def work(self) -> None:
        self.calls += 1
        if self.slow_start and self.calls == 1:
            self.now += 1.0
        disturbed = self.interrupted and self.calls <= 30 and self.calls % 3 == 0
        self.now += 5e-6 if self.queue else 0.0
        self.free = max(self.free, self.now) + self.SECONDS * (10 if disturbed else 1)
        if not self.queue:
            self.now = self.free

    def wait(self) -> None:
        self.now = max(self.now, self.free)


def e7(answer: object) -> None:
    """stopwatch(work, wait, clock): seconds of one undisturbed call of work."""
    _time(answer, "if work is finished when it returns,", "is that one call's time?")
    _time(
        answer,
        "if work only queues a job,",
        "when may the watch be started, and when stopped?",
        queue=True,
    )
    _time(
        answer,
        "if the very first call takes a second more,",
        "that second belongs to no other call.",
        slow_start=True,
    )
    _time(
        answer,
        "if another program interrupts some of the calls,",
        "an interruption can only make a call slower, so which of the times has none?",
        interrupted=True,
    )
    troubles = {"queue": True, "slow_start": True, "interrupted": True}
    _time(
        answer, "with all three troubles at once,", "look at them together.", **troubles
    )


def _time(answer: object, when: str, hint: str, **troubles: bool) -> None:
    device = _Device(**troubles)
    seconds = returned(answer, device.work, device.wait, device.clock)
    seconds = require_number(seconds, "the result")
    require(device.calls > 0, "your stopwatch never calls work.")
    require(device.looks > 1, "take the time from the clock that you were given.")
    require(
        abs(seconds / device.SECONDS - 1) < 0.05,
        f"{when} a call of {1e6 * device.SECONDS:.0f} µs is reported as "
        f"{1e6 * seconds:.0f} µs; {hint}",
    )


# --- e8: an accuracy that depends on the batch size -----------------------------


class _Watched(nn.Module):
    """Returns its inputs as logits, in training mode wrong ones, and takes notes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_in_training = self.recorded = False

    def forward(self, x: Tensor) -> Tensor:
        self.asked_in_training |= self.training
        self.recorded |= torch.is_grad_enabled()
        return -x if self.training else x


def e8(answer: object) -> None:
    """accuracy_of(model, batches): share of all rows, and no trace in the model."""
    targets = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2])
    logits = nn.functional.one_hot(torch.tensor([0, 1, 2, 0, 1, 2, 1, 2, 0])).float()
    for size in (9, 4, 8):
        batches = list(zip(logits.split(size), targets.split(size), strict=True))
        model = _Watched()
        value = require_number(returned(answer, model, batches), "the accuracy")
        asked = model.asked_in_training
        require(not asked, "the model is asked while it is in training mode.")
        _check_share(value, batches)
        require(model.training, "the model was in training mode before; leave it so.")
        quiet = not model.recorded
        require(quiet, "no derivatives are needed here; say so to PyTorch.")
    model = _Watched().eval()
    returned(answer, model, [(logits, targets)])
    require(not model.training, "the model was in evaluation mode before; leave it so.")


def _check_share(value: float, batches: list) -> None:
    right = [int((x.argmax(1) == y).sum()) for x, y in batches]
    sizes = [len(y) for _, y in batches]
    true = sum(right) / sum(sizes)
    means = sum(r / n for r, n in zip(right, sizes, strict=True)) / len(sizes)
    require(
        math.isclose(means, true) or not math.isclose(value, means, rel_tol=1e-4),
        f"with batches of {sizes} rows, each batch counts as much as any other; "
        "each row should.",
    )
    require(
        math.isclose(value, true, rel_tol=1e-4),
        f"{value:.4g} is wrong for batches of {sizes} rows; how many rows are right, "
        "of how many?",
    )


# --- e9: five programs, five curves ---------------------------------------------

# the page asserts that this is what its curves show
CURVES = dict(
    zip("ABCDE", ("healthy", "shuffled", "softmax", "slow", "raw"), strict=True)
)
FACES = {
    "healthy": "a healthy program brings both losses close to zero.",
    "shuffled": "what is learned by heart from wrong labels is of no use on the test "
    "wines, and worse than useless if the model believes in it.",
    "softmax": "with a softmax too many, the loss cannot come below "
    f"{math.log(1 + 2 / math.e):.2f} and is soon close to it.",
    "slow": "a small learning rate changes how long the way takes, not where it leads.",
    "raw": "a model whose hidden units are dead knows only the shares of the classes; "
    "what loss has it, and can it change?",
}


def e9(answer: object) -> None:
    """A dict from each curve's letter to its cause."""
    require_keys(answer, CURVES)
    known = ", ".join(FACES)
    for cause in answer.values():
        require(cause in FACES, f"{cause!r} is no cause on the list: {known}.")
    require(len(set(answer.values())) == len(FACES), "each cause has one curve.")
    for letter, cause in CURVES.items():
        claimed = answer[letter]
        require(claimed == cause, f"{letter} is not {claimed!r}: {FACES[claimed]}")


# --- e10: a project -------------------------------------------------------------


def e10(answer: object) -> None:
    """A report with classify, baseline, accuracy and interval on the cancer table."""
    require_keys(answer, ("classify", "baseline", "accuracy", "interval"))
    cancer = table("cancer")
    x, y = cancer.test.tensors
    accuracy = _check_classify(answer["classify"], x, y)
    commonest = y.bincount().max().item() / len(y)
    require(
        commonest - 0.01 <= require_number(answer["baseline"], "the baseline") <= 1,
        "a baseline is a share between 0 and 1, and no worse than to give every row "
        "the more common answer.",
    )
    said = require_number(answer["accuracy"], "the accuracy")
    if abs(said - accuracy) > 1e-3:
        x, y = cancer.train.tensors
        seen = (returned(answer["classify"], x).cpu() == y).float().mean().item()
        studied = abs(said - seen) <= 1e-3
        require(not studied, "the accuracy is that of the training set.")
        raise WrongAnswer(
            f"{said:.4f} is not the accuracy that classify reaches on the test set."
        )
    _check_interval(answer["interval"], accuracy, len(y))


def _check_classify(classify: object, x: Tensor, y: Tensor) -> float:
    """Return its accuracy; its answers must be classes and depend on the row alone."""
    classes = returned(classify, x.clone())
    kind = type(classes).__name__
    a_tensor = isinstance(classes, Tensor)
    require(a_tensor, f"classify should return a tensor, not {kind}.")
    require(
        classes.shape == y.shape and not classes.is_floating_point(),
        f"classify should return classes, integers of shape {tuple(y.shape)}, "
        f"not {classes.dtype} of shape {tuple(classes.shape)}.",
    )
    classes = classes.cpu()
    same = torch.equal(classes, returned(classify, x.clone()).cpu())
    require(same, "classify gives another answer when asked twice.")
    parts = [returned(classify, rows.clone()).cpu() for rows in x.split(9)]
    require(
        torch.equal(classes, torch.cat(parts)),
        "a row's class depends on the rows beside it; the scale has to come from the "
        "training set.",
    )
    accuracy = (classes == y).float().mean().item()
    enough = accuracy > 0.92
    require(enough, f"classify is right for only {accuracy:.1%} of the test set.")
    return accuracy


def _check_interval(interval: object, p: float, n: int) -> None:
    """Compare with Wilson's interval, with room for other good ones."""
    pair = isinstance(interval, tuple | list) and len(interval) == 2
    require(pair, "the interval should be a pair, (low, high).")
    low = require_number(interval[0], "low")
    high = require_number(interval[1], "high")
    inside = low - 1e-6 <= p <= high + 1e-6
    require(inside, "the accuracy should lie inside its interval.")
    wald = 1.96 * math.sqrt(p * (1 - p) / n)
    require(
        max(abs(low - p + wald), abs(min(1, high) - min(1, p + wald))) > 2e-3,
        "p ± 1.96 sqrt(p(1 - p)/n) is not to be trusted when p is close to 1.",
    )
    z = 1.96
    middle, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + (z / n / 2) ** 2)
    wilson = [(middle + side * half) / (1 + z**2 / n) for side in (-1, 1)]
    require(
        max(abs(low - wilson[0]), abs(high - wilson[1])) < 0.012,
        f"{low:.3f} to {high:.3f} is no 95 % interval; how many rows are there?",
    )
