"""Checks of Phase 2's exercises, ``book/02-tensors-operations/exercises.md``."""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from tenphases.checks import (
    WrongAnswer,
    plain,
    require,
    require_keys,
    require_number,
    require_tensor,
    returned,
)
from tenphases.data import photograph


class _Watch(TorchDispatchMode):
    """Notes the operations that run inside it, and the largest result."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.numbers, self.shape = 0, ()

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        out = op(*args, **(kwargs or {}))
        self.names.append(op.__name__)
        for t in out if isinstance(out, tuple | list) else [out]:
            if isinstance(t, Tensor) and t.numel() > self.numbers:
                self.numbers, self.shape = t.numel(), tuple(t.shape)
        return out


def _compare(value: object, expected: Tensor, what: str, *mistakes) -> None:
    """As require_tensor, but first with (wrong tensor, hint), where they differ."""
    for wrong, hint in mistakes:
        require(_close(wrong, expected) or not _close(value, wrong), f"{what}: {hint}")
    require_tensor(value, expected, what)


def _close(one: object, other: Tensor) -> bool:
    if not isinstance(one, Tensor) or one.shape != other.shape:
        return False
    one, other = one.detach().cpu().double(), other.double()
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# --- e1: ten lines that write ---------------------------------------------------

LINES = {
    "x.T[0] = 9": "a row of the transpose is which part of x?",
    "x.reshape(-1)[4] = 9": "x is contiguous; does reshape copy it?",
    "x.T.reshape(-1)[4] = 9": "can one stride serve the six numbers in this order?",
    "x[x > 3].fill_(9)": "reading with a mask gives what?",
    "x[[0, 0, 1], [2, 2, 2]] += 1": "it is read, added to and written once.",
    "x.float().zero_()": "another dtype needs other memory.",
    "x.long().zero_()": "which dtype has x already?",
    "x[0], x[1] = x[1], x[0]": "both sides on the right are views, and the "
    "assignments come one after the other.",
    "x[:, [0, 2]] = x[:, [2, 0]]": "a copy is read before anything is written.",
    "x += x[0]": "the first row would be read and written at the same time.",
}


def e1(answer: object) -> None:
    """A dict from each line of LINES to x.tolist() after it, or "raises"."""
    require_keys(answer, LINES)
    given = {line: plain(value) for line, value in answer.items()}
    true = {line: _after(line) for line in LINES}
    right = sum(given[line] == true[line] for line in LINES)
    for line, hint in LINES.items():
        where = f"({right} of {len(LINES)} are right) {line}"
        form = given[line] == "raises" or isinstance(given[line], list)
        require(form, f'{where} wants a list of two rows, or "raises".')
        require(given[line] == true[line], f"{where} does something else; {hint}")


def _after(line: str) -> object:
    x = torch.arange(6).reshape(2, 3)
    try:
        exec(line, {"x": x})  # one of our own lines, never the reader's
    except RuntimeError:
        return "raises"
    return x.tolist()


# --- e2: read the program -------------------------------------------------------


def e2(answer: object) -> None:
    """A dict of facts about the function ``attend`` in the statement."""
    facts = _attend_facts()
    require_keys(answer, facts)
    mistakes = [
        ("q", [6400, 1600, 16, 1], "a view keeps the strides of the memory it reads."),
        ("q", [6400, 64, 16, 1], "transpose exchanges two strides, too."),
        ("mask", [8, 100, 1, 1], "a None adds its axis where it stands."),
        ("scores", [8, 100, 4, 4], "which two axes are matrices after the transpose?"),
        ("bytes", 8 * 4 * 100 * 100, "those are numbers; how many bytes has each?"),
        ("sum", 100, "there are four heads."),
        ("zeros", 100 * 20, "there are four heads."),
        ("zeros", 4 * 100 * 80, "where is the mask true, and what does ~ do?"),
        ("nan", 0, "what is the softmax of a row that is -inf throughout?"),
        ("nan", 4 * 100 * 100, "count in the result, not in the weights."),
        ("copies", False, "after the transpose, do two axes merge by one stride?"),
    ]
    for key, fact in facts.items():
        value = plain(answer[key])
        hints = [hint for k, wrong, hint in mistakes if k == key and wrong == value]
        hint = hints[0] if hints else "read the program once more, line by line."
        require(value == fact, f"{key!r} is not {answer[key]!r}; {hint}")


@cache
def _attend_facts() -> dict[str, object]:
    """Run the statement's program, with its names."""
    x = torch.randn(8, 100, 64)
    lengths = torch.tensor([100, 80, 60, 40, 20, 10, 5, 0])
    mask = torch.arange(100) < lengths[:, None]
    q = x.view(8, 100, 4, 16).transpose(1, 2)
    scores = (q @ q.mT / 4).masked_fill(~mask[:, None, None], -math.inf)
    weights = scores.softmax(dim=-1)
    out = (weights @ q).transpose(1, 2)
    result = out.reshape(8, 100, 64)
    return {
        "q": list(q.stride()),
        "mask": list(mask[:, None, None].shape),
        "scores": list(scores.shape),
        "bytes": scores.nbytes,
        "sum": round(weights[0].sum().item()),
        "zeros": int((weights[1] == 0).sum()),
        "nan": int(result.isnan().sum()),
        "copies": result.data_ptr() != out.data_ptr(),
    }


