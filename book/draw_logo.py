"""Draw the book's logo, its icons and the card that a shared link shows.

Run ``python book/draw_logo.py``; it writes four files to book/assets.

Ten dots, one a phase, stand in columns of four, three, two and one: a small
network that narrows to its answer. Each has its phase's hue, as lines and cards have
in book/assets/book.css, at a lightness with a contrast of at least 3:1 on white and
on the dark page, so one file serves both themes. The icon leaves the edges out: at 16
pixels a dot is three pixels wide and a line would be grey mist.
"""

import itertools
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import Circle

from tenphases import viz

ASSETS = Path(__file__).parent / "assets"
COLUMNS = (4, 3, 2, 1)
HUES = (
    *("#4688e8", "#0897be", "#029f8c", "#25a351", "#829403"),
    *("#ac8205", "#d36614", "#d95960", "#ca5b9f", "#996fda"),
)


def nodes(step: float) -> list[list[tuple[float, float]]]:
    """Centres of the dots, column by column, in a 64 x 64 square.

    ``step`` is the distance between neighbours in a column; columns stand
    equally far apart.
    """
    left = 32 - step * (len(COLUMNS) - 1) / 2
    return [
        [(left + i * step, 32 + step * (j - (n - 1) / 2)) for j in range(n)]
        for i, n in enumerate(COLUMNS)
    ]


def edges(columns: list[list[tuple[float, float]]]) -> list[tuple]:
    """Every dot joined to every dot of the next column, as in a dense layer."""
    pairs = itertools.pairwise(columns)
    return [(a, b) for here, there in pairs for a in here for b in there]


def svg(step: float, radius: float, width: float = 0) -> str:
    """The mark as SVG text; ``width`` is that of the edges, 0 leaves them out."""
    columns = nodes(step)
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" '
        'role="img" aria-label="Ten Phases">'
    ]
    if width:
        path = "".join(
            f"M{a[0]:g} {a[1]:g}L{b[0]:g} {b[1]:g}" for a, b in edges(columns)
        )
        lines.append(
            f'<path d="{path}" stroke="{viz.GREY}" stroke-width="{width:g}" '
            'stroke-opacity=".6"/>'
        )
    lines += [
        f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{hue}"/>'
        for (x, y), hue in zip(itertools.chain(*columns), HUES, strict=True)
    ]
    return "\n".join([*lines, "</svg>", ""])


def draw(ax, step: float, radius: float, width: float = 0) -> None:
    """The same mark on matplotlib axes; ``width`` in points."""
    columns = nodes(step)
    if width:
        for a, b in edges(columns):
            xs, ys = zip(a, b, strict=True)
            ax.plot(xs, ys, color=viz.GREY, alpha=0.6, linewidth=width, zorder=1)
    for xy, hue in zip(itertools.chain(*columns), HUES, strict=True):
        ax.add_patch(Circle(xy, radius, color=hue, linewidth=0, zorder=2))
    ax.set(xlim=(0, 64), ylim=(0, 64), aspect="equal")
    ax.set_axis_off()


def icon(path: Path, pixels: int = 32) -> None:
    """Save the mark without edges as a transparent PNG."""
    fig = plt.figure(figsize=(1, 1), dpi=pixels)
    draw(fig.add_axes((0, 0, 1, 1)), step=16, radius=6.5)
    fig.savefig(path, transparent=True, metadata={"Software": None})
    plt.close(fig)


def card(path: Path) -> None:
    """Save the 1200 x 630 picture that a link to the book shows."""
    fig = plt.figure(figsize=(12, 6.3), dpi=100, facecolor=viz.PAPER)
    draw(fig.add_axes((0.05, 0.14, 0.378, 0.72)), step=16, radius=5, width=2)
    fig.text(0.474, 0.53, "Ten Phases", size=66, color=viz.INK, weight="bold")
    fig.text(0.475, 0.42, "Deep learning with PyTorch,", size=29, color=viz.MUTED)
    fig.text(0.475, 0.34, "executed", size=29, color=viz.MUTED)
    fig.savefig(path, metadata={"Software": None})
    plt.close(fig)


if __name__ == "__main__":
    (ASSETS / "logo.svg").write_text(svg(step=16, radius=5, width=1.2))
    (ASSETS / "favicon.svg").write_text(svg(step=16, radius=6.5))
    icon(ASSETS / "favicon.png")
    card(ASSETS / "social.png")
