"""The exercises of Phase 1: typical mistakes get a hint that helps."""

import copy
import functools

import pytest
import torch
from exercises import Exercises, wrong
from torch import nn

from tenphases import data
from tenphases.checks import check

PAGE = Exercises(1)
solution, tagged, run = PAGE.solution, PAGE.tagged, PAGE.run


@pytest.mark.parametrize(
    ("exercise", "hint"),
    [
        ("p1.e6", "0.weight changes with it"),
        ("p1.e7", "reported as 5 µs"),
        ("p1.e8", "while it is in training mode"),
    ],
)
def test_the_bug_in_the_starter_is_named(exercise, hint):
    wrong(exercise, PAGE.starter(exercise), hint)


@pytest.mark.parametrize("exercise", ["p1.e1", "p1.e3"])
def test_an_empty_answer_is_named(exercise):
    hint = "there is no answer yet|is a return missing"
    wrong(exercise, PAGE.starter(exercise), hint)


class TestE1:
    def right(self):
        return solution("p1.e1")["prediction"]

    @pytest.mark.parametrize(
        ("line", "value", "hint"),
        [
            ("(byte + 10).tolist()", [260, 13], "9 of 10 .* widen"),
            ("(byte - 5).tolist()", [245, -2], "comes before 0"),
            ("(byte * 2 / 2).tolist()", [250.0, 3.0], "read from the left"),
            ("(byte.sum() * 2).item()", 250, "add up integers"),
            ("(byte > -1).tolist()", [True, True], "made a uint8"),
            ("(half + 1).tolist()", [2049.0, 1.5], "neighbours in float16"),
            ("torch.tensor([2.7, -2.7]).long().tolist()", [3, -3], "not round"),
            ("(torch.tensor([7, -7]) // 2).tolist()", [3, -3], "towards zero"),
            ("(byte + 10).tolist()", 4, "is not of type int"),
        ],
    )
    def test_hints(self, line, value, hint):
        wrong("p1.e1", self.right() | {line: value}, hint)

    def test_takes_tuples_and_tensors(self):
        answer = self.right() | {"(byte + 10).tolist()": (4, 13)}
        answer["(byte - 5).tolist()"] = torch.tensor([245, 254])
        check("p1.e1", answer)

    def test_an_extra_line(self):
        wrong("p1.e1", self.right() | {"1 + 1": 2}, "should have no key '1")


class TestE2:
    @pytest.mark.parametrize(
        ("key", "value", "hint"),
        [
            ("parameters", 13 * 32 + 32 * 3, "adds something"),
            ("weight", (13, 32), r"nn.Linear\(2, 5\)"),
            ("batches", 4, "left over"),
            ("last x", (32, 13), "evenly"),
            ("last x", [32, 13], "evenly"),
            ("logits", (14, 13), "13 numbers"),
            ("loss", (1,), "no axes"),
            ("loss", (14,), "single number"),
            ("steps", 10, "inner loop"),
            ("first grad", torch.zeros(3), "once more"),
            ("first grad", 0, "no backward"),
        ],
    )
    def test_hints(self, key, value, hint):
        wrong("p1.e2", solution("p1.e2")["facts"] | {key: value}, hint)

    def test_takes_lists_and_sizes(self):
        answer = solution("p1.e2")["facts"]
        check("p1.e2", answer | {"weight": [32, 13], "loss": torch.Size([])})