# --- e3: between the pixels -----------------------------------------------------


def e3(answer: object) -> None:
    """sample(image, y, x): bilinear values (C, ...) at fractional places."""
    image = 10 * _random(2, 5, 7)
    rows, columns = torch.meshgrid(torch.arange(5.0), torch.arange(7.0), indexing="ij")
    places = {
        "on the pixels": (rows, columns),
        "between pixels of a row": (rows[:, :6], columns[:, :6] + 0.25),
        "between four pixels": (3.9 * _random(20, seed=1), 5.9 * _random(20, seed=2)),
        "outside of the image": (8 * rows - 7, 9 * columns - 8),
    }
    for where, (y, x) in places.items():
        for picture in (image, (20 * image).to(torch.uint8)):
            sent = picture.clone(), y.clone(), x.clone()
            _compare_sampled(returned(answer, *sent), picture, y, x, where)
            for now, before in zip(sent, (picture, y, x), strict=True):
                require(torch.equal(now, before), "your function changes its inputs.")


def _compare_sampled(value: object, image: Tensor, y: Tensor, x: Tensor, where) -> None:
    height, width = image.shape[1:]
    a, b = y.clamp(0, height - 1), x.clamp(0, width - 1)
    nearest = image[:, a.round().long(), b.round().long()].float()
    mirrored = _sampled(image, 2 * a.floor() + 1 - a, 2 * b.floor() + 1 - b)
    _compare(
        value,
        _sampled(image, y, x),
        f"the values {where}",
        (nearest, "all four neighbours count, not the nearest alone."),
        (image[:, a.long(), b.long()].float(), "all four neighbours count."),
        (mirrored, "the neighbour that is closer should weigh more."),
    )


def _sampled(image: Tensor, y: Tensor, x: Tensor) -> Tensor:
    height, width = image.shape[1:]
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], dim=-1)
    out = F.grid_sample(
        image[None].double(),
        grid.reshape(1, 1, -1, 2).double(),
        padding_mode="border",
        align_corners=True,
    )
    return out.float().reshape(-1, *y.shape)


# --- e4: means of windows -------------------------------------------------------


