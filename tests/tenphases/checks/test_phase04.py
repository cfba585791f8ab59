"""The exercises of Phase 4: typical mistakes get a hint that helps."""

import copy
import math

import pytest
import torch
from exercises import Exercises, wrong
from torch import nn

from tenphases.checks import check, phase04
from tenphases.models.mlp import mlp

PAGE = Exercises(4)
solution = PAGE.solution


@pytest.mark.parametrize(
    ("exercise", "hint"),
    [
        ("p4.e1", "0 of 9 are right"),
        ("p4.e2", "0 of 10 are right"),
        ("p4.e3", "is a return missing"),
        ("p4.e4", "after step 1 the parameter is wrong"),
        ("p4.e5", "counted once"),
        ("p4.e6", "of the model's 4 parameters the optimizer knows 0"),
        ("p4.e7", "is a return missing"),
        ("p4.e8", "is none of these"),
        ("p4.e9", "where the digits stand still"),
    ],
)
def test_what_is_wrong_with_the_starter_is_named(exercise, hint):
    with pytest.raises(AssertionError):
        wrong(exercise, PAGE.starter(exercise), "no such hint")
    wrong(exercise, PAGE.starter(exercise), f"{hint}|no answer yet")


class TestE1:
    @pytest.mark.parametrize(
        ("key", "value", "hint"),
        [
            ("len(list(net.parameters()))", 8, "8 of 9 .*is a list a place"),
            ("sum(p.numel() for p in net.parameters())", 48, "add up the sizes"),
            ("len(net.state_dict())", 6, "may go by two names"),
            ("net.again.weight is net.first.weight", 1, "does an assignment copy"),
            ("net.eval().blocks[0].training", False, "whom does eval"),
        ],
    )
    def test_hints(self, key, value, hint):
        wrong("p4.e1", solution("p4.e1")["known"] | {key: value}, hint)


class TestE2:
    @pytest.mark.parametrize("pair", list(phase04.PAIRS))
    def test_each_pair_has_one_right_sign(self, pair):
        right = solution("p4.e2")["signs"]
        for sign in {"<", "=", ">"} - {right[pair]}:
            wrong("p4.e2", right | {pair: sign}, "9 of 10 are right")

    def test_hints(self):
        right = solution("p4.e2")["signs"]
        pair = "F.nll_loss(z, t) ? F.cross_entropy(z, t)"
        wrong("p4.e2", right | {pair: "="}, "it does no softmax")


def summary(model, x, *, containers=False, remove=True, shape=True):
    rows, handles = [], []
    for name, module in model.named_modules():
        if containers or not list(module.children()):
            count = sum(p.numel() for p in module.parameters())

            def note(_, __, y, name=name, count=count):
                rows.append((name, y.shape if shape else (4,), count))

            handles.append(module.register_forward_hook(note))
    model(x)
    for handle in handles if remove else ():
        handle.remove()
    return rows


class TestE3:
    def test_a_torch_size_is_as_good_as_a_tuple(self):
        check("p4.e3", summary)

    @pytest.mark.parametrize(
        ("options", "hint"),
        [
            ({"containers": True}, "has children should have no row"),
            ({"remove": False}, "hooks are still on the model"),
            ({"shape": False}, "the output of twice has shape"),
        ],
    )
    def test_hints(self, options, hint):
        wrong("p4.e3", lambda m, x: summary(m, x, **options), hint)

    def test_a_row_for_every_module_is_not_a_row_for_every_call(self):
        def answer(model, x):
            return [
                (n, (5, 4), sum(p.numel() for p in m.parameters()))
                for n, m in model.named_modules()
                if not list(m.children())
            ]

        wrong("p4.e3", answer, "`unused` is never called")

    def test_the_late_name_of_a_closure(self):
        def answer(model, x):
            rows = summary(model, x)
            return [("tail.1", shape, count) for _, shape, count in rows]

        wrong("p4.e3", answer, "a row for each call, in the order")


def lion(update, memory=lambda m, g, b: b[1] * m + (1 - b[1]) * g, *, group=True):
    """An optimizer with the given rule for the step."""

    class Lion(torch.optim.Optimizer):
        def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
            defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay}
            super().__init__(params, defaults)
            self.memory = {}

        @torch.no_grad()
        def step(self):
            for g in self.param_groups:
                for p in g["params"]:
                    if p.grad is None:
                        continue
                    kept = self.state[p] if group else self.memory.setdefault(p, {})
                    m = kept.setdefault("m", torch.zeros_like(p))
                    step = update(p, m, p.grad, g["betas"], g["weight_decay"])
                    p -= g["lr"] * step
                    kept["m"] = memory(m, p.grad, g["betas"])

    return Lion


