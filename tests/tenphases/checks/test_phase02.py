"""The exercises of Phase 2: typical mistakes get a hint that helps."""

import functools

import pytest
import torch
from exercises import Exercises, wrong
from torch.nn import functional as F

from tenphases.checks import check, phase02

PAGE = Exercises(2)
solution = PAGE.solution


@pytest.mark.parametrize(
    ("exercise", "hint"),
    [
        ("p2.e1", "there is no answer yet"),
        ("p2.e3", "is a return missing"),
        ("p2.e6", "a class counts once"),
        ("p2.e7", "what is divided by what"),
        ("p2.e9", "is a return missing"),
        ("p2.e10", "there is no answer yet to 'error'"),
    ],
)
def test_the_starter_is_told_what_is_wrong(exercise, hint):
    wrong(exercise, PAGE.starter(exercise), hint)


class TestE1:
    @property
    def right(self):
        return solution("p2.e1")["prediction"]

    @pytest.mark.parametrize(
        ("line", "value", "hint"),
        [
            ("x.T[0] = 9", [[9, 9, 9], [3, 4, 5]], "9 of 10 .* row of the transpose"),
            ("x.reshape(-1)[4] = 9", [[0, 1, 2], [3, 4, 5]], "does reshape copy"),
            ("x.T.reshape(-1)[4] = 9", [[0, 1, 9], [3, 4, 5]], "one stride"),
            ("x[x > 3].fill_(9)", [[0, 1, 2], [3, 9, 9]], "reading with a mask"),
            ("x[[0, 0, 1], [2, 2, 2]] += 1", [[0, 1, 4], [3, 4, 6]], "written once"),
            ("x.long().zero_()", [[0, 1, 2], [3, 4, 5]], "which dtype has x"),
            ("x[0], x[1] = x[1], x[0]", [[3, 4, 5], [0, 1, 2]], "are views"),
            ("x += x[0]", [[0, 2, 4], [3, 5, 7]], "at the same time"),
            ("x += x[0]", "error", 'a list of two rows, or "raises"'),
            ("x.T[0] = 9", 9, 'a list of two rows, or "raises"'),
        ],
    )
    def test_hints(self, line, value, hint):
        wrong("p2.e1", self.right | {line: value}, hint)

    def test_takes_tensors(self):
        rows = torch.tensor([[9, 1, 2], [9, 4, 5]])
        check("p2.e1", self.right | {"x.T[0] = 9": rows})


class TestE2:
    @pytest.mark.parametrize(
        ("key", "value", "hint"),
        [
            ("q", (6400, 1600, 16, 1), "keeps the strides"),
            ("q", [6400, 64, 16, 1], "exchanges two strides"),
            ("mask", (8, 100, 1, 1), "where it stands"),
            ("scores", (8, 100, 4, 4), "which two axes"),
            ("bytes", 320_000, "how many bytes has each"),
            ("sum", 100, "four heads"),
            ("zeros", 32_000, "what does ~ do"),
            ("nan", 0, "-inf throughout"),
            ("nan", 40_000, "count in the result"),
            ("copies", False, "merge by one stride"),
            ("sum", 40_000, "once more"),
        ],
    )
    def test_hints(self, key, value, hint):
        wrong("p2.e2", solution("p2.e2")["facts"] | {key: value}, hint)

    def test_takes_lists_and_sizes(self):
        more = {"scores": torch.Size([8, 4, 100, 100]), "mask": [8, 1, 1, 100]}
        check("p2.e2", solution("p2.e2")["facts"] | more)


def sampler(*, low=0.0, weigh=lambda f: f, swap=False, floats=True):
    def sample(image, y, x):
        image = image.float() if floats else image
        if swap:
            y, x = x, y
        h, w = image.shape[1:]
        y, x = y.clamp(low, h - 1), x.clamp(low, w - 1)
        i, j = y.floor().long(), x.floor().long()
        a, b = weigh(y - i), weigh(x - j)
        k, m = (i + 1).clamp(max=h - 1), (j + 1).clamp(max=w - 1)
        out = (1 - a) * (1 - b) * image[:, i, j] + a * b * image[:, k, m]
        out = out + (1 - a) * b * image[:, i, m] + a * (1 - b) * image[:, k, j]
        return out if floats else out.to(image.dtype)

    return sample


