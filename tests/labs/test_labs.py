"""Each lab: its solution earns everything, its gaps nothing, mistakes a hint."""

import contextlib
import io

import pytest

from tenphases.checks.labs import grade, grade_all, summary, tasks_of

WRONG = {
    # task of a lab: what replaces its cell, and what the grader then says
    "lab1.t1": [
        (
            "def standardise(train, *others):\n"
            "    return tuple((t - t.mean(0)) / t.std(0, correction=0)"
            " for t in (train, *others))",
            "other has a wrong value",
        ),
        (
            "def standardise(train, *others):\n"
            "    m, s = train.mean(0), train.std(0)\n"
            "    return tuple((t - m) / s for t in (train, *others))",
            "train has a wrong value",
        ),
        (
            "def standardise(train, *others):\n"
            "    m, s = train.mean(0), train.std(0, correction=0)\n"
            "    return tuple((t - m) / s for t in (train, *others))",
            "constant column",
        ),
        (
            "def standardise(train, *others):\n"
            "    m, s = train.mean(0), train.std(0, correction=0)\n"
            "    return tuple(t.sub_(m).div_(s) for t in (train, *others))",
            "changed the tables",
        ),
    ],
    "lab1.t2": [
        (
            "def nearest(train, targets, queries, k):\n"
            "    d = ((queries[:, None] - train) ** 2).sum(-1)\n"
            "    return targets[d.topk(k).indices].mean(1)",
            "wrong value",
        ),
        (
            "def nearest(train, targets, queries, k):\n"
            "    d = ((queries[:, None] - train) ** 2).sum(-1)\n"
            "    return targets[d.topk(k, largest=False).indices].mean((1, 2))",
            "should have shape (5, 1)",
        ),
    ],
    "lab1.t3": [
        (
            "def design(x):\n    return torch.cat([x, x**2], dim=1)",
            "should have shape (5, 7)",
        ),
        (
            "def design(x):\n"
            "    return torch.cat([torch.ones(len(x), 1), x, x**2], 1).float()",
            "float64",
        ),
    ],
    "lab1.t4": [
        (
            "def loss(weights, inputs, targets):\n"
            "    return ((inputs @ weights - targets) ** 2).mean()",
            "what does the subtraction do to the shapes",
        ),
        (
            "def loss(weights, inputs, targets):\n"
            "    return ((inputs @ weights - targets.reshape(-1, 1)) ** 2).sum()",
            "wrong value",
        ),
    ],
    "lab1.t5": [
        (
            "def gradient(weights, inputs, targets):\n"
            "    e = inputs @ weights - targets.reshape(-1, 1)\n"
            "    return inputs.T @ e / len(inputs)",
            "wrong value",
        ),
        (
            "def gradient(weights, inputs, targets):\n"
            "    w = weights.clone().requires_grad_()\n"
            "    loss(w, inputs, targets).backward()\n"
            "    return w.grad",
            "your function raised",
        ),
    ],
    "lab1.t6": [
        (
            "def descend(function, start, rate, steps):\n"
            "    x = start.requires_grad_()\n"
            "    values = []\n"
            "    for _ in range(steps):\n"
            "        values.append(function(x).item())\n"
            "        function(x).backward()\n"
            "        x.data -= rate * x.grad\n"
            "        x.grad = None\n"
            "    return x.detach(), values",
            "start has other values",
        ),
        (
            "def descend(function, start, rate, steps):\n"
            "    x = start.clone().requires_grad_()\n"
            "    values = []\n"
            "    for _ in range(steps):\n"
            "        (g,) = torch.autograd.grad(function(x), x)\n"
            "        x = (x - rate * g).detach().requires_grad_()\n"
            "        values.append(function(x).item())\n"
            "    return x.detach(), values",
            "before or after",
        ),
    ],
    "lab1.t7": [
        (
            "def train_on_batches(weights, batches, rate, epochs):\n"
            "    weights = weights.clone().requires_grad_()\n"
            "    for _ in range(epochs):\n"
            "        for inputs, targets in batches:\n"
            "            ((inputs @ weights - targets[:, None])**2).mean().backward()\n"
            "            with torch.no_grad():\n"
            "                weights -= rate * weights.grad\n"
            "    return weights.detach()",
            "the trained weights has a wrong value",
        ),
        ("", "the weights given were changed"),  # the function as it stands
    ],
    "lab1.t8": [
        (
            "def predict(raw):\n    return targets.mean().expand(len(raw), 1)",
            "the mean error is",
        ),
        (
            "def predict(raw):\n"
            "    return (raw - raw.mean(0)).sum(1, keepdim=True) / 1e4 + 23",
            "a car alone gets another prediction",
        ),
    ],
    "lab2.t1": [
        (
            "class Classifier(nn.Module):\n"
            "    def __init__(self, *widths, dropout=0.0):\n"
            "        super().__init__()\n"
            "        self.layers = [nn.Linear(a, b)"
            " for a, b in zip(widths, widths[1:])]\n"
            "    def forward(self, x):\n        return x",
            "where nn.Module can find them",
        ),
        (
            "class Classifier(nn.Module):\n"
            "    def __init__(self, *w, dropout=0.0):\n"
            "        super().__init__()\n"
            "        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(w[0], w[1]),\n"
            "            nn.ReLU(), nn.Linear(w[1], w[2]), nn.ReLU(),\n"
            "            nn.Linear(w[2], w[3]))\n"
            "    def forward(self, x):\n        return self.layers(x)",
            "dropout should change the logits",
        ),
    ],
    "lab2.t2": [
        (
            "def cross_entropy(logits, targets):\n"
            "    p = logits.softmax(1)\n"
            "    return -p.gather(1, targets[:, None]).log().mean()",
            "a logit of 10,000 gives inf",
        ),
        (
            "def cross_entropy(logits, targets):\n"
            "    return nn.functional.cross_entropy(logits, targets, reduction='sum')",
            "wrong value",
        ),
    ],
    "lab2.t3": [
        (
            "def prepare(images, labels, seed):\n"
            "    g = torch.Generator().manual_seed(seed)\n"
            "    order = torch.randperm(len(images), generator=g)\n"
            "    cut = len(images) * 4 // 5\n"
            "    x = (images - images.mean()) / images.std()\n"
            "    return tuple(TensorDataset(x[i], labels[i])"
            " for i in (order[:cut], order[cut:]))",
            "the training images do not have the training part's mean",
        ),
        (
            "def prepare(images, labels, seed):\n"
            "    torch.manual_seed(seed)\n"
            "    order = torch.randperm(len(images))\n"
            "    cut = len(images) * 4 // 5\n"
            "    a, b = order[:cut], order[cut:]\n"
            "    x = (images - images[a].mean()) / images[a].std()\n"
            "    return tuple(TensorDataset(x[i], labels[i]) for i in (a, b))",
            "the global random state moved on",
        ),
    ],
    "lab2.t4": [
        (
            "def train_epoch(model, batches, criterion, optimizer):\n"
            "    model.train()\n"
            "    losses = []\n"
            "    for x, y in batches:\n"
            "        loss = criterion(model(x), y)\n"
            "        optimizer.zero_grad()\n"
            "        loss.backward()\n"
            "        optimizer.step()\n"
            "        losses.append(loss.item())\n"
            "    return sum(losses) / len(losses)",
            "does every example count the same",
        ),
        (
            "def train_epoch(model, batches, criterion, optimizer):\n"
            "    model.train()\n"
            "    for x, y in batches:\n"
            "        loss = criterion(model(x), y)\n"
            "        loss.backward()\n"
            "        optimizer.step()\n"
            "    return loss.item()",
            "are gradients left over",
        ),
    ],
    "lab2.t5": [
        (
            "@torch.no_grad()\n"
            "def evaluate(model, batches):\n"
            "    r = [(model(x).argmax(1) == y).float().mean() for x, y in batches]\n"
            "    return float(sum(r) / len(r))",
            "does every example count the same",
        ),
        (
            "def evaluate(model, batches):\n"
            "    model.eval()\n"
            "    n = sum(len(y) for _, y in batches)\n"
            "    r = sum((model(x).argmax(1) == y).sum().item() for x, y in batches)\n"
            "    return r / n",
            "with a graph being built",
        ),
    ],
    "lab2.t6": [
        (
            "class Momentum:\n"
            "    def __init__(self, params, rate, momentum):\n"
            "        self.params, self.rate = params, rate\n"
            "    def zero_grad(self):\n"
            "        for p in self.params:\n            p.grad = None\n"
            "    def step(self):\n"
            "        for p in self.params:\n"
            "            p.data -= self.rate * p.grad",
            "after step 1 the weights differ",
        ),
        (
            "class Momentum:\n"
            "    def __init__(self, params, rate, momentum):\n"
            "        self.params, self.rate = list(params), rate\n"
            "    def zero_grad(self):\n"
            "        for p in self.params:\n            p.grad = None\n"
            "    def step(self):\n"
            "        for p in self.params:\n"
            "            if p.grad is not None:\n"
            "                p.data -= self.rate * p.grad",
            "after step 2 the weights differ",
        ),
    ],
    "lab2.t7": [
        (
            "def save(path, model, optimizer):\n"
            "    torch.save(model.state_dict(), path)\n"
            "def load(path, model, optimizer):\n"
            "    model.load_state_dict(torch.load(path))\n"
            "checkpoint = (save, load)",
            "does the optimizer remember",
        ),
        (
            "def save(path, model, optimizer):\n"
            "    torch.save((model, optimizer), path)\n"
            "def load(path, model, optimizer):\n    pass\n"
            "checkpoint = (save, load)",
            "refuses the file",
        ),
    ],
    "lab2.t8": [
        (
            "def predict(images):\n"
            "    return torch.zeros(len(images), dtype=torch.long)",
            "of the test images are right",
        ),
        (
            "def predict(images):\n    return images.flatten(1)[:, :10]",
            "is not (N,)",
        ),
    ],
}


