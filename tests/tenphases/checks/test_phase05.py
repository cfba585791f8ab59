"""The exercises of Phase 5: typical mistakes get a hint that helps."""

import copy
import math

import pytest
import torch
from exercises import Exercises, wrong
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import Dataset

from tenphases.checks import check, phase05

PAGE = Exercises(5)
solution = PAGE.solution


@pytest.mark.parametrize(
    ("exercise", "hint"),
    [
        ("p5.e1", "0 of 9 are right"),
        ("p5.e2", "0 of 10 are right"),
        ("p5.e3", "is a return missing"),
        ("p5.e4", "should keep its copy"),
        ("p5.e5", "where does the noise stay"),
        ("p5.e6", "in what unit does T_max count"),
        ("p5.e7", "is a return missing"),
        ("p5.e8", "is none of these"),
        ("p5.e9", "it goes on with step 0"),
    ],
)
def test_what_is_wrong_with_the_starter_is_named(exercise, hint):
    wrong(exercise, PAGE.starter(exercise), f"{hint}|no answer yet")


class TestE1:
    @pytest.mark.parametrize(
        ("key", "value", "hint"),
        [
            ("len(DataLoader(ten, batch_size=4))", 2, "8 of 9 .*the short batch"),
            ("len(DataLoader(ten, batch_size=3, sampler=[0, 0, 5]))", 4, "a sampler"),
            ("order(shuffled) == order(shuffled)", True, "wound back"),
            ("order(make(3)) == order(make(3))", 1, "the same seed"),
        ],
    )
    def test_hints(self, key, value, hint):
        wrong("p5.e1", solution("p5.e1")["loaded"] | {key: value}, hint)


class TestE2:
    @pytest.mark.parametrize(
        ("key", "value", "hint"),
        [
            ("CosineAnnealingLR(o, T_max=100), 200", 0, "does a cosine stay down"),
            ("StepLR(o, 10, gamma=0.1), 25", 0.001, "how many steps of ten"),
            ("OneCycleLR(o, max_lr=2.5, total_steps=100), 0", 1, "a twenty-fifth"),
            ("ExponentialLR(o, 0.5), 3", "0.125", "it halves"),
        ],
    )
    def test_hints(self, key, value, hint):
        wrong("p5.e2", solution("p5.e2")["rates"] | {key: value}, hint)

    def test_a_thousandth_is_allowed(self):
        rates = solution("p5.e2")["rates"]
        check("p5.e2", {key: value + 0.0005 for key, value in rates.items()})


def buckets(lengths, size, seed, *, sort=True, shuffle=True, mixed=True):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(len(lengths), generator=generator)
    keys = torch.tensor(lengths) + noise if sort else noise
    batches = [b.tolist() for b in keys.argsort().split(size)]
    if not shuffle:
        return batches
    if not mixed:
        generator = None
    places = torch.randperm(len(batches), generator=generator)
    return [batches[i] for i in places]


class TestE3:
    def test_noise_is_allowed(self):
        def answer(lengths, size, seed):
            generator = torch.Generator().manual_seed(seed)
            noise = 3 * torch.rand(len(lengths), generator=generator)
            order = (torch.tensor(lengths) + noise).argsort().split(size)
            places = torch.randperm(len(order), generator=generator)
            return [order[i].tolist() for i in places]

        check("p5.e3", answer)

    @pytest.mark.parametrize(
        ("options", "hint"),
        [
            ({"sort": False}, "padding adds"),
            ({"shuffle": False}, "shuffle their order"),
            ({"mixed": False}, "the same seed gives other batches"),
        ],
    )
    def test_hints(self, options, hint):
        wrong("p5.e3", lambda *a: buckets(*a, **options), hint)

    def test_every_index_once(self):
        wrong("p5.e3", lambda *a: buckets(*a)[1:], "every index from 0 to 102")

    def test_sorting_the_lengths_themselves(self):
        def answer(lengths, size, seed):
            lengths.sort()
            return buckets(lengths, size, seed)

        wrong("p5.e3", answer, "changed the list|padding adds")


def average(*, buffers=True, share=False, mode=True, grads=True, swap=False):
    class Average:
        def __init__(self, model, decay):
            self.model = copy.deepcopy(model)
            self.model.train(not mode)
            self.model.requires_grad_(not grads)
            self.decay = 1 - decay if swap else decay

        @torch.no_grad()
        def update(self, model):
            for mine, new in zip(
                self.model.parameters(), model.parameters(), strict=True
            ):
                mine.lerp_(new, 1 - self.decay)
            if buffers:
                for mine, new in zip(
                    self.model.buffers(), model.buffers(), strict=True
                ):
                    mine.data = new.data if share else new.clone()

    return Average


