"""
Balancing a pole by trial
=========================

Can a network learn to balance a pole from nothing but the number of steps that it
stayed up? Eight agents side by side say yes, and no. Most of them balance it well at
some time, after a few thousand steps of trial, and most no longer do so at the end.
Which copy we keep matters more than how long we train. Without a target network they
learn nothing. And a rule of one line, or the best of fifty random linear policies, does
as well: the pole is here to show deep Q-learning at work, not because it needs it.
"""

import itertools
from functools import partial

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
import torch

from tenphases import budget, set_seed, viz
from tenphases.models.rl import td_loss

viz.use_style()
torch.set_num_threads(1)  # the tensors are small, on the CPU even beside a GPU
SEED = 0
AGENTS = 8

# %%
# A cart, a pole, two actions
# ---------------------------
# The state has four numbers: the cart's place and speed, the pole's angle and the
# speed at which it turns. The action is a push to the left, 0, or to the right, 1.
# Every step that the pole stays up earns 1. An episode ends when the pole leans by
# more than 12 degrees or the cart leaves the track, and after 500 steps in any case.
# An average of 475 over 100 episodes counts as solved. Gymnasium computes many carts
# at once.


def carts(count):
    mode = "vector_entry_point"
    return gymnasium.make_vec("CartPole-v1", count, vectorization_mode=mode)


def returns(policy, count, seed):
    """Return how many steps each of ``count`` poles stays up, (count,)."""
    env, up = carts(count), np.ones(count, dtype=bool)
    states, _ = env.reset(seed=seed)
    steps = torch.zeros(count)
    while up.any():
        states, _, fell, late, _ = env.step(policy(torch.from_numpy(states)).numpy())
        steps += torch.from_numpy(up)
        up &= ~(fell | late)
    return steps


# %%
# Before any network: a random push, a push to the side where the pole leans, and a
# push to the side where it will lean a second later if it keeps turning. Then
# something that one should always try. A linear policy pushes right if
# :math:`w \cdot s > 0`. We draw 50 vectors :math:`w` from the normal distribution, give
# each five episodes, and keep the best; eight times over.

SCALE = torch.tensor([2.4, 3.0, 0.21, 3.0])  # about the largest values on the way
DRAWS, TRIALS = 50, 5
set_seed(SEED)
rules = {
    "random": lambda s: torch.randint(2, (len(s),)),
    "lean": lambda s: (s[:, 2] > 0).long(),
    "lean and speed": lambda s: (s[:, 2] + s[:, 3] > 0).long(),
}
scores = {
    name: returns(rule, 100, SEED + 1).mean()[None] for name, rule in rules.items()
}


def linear(w, states):  # (vectors, 4) and (vectors * n, 4)
    x = (states / SCALE).view(len(w), -1, 4)
    return ((x @ w[:, :, None]) > 0).long().flatten()


drawn = torch.randn(AGENTS * DRAWS, 4)
tried = returns(partial(linear, drawn), len(drawn) * TRIALS, SEED + 2)
tried = tried.view(AGENTS, DRAWS, TRIALS)
best = drawn.view(AGENTS, DRAWS, 4)[range(AGENTS), tried.mean(2).argmax(1)]
tested = returns(partial(linear, best), AGENTS * 100, SEED + 3)
scores["linear, best of 50"] = tested.view(AGENTS, 100).mean(1)
print(f"a search takes {tried.sum((1, 2)).mean():,.0f} steps")
print(f"solved by a single draw: {(tried.mean(2) >= 475).float().mean():.2f}")
for name, score in scores.items():
    print(f"{name:20} {score.mean():5.0f}, lowest {score.min():3.0f}")

# %%
# Eight agents side by side
# -------------------------
# A network estimates :math:`Q(s, a)`: how much reward follows action :math:`a` in
# state :math:`s`, where each later step counts 0.99 times the one before. If it were
# right, it would satisfy
#
# .. math:: Q(s, a) = 1 + 0.99 \max_{a'} Q(s', a')
#
# or just 1 if the pole falls. Deep Q-learning (Mnih and others, 2015) moves the left
# side towards the right side, with steps drawn from a memory, and with a *target
# network* on the right, a copy that is renewed now and then so that one does not
# chase oneself. ``td_loss`` does this, with the copy judging the action that the
# network itself would choose (double Q-learning). How much depends on luck? Eight
# agents with networks, carts and memories of their own learn side by side in tensors
# whose first axis is the agent.

