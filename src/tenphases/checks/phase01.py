"""Checks of Phase 1's exercises, ``book/01-pytorch-basics/exercises.md``."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tenphases.checks import (
    call,
    require,
    require_number,
    require_tensor,
    returned,
)
from tenphases.data import table


def _require_keys(answer: object, wanted) -> None:
    kind = type(answer).__name__
    require(isinstance(answer, Mapping), f"a dict is wanted, not {kind}.")
    missing = [key for key in wanted if key not in answer]
    require(not missing, f"the dict should have a key {missing[:1]}.")
    strange = [key for key in answer if key not in wanted]
    require(not strange, f"the dict should have no key {strange[:1]}.")
    still_open = [key for key in wanted if answer[key] is ...]
    require(not still_open, f"there is no answer yet to {still_open[:1]}.")


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
    _require_keys(answer, LINES)
    given = {key: _plain(value) for key, value in answer.items()}
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


def _plain(value: object) -> object:
    if isinstance(value, Tensor):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


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
    _require_keys(answer, facts)
    inputs, hidden, classes, size, epochs = 13, 32, 3, 32, 10
    mistakes = {
        ("parameters", inputs * hidden + hidden * classes): "each layer adds "
        "something after it has multiplied.",
        ("weight", (inputs, hidden)): "print the weight of nn.Linear(2, 5).",
        ("batches", facts["batches"] - 1): "what becomes of the wines that are "
        "left over?",
        ("last x", (size, inputs)): "the training wines do not divide evenly "
        "into batches.",
        ("steps", epochs): "the step stands in the inner loop.",
        ("loss", (size,)): "backward() can only start from a single number.",
        ("loss", (1,)): "a single number has no axes.",
    }
    for key, fact in facts.items():
        value = _plain_fact(answer[key])
        hint = mistakes.get((key, value), "go through the program by hand.")
        require(value == fact, f"{key!r} is not {answer[key]!r}; {hint}")


def _plain_fact(value: object) -> object:
    return tuple(value) if isinstance(value, list | torch.Size) else value


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
        "first grad": model[2].bias.grad,
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
    require(
        isinstance(value, tuple | list) and len(value) == 2,
        "return two tensors, the batch and the mask.",
    )
    batch, mask = value
    expected = torch.zeros(
        len(images), shapes[0][0], *_largest(shapes), dtype=dtype
    )
    inside = torch.zeros(len(images), *_largest(shapes), dtype=torch.bool)
    for i, image in enumerate(images):
        _, height, width = image.shape
        expected[i, :, :height, :width] = image
        inside[i, :height, :width] = True
    given = f"for images of the shapes {shapes} the"
    require_tensor(batch, expected, f"{given} batch")
    if isinstance(mask, Tensor) and mask.shape == batch.shape:
        require(False, "the mask should have no axis for the channels.")
    if isinstance(mask, Tensor) and torch.equal(mask, (expected != 0).any(dim=1)):
        require(
            torch.equal(mask, inside),
            "a photograph may have black pixels; your mask takes them for padding.",
        )
    require_tensor(mask, inside, f"{given} mask")
    for image, other in zip(images, sent, strict=True):
        require(torch.equal(image, other), "your function changes the images.")


def _largest(shapes: list) -> tuple[int, int]:
    return max(s[1] for s in shapes), max(s[2] for s in shapes)


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
    """quantize(x, bits): uint8 codes, step, low with x close to low + step * codes."""
    generator = torch.Generator().manual_seed(0)
    for bits in (8, 3, 1):
        x = torch.randn(7, 11, generator=generator)
        _check_codes(answer, x, bits, "normal random numbers")
        _check_codes(answer, x.abs() + 100, bits, "numbers a little above 100")
    constant = torch.full((4,), 0.25)
    _check_codes(answer, constant, 8, "four numbers that are all 0.25")


def _check_codes(answer: object, x: Tensor, bits: int, what: str) -> None:
    sent, top = x.clone(), 2**bits - 1
    value = returned(answer, sent, bits)
    require(
        isinstance(value, tuple | list) and len(value) == 3,
        "return three things: the codes, the step and the lowest value.",
    )
    codes = value[0]
    step, low = require_number(value[1], "the step"), require_number(value[2], "low")
    where = f"for {what} and bits={bits},"
    require(isinstance(codes, Tensor), f"{where} the codes should be a tensor.")
    require_tensor(torch.zeros_like(codes), torch.zeros_like(x, dtype=torch.uint8),
                   f"{where} the tensor of codes")
    require(math.isfinite(step), f"{where} the step is {step}.")
    require(int(codes.max()) <= top, f"{where} the largest code should be {top}.")
    width = float(x.max() - x.min())
    error = (low + step * codes.double() - x).abs().max().item()
    slack = 1e-5 * float(x.abs().max())
    if error > width / top / 2 + slack:
        raise_error = _why_far(codes, x, error, width / top, top)
        require(False, f"{where} {raise_error}")
    require(torch.equal(sent, x), "your function changes its input.")


def _why_far(codes: Tensor, x: Tensor, error: float, step: float, top: int) -> str:
    """Say by what an answer that is off by ``error`` differs from the best one."""
    if int(codes[x == x.max()].max()) == 0:
        return "the largest number has the code 0: something wrapped."
    if error > 1.05 * step:
        return f"some number is off by {error:.3g}; half a step would be {step / 2:.3g}."
    if int(codes.max()) < top:
        return f"the code {top} is never used, so your steps are too long."
    return (
        f"some number is off by {error:.3g}, and half a step is {step / 2:.3g}; "
        "converting to an integer cuts the fraction off."
    )