def e4(answer: object) -> None:
    """box_mean(image, k): (C, H - k + 1, W - k + 1), by four look-ups."""
    for shape, k in [((2, 6, 8), 3), ((1, 5, 4), 1), ((1, 4, 7), 4), ((3, 9, 6), 2)]:
        image = _random(*shape)
        expected = F.avg_pool2d(image.double(), k, stride=1).float()
        value = returned(answer, image.clone(), k)
        if isinstance(value, Tensor) and value.shape != expected.shape:
            short = tuple(n - 1 for n in expected.shape[1:]) == value.shape[1:]
            lost = "one window is missing on each axis; which sum is over nothing?"
            require(not short, f"for an image of shape {shape} and k={k}, {lost}")
        sums = (expected * k**2, "these are sums, not means.")
        what = f"the result for an image of shape {shape} and k={k}"
        _compare(value, expected, what, sums)
    _check_box_precision(answer)
    with _Watch() as watch:
        returned(answer, _random(1, 60, 60), 25)
    library = any(word in name for name in watch.names for word in ("pool", "conv"))
    require(not library, "that is the library's, and its work grows with k.")
    require(
        len(watch.names) < 100 and watch.numbers <= 3 * 61 * 61,
        "the work should not grow with k: for an image of 60 × 60 and k=25 your "
        f"function made {len(watch.names)} tensors, the largest of {watch.numbers}.",
    )


def _check_box_precision(answer: object) -> None:
    image = 1000 + _random(1, 400, 500)
    off = returned(answer, image.clone(), 3) - F.avg_pool2d(image.double(), 3, 1)
    worst = off.abs().max().item()
    require(
        worst < 1e-3,
        f"for a large and bright image a mean is off by {worst:.2g}; how far apart "
        "are neighbouring floats where the running sum ends?",
    )


# --- e5: count the galaxies -----------------------------------------------------

MASKS = {
    "two spots": "##...,##.#.,...#.",
    "spots that touch at a corner": "##..,##..,..##,..##",
    "spots at opposite edges": "#...#,.....,#...#",
    "a winding region": "#########,........#,#######.#,#.....#.#,#.###.#.#,"
    "#.#...#.#,#.#####.#,#.......#,#########",
    "a comb": "#.#.#,#.#.#,#####",
    "nothing": "...,...",
    "everything": "###,###",
}


def e5(answer: object) -> None:
    """label(mask): (H, W) int64, 0 outside, regions 1, 2, ... in reading order."""
    masks = {name: _mask(text) for name, text in MASKS.items()}
    masks["random pixels"] = _random(12, 17) > 0.45
    for name, mask in masks.items():
        sent, expected = mask.clone(), _labelled(mask)
        value = returned(answer, sent)
        require(torch.equal(sent, mask), "your function changes the mask.")
        if isinstance(value, Tensor) and value.shape == mask.shape:
            _check_regions(value, expected, f"for {name} of {tuple(mask.shape)}")
        require_tensor(value, expected, f"the labels for {name}")


def _check_regions(value: Tensor, expected: Tensor, where: str) -> None:
    outside = not value[expected == 0].any() and bool(value[expected > 0].all())
    require(outside, f"{where}, a label should be 0 where the mask is false only.")
    pairs = {
        (e, v)
        for e, v in zip(
            expected[expected > 0].tolist(), value[expected > 0].tolist(), strict=True
        )
    }
    true, found = {e for e, _ in pairs}, {v for _, v in pairs}
    hint = "is every pixel told, however long the way?"
    cut = len(pairs) > len(true) and len(pairs) == len(found)
    require(not cut, f"{where}, a connected region gets several numbers; {hint}")
    hint = "neither corners nor the opposite edge of the image are neighbours."
    one = len(pairs) == len(found)
    require(one, f"{where}, regions that do not touch share a number; {hint}")
    count = found == true
    require(count, f"{where}, the numbers should be 1 to {len(true)}.")


def _mask(text: str) -> Tensor:
    return torch.tensor([[c == "#" for c in row] for row in text.split(",")])