class TestE3:
    def test_right_in_another_way(self):
        def answer(image, y, x):
            h, w = image.shape[1:]
            grid = torch.stack([2 * x / (w - 1) - 1, 2 * y / (h - 1) - 1], dim=-1)
            found = F.grid_sample(
                image[None].float(),
                grid.reshape(1, -1, 1, 2),
                align_corners=True,
                padding_mode="border",
            )
            return found.reshape(-1, *y.shape)

        check("p2.e3", answer)
        check("p2.e3", sampler())

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (sampler(weigh=torch.round), "all four neighbours count"),
            (sampler(weigh=torch.zeros_like), "all four neighbours count"),
            (sampler(weigh=lambda f: 1 - f), "closer should weigh more"),
            (sampler(low=-9.0), "outside of the image|IndexError"),
            (sampler(swap=True), "on the pixels"),
            (sampler(floats=False), "dtype torch.float32, not torch.uint8"),
            (lambda i, y, x: sampler()(i, y, x).T, "should have shape"),
            (lambda i, y, x: sampler()(i.zero_(), y, x), "wrong value"),
            (lambda i, y, x: sampler()(i, y.clamp_(0, 4), x), "changes its inputs"),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p2.e3", answer, hint)


def box(image, k, *, pad=(1, 0, 1, 0), dtype=torch.float64, area=None):
    s = F.pad(image.to(dtype).cumsum(1).cumsum(2), pad)
    sums = s[:, k:, k:] - s[:, :-k, k:] - s[:, k:, :-k] + s[:, :-k, :-k]
    return (sums / (area or k**2)).float()


class TestE4:
    def test_right_in_another_way(self):
        def answer(image, k):  # by rows, then by columns
            for dim in (1, 2):
                s = image.double().cumsum(dim)
                zero = torch.zeros_like(s.narrow(dim, 0, 1))
                s = torch.cat([zero, s], dim)
                n = s.shape[dim] - k
                image = (s.narrow(dim, k, n) - s.narrow(dim, 0, n)) / k
            return image.float()

        check("p2.e4", answer)

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (functools.partial(box, dtype=torch.float32), "is off by .* how far apart"),
            (functools.partial(box, pad=(0, 0, 0, 0)), "one window is missing"),
            (functools.partial(box, area=1), "sums, not means"),
            (lambda i, k: box(i, k).double(), "dtype torch.float32, not torch.float64"),
            (lambda i, k: F.avg_pool2d(i.double(), k, 1).float(), "the library's"),
            (
                lambda i, k: i.double().unfold(1, k, 1).unfold(2, k, 1).mean((3, 4)),
                "dtype",
            ),
            (
                lambda i, k: (
                    i.double().unfold(1, k, 1).unfold(2, k, 1).mean((3, 4)).float()
                ),
                "should not grow with k",
            ),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p2.e4", answer, hint)

    def test_a_sum_of_shifted_images_is_too_much_work(self):
        def answer(image, k):
            h, w = image.shape[1] - k + 1, image.shape[2] - k + 1
            shifts = [(i, j) for i in range(k) for j in range(k)]
            image = image.double()
            return (
                sum(image[:, i : i + h, j : j + w] for i, j in shifts) / k**2
            ).float()

        wrong("p2.e4", answer, r"should not grow with k: .* made \d+ tensors")


def labeller(*, steps=10**6, diagonal=False, roll=False, number=True):
    def label(mask):
        far = mask.numel()
        ids = torch.arange(far).reshape(mask.shape).where(mask, far)
        for _ in range(steps):
            if roll:
                near = [ids.roll(s, d) for d in (0, 1) for s in (1, -1)]
            else:
                wide = F.pad(ids, (1, 1, 1, 1), value=far)
                h, w = mask.shape
                near = [
                    wide[1 + i : 1 + i + h, 1 + j : 1 + j + w]
                    for i in (-1, 0, 1)
                    for j in (-1, 0, 1)
                    if diagonal or abs(i) + abs(j) == 1
                ]
            new = torch.stack([ids, *near]).amin(0).where(mask, far)
            if torch.equal(new, ids):
                break
            ids = new
        if not number:
            return (ids + 1).where(mask, 0)
        out = torch.zeros_like(ids)
        out[mask] = ids[mask].unique(return_inverse=True)[1] + 1
        return out

    return label


class TestE5:
    def test_right_in_another_way(self):
        from scipy import ndimage

        check("p2.e5", labeller())
        check("p2.e5", lambda m: torch.from_numpy(ndimage.label(m.numpy())[0]).long())

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (labeller(steps=8), "gets several numbers; .* however long the way"),
            (labeller(diagonal=True), "touch at a corner.* share a number"),
            (labeller(roll=True), "opposite edges.* share a number"),
            (labeller(number=False), "the numbers should be 1 to 2"),
            (lambda m: labeller()(m) - 1, "should be 0 where the mask is false only"),
            (lambda m: labeller()(m).int(), "dtype torch.int64, not torch.int32"),
            (lambda m: m, "numbers should be 1 to|share a number|dtype"),
            (lambda m: labeller()(m).max(), "should have shape"),
            (lambda m: labeller()(m.logical_not_()), "changes the mask"),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p2.e5", answer, hint)

    def test_another_order(self):
        def answer(mask):
            labels = labeller()(mask)
            return (labels.max() + 1 - labels).where(mask, 0)

        wrong("p2.e5", answer, "wrong value")