class TestE4:
    def test_torch_has_one(self):
        class Average:
            def __init__(self, model, decay):
                rule = get_ema_multi_avg_fn(decay)
                self.wrapped = AveragedModel(model, multi_avg_fn=rule)
                self.model = self.wrapped.module.eval().requires_grad_(False)
                self.wrapped.n_averaged.fill_(1)  # or the first update is a copy

            def update(self, model):
                self.wrapped.update_parameters(model)
                for a, b in zip(self.model.buffers(), model.buffers(), strict=True):
                    a.copy_(b)

        check("p5.e4", Average)

    @pytest.mark.parametrize(
        ("options", "hint"),
        [
            ({"buffers": False}, "buffer 1.running_mean should be the model's"),
            ({"share": True}, "is shared with the model"),
            ({"mode": False}, "should be in that mode"),
            ({"grads": False}, "no gradient is needed"),
            ({"swap": True}, "after update 1 the average is wrong"),
        ],
    )
    def test_hints(self, options, hint):
        wrong("p5.e4", average(**options), hint)

    def test_no_copy_at_all(self):
        class Average:
            def __init__(self, model, decay):
                self.model = model

            def update(self, model):
                pass

        wrong("p5.e4", Average, "the average is wrong")


def noisy(get):
    class Noisy(Dataset):
        def __init__(self, images, labels):
            self.images, self.labels = images, labels

        def __len__(self):
            return len(self.images)

        def __getitem__(self, index):
            return get(self.images[index]), self.labels[index]

    return Noisy


class TestE5:
    def test_a_clone_is_right(self):
        check("p5.e5", noisy(lambda x: x.clone().add_(0.1 * torch.randn(x.shape))))

    @pytest.mark.parametrize(
        ("get", "hint"),
        [
            (lambda x: x.clone(), "should be new each time|deviation 0.1"),
            (lambda x: x + 0.1 * torch.randn(1), "deviation 0.1"),
            (lambda x: (x + 0.1 * torch.randn(x.shape))[0], "an image has shape"),
        ],
    )
    def test_hints(self, get, hint):
        wrong("p5.e5", noisy(get), hint)


class TestE6:
    def test_one_lambda_is_right(self):
        def schedule(optimizer, epochs, batches, warm):
            rest = epochs * batches - warm

            def factor(step):
                if step < warm:
                    return 0.01 + 0.99 * step / warm
                return (1 + math.cos(math.pi * (step - warm) / rest)) / 2

            return lr_scheduler.LambdaLR(optimizer, factor)

        check("p5.e6", schedule)

    @pytest.mark.parametrize(
        ("make", "hint"),
        [
            (
                lambda o, e, b, w: lr_scheduler.CosineAnnealingLR(o, e * b),
                "is no warm-up",
            ),
            (
                lambda o, e, b, w: lr_scheduler.LinearLR(o, 0.01, total_iters=w),
                "half way down",
            ),
            (
                lambda o, e, b, w: lr_scheduler.OneCycleLR(
                    o, 0.4, total_steps=e * b + 1, pct_start=0.5
                ),
                "the rate is highest after",
            ),
            (
                lambda o, e, b, w: lr_scheduler.OneCycleLR(
                    o, 1.0, total_steps=e * b + 1
                ),
                "the highest rate is 1.000",
            ),
        ],
    )
    def test_hints(self, make, hint):
        wrong("p5.e6", make, hint)


class TestE7:
    def test_enough_draws_are_right(self):
        def optimism(k):
            generator = torch.Generator().manual_seed(k)
            chunks = [
                torch.randn(10_000, k, generator=generator).amax(dim=1)
                for _ in range(20 if k < 1000 else 3)
            ]
            return torch.cat(chunks).mean()

        check("p5.e7", optimism)

    @pytest.mark.parametrize(
        ("optimism", "hint"),
        [
            (lambda k: math.sqrt(2 * math.log(k)), "is the bound"),
            (lambda k: 0.0, "more than 1 % off"),
        ],
    )
    def test_hints(self, optimism, hint):
        wrong("p5.e7", optimism, hint)


class TestE8:
    def test_hints(self):
        right = phase05.CAUSES
        swapped = right | {"V": right["X"], "X": right["V"]}
        wrong("p5.e8", swapped, r"3 of 5 .*validation and test that agree")
        wrong("p5.e8", right | {"V": "luck"}, "is none of these")

    def test_is_right(self):
        check("p5.e8", dict(phase05.CAUSES))


class TestE9:
    @pytest.mark.parametrize(
        ("old", "new", "hint"),
        [
            ("torch.set_rng_state", "(lambda state: None)", "what else is random"),
            ('"optimizer": optimizer, ', "", "end with different"),
            ("step % 5 == 4", "step % 25 == 4", "at most 10 steps may be lost"),
            ('first = state["step"] + 1', 'first = state["step"]', "different"),
            ("[:-2]", "[:-1]", "step 0|different|at most|raised"),
            ("for step in range(first", "for step in range(0 * first", "goes on with"),
        ],
    )
    def test_what_is_left_out_shows(self, old, new, hint):
        names = PAGE.run("starter-p5.e9")
        source = PAGE.tagged("solution-p5.e9").replace('check("p5.e9", train)', "")
        assert old in source
        exec(source.replace(old, new), names)
        if old == "[:-2]":  # with one file, the run begins again, and is right
            check("p5.e9", names["train"])
        else:
            wrong("p5.e9", names["train"], hint)
