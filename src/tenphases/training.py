"""The training loop that the book's pages share.

A batch is a tuple of tensors, ``(inputs, targets)`` for supervised learning. A
loss function takes the model and a batch and returns the batch's mean loss, so
the same loop serves a classifier, an autoencoder and a language model. Chapter
``training-loop`` derives this module line by line.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Batch = tuple[Tensor, ...]
LossFn = Callable[[nn.Module, Batch], Tensor]
Metric = Callable[[Tensor, Tensor], Tensor]


class History(list):
    """One dict an epoch: ``loss`` and every validation metric by its name.

    ``history["loss"]`` is the column, ``history[0]`` the first epoch's row.
    """

    def __getitem__(self, key):
        if isinstance(key, str):
            return [row[key] for row in self]
        return super().__getitem__(key)


def supervised(criterion: Metric) -> LossFn:
    """Return the loss function of supervised learning.

    ``criterion(outputs, targets)`` must average over the batch, as
    ``nn.CrossEntropyLoss()`` does.
    """

    def loss_fn(model: nn.Module, batch: Batch) -> Tensor:
        inputs, targets = batch
        return criterion(model(inputs), targets)

    return loss_fn


def accuracy(logits: Tensor, targets: Tensor) -> Tensor:
    """Share of rows whose largest logit is the target.

    Shapes: logits (N, classes), targets (N,), result ().
    """
    return (logits.argmax(dim=1) == targets).float().mean()


def device_of(model: nn.Module) -> torch.device:
    """Device of the model's first parameter or buffer; the CPU if it has none."""
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.device("cpu")


@contextmanager
def mode(model: nn.Module, *, training: bool):
    """Put every submodule in training or evaluation mode, then restore each."""
    before = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, was_training in before:
            module.training = was_training


def train_epoch(
    model: nn.Module,
    batches: Iterable[Batch],
    loss_fn: LossFn,
    optimizer: torch.optim.Optimizer,
    *,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    clip_norm: float | None = None,
) -> list[float]:
    """Train on every batch once and return the loss of each step.

    ``scheduler`` steps after every batch; ``clip_norm`` bounds the norm of the
    whole gradient. Raises FloatingPointError at the first loss that is not finite.
    """
    device = device_of(model)
    losses = []
    with mode(model, training=True):
        for step, batch in enumerate(batches):
            loss = loss_fn(model, tuple(t.to(device) for t in batch))
            optimizer.zero_grad()
            loss.backward()
            if clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
            losses.append(loss.item())
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"the loss became {losses[-1]} at step {step}; "
                    "lower the learning rate or look for bad inputs."
                )
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
    return losses


@torch.no_grad()
def evaluate(
    model: nn.Module, batches: Iterable[Batch], metrics: Mapping[str, Metric]
) -> dict[str, float]:
    """Return each metric's mean over all examples, in evaluation mode.

    Every metric maps (outputs, targets) to the mean over the batch; batches are
    weighted by their size, so a short last batch counts as much as it should.
    Raises ValueError if there is no batch.
    """
    device = device_of(model)
    totals, count = dict.fromkeys(metrics, 0.0), 0
    with mode(model, training=False):
        for batch in batches:
            inputs, targets = (t.to(device) for t in batch)
            outputs = model(inputs)
            for name, metric in metrics.items():
                totals[name] += float(metric(outputs, targets)) * len(targets)
            count += len(targets)
    if count == 0:
        raise ValueError("evaluate got no batches; is the data loader empty?")
    return {name: total / count for name, total in totals.items()}


def fit(
    model: nn.Module,
    train: Iterable[Batch],
    loss_fn: LossFn,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    valid: Iterable[Batch] | None = None,
    metrics: Mapping[str, Metric] | None = None,
    on_epoch: Callable[[nn.Module, dict], bool | None] | None = None,
    **step,
) -> History:
    """Train for some epochs and return one row of results an epoch.

    A row holds ``epoch`` (from 1), ``loss`` (mean over the epoch's steps) and,
    with ``valid``, each of ``metrics`` on it. ``on_epoch(model, row)`` may print,
    save, or return True to stop. ``step`` goes to :func:`train_epoch`. With the
    same seed the weights are bit-identical to those of a plain loop, provided
    that ``valid`` does not draw from the global random generator: a DataLoader
    does at the start of every pass, shuffled or not, unless it has a ``generator``
    of its own.
    """
    if metrics and {"epoch", "loss"} & metrics.keys():
        raise ValueError("a metric may not be called 'epoch' or 'loss'.")
    history = History()
    for epoch in range(1, epochs + 1):
        losses = train_epoch(model, train, loss_fn, optimizer, **step)
        if not losses:
            raise ValueError("fit got no batches; is the data loader empty?")
        row = {"epoch": epoch, "loss": sum(losses) / len(losses)}
        if valid is not None:
            row |= evaluate(model, valid, metrics or {})
        history.append(row)
        if on_epoch is not None and on_epoch(model, row):
            break
    return history