WIDTHS, BATCH, STEPS = (4, 64, 64, 2), 64, budget(cpu=8_000, gpu=40_000)


def initial_weights():
    layers = []
    for n, m in itertools.pairwise(WIDTHS):
        for shape in ((AGENTS, n, m), (AGENTS, 1, m)):
            layers.append((2 * torch.rand(shape) - 1) / n**0.5)
    return layers


def q(layers, states):
    """Return the values (AGENTS * n, 2) of states (AGENTS * n, 4)."""
    x = (states / SCALE).view(AGENTS, -1, 4)
    for i in range(0, len(layers), 2):
        x = torch.baddbmm(layers[i + 1], x.relu() if i else x, layers[i])
    return x.flatten(0, 1)


def greedy(layers, states):
    with torch.no_grad():
        return q(layers, states).argmax(dim=1)


def mean_return(layers, episodes, seed):  # (AGENTS,)
    steps = returns(partial(greedy, layers), AGENTS * episodes, seed)
    return steps.view(AGENTS, episodes).mean(dim=1)


# %%
# Each agent drives a cart and remembers all its steps. When an episode is over, the
# next step only puts up a new pole: that one is no experience and is not kept.


class Experience:
    def __init__(self):
        self.env = carts(AGENTS)
        self.states = torch.from_numpy(self.env.reset(seed=SEED)[0])
        self.over = torch.zeros(AGENTS, dtype=torch.bool)
        self.memory = torch.zeros(AGENTS, STEPS, 10)
        self.count = torch.zeros(AGENTS, dtype=torch.int64)

    def step(self, layers, explore):
        chance, any_action = torch.rand(AGENTS) < explore, torch.randint(2, (AGENTS,))
        actions = torch.where(chance, any_action, greedy(layers, self.states))
        states, _, *ends, _ = self.env.step(actions.numpy())
        states, fell, late = map(torch.from_numpy, (states, *ends))
        row = torch.cat([self.states, actions[:, None], states, fell[:, None]], dim=1)
        self.memory[~self.over, self.count[~self.over]] = row[~self.over]
        self.count += ~self.over
        self.states, self.over = states, fell | late

    def draw(self):
        """Return a batch for ``td_loss``, BATCH steps of each agent's own."""
        rows = (torch.rand(AGENTS, BATCH) * self.count[:, None]).long()
        steps = self.memory[torch.arange(AGENTS)[:, None], rows].flatten(0, 1)
        states, actions, following, fell = steps.split((4, 1, 4, 1), dim=1)
        ones = torch.ones(len(steps))
        return states, actions[:, 0].long(), ones, following, fell[:, 0] > 0


# %%
# They act at random at first and ever less so, down to one step in twenty. Every
# thousand steps we test the greedy policy on 20 episodes, and keep a copy of each
# agent as it was at its best.


def overwrite(copy, layers, who):
    for old, new in zip(copy, layers, strict=True):
        old[who] = new.detach()[who]


def learn(renew):
    set_seed(SEED)
    online = [w.requires_grad_() for w in initial_weights()]
    target = [w.detach().clone() for w in online] if renew else online
    best, tests, values = [w.detach().clone() for w in online], [], []
    optimizer = torch.optim.Adam(online, lr=1e-3, fused=True)
    experience = Experience()
    for step in range(1, STEPS + 1):
        experience.step(online, max(0.05, 1 - step / 3000))
        if step > 500:
            ours, judge = partial(q, online), partial(q, target)
            loss = td_loss(ours, judge, experience.draw(), 0.99)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if renew and step % renew == 0:
            overwrite(target, online, slice(None))
        if step % 1000 == 0:
            tests.append(mean_return(online, 20, SEED + 4))
            values.append(q(online, torch.zeros(AGENTS, 4)).detach().amax(dim=1))
            overwrite(best, online, tests[-1] >= torch.stack(tests).amax(dim=0))
    return torch.stack(tests), torch.stack(values), online, best


# %%
# We do all of it twice: with a target network that is renewed every 250 steps, and
# without one.