class TestE6:
    @pytest.mark.parametrize(
        "answer",
        [
            lambda labels, classes: labels.mode(dim=1).values,
            lambda labels, classes: F.one_hot(labels, classes).sum(1).argmax(1),
            lambda labels, classes: torch.stack(
                [row.bincount(minlength=classes).argmax() for row in labels]
            ),
        ],
    )
    def test_right_in_another_way(self, answer):
        check("p2.e6", answer)

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (lambda n, c: n.amin(dim=1), "a class counts once"),
            (lambda n, c: n[:, 0], "only the first neighbour"),
            (lambda n, c: F.one_hot(n, c).sum(1).amax(1), "the votes, not the class"),
            (lambda n, c: F.one_hot(n, c).sum(1), "should have shape"),
            (lambda n, c: n.mode(dim=1), "should be a tensor, not mode"),
            (lambda n, c: n.mode(dim=1).values.float(), "dtype torch.int64"),
            (
                lambda n, c: c - 1 - F.one_hot(n, c).sum(1).flip(1).argmax(1),
                "in a tie",
            ),
            (lambda n, c: F.one_hot(n, 10).sum(1).argmax(1), "raised RuntimeError"),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p2.e6", answer, hint)


def correlate(queries, patches, *, add=0.0, centre=True, scale=F.normalize):
    a, b = queries, patches
    if centre:
        a, b = (x - x.mean(dim=1, keepdim=True) for x in (a, b))
    return scale(a, eps=1e-12 + add) @ scale(b, eps=1e-12 + add).T


def add_to_length(x, eps):
    return x / (x.norm(dim=1, keepdim=True) + eps)


class TestE7:
    def test_right_in_another_way(self):
        check("p2.e7", correlate)
        start = PAGE.starter("p2.e7")
        check("p2.e7", lambda q, p: start(q, p).nan_to_num(0.0))
        a_little = functools.partial(correlate, add=1e-8, scale=add_to_length)
        check("p2.e7", a_little)

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (functools.partial(correlate, add=1e-3, scale=add_to_length), "as similar"),
            (functools.partial(correlate, add=0.1), "as similar"),
            (functools.partial(correlate, centre=False), "with any other|mean bright"),
            (lambda q, p: correlate(q, p).T, "should have shape"),
            (lambda q, p: correlate(q, p).nan_to_num() + 1, "similarity 0"),
            (lambda q, p: correlate(q, p).double(), "dtype torch.float32"),
            (lambda q, p: -correlate(q, p), "wrong value"),
            (lambda q, p: correlate(q.sub_(0.1), p), "changes its inputs"),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p2.e7", answer, hint)


class TestE8:
    @property
    def right(self):
        return solution("p2.e8")["answer"]

    @pytest.mark.parametrize(
        ("swap", "hint"),
        [
            ("AB", "A is not header 1: with a row stride of 299"),
            ("AD", "A is not header 5: .* two rows go as far"),
            ("CE", "C is not header 2: .* neighbours in memory"),
            ("BC", "B is not header 4: a stride of 0"),
            ("EF", "E is not header 6: .* three reds"),
            ("DA", "A is not header 5"),
        ],
    )
    def test_hints(self, swap, hint):
        one, other = swap
        answer = self.right | {one: self.right[other], other: self.right[one]}
        wrong("p2.e8", answer, hint)

    def test_no_header_and_one_header_twice(self):
        wrong("p2.e8", self.right | {"A": 7}, "7 is not the number of a header")
        wrong("p2.e8", self.right | {"A": "3"}, "'3' is not the number of a header")
        wrong("p2.e8", self.right | {"A": 1}, "each header has one picture")


