import copy
import math

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

from tenphases import set_seed
from tenphases.training import (
    History,
    accuracy,
    device_of,
    evaluate,
    fit,
    mode,
    supervised,
    train_epoch,
)

cross_entropy = nn.CrossEntropyLoss()
loss_fn = supervised(cross_entropy)


def examples(count=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 4, generator=generator)
    return TensorDataset(inputs, (inputs.sum(1) > 0).long())


def network():
    # dropout draws from the global generator and batch norm has buffers
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2)
    )


def parts(seed=1):
    set_seed(seed)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    train = DataLoader(examples(), batch_size=16, shuffle=True)
    return model, train, optimizer


def plain_loop(epochs=3):
    """The loop of chapter training-loop, with nothing of the library's."""
    model, train, optimizer = parts()
    means = []
    for _ in range(epochs):
        losses = []
        for inputs, targets in train:
            optimizer.zero_grad()
            loss = cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        means.append(sum(losses) / len(losses))
    return model, means


def same_weights(a, b):
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_fit_is_bit_identical_to_a_plain_loop():
    expected, means = plain_loop()
    model, train, optimizer = parts()
    history = fit(model, train, loss_fn, optimizer, epochs=3)
    assert same_weights(model, expected)
    assert history["loss"] == means and history["epoch"] == [1, 2, 3]


def test_fit_with_validation_is_identical_if_the_loader_has_its_own_generator():
    expected, means = plain_loop()
    model, train, optimizer = parts()
    valid = DataLoader(examples(20, seed=9), 8, generator=torch.Generator())
    metrics = {"accuracy": accuracy, "valid_loss": cross_entropy}
    history = fit(
        model, train, loss_fn, optimizer, epochs=3, valid=valid, metrics=metrics
    )
    assert same_weights(model, expected) and history["loss"] == means
    assert set(history[-1]) == {"epoch", "loss", "accuracy", "valid_loss"}
    assert history[-1] == {**history[-1], **evaluate(model, valid, metrics)}


def test_a_loader_without_its_own_generator_draws_from_the_global_one():
    # torch's doing, which fit cannot prevent: even an unshuffled loader draws a
    # base seed for its workers at the start of every pass
    loader = DataLoader(examples(20), 8, shuffle=False)
    before = torch.get_rng_state()
    next(iter(loader))
    assert not torch.equal(torch.get_rng_state(), before)
    own = DataLoader(examples(20), 8, shuffle=True, generator=torch.Generator())
    before = torch.get_rng_state()
    next(iter(own))
    assert torch.equal(torch.get_rng_state(), before)

    model, train, optimizer = parts()
    fit(model, train, loss_fn, optimizer, epochs=3, valid=loader)
    assert not same_weights(model, plain_loop()[0])


def test_fit_learns():
    model, train, optimizer = parts()
    fit(model, train, loss_fn, optimizer, epochs=30)
    valid = DataLoader(examples(200, seed=5), 64)
    assert (
        evaluate(model, valid, {"accuracy": accuracy})["accuracy"] > 0.8
    )  # chance is 0.5


def test_on_epoch_sees_the_row_and_stops():
    model, train, optimizer = parts()
    seen = []

    def on_epoch(net, row):
        assert net is model
        seen.append(row)
        return row["epoch"] == 2

    history = fit(model, train, loss_fn, optimizer, epochs=5, on_epoch=on_epoch)
    assert seen == history and len(history) == 2


@pytest.mark.parametrize("name", ["loss", "epoch"])
def test_a_metric_may_not_hide_a_column(name):
    model, train, optimizer = parts()
    with pytest.raises(ValueError, match="may not be called"):
        fit(model, train, loss_fn, optimizer, epochs=1, metrics={name: accuracy})


def test_history_gives_columns_and_rows():
    history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    assert history["loss"] == [0.5, 0.25]
    assert history[0] == {"epoch": 1, "loss": 0.5}
    assert history[-1]["loss"] == 0.25 and len(history[:1]) == 1
    with pytest.raises(KeyError):
        history["accuracy"]


def test_scheduler_steps_after_every_batch():
    model, train, optimizer = parts()
    scheduler = LambdaLR(optimizer, lambda step: 1 / (1 + step))
    losses = train_epoch(model, train, loss_fn, optimizer, scheduler=scheduler)
    assert len(losses) == len(train) == 4  # 16 + 16 + 16 + 2
    assert scheduler.last_epoch == 4
    assert scheduler.get_last_lr() == [pytest.approx(0.1 / 5)]
    fit(model, train, loss_fn, optimizer, epochs=2, scheduler=scheduler)
    assert scheduler.last_epoch == 12