def quietly(lab, filled: dict[str, str]) -> dict:
    with contextlib.redirect_stdout(io.StringIO()):
        return lab.names(filled)


def test_the_tasks_of_page_checks_and_solution_are_the_same(lab):
    tasks = tasks_of(f"lab{lab.number}")
    assert list(tasks) == lab.tasks == list(lab.solution)
    text = " ".join(cell.source for cell in lab.cells)
    for task, (name, _) in tasks.items():
        assert f'grade("lab{lab.number}.{task}", {name})' in text


def test_the_solution_earns_every_point(lab):
    grades = grade_all(f"lab{lab.number}", quietly(lab, lab.solution))
    assert all(g.points == g.possible for g in grades), summary(grades)


def test_the_gaps_earn_nothing(lab):
    for g in grade_all(f"lab{lab.number}", quietly(lab, {})):
        assert g.points == 0
        assert g.message.endswith((".", "?"))


@pytest.mark.parametrize("nonsense", [None, 42, "x", {}, [1], lambda *a, **k: None])
def test_nonsense_earns_nothing_and_is_called_by_its_name(lab, nonsense):
    for task in tasks_of(f"lab{lab.number}"):
        g = grade(f"lab{lab.number}.{task}", nonsense)
        assert g.points == 0 and g.message


def test_a_typical_mistake_is_told_what_is_wrong(lab):
    name = f"lab{lab.number}"
    for task, mistakes in WRONG.items():
        if not task.startswith(f"{name}."):
            continue
        short = task.partition(".")[2]
        for code, message in mistakes:
            filled = {t: c for t, c in lab.solution.items() if t < short}
            names = quietly(lab, filled | ({short: code} if code else {}))
            g = grade(task, names[tasks_of(name)[short][0]])
            assert g.points == 0, f"{task} took: {code}"
            assert message in g.message, f"{task}: {g.message}"


def test_each_task_has_typical_mistakes(lab):
    name = f"lab{lab.number}"
    for task in tasks_of(name):
        assert len(WRONG[f"{name}.{task}"]) >= 2


def test_what_is_no_task_is_said():
    with pytest.raises(KeyError, match=r"no task 'lab1\.t99'"):
        grade("lab1.t99", None)
    with pytest.raises(KeyError, match="no task 'lab9"):
        grade("lab9.t1", None)
