import pytest
import torch
from torch import nn

from tenphases.models.rl import ReplayBuffer, td_loss


def test_the_buffer_keeps_the_newest_steps():
    buffer = ReplayBuffer(3, 2)
    for i in range(5):
        buffer.add([i, -i], i % 2, float(i), [i + 1, -i - 1], i == 4)
        assert len(buffer) == min(i + 1, 3)
    states, actions, rewards, following, ended = buffer.sample(200)
    assert set(rewards.tolist()) == {2.0, 3.0, 4.0}
    assert torch.equal(states, torch.stack([rewards, -rewards], dim=1))
    assert torch.equal(following, torch.stack([rewards + 1, -rewards - 1], dim=1))
    assert torch.equal(actions, rewards.long() % 2)
    assert torch.equal(ended, rewards == 4)


def test_before_it_is_full_only_what_is_there_is_drawn():
    buffer = ReplayBuffer(100, 1)
    buffer.add([1.0], 0, 7.0, [2.0], False)
    assert set(buffer.sample(50)[2].tolist()) == {7.0}


def test_drawing_repeats_with_a_generator():
    buffer = ReplayBuffer(10, 1)
    for i in range(10):
        buffer.add([i], 0, i, [i], False)
    draws = [
        buffer.sample(20, torch.Generator().manual_seed(0))[2].tolist()
        for _ in range(2)
    ]
    assert draws[0] == draws[1]


def test_an_empty_buffer_says_so():
    with pytest.raises(ValueError, match="the buffer is empty"):
        ReplayBuffer(10, 4).sample(1)


class Table(nn.Module):
    """Q-values of three states, looked up."""

    def __init__(self, values):
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values))

    def forward(self, states):
        return self.values[states[:, 0].long()]


def test_td_loss_is_the_sum_done_by_hand():
    online = Table([[0.0, 1.0], [2.0, 0.0], [5.0, 6.0]])
    target = Table([[9.0, 9.0], [0.5, 4.0], [9.0, 9.0]])
    batch = (
        torch.tensor([[0.0], [1.0]]),
        torch.tensor([1, 0]),
        torch.tensor([1.0, 3.0]),
        torch.tensor([[1.0], [2.0]]),
        torch.tensor([False, True]),
    )
    # online prefers action 0 in state 1; target says it is worth 0.5
    wanted = [1 + 0.9 * 0.5, 3.0]
    errors = [abs(1.0 - wanted[0]), abs(2.0 - wanted[1])]
    huber = [e**2 / 2 if e < 1 else e - 0.5 for e in errors]
    loss = td_loss(online, target, batch, discount=0.9)
    assert loss.item() == pytest.approx(sum(huber) / 2)
    loss.backward()
    assert target.values.grad is None
    assert online.values.grad[2].eq(0).all()
    assert online.values.grad[0, 1] != 0