def gradient_norms(**step):
    model, train, optimizer = parts()
    norms = []

    def note(*_):
        grads = [p.grad.norm() for p in model.parameters()]
        norms.append(torch.stack(grads).norm().item())

    optimizer.register_step_pre_hook(note)
    train_epoch(model, train, loss_fn, optimizer, **step)
    return norms


def test_clip_norm_bounds_the_whole_gradient():
    assert min(gradient_norms()) > 0.05
    assert max(gradient_norms(clip_norm=0.05)) <= 0.05 + 1e-6


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_step(bad):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    good = (torch.randn(8, 4), torch.randn(8, 1))
    batches = [good, (good[0], good[1] + bad), good]
    states = []
    optimizer.register_step_post_hook(
        lambda *_: states.append(copy.deepcopy(model.state_dict()))
    )
    with pytest.raises(FloatingPointError, match="at step 1; lower the learning rate"):
        train_epoch(model, batches, supervised(nn.MSELoss()), optimizer, clip_norm=1.0)
    assert len(states) == 1
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, states[0][name])


def test_evaluate_weights_a_ragged_last_batch_by_its_size():
    model, data = network().eval(), examples(50)
    inputs, targets = data.tensors
    with torch.no_grad():
        logits = model(inputs)
    metrics = {"accuracy": accuracy, "loss": cross_entropy}
    for batch_size in (16, 49, 50, 64):
        found = evaluate(model, DataLoader(data, batch_size), metrics)
        assert found["accuracy"] == pytest.approx(accuracy(logits, targets).item())
        assert found["loss"] == pytest.approx(cross_entropy(logits, targets).item())


def test_evaluate_keeps_no_graph_and_changes_no_buffer():
    model = network()
    before = copy.deepcopy(model.state_dict())
    seen = []

    def metric(logits, targets):
        seen.append(logits.requires_grad)
        return accuracy(logits, targets)

    evaluate(model, DataLoader(examples(), 16), {"accuracy": metric})
    assert not any(seen) and len(seen) == 4
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def mixed_modes():
    model = network()
    model[1].eval()  # a frozen batch norm in a model that trains
    return model, [module.training for module in model.modules()]


@pytest.mark.parametrize("training", [True, False])
def test_mode_restores_every_submodule(training):
    model, before = mixed_modes()
    with mode(model, training=training):
        assert {module.training for module in model.modules()} == {training}
    assert [module.training for module in model.modules()] == before


def test_modes_are_restored_after_an_exception():
    def fail(*_):
        raise ZeroDivisionError

    model, before = mixed_modes()
    optimizer = torch.optim.SGD(model.parameters())
    with pytest.raises(ZeroDivisionError):
        train_epoch(model, DataLoader(examples(), 16), fail, optimizer)
    assert [module.training for module in model.modules()] == before
    with pytest.raises(ZeroDivisionError):
        evaluate(model, DataLoader(examples(), 16), {"bad": fail})
    assert [module.training for module in model.modules()] == before


def test_no_batches_is_an_error():
    model, _, optimizer = parts()
    with pytest.raises(ValueError, match="is the data loader empty"):
        fit(model, [], loss_fn, optimizer, epochs=1)
    with pytest.raises(ValueError, match="is the data loader empty"):
        evaluate(model, [], {"accuracy": accuracy})


def test_device_of():
    assert device_of(nn.Linear(1, 1, device="meta")).type == "meta"
    assert device_of(nn.ReLU()).type == "cpu"
    buffers_only = nn.BatchNorm1d(2, affine=False, device="meta")
    assert device_of(buffers_only).type == "meta"


def test_accuracy():
    logits = torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0]])
    assert accuracy(logits, torch.tensor([0, 1, 1])).item() == pytest.approx(2 / 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_fit_moves_batches_to_the_model():
    model, train, _ = parts()
    model.cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    history = fit(
        model,
        train,
        loss_fn,
        optimizer,
        epochs=2,
        valid=DataLoader(examples(20), 8),
        metrics={"accuracy": accuracy},
    )
    assert 0 <= history[-1]["accuracy"] <= 1