class TestE9:
    @property
    def right(self):
        return solution("p2.e9")["answer"]

    def test_the_other_inversion_and_python_numbers(self):
        def chance(weights, order):
            left = [weights.sum() - weights[order[:m]].sum() for m in range(len(order))]
            return (weights[order] / torch.stack(left)).prod().item()

        def earliest(weights, u, k):
            return (u.log() / weights).topk(k).indices

        check("p2.e9", {"chance": chance, "earliest": earliest})

    @pytest.mark.parametrize(
        ("chance", "hint"),
        [
            (lambda w, o: (w[o] / w.sum()).prod(), "takes no further part"),
            (lambda w, o: w[o[0]] / w.sum(), "which clocks can still ring"),
            (lambda w, o: w, "should be a number"),
        ],
    )
    def test_hints_about_the_chance(self, chance, hint):
        wrong("p2.e9", self.right | {"chance": chance}, hint)

    @pytest.mark.parametrize(
        ("earliest", "hint"),
        [
            (lambda w, u, k: (u / w).topk(k, largest=False).indices, "u / w is not it"),
            (
                lambda w, u, k: (
                    (-torch.log1p(-u) * w).where(w > 0, torch.inf).argsort()[:k]
                ),
                "heavy clocks ring late",
            ),
            (
                lambda w, u, k: (-torch.log1p(-u) * w).topk(k, largest=False).indices,
                "an index has weight 0",
            ),
            (
                lambda w, u, k: (
                    (-torch.log1p(-u) / w).topk(k, largest=False).indices.flip(0)
                ),
                "earliest first",
            ),
            (lambda w, u, k: w.topk(k).indices, "sort by time"),
            (lambda w, u, k: torch.multinomial(w, k), "sort by time|earliest first"),
            (lambda w, u, k: (u.log() / w).topk(k).values, "int64 are wanted"),
            (lambda w, u, k: (u.log() / w).argsort(descending=True), "int64 are want"),
            (lambda w, u, k: (u.log_() / w).topk(k).indices, "changes its inputs"),
        ],
    )
    def test_hints_about_the_race(self, earliest, hint):
        wrong("p2.e9", self.right | {"earliest": earliest}, hint)


@functools.cache
def project() -> dict:
    return solution("p2.e10")


def mosaics(*, find=None, paste=None):
    """The solution's mosaic with another search, or another way back."""

    def mosaic(photo, tiles):
        size = tiles.shape[-1]
        parts = phase02.squares(photo, size)
        which = (find or project()["nearest"])(parts, tiles)
        return (paste or project()["paste"])(tiles[which], photo.shape[1] // size)

    return mosaic


def by_bytes(parts, tiles):
    return ((parts[:, None] - tiles) ** 2).sum((2, 3, 4)).argmin(1)


def all_at_once(parts, tiles):
    parts, tiles = (x.flatten(1).float() for x in (parts, tiles))
    return ((parts[:, None] - tiles) ** 2).sum(2).argmin(1)


def by_mean_colour(parts, tiles):
    parts, tiles = (x.float().mean((2, 3)) for x in (parts, tiles))
    return torch.cdist(parts, tiles).argmin(1)


def without_permute(parts, rows):
    n, _, y, x = parts.shape
    return parts.reshape(3, rows * y, n // rows * x)


class TestE10:
    def report(self, **changes):
        return project()["report"] | changes

    def test_the_page_has_the_tiles_of_the_check(self):
        photo, tiles = phase02.portrait_and_tiles()
        assert torch.equal(photo, project()["photo"])
        assert torch.equal(tiles, project()["tiles"])

    def test_right_in_another_way(self):
        def find(parts, tiles):
            parts, tiles = (x.flatten(1).float() for x in (parts, tiles))
            return torch.cat([torch.cdist(p, tiles).argmin(1) for p in parts.split(99)])

        check("p2.e10", self.report(mosaic=mosaics(find=find)))

    @pytest.mark.parametrize(
        ("mosaic", "hint"),
        [
            (mosaics(find=by_bytes), "differences of uint8 wrap"),
            (mosaics(find=all_at_once), r"\(100, 1510, 192\); .* take 18 GB"),
            (mosaics(find=by_mean_colour), "a tile, but not the nearest"),
            (mosaics(paste=without_permute), "none of the tiles"),
            (lambda p, t: mosaics()(p, t).float(), r"uint8 of shape \(3, 6, 10\)"),
            (lambda p, t: mosaics()(p, t).tolist(), "a tensor, not list"),
            (lambda p, t: mosaics()(p, t).mT, r"not torch.uint8 of shape \(3, 10"),
            (lambda p, t: p, "none of the tiles"),
            (lambda p, t: (mosaics()(p, t), p.zero_())[0], "changes its inputs"),
        ],
    )
    def test_hints_about_the_mosaic(self, mosaic, hint):
        wrong("p2.e10", self.report(mosaic=mosaic), hint)

    def test_hints_about_numbers(self):
        error = self.report()["error"]
        grey = project()["squares"].float()
        grey = (grey - grey.mean((1, 2, 3), keepdim=True)).square().mean().sqrt()
        for changes, hint in [
            ({"error": error**2}, "'error' is a mean square; take the root"),
            ({"error": error / 255}, "in units of 255"),
            ({"error": 3**0.5 * error}, "over all numbers"),
            ({"flat": grey}, "grey squares"),
            ({"flat": "23"}, "should be a number, not str"),
            ({"used": 1024}, "counts squares"),
            ({"used": 12}, "which tiles occur"),
        ]:
            wrong("p2.e10", self.report(**changes), hint)
