"""Write the picture that the explorer of convolutions begins with.

Run ``python book/draw_picture.py``; it writes book/assets/explore/picture.js: a cat's
face from a photograph in scikit-image, averaged down to 32 x 32 grey pixels.
"""

from pathlib import Path

from torch.nn import functional as F

from tenphases import data

TARGET = Path(__file__).parent / "assets/explore/picture.js"
TEXT = """\
// {what}, {licence}, from {origin},
// as 32 x 32 grey pixels from 0 to 255; book/draw_picture.py wrote this.
export const picture = [
{rows}
];
"""


def grey_pixels() -> list[list[int]]:
    photograph = data.photograph("cat").double()  # (3, H, W)
    face = photograph.mean(dim=0)[20:276, 80:336]  # (256, 256)
    small = F.adaptive_avg_pool2d(face[None], 32)[0]  # (32, 32)
    return small.round().int().tolist()


def module_text() -> str:
    source = data.photograph_source("cat")
    rows = "\n".join(f"  {row}," for row in grey_pixels())
    what = source.note[0].upper() + source.note[1:]
    known = {"licence": source.licence, "origin": source.origin, "what": what}
    return TEXT.format(rows=rows, **known)


if __name__ == "__main__":
    TARGET.write_text(module_text(), encoding="utf-8")