def _labelled(mask: Tensor) -> Tensor:
    """By walking: the slow way, which needs no idea."""
    labels, count = torch.zeros(mask.shape, dtype=torch.int64), 0
    for i, j in mask.nonzero().tolist():
        todo = [] if labels[i, j] else [(i, j)]
        count += len(todo)
        while todo:
            i, j = todo.pop()
            inside = 0 <= i < len(mask) and 0 <= j < mask.shape[1]
            if inside and mask[i, j] and not labels[i, j]:
                labels[i, j] = count
                todo += [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
    return labels


# --- e6: more neighbours, worse advice ------------------------------------------


def e6(answer: object) -> None:
    """vote(labels, classes): the commonest label of each row, ties to the smaller."""
    for rows, classes in [
        ([[2], [0]], 3),
        ([[5, 5, 2], [1, 0, 1], [3, 3, 3]], 6),
        ([[1, 4, 4, 1, 0], [2, 2, 0, 0, 1]], 5),
        ([[900, 3, 900, 7], [1, 2, 3, 3], [0, 5, 5, 0]], 1000),
    ]:
        labels = torch.tensor(rows)
        counts = F.one_hot(labels, classes).sum(dim=1)
        _compare(
            returned(answer, labels.clone(), classes),
            counts.argmax(dim=1),
            f"the result for the labels {rows}",
            (labels.amin(dim=1), "a class counts once, however many vote for it."),
            (labels[:, 0], "only the first neighbour has a say."),
            (
                classes - 1 - counts.flip(1).argmax(dim=1),
                "in a tie the smaller label should win.",
            ),
            (counts.amax(dim=1), "those are the votes, not the class."),
        )


# --- e7: every patch looks like black -------------------------------------------


def e7(answer: object) -> None:
    """similarities(queries, patches): correlations (Q, N), 0 for a flat patch."""
    queries, patches = _random(3, 12), _random(5, 12, seed=1)
    faint = 0.5 + 1e-3 * (patches[1] - 0.5)
    patches = torch.cat([patches, faint[None], torch.zeros(1, 12), torch.ones(2, 12)])
    queries = torch.cat([queries, torch.full((1, 12), 0.25)])
    a, b = (x.double() - x.double().mean(1, keepdim=True) for x in (queries, patches))
    expected = F.normalize(a) @ F.normalize(b).T
    sent = queries.clone(), patches.clone()
    value = returned(answer, *sent)
    same = torch.equal(sent[0], queries) and torch.equal(sent[1], patches)
    require(same, "your function changes its inputs.")
    if isinstance(value, Tensor) and value.shape == expected.shape:
        finite = bool(value.isfinite().all())
        hint = "a patch is flat; what is divided by what?"
        require(finite, f"a similarity is not finite; {hint}")
        zero = value[expected == 0].abs().max() < 1e-5
        require(bool(zero), "a flat patch should have similarity 0 with any other.")
        alike = (value[:, 1] - value[:, 5]).abs().max() < 1e-3
        hint = "contrast, and should be as similar; is something added to its length?"
        require(bool(alike), f"patch 5 is patch 1 with a thousandth of its {hint}")
    cosine = (F.normalize(queries) @ F.normalize(patches).T).double()
    means = (cosine, "the mean brightness should not count.")
    _compare(value, expected.float(), "the table of similarities", means)


# --- e8: six headers, six pictures ----------------------------------------------

# the page asserts that its pictures have these headers
HEADERS = dict(zip("ABCDEF", (3, 1, 4, 5, 2, 6), strict=True))
SIGNS = {
    1: "with a row stride of 299, each row begins one pixel too early in its line.",
    2: "read by a step of 3, three neighbours in memory, all of one colour plane, "
    "become the red, green and blue of one pixel.",
    3: "with 200 places from row to row and rows of 200, one and a half rows of the "
    "picture are needed for one of the photograph.",
    4: "a stride of 0 stands still: all rows are the same.",
    5: "with a row stride of 150, two rows go as far as one of the photograph did.",
    6: "with 300 places from colour to colour, the three colours of a pixel are "
    "three reds from rows below each other.",
}


def e8(answer: object) -> None:
    """A dict from each picture's letter to the number of its header."""
    require_keys(answer, HEADERS)
    for number in answer.values():
        listed = not isinstance(number, bool) and number in (1, 2, 3, 4, 5, 6)
        require(listed, f"{number!r} is not the number of a header, 1 to 6.")
    require(len(set(answer.values())) == 6, "each header has one picture.")
    for letter, number in HEADERS.items():
        claimed = answer[letter]
        sign = SIGNS[claimed]
        require(claimed == number, f"{letter} is not header {claimed}: {sign}")


# --- e9: a race of clocks -------------------------------------------------------


def e9(answer: object) -> None:
    """A dict with chance(weights, order) and earliest(weights, u, k)."""
    require_keys(answer, ("chance", "earliest"))
    _check_chance(answer["chance"])
    _check_earliest(answer["earliest"])


def _check_chance(chance: object) -> None:
    weights = [1.0, 4.0, 2.0, 3.0]
    for order in ([1], [1, 3], [0, 2], [2, 0, 3, 1]):
        value = returned(chance, torch.tensor(weights), list(order))
        value = require_number(value, "the chance")
        left = [10 - sum(weights[i] for i in order[:m]) for m in range(len(order))]
        true = math.prod(weights[i] / w for i, w in zip(order, left, strict=True))
        again = math.prod(weights[i] / 10 for i in order)
        where = (
            f"for the weights 1, 4, 2, 3 and the order {order}, {value:.4f} is wrong"
        )
        repeated = math.isclose(value, again, rel_tol=1e-4) and len(order) > 1
        require(not repeated, f"{where}; a clock that has rung takes no further part.")
        close = math.isclose(value, true, rel_tol=1e-4)
        require(close, f"{where}; which clocks can still ring?")


def _check_earliest(earliest: object) -> None:
    weights = torch.tensor([1.0, 6.0, 0.0, 2.0, 0.5, 3.0, 0.0, 1.5])
    for seed in range(6):
        u = _random(8, seed=seed)
        u[6 * (seed % 2)] = 0.0  # as rand may return it
        sent = weights.clone(), u.clone()
        value = returned(earliest, *sent, 3)
        require(isinstance(value, Tensor), "indices are wanted, as a tensor.")
        given = f"{value.dtype} of shape {tuple(value.shape)}"
        fits = value.shape == (3,) and value.dtype == torch.int64
        require(fits, f"for k=3, three indices of int64 are wanted, not {given}.")
        right = [_order(-torch.log1p(-u) / weights), _order(-torch.log(u) / weights)]
        chosen, where = value.tolist(), f"for u = {[round(v, 3) for v in u.tolist()]}"
        require(weights[value].all(), f"{where}, an index has weight 0.")
        for wrong, hint in [
            (-torch.log1p(-u) * weights, "should heavy clocks ring late?"),
            (u / weights, "solve 1 - exp(-w t) = u for t; u / w is not it."),
            (1 - u**weights, "what u is large for, is that early or late?"),
        ]:
            same = chosen == _order(wrong.where(weights > 0, math.inf))
            require(not same or chosen in right, f"{where}, {hint}")
        found = chosen in right
        hint = "earliest first" if set(chosen) in map(set, right) else "sort by time"
        require(found, f"{where}, {chosen} are not the first three to ring; {hint}.")
        kept = torch.equal(sent[0], weights) and torch.equal(sent[1], u)
        require(kept, "your function changes its inputs.")


def _order(times: Tensor) -> list[int]:
    return times.nan_to_num(nan=math.inf).argsort(stable=True)[:3].tolist()


# --- e10: a project -------------------------------------------------------------


def e10(answer: object) -> None:
    """A report with mosaic, error, flat and used on the astronaut's portrait."""
    require_keys(answer, ("mosaic", "error", "flat", "used"))
    mosaic = answer["mosaic"]
    for size, (height, width), count in [(2, (6, 10), 7), (3, (9, 6), 20)]:
        photo = (256 * _random(3, height, width, seed=3)).to(torch.uint8)
        tiles = (256 * _random(count, 3, size, size, seed=4)).to(torch.uint8)
        sent = photo.clone(), tiles.clone()
        _check_mosaic(returned(mosaic, *sent), photo, tiles)
        same = torch.equal(sent[0], photo) and torch.equal(sent[1], tiles)
        require(same, "mosaic changes its inputs.")
    photo, tiles = portrait_and_tiles()
    with _Watch() as watch:
        returned(mosaic, photo[:, :80, :80].clone(), tiles[::15].clone())
    require(
        watch.numbers < 6e6,
        f"for 100 squares and {len(tiles[::15])} tiles, mosaic makes a tensor of shape "
        f"{watch.shape}; with all of them it would take "
        f"{4 * 1024 * len(tiles) * 192 / 1e9:.0f} GB.",
    )
    _check_report(answer, photo, returned(mosaic, photo.clone(), tiles), tiles)


def _check_mosaic(made: object, photo: Tensor, tiles: Tensor) -> None:
    kind = type(made).__name__
    require(isinstance(made, Tensor), f"mosaic should return a tensor, not {kind}.")
    fits = made.shape == photo.shape and made.dtype == torch.uint8
    given = f"{made.dtype} of shape {tuple(made.shape)}"
    require(
        fits, f"mosaic should return uint8 of shape {tuple(photo.shape)}, not {given}"
    )
    size = tiles.shape[-1]
    flat, where = tiles.flatten(1), f"with tiles of {size} × {size},"
    ours, theirs = (squares(x, size).flatten(1) for x in (photo, made))
    is_tile = (theirs[:, None] == flat).all(dim=2)  # (N, M)
    found = bool(is_tile.any(dim=1).all())
    require(found, f"{where} a square of the mosaic is none of the tiles; look at it.")
    chosen = is_tile.int().argmax(dim=1)
    exact = (ours[:, None].double() - flat).square().sum(dim=2)
    off = exact.gather(1, chosen[:, None])[:, 0] - exact.amin(dim=1)
    if off.max() > 1:
        wrapped = ((ours[:, None] - flat) ** 2).sum(dim=2).argmin(dim=1)
        same = torch.equal(chosen, wrapped)
        require(not same, "differences of uint8 wrap at 256, and so do their squares.")
        raise WrongAnswer(f"{where} a square is a tile, but not the nearest one.")


def _check_report(answer: dict, photo: Tensor, made: Tensor, tiles: Tensor) -> None:
    ours, theirs = (squares(x, tiles.shape[-1]).float() for x in (photo, made))
    flat = ours - ours.mean(dim=(2, 3), keepdim=True)
    grey = ours - ours.mean(dim=(1, 2, 3), keepdim=True)
    for key, off in [("error", ours - theirs), ("flat", flat)]:
        value, true = require_number(answer[key], f"{key!r}"), _rms(off)
        for name, wrong in [
            ("a mean square; take the root", true**2),
            ("in units of 255, not in grey levels", true / 255),
            ("that of grey squares, not of their mean colours", _rms(grey)),
        ]:
            same = math.isclose(value, wrong, rel_tol=0.01)
            require(not same, f"{key!r} is {name}.")
        close = math.isclose(value, true, rel_tol=0.02)
        require(close, f"{key!r} is not {value:.4g}; is it over all numbers?")
    used = len(theirs.flatten(1).unique(dim=0))
    value = require_number(answer["used"], "'used'")
    require(value != len(theirs), "'used' counts squares; a tile may stand in several.")
    require(abs(value - used) <= 5, f"'used' is not {value:.0f}; which tiles occur?")


def _rms(x: Tensor) -> float:
    return x.double().square().mean().sqrt().item()


def squares(photo: Tensor, size: int) -> Tensor:
    """Cut (3, H, W) into (N, 3, size, size), what is left over being cut off."""
    cut = photo.unfold(1, size, size).unfold(2, size, size)  # (3, rows, columns, s, s)
    return cut.permute(1, 2, 0, 3, 4).flatten(0, 1)


@cache
def portrait_and_tiles() -> tuple[Tensor, Tensor]:
    """The page's photograph (3, 256, 256) and tiles (M, 3, 8, 8)."""
    names = ("cat", "china", "coffee", "flower", "rocket", "tissue")
    tiles = torch.cat([squares(photograph(name), 8) for name in names])
    return photograph("astronaut")[:, :256, 96:352], tiles
