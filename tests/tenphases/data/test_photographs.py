import pytest
import torch

from tenphases import data

SIZES = {
    "astronaut": (512, 512),
    "cat": (300, 451),
    "coffee": (400, 600),
    "rocket": (427, 640),
    "galaxies": (872, 1000),
    "retina": (1411, 1411),
    "tissue": (512, 512),
    "china": (427, 640),
    "flower": (427, 640),
}


@pytest.mark.parametrize("name", data.PHOTOGRAPHS)
def test_photograph(name, cache):
    image = data.photograph(name)
    assert image.shape == (3, *SIZES[name]) and image.dtype == torch.uint8
    assert image.is_contiguous() and image.float().std() > 20
    assert (image[0] != image[1]).any()  # in colour
    source = data.photograph_source(name)
    assert source.licence and len(str(source).splitlines()) == 2
    assert not cache.exists()  # nothing was fetched


def test_photographs_are_those_of_the_packages():
    skimage = pytest.importorskip("skimage.data")
    sklearn = pytest.importorskip("sklearn.datasets")
    for name, array in (
        ("cat", skimage.chelsea()),
        ("rocket", skimage.rocket()),
        ("china", sklearn.load_sample_image("china.jpg")),
    ):
        expected = torch.tensor(array).permute(2, 0, 1)
        assert torch.equal(data.photograph(name), expected)


def test_unknown_photograph_lists_the_names():
    with pytest.raises(ValueError, match="no photograph 'lena'; choose astronaut, cat"):
        data.photograph("lena")
    with pytest.raises(ValueError, match="choose"):
        data.photograph_source("lena")