class TestE3:
    def pad(self, images):
        return solution("p1.e3")["pad_images"](images)

    def test_right_in_another_way(self):
        def answer(images):
            tall = max(i.shape[1] for i in images)
            wide = max(i.shape[2] for i in images)
            pads = [(0, wide - i.shape[2], 0, tall - i.shape[1]) for i in images]
            pad = nn.functional.pad
            ones = [torch.ones_like(i[0], dtype=torch.bool) for i in images]
            return [
                torch.stack([pad(i, p) for i, p in zip(images, pads, strict=True)]),
                torch.stack([pad(i, p) for i, p in zip(ones, pads, strict=True)]),
            ]

        check("p1.e3", answer)

    @pytest.mark.parametrize(
        ("change", "hint"),
        [
            (lambda b, m: b, "return two tensors"),
            (lambda b, m: (b.float(), m), "dtype torch.uint8, not torch.float32"),
            (lambda b, m: (b.transpose(2, 3), m), r"batch should have shape"),
            (lambda b, m: (b.flip(3), m), "batch has a wrong value"),
            (lambda b, m: (b, (b != 0).any(dim=1)), "may have black pixels"),
            (lambda b, m: (b, m[:, None].expand_as(b)), "no axis for the channels"),
            (lambda b, m: (b, m.int()), "mask should have dtype torch.bool"),
            (lambda b, m: (b, ~m), "mask has a wrong value"),
        ],
    )
    def test_hints(self, change, hint):
        wrong("p1.e3", lambda images: change(*self.pad(images)), hint)

    def test_crop_instead_of_pad(self):
        def answer(images):
            h, w = (min(i.shape[k] for i in images) for k in (1, 2))
            batch = torch.stack([i[:, :h, :w] for i in images])
            return batch, torch.ones(len(images), h, w, dtype=torch.bool)

        wrong("p1.e3", answer, r"\(3, 4, 3\)\] the batch should have shape .*4, 5\)")

    def test_an_answer_that_changes_its_input(self):
        def answer(images):
            result = self.pad(images)
            images[0].zero_()
            return result

        wrong("p1.e3", answer, "changes the images")


def quantizer(top=lambda bits: 2**bits - 1, rounding=torch.round, lowest=None):
    def quantize(x, bits=8):
        low = x.min() if lowest is None else torch.tensor(lowest)
        step = (x.max() - low) / top(bits)
        return rounding((x - low) / step).to(torch.uint8), step, low

    return quantize


class TestE4:
    def test_python_numbers_are_as_good(self):
        def answer(x, bits):
            codes, step, low = quantizer()(x, bits)
            return [codes, step.item(), low.item()]

        check("p1.e4", answer)

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (quantizer(rounding=torch.floor), "cuts the fraction off"),
            (quantizer(rounding=lambda c: c), "cuts the fraction off"),
            (quantizer(top=lambda bits: 2**bits), "wrapped"),
            (quantizer(top=lambda bits: 2**bits - 2), "is never used"),
            (
                quantizer(top=lambda bits: 255),
                "bits=3, no code should be larger than 7",
            ),
            (quantizer(lowest=0.0), "off by"),
            (lambda x, bits: quantizer()(x), "no code should be larger than 7"),
            (lambda x, bits: quantizer()(x, bits)[0], "return three things"),
            (lambda x, bits: (x, 1.0, 0.0), "should be uint8 of shape"),
            (lambda x, bits: quantizer()(x, bits)[::-1], "number, not Tensor"),
            (lambda x: quantizer()(x), "raised TypeError"),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p1.e4", answer, hint)

    def test_an_answer_that_changes_its_input(self):
        def answer(x, bits):
            result = quantizer()(x, bits)
            x -= 1
            return result

        wrong("p1.e4", answer, "changes its input")

    def test_nan_is_not_close_to_anything(self):
        def answer(x, bits):
            codes, step, _ = quantizer()(x, bits)
            return codes, step, float("nan")

        wrong("p1.e4", answer, "off by nan")


