import numpy as np
import pytest
import torch

from tenphases import data


def whole(dataset):
    pairs = zip(dataset.train.tensors, dataset.test.tensors, strict=True)
    return [torch.cat(pair) for pair in pairs]


def test_penguins():
    birds = data.penguins()
    inputs, targets = whole(birds)
    assert inputs.shape == (342, 4) and len(birds.train) == 273
    assert birds.classes == ("Adelie", "Chinstrap", "Gentoo")
    assert targets.bincount().tolist() == [151, 68, 123]
    assert [name.split(" (")[1] for name in birds.features] == ["mm)"] * 3 + ["g)"]
    # raw units: the species' mean flipper and mass of Gorman et al. 2014
    means = torch.stack([inputs[targets == i].mean(0) for i in range(3)])
    torch.testing.assert_close(
        means[:, 2], torch.tensor([190.0, 195.8, 217.2]), atol=0.1, rtol=0
    )
    torch.testing.assert_close(
        means[:, 3], torch.tensor([3701.0, 3733.0, 5076.0]), atol=1, rtol=0
    )


def test_penguins_are_those_that_the_package_gives():
    table = pytest.importorskip("bokeh_sampledata.penguins").data
    columns = [c for c in table.columns if c.endswith(("_mm", "_g"))]
    expected = table[columns].dropna().to_numpy(dtype=np.float32)
    inputs = whole(data.penguins())[0].numpy()
    assert sorted(map(tuple, inputs)) == sorted(map(tuple, expected))


def test_auto_mpg():
    cars = data.auto_mpg()
    inputs, targets = whole(cars)
    assert inputs.shape == (392, 9) and targets.shape == (392, 1)
    assert (len(cars.train), len(cars.test)) == (314, 78)
    assert cars.classes == () and len(cars.features) == 9
    assert inputs[:, 6:].sum(0).tolist() == [245, 68, 79]  # America, Europe, Asia
    assert inputs[:, 6:].sum(1).eq(1).all()
    assert inputs[:, 0].unique().tolist() == [3, 4, 5, 6, 8]  # cylinders
    assert inputs[:, 5].min() == 70 and inputs[:, 5].max() == 82
    assert targets.min() == 9 and targets.max() == pytest.approx(46.6)
    # a heavy car drives fewer miles: rows and targets belong together
    both = torch.stack([inputs[:, 3], targets[:, 0]])
    assert both.corrcoef()[0, 1] == pytest.approx(-0.832, abs=0.001)


@pytest.mark.parametrize(
    ("name", "shape", "counts"),
    [
        ("digits", (1797, 64), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
        ("cancer", (569, 30), [212, 357]),
        ("wine", (178, 13), [59, 71, 48]),
    ],
)
def test_classification_tables(name, shape, counts):
    dataset = data.table(name)
    inputs, targets = whole(dataset)
    assert inputs.shape == shape and len(dataset.features) == shape[1]
    assert targets.bincount().tolist() == counts
    assert len(dataset.classes) == len(counts)
    assert all(type(text) is str for text in dataset.classes + dataset.features)


def test_digits_are_counts_of_ink():
    inputs, _ = whole(data.table("digits"))
    assert inputs.unique().tolist() == list(range(17))


def test_diabetes_is_a_regression_in_raw_units():
    dataset = data.table("diabetes")
    inputs, targets = whole(dataset)
    assert inputs.shape == (442, 10) and targets.shape == (442, 1)
    assert dataset.classes == ()
    age = inputs[:, dataset.features.index("age")]
    assert age.min() == 19 and age.max() == 79
    assert targets.min() == 25 and targets.max() == 346


def test_unknown_table_lists_the_names():
    with pytest.raises(ValueError, match="'iris'; choose digits, cancer, wine, diabe"):
        data.table("iris")