curves, claims = {}, {}
for name, renew in {"target network": 250, "no target network": 0}.items():
    curves[name], claims[name], last, best = learn(renew)
    scores[f"{name}, at the end"] = mean_return(last, 100, SEED + 5)
    scores[f"{name}, at its best"] = mean_return(best, 100, SEED + 5)
for name, score in list(scores.items())[4:]:
    print(f"{name:30} {score.mean():5.0f}, lowest {score.min():3.0f}")

# %%
# The way up, and down again
# --------------------------
# On the left a line for each agent with a target network, and their mean. Most touch
# the top, and fall again: each update for the states that it draws changes the
# values of all others too, and nothing in the loss says that the pole now falls. On
# the right what the agents believe that an upright pole is worth. It cannot be worth
# more than :math:`1 / (1 - 0.99) = 100`. Without a target network the values chase
# themselves far beyond, and the pole falls at once.

# sphinx_gallery_alt = "Two charts against thousands of training steps. Left, the steps that the pole stays up, eight thin lines and their thick mean, dashed line at 475: most lines shoot up to 500 within three thousand steps, then one after the other drops to about 100; few stay on top. Right, values on a logarithmic axis with a dashed line at 100: eight blue lines rise slowly and stay below it, eight orange ones climb through it at once and far beyond."
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.0))
tests = curves["target network"]
x = torch.arange(1, len(tests) + 1)
left.plot(x, tests, color=viz.BLUE, alpha=0.35, linewidth=1)
left.plot(x, tests.mean(dim=1), color=viz.BLUE)
left.axhline(475, color=viz.MUTED, linestyle="--", linewidth=1)
left.set(xlabel="thousand steps", ylabel="steps that the pole stays up", ylim=(0, 510))
for (name, values), color in zip(claims.items(), (viz.BLUE, viz.ORANGE), strict=True):
    right.plot(x, values, color=color, alpha=0.35, linewidth=1)
    right.plot(x, values.mean(dim=1), color=color, label=name)
right.axhline(100, color=viz.MUTED, linestyle="--", linewidth=1)
right.set(xlabel="thousand steps", ylabel="believed value", yscale="log")
_ = right.legend()

# %%
# The last word
# -------------
# A hundred new episodes for each policy that we have seen. A dot is an agent or a
# search.

# sphinx_gallery_alt = "Dot plot of eight rows, mean steps in 100 episodes, dashed line at 475. Random lies near 20 and lean near 40; lean and speed and all eight linear searches lie between 470 and 500. The agents with a target network are scattered from below 100 to 500 at the end, and crowd near 500 at their best. Those without all lie near 10."
fig, ax = plt.subplots(figsize=(7.2, 2.8))
for row, score in enumerate(scores.values()):
    color = viz.GREY if len(score) == 1 else viz.GREEN if row == 3 else viz.BLUE
    ax.plot(score, [row] * len(score), "o", color=color, alpha=0.6)
ax.axvline(475, color=viz.MUTED, linestyle="--", linewidth=1)
ax.set(yticks=range(len(scores)), yticklabels=scores, xlim=(0, 510))
ax.set_xlabel("mean steps that the pole stays up, 100 episodes")
_ = ax.invert_yaxis()

# %%
# The agents never see these episodes, so nothing flatters the copies that were chosen.
# To choose them we needed tests, though, and a test of 20 good episodes costs more
# steps than the training between two tests: who counts experience must count those.
# The searches, which only try, pay for their trials too; the count is printed above.
#
# If you had trained one agent and stopped at a round number, you would have reported
# luck. Report several, with the spread, and say how the copy was chosen.

with_target, without = (
    [scores[f"{name}, at {when}"] for when in ("the end", "its best")]
    for name in curves
)
assert scores["linear, best of 50"].mean() > 460 > 400 > scores["lean"].item()
assert scores["lean and speed"].item() > 400
assert with_target[1].median() >= budget(cpu=460, gpu=475)
assert with_target[0].mean() < with_target[1].mean() - 30
assert without[1].mean() < with_target[1].mean() - 50
assert claims["target network"].max() < 200 < claims["no target network"][-1].mean()

# %%
# To vary: how often the target network is renewed, the learning rate, the memory.
