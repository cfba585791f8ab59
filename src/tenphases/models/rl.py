"""What a deep Q-network needs beside the network (Mnih et al., 2015)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Step = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class ReplayBuffer:
    """The last ``size`` steps of an agent, from which batches are drawn.

    A step is (state (D,), action, reward, next state (D,), ended). ``ended`` is True
    where no value follows: the pole fell, but not where time merely ran out.
    """

    def __init__(self, size: int, state: int) -> None:
        self.size = size
        self.count = 0  # of all steps ever added
        self.states = torch.zeros(size, state)
        self.actions = torch.zeros(size, dtype=torch.long)
        self.rewards = torch.zeros(size)
        self.following = torch.zeros(size, state)
        self.ended = torch.zeros(size, dtype=torch.bool)

    def __len__(self) -> int:
        return min(self.count, self.size)

    def add(self, state, action, reward, following, ended) -> None:
        """Keep a step, in place of the oldest if the buffer is full."""
        i = self.count % self.size
        self.states[i] = torch.as_tensor(state)
        self.actions[i] = action
        self.rewards[i] = reward
        self.following[i] = torch.as_tensor(following)
        self.ended[i] = ended
        self.count += 1

    def sample(self, batch: int, generator: torch.Generator | None = None) -> Step:
        """Draw steps with replacement: states (B, D), actions, rewards (B,), ...

        Raises ValueError if the buffer is empty.
        """
        if not self.count:
            raise ValueError("the buffer is empty; add steps before you sample.")
        i = torch.randint(len(self), (batch,), generator=generator)
        return (
            self.states[i],
            self.actions[i],
            self.rewards[i],
            self.following[i],
            self.ended[i],
        )


def td_loss(
    online: nn.Module, target: nn.Module, batch: Step, discount: float
) -> Tensor:
    """Huber loss of Q(s, a) against r + discount * max Q'(s'), or r at an end.

    As in double Q-learning (van Hasselt et al., 2016), ``online`` chooses the next
    action and ``target`` says what it is worth; no gradient goes through either.
    """
    states, actions, rewards, following, ended = batch
    values = online(states).gather(1, actions[:, None])[:, 0]  # (B,)
    with torch.no_grad():
        best = online(following).argmax(dim=1, keepdim=True)
        worth = target(following).gather(1, best)[:, 0]
        wanted = rewards + discount * worth * ~ended
    return F.smooth_l1_loss(values, wanted)
