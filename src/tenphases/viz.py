"""One look for all figures, and the few plots that several pages share.

Four neutral colours stand for paper, ink, muted ink and grid; the site replaces
exactly these on dark pages. The data colours in ``COLORS`` have a
contrast of at least 3:1 on both backgrounds and stay apart for colour-blind
readers, which tests/tenphases/test_viz.py measures.
"""

from collections.abc import Sequence
from importlib.resources import as_file, files

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from torch import Tensor, nn

PAPER, INK, MUTED, GRID = "#fffffe", "#2b2f36", "#636973", "#d9dde3"
BLUE, ORANGE, GREEN, PURPLE, GREY = COLORS = (
    "#2e7fe0",
    "#c9540a",
    "#12967a",
    "#a33ea1",
    "#777c85",
)
# digits and other grey-scale images: ink on paper
INK_CMAP = LinearSegmentedColormap.from_list("ink", ["#ffffff", "#16181c"])
# shares of a whole: from nothing at all, whatever the page, to a deep blue
SHARE_CMAP = LinearSegmentedColormap.from_list("share", ["#174a8c00", "#174a8cff"])


def use_style() -> None:
    """Make the book's style matplotlib's current one."""
    with as_file(files("tenphases") / "tenphases.mplstyle") as path:
        plt.style.use(path)


def image_grid(
    images: Tensor,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 8,
    cell: float = 0.85,
) -> Figure:
    """Draw a batch of images in rows and return the figure.

    Shapes: images (N, 1, H, W) or (N, 3, H, W), float in [0, 1] or uint8.
    ``cell`` is the side of one image in inches. Raises ValueError for another
    shape.
    """
    if images.dim() != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"image_grid wants (N, 1 or 3, H, W), not {tuple(images.shape)}."
        )
    rows = -(-len(images) // columns)
    height = cell * rows * (1.3 if titles is not None else 1.0)
    fig, axes = plt.subplots(
        rows, columns, figsize=(cell * columns, height), squeeze=False
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for i, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        show_image(ax, image)
        if titles is not None:
            ax.set_title(titles[i], fontsize=8, pad=2)
    return fig


def show_image(ax: Axes, image: Tensor) -> None:
    """Draw one image of shape (1, H, W), as ink on paper, or (3, H, W)."""
    array = image.detach().cpu().permute(1, 2, 0).numpy()
    if array.shape[-1] == 1:
        top = 255 if array.dtype == np.uint8 else 1.0
        ax.imshow(array[..., 0], cmap=INK_CMAP, vmin=0, vmax=top)
    else:
        ax.imshow(array)
    ax.set_axis_off()


def confusion_matrix(ax: Axes, counts: Tensor, classes: Sequence[str]) -> None:
    """Draw counts (C, C), rows true and columns predicted, with each number."""
    shares = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    ax.imshow(shares.numpy(), cmap=SHARE_CMAP, vmin=0, vmax=1)
    ax.set_xticks(range(len(classes)), classes)
    ax.set_yticks(range(len(classes)), classes)
    ax.set(xlabel="predicted", ylabel="true")
    ax.grid(False)
    for (i, j), share in np.ndenumerate(shares.numpy()):
        if counts[i, j]:
            color = "#ffffff" if share > 0.65 else INK
            text = str(int(counts[i, j]))
            ax.text(j, i, text, ha="center", va="center", color=color, fontsize=8)


@torch.no_grad()
def decision_regions(
    ax: Axes, model: nn.Module, points: Tensor, targets: Tensor, *, margin: float = 0.5
) -> None:
    """Shade the plane by the class that the model predicts and draw the points.

    Shapes: points (N, 2) in the model's own input units, targets (N,).
    """
    low, high = points.amin(0) - margin, points.amax(0) + margin
    x, y = (torch.linspace(low[i], high[i], 200) for i in (0, 1))
    grid = torch.cartesian_prod(x, y)  # (40000, 2)
    device = next(model.parameters()).device
    regions = model(grid.to(device)).argmax(1).cpu().reshape(200, 200)
    classes = int(targets.max()) + 1
    colors = ListedColormap(COLORS[:classes])
    kwargs = {"cmap": colors, "vmin": -0.5, "vmax": classes - 0.5}
    extent = (*x[[0, -1]].tolist(), *y[[0, -1]].tolist())
    ax.imshow(
        regions.T.numpy(),
        origin="lower",
        extent=extent,
        aspect="auto",
        alpha=0.25,
        **kwargs,
    )
    ax.scatter(
        *points.T.numpy(),
        c=targets.numpy(),
        s=14,
        edgecolors=PAPER,
        linewidths=0.5,
        **kwargs,
    )
    ax.grid(False)
