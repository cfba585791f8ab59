"""
$title
$underline

Fifty to a hundred words: the question, and the finding. How fast does the mean of
random numbers settle? As one over the root of their number, which we see on many
draws at once. Every sentence of this template is there to be replaced; what remains
is the order: a question, data, a baseline, the experiment with its figure, what was
found with an assert for each claim, and what to vary.
"""

import matplotlib.pyplot as plt
import torch

from tenphases import set_seed, viz

viz.use_style()
set_seed(0)

# %%
# The experiment
# --------------
# What is measured, and why. Each mean is taken over more and more draws.

x = torch.randn(500, 256)  # (repetitions, draws)
counts = torch.arange(1, x.shape[1] + 1)
errors = (x.cumsum(dim=1) / counts).std(dim=0)  # (draws,)
print(f"after {len(counts)} draws the mean is off by {errors[-1]:.3f}")

# sphinx_gallery_alt = "Two lines on logarithmic axes fall alike."
fig, ax = plt.subplots()
ax.loglog(counts, errors, color=viz.BLUE, label="measured")
ax.loglog(counts, counts**-0.5, "--", color=viz.GREY, label="one over the root")
ax.set(xlabel="draws", ylabel="standard deviation of the mean")
_ = ax.legend()

# %%
# What we found
# -------------
# The two lines are the same but for chance.

assert (errors * counts.sqrt() - 1).abs().max() < 0.2

# %%
# To vary: another distribution, one without a variance.
