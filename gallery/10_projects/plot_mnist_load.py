# requires: plot_mnist_cnn
"""
Reading telephone numbers
=========================

Someone trained a network on digits, and we have the file. Can it read a
telephone number off a photograph? The first attempt fails almost everywhere,
although the network is right on nearly every test digit: what we cut out of the
photograph is not what it was trained on. Prepared the way the training digits
were, the same cut-outs are read almost as well as the test set. Then we let the
network decline: it is unsure where it is wrong, and that is worth something.
"""

import copy
import json

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from tenphases import artifact, data, get_device, set_seed, viz
from tenphases.models.convnets import DigitNet
from tenphases.training import accuracy, evaluate, fit, supervised

viz.use_style()
device = get_device()
digits = data.mnist()

# %%
# Weights and a card
# ------------------
#
# :ref:`sphx_glr_examples_10_projects_plot_mnist_cnn.py` leaves two files: the
# weights, and a card that says which network they belong to. If you have only
# this script, it trains a stand-in, with fewer epochs and no distortions.


def train_stand_in():
    set_seed(0)
    arguments = {"classes": 10, "width": 16}
    model = DigitNet(**arguments).to(device)
    loader = DataLoader(digits.train, 64, shuffle=True, drop_last=True)
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.01, total_steps=5 * len(loader)
    )
    loss_fn = supervised(nn.CrossEntropyLoss(label_smoothing=0.05))
    fit(model, loader, loss_fn, optimizer, epochs=5, scheduler=scheduler)
    torch.save(model.to("cpu").state_dict(), artifact("mnist_cnn.pt"))
    card = {"arguments": arguments, "classes": "".join(digits.classes)}
    artifact("mnist_cnn.json").write_text(json.dumps(card))


if not artifact("mnist_cnn.json").exists():
    print("mnist_cnn.pt is not here: training a stand-in for some seconds.")
    train_stand_in()

card = json.loads(artifact("mnist_cnn.json").read_text())
state = torch.load(artifact("mnist_cnn.pt"), weights_only=True)
network = DigitNet(**card["arguments"])
print(network.load_state_dict(state))
network = network.to(device)

# %%
# ``weights_only=True`` (the default today) reads tensors and refuses programs; a
# file from a stranger could otherwise run anything. ``load_state_dict`` is
# strict: every name and every shape must fit. It says so if they do not.

try:
    DigitNet(classes=10, width=8).load_state_dict(state)
except RuntimeError as error:
    print(*str(error).splitlines()[:3], sep="\n")

# %%
# Names and shapes can fit while the answers are wrong. So we score the network
# before we use it. A card that promised an accuracy lets us compare.


def score(model):
    batches = DataLoader(digits.test, 500)
    return evaluate(model, batches, {"accuracy": accuracy})["accuracy"]


print(f"accuracy on the test set {score(network):.3f}")
print(f"promised by the card     {card.get('test_accuracy', 'nothing')}")
assert score(network) > 0.96