def move(batch, device, *, text=False, tuples=tuple):
    if isinstance(batch, torch.Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {k: move(v, device, text=text, tuples=tuples) for k, v in batch.items()}
    if isinstance(batch, (list, str) if text else list):
        return [move(v, device, text=text, tuples=tuples) for v in batch]
    if isinstance(batch, tuple):
        return tuples(move(v, device, text=text, tuples=tuples) for v in batch)
    return batch


class TestE5:
    def test_right_in_another_way(self):
        check("p1.e5", move)

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (lambda b, d: b.to(d), "AttributeError.*no attribute 'to'"),
            (lambda b, d: b, r"batch is still on cpu"),
            (functools.partial(move, text=True), "what is inside a string"),
            (functools.partial(move, tuples=list), r"\['pair'\] should be a tuple"),
            (functools.partial(move, tuples=iter), r"\['pair'\] should be a tuple"),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p1.e5", answer, hint)

    def test_one_level_is_not_enough(self):
        def answer(batch, device):
            if isinstance(batch, torch.Tensor):
                return batch.to(device)
            return {
                k: v.to(device) if isinstance(v, torch.Tensor) else v
                for k, v in batch.items()
            }

        wrong("p1.e5", answer, r"batch\['pair'\]\[0\] is still on cpu")

    def test_dropping_what_is_no_tensor(self):
        def answer(batch, device):
            moved = move(batch, device)
            if isinstance(moved, dict):
                del moved["names"]
            return moved

        wrong("p1.e5", answer, "should have its keys")

    def test_an_answer_that_changes_its_input(self):
        def answer(batch, device):
            moved = move(batch, device)
            if isinstance(batch, dict):
                batch.update(moved)
            return moved

        wrong("p1.e5", answer, "build a new one")


class TestE6:
    def test_deepcopy_is_as_good(self):
        check("p1.e6", lambda model: copy.deepcopy(model.state_dict()))
        check("p1.e6", lambda model: copy.deepcopy(model).state_dict())

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (lambda m: m.state_dict(), "0.weight changes with it"),
            (lambda m: m.state_dict().copy(), "may hold the same tensors"),
            (lambda m: {n: t.detach() for n, t in m.state_dict().items()}, "same"),
            (lambda m: list(m.parameters()), "a state dict is wanted, not list"),
            (lambda m: copy.deepcopy(m), "a whole model comes back"),
            (
                lambda m: {n: p.detach().clone() for n, p in m.named_parameters()},
                "1.running_mean is missing; is it a parameter",
            ),
            (
                lambda m: {n: t.tolist() for n, t in m.state_dict().items()},
                "should be a tensor",
            ),
            (
                lambda m: {n: t.clone() * 0 for n, t in m.state_dict().items()},
                "in the snapshot has a wrong value",
            ),
            (
                lambda m: copy.deepcopy(m.state_dict()) | {"more": torch.ones(1)},
                "refuses the snapshot: .*more",
            ),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p1.e6", answer, hint)

    def test_an_answer_that_changes_the_model(self):
        def answer(model):
            nn.init.zeros_(model[0].weight)
            return copy.deepcopy(model.state_dict())

        wrong("p1.e6", answer, "changes 0.weight")


def watch(work, wait, clock, *, warm=True, waits=True, pick=min, calls=1):
    if warm:
        work()
        wait()
    times = []
    for _ in range(20):
        start = clock()
        for _ in range(calls):
            work()
        if waits:
            wait()
        times.append((clock() - start) / calls)
    return pick(times)


def mean(times):
    return sum(times) / len(times)


def median(times):
    return sorted(times)[len(times) // 2]


class TestE7:
    @pytest.mark.parametrize(
        "change", [{"calls": 10}, {"calls": 100}, {"pick": median}, {"warm": False}]
    )
    def test_right_in_another_way(self, change):
        check("p1.e7", functools.partial(watch, **change))

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (functools.partial(watch, waits=False), "5 µs; when may the watch be"),
            (functools.partial(watch, pick=mean), "interruption can only make"),
            (
                functools.partial(watch, pick=mean, warm=False),
                "belongs to no other call",
            ),
            (functools.partial(watch, pick=sum), "finished when it returns.*10000 µs"),
            (functools.partial(watch, pick=list), "should be a number, not list"),
            (lambda work, wait, clock: 500e-6, "never calls work"),
            (
                lambda work, wait, clock: work() or 500e-6,
                "the clock that you were given",
            ),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p1.e7", answer, hint)

    def test_jobs_left_in_the_queue(self):
        def answer(work, wait, clock):
            for _ in range(31):
                work()
            return watch(work, wait, clock, warm=False, pick=mean)

        wrong("p1.e7", answer, "queues a job.*when may the watch be started")


def share(model, batches, *, mode=True, grad=False, rows=True, restore=True):
    before = model.training
    if mode:
        model.eval()
    with torch.set_grad_enabled(grad):
        right = [(model(x).argmax(1) == y).float() for x, y in batches]
    if restore:
        model.train(before)
    if rows:
        return torch.cat(right).mean()
    return torch.stack([r.mean() for r in right]).mean()


class TestE8:
    def test_right_in_another_way(self):
        from tenphases.training import accuracy, evaluate

        check("p1.e8", share)
        check("p1.e8", lambda m, b: evaluate(m, b, {"a": accuracy})["a"])

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (functools.partial(share, mode=False), "in training mode"),
            (functools.partial(share, rows=False), r"\[4, 4, 1\] rows, each batch"),
            (functools.partial(share, grad=True), "no derivatives are needed"),
            (functools.partial(share, restore=False), "in training mode before"),
            (lambda m, b: (share(m, b), m.train())[0], "in evaluation mode before"),
            (lambda m, b: 100 * share(m, b), "66.67 is wrong"),
            (lambda m, b: (m.eval(), [0.5])[1], "should be a number, not list"),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p1.e8", answer, hint)


class TestE9:
    @property
    def right(self):
        return solution("p1.e9")["causes"]

    @pytest.mark.parametrize(
        ("swap", "hint"),
        [
            ("BD", "B is not 'slow'.*how long the way takes"),
            ("CD", "C is not 'slow'"),
            ("AC", "A is not 'softmax'.*below 0.55"),
            ("AB", "A is not 'shuffled'.*no use on the test"),
            ("CE", "C is not 'raw'.*shares of the classes"),
            ("DE", "D is not 'raw'"),
        ],
    )
    def test_hints(self, swap, hint):
        one, other = swap
        answer = self.right | {one: self.right[other], other: self.right[one]}
        wrong("p1.e9", answer, hint)

    def test_a_cause_twice_and_a_cause_of_ones_own(self):
        wrong("p1.e9", self.right | {"A": "raw"}, "each cause has one curve")
        wrong("p1.e9", self.right | {"A": "luck"}, "'luck' is no cause on the list")


@functools.cache
def project() -> dict:
    return solution("p1.e10")


class TestE10:
    def report(self, **changes):
        return project()["report"] | changes

    @pytest.mark.parametrize(("method", "slack"), [("exact", 0), ("wilsoncc", 0)])
    def test_takes_other_good_intervals(self, method, slack):
        from scipy.stats import binomtest

        n = len(project()["y_test"])
        test = binomtest(round(self.report()["accuracy"] * n), n)
        check("p1.e10", self.report(interval=list(test.proportion_ci(0.95, method))))

    def test_takes_a_baseline_that_only_counts(self):
        check("p1.e10", self.report(baseline=71 / 113))

    def test_the_accuracy_of_the_training_set(self):
        x, y = data.table("cancer").train.tensors
        seen = (self.report()["classify"](x) == y).float().mean()
        wrong("p1.e10", self.report(accuracy=seen), "that of the training set")

    def test_hints_about_numbers(self):
        p, n = self.report()["accuracy"], 113
        half = 1.96 * (p * (1 - p) / n) ** 0.5
        for changes, hint in [
            ({"accuracy": 0.999}, "0.9990 is not the accuracy that classify reaches"),
            ({"accuracy": "97 %"}, "the accuracy should be a number, not str"),
            ({"baseline": 0.5}, "the more common answer"),
            ({"baseline": 62.8}, "a share between 0 and 1"),
            ({"interval": (p - half, p + half)}, "not to be trusted"),
            ({"interval": (p - half, min(1.0, p + half))}, "not to be trusted"),
            ({"interval": (0.96, 0.98)}, "0.960 to 0.980 is no 95 % interval"),
            ({"interval": (0.5, 0.6)}, "should lie inside"),
            ({"interval": p}, "should be a pair"),
        ]:
            wrong("p1.e10", self.report(**changes), hint)

    def test_hints_about_classify(self):
        model, mean, std = (project()[n] for n in ("model", "mean", "std"))
        right = self.report()["classify"]

        def logits(x):
            return model(project()["standardize"](x))

        def own_scale(x):
            return right((x - x.mean(0)) / x.std(0) * std + mean)

        def dice(x):
            classes = right(x)
            classes[torch.randint(len(x), (5,))] ^= 1
            return classes

        for classify, hint in [
            (logits, r"classes, integers of shape \(113,\), not torch.float32"),
            (own_scale, "depends on the rows beside it"),
            (dice, "another answer when asked twice"),
            (lambda x: right(x).tolist(), "a tensor, not list"),
            (lambda x: 1 - right(x), "for only"),
            (lambda x: torch.ones(len(x)).long(), "for only 62.8%"),
            (lambda x: right(project()["standardize"](x)), "for only"),
        ]:
            wrong("p1.e10", self.report(classify=classify), hint)

    def test_an_answer_that_changes_its_input(self):
        right = self.report()["classify"]

        def classify(x):
            classes = right(x)
            x.zero_()
            return classes

        check("p1.e10", self.report(classify=classify))
