"""The figures' look, measured: contrast, colour blindness, and what the plots draw."""

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

from tenphases import viz

PAGES = ("#ffffff", "#121212")  # light and dark
# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB
COLOUR_BLIND = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def linear(color: str) -> np.ndarray:
    rgb = np.array(mpl.colors.to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2."""
    weights = [0.2126, 0.7152, 0.0722]
    low, high = sorted(float(linear(c) @ weights) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* under D65, from linear RGB."""
    matrix = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    x, y, z = np.cbrt(matrix @ rgb / [0.95047, 1.0, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.fixture(autouse=True)
def style():
    with mpl.rc_context():
        viz.use_style()
        yield
    plt.close("all")


@pytest.mark.parametrize("color", viz.COLORS)
@pytest.mark.parametrize("page", PAGES)
def test_data_colours_stand_out_on_both_pages(color, page):
    assert contrast(color, page) >= 3  # WCAG 2.2, 1.4.11


def test_ink_is_readable_on_paper():
    assert contrast(viz.INK, viz.PAPER) >= 7
    assert contrast(viz.MUTED, viz.PAPER) >= 4.5


@pytest.mark.parametrize("vision", COLOUR_BLIND)
def test_the_first_four_colours_stay_apart(vision):
    seen = [
        lab(np.clip(np.array(COLOUR_BLIND[vision]) @ linear(c), 1e-6, 1))
        for c in viz.COLORS[:4]
    ]
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - other) > 15


def test_the_style_draws_in_the_package_colours():
    cycle = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    assert tuple(f"#{c.lstrip('#')}" for c in cycle) == viz.COLORS
    assert mpl.colors.to_hex(plt.rcParams["figure.facecolor"]) == viz.PAPER
    assert mpl.colors.to_hex(plt.rcParams["text.color"]) == viz.INK


@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (5, 3, 8, 8)])
def test_image_grid_draws_every_image(shape):
    fig = viz.image_grid(torch.rand(shape), list("abcde"), columns=3)
    drawn = [ax for ax in fig.axes if ax.images]
    assert len(drawn) == 5
    assert [ax.get_title() for ax in drawn] == list("abcde")


def test_image_grid_refuses_another_shape():
    with pytest.raises(ValueError, match=r"not \(5, 8, 8\)"):
        viz.image_grid(torch.rand(5, 8, 8))


def test_a_grey_image_keeps_its_values():
    _, ax = plt.subplots()
    image = torch.rand(1, 4, 5)
    viz.show_image(ax, image)
    np.testing.assert_array_equal(ax.images[0].get_array(), image[0].numpy())


def test_confusion_matrix_writes_the_counts_with_rows_true():
    _, ax = plt.subplots()
    viz.confusion_matrix(ax, torch.tensor([[5, 1], [0, 2]]), ["a", "b"])
    written = {tuple(t.get_position()): t.get_text() for t in ax.texts}
    assert written == {(0, 0): "5", (1, 0): "1", (1, 1): "2"}
    assert ax.get_ylabel() == "true"


def test_decision_regions_show_the_models_prediction():
    model = nn.Linear(2, 2)
    with torch.no_grad():  # class 1 where the first feature is positive
        model.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
        model.bias.zero_()
    points = torch.tensor([[-1.0, 0.0], [1.0, 0.5]])
    _, ax = plt.subplots()
    viz.decision_regions(ax, model, points, torch.tensor([0, 1]))
    regions = ax.images[0].get_array()
    assert (regions[:, :99] == 0).all()
    assert (regions[:, 101:] == 1).all()