def right_step(p, m, g, b, w):
    return (b[0] * m + (1 - b[0]) * g).sign() + w * p


class TestE4:
    def test_another_way_to_write_it_is_right(self):
        check("p4.e4", lion(right_step))

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (lion(lambda p, m, g, b, w: g.sign() + w * p), "of the gradient alone"),
            (
                lion(lambda p, m, g, b, w: (b[0] * m + (1 - b[0]) * g).sign()),
                "the weight decay is missing",
            ),
            (
                lion(lambda p, m, g, b, w: b[0] * m + (1 - b[0]) * g + w * p),
                "the sign is missing",
            ),
            (
                lion(right_step, lambda m, g, b: b[0] * m + (1 - b[0]) * g),
                "which beta blends",
            ),
            (lion(right_step, group=False), "is m kept in self.state"),
            (torch.optim.AdamW, "after step"),
            (nn.Linear, "a subclass of torch.optim.Optimizer is wanted"),
        ],
    )
    def test_hints(self, answer, hint):
        wrong("p4.e4", answer, hint)


class TestE5:
    def test_deep_copies_start_alike(self):
        def tower(width, depth):
            floor = nn.Sequential(nn.Linear(width, width), nn.ReLU())
            floors = [copy.deepcopy(floor) for _ in range(depth)]
            return nn.Sequential(*floors, nn.Linear(width, 1))

        wrong("p4.e5", tower, "start with the same weights")

    def test_the_bends_must_not_get_lost(self):
        def tower(width, depth):
            floors = [nn.Linear(width, width) for _ in range(depth)]
            return nn.Sequential(*floors, nn.Linear(width, 1))

        wrong("p4.e5", tower, "where are the ReLUs")

    def test_one_too_few(self):
        wrong("p4.e5", lambda w, d: mlp(*[w] * d, 1), "wanted are four")

    def test_mlp_is_right(self):
        check("p4.e5", lambda width, depth: mlp(*[width] * (depth + 1), 1))


class TestE6:
    def test_a_new_optimizer_at_the_end_is_right(self):
        def prepare(features):
            model = PAGE.run("starter-p4.e6")["prepare"](features)[0]
            return model, torch.optim.Adam(model.parameters())

        check("p4.e6", prepare)

    def test_the_start_has_to_stay(self):
        def prepare(features):
            model = mlp(features, 16, 3)
            return model, torch.optim.SGD(model.parameters(), lr=0.1)

        wrong("p4.e6", prepare, "biases start at zero")

    def test_the_weights_have_to_be_spread_as_they_were(self):
        def prepare(features):
            model = mlp(features, 16, 3)
            for p in model.parameters():
                nn.init.zeros_(p)
            return model, torch.optim.SGD(model.parameters(), lr=0.1)

        wrong("p4.e6", prepare, r"standard deviation of 0\.071")


def expectation(f, what):
    z = torch.linspace(-8, 8, 20_001, dtype=torch.float64)
    p = torch.exp(-(z**2) / 2)
    p = p / p.sum()
    mean, square = (p * f(z)).sum(), (p * f(z) ** 2).sum()
    return what(mean.item(), square.item())


class TestE7:
    def test_monte_carlo_with_enough_draws_is_right(self):
        z = torch.randn(2_000_000, generator=torch.Generator().manual_seed(0))
        check("p4.e7", lambda f: 1 / f(z).square().mean().sqrt())

    @pytest.mark.parametrize(
        ("what", "hint"),
        [
            (lambda m, s: s, "is its mean square; how does it enter"),
            (lambda m, s: 1 / math.sqrt(s - m**2), "keeps the variance"),
            (lambda m, s: math.sqrt(s), "more than 1 % off"),
        ],
    )
    def test_hints(self, what, hint):
        wrong("p4.e7", lambda f: expectation(f, what), hint)


class TestE8:
    def test_hints(self):
        right = phase04.CAUSES
        swapped = right | {"Q": right["S"], "S": right["Q"]}
        wrong("p4.e8", swapped, r"3 of 5 .*many orders too small")
        wrong("p4.e8", right | {"P": "too hot"}, "is none of these")

    def test_is_right(self):
        check("p4.e8", dict(phase04.CAUSES))


class TestE9:
    def test_a_network_trained_on_centred_digits_only(self):
        torch.manual_seed(0)
        names = solution("p4.e9")
        wrong("p4.e9", names["models"]["centred"], "in the worst place")

    def test_shapes(self):
        wrong("p4.e9", nn.Linear(64, 9), r"logits \(N, 10\) are wanted")

    def test_company(self):
        class Company(nn.Module):
            def forward(self, x):
                return (x - x.mean(dim=0))[:, :10]

        wrong("p4.e9", Company(), "other company")
