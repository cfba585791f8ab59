"""Small tables: penguins, cars, and four of scikit-learn's."""

import csv
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from tenphases.data.core import (
    Dataset,
    Source,
    package_file,
    require,
    split_dataset,
)

SPECIES = ("Adelie", "Chinstrap", "Gentoo")
# the file's column and what a plot's axis calls it
MEASUREMENTS = {
    "bill_length_mm": "bill length (mm)",
    "bill_depth_mm": "bill depth (mm)",
    "flipper_length_mm": "flipper length (mm)",
    "body_mass_g": "body mass (g)",
}
CAR_COLUMNS = {
    "cyl": "cylinders",
    "displ": "displacement (cu in)",
    "hp": "horsepower (hp)",
    "weight": "weight (lb)",
    "accel": "acceleration (s to 60 mph)",
    "yr": "model year (since 1900)",
}
CAR_ORIGINS = ("North America", "Europe", "Asia")

PENGUINS = Source(
    name="Palmer penguins",
    origin="package bokeh_sampledata; Gorman and Palmer Station LTER",
    licence="CC0 1.0",
    note="The two rows of 344 without measurements are left out.",
)
AUTO_MPG = Source(
    name="Auto MPG",
    origin="package bokeh_sampledata; Donoho and Ramos 1982",
    licence="CC0 1.0, as bokeh_sampledata records it",
    note="The 392 complete rows of 406.",
)
UCI = "package scikit-learn; UCI repository"
TABLES = {
    "digits": Source(
        name="UCI handwritten digits",
        origin=f"{UCI}, Alpaydin and Kaynak 1998",
        licence="CC BY 4.0",
        note="Counts of ink in 8x8 cells, 0 to 16; the test part of UCI's set.",
    ),
    "cancer": Source(
        name="Breast cancer Wisconsin (diagnostic)",
        origin=f"{UCI}, Wolberg and others 1995",
        licence="CC BY 4.0",
        note="Mean, standard error and worst value of ten measures of cell nuclei.",
    ),
    "wine": Source(
        name="Wine recognition",
        origin=f"{UCI}, Forina and others 1991",
        licence="CC BY 4.0",
        note="Chemical analysis of wines from three cultivars of one region.",
    ),
    "diabetes": Source(
        name="Diabetes progression",
        origin="package scikit-learn; Efron and others 2004",
        licence="none stated; distributed with scikit-learn",
        note="Raw columns, not scikit-learn's scaled ones, which used the test rows.",
    ),
}


def penguins(seed: int = 0) -> Dataset:
    """Palmer penguins: the species from four measurements of 342 birds.

    Shapes: inputs (N, 4) float32 in mm, mm, mm and g; targets (N,) int64, the
    index in ``classes``. Split 80/20, stratified. Raises DataError if
    bokeh_sampledata is not installed. Source: Horst, Hill and Gorman (2020),
    doi:10.5281/zenodo.3960218.
    """
    path = package_file("bokeh_sampledata", "_data/penguins.csv", "the penguins table")
    rows = [row for row in _read_csv(path) if all(row[c] for c in MEASUREMENTS)]
    targets = torch.tensor([SPECIES.index(row["species"]) for row in rows])
    return split_dataset(
        _columns(rows, MEASUREMENTS),
        targets,
        source=PENGUINS,
        seed=seed,
        classes=SPECIES,
        features=tuple(MEASUREMENTS.values()),
    )


def auto_mpg(seed: int = 0) -> Dataset:
    """Fuel economy of 392 cars of the years 1970 to 1982.

    Shapes: inputs (N, 9) float32, six columns in their own units and the origin
    one-hot; targets (N, 1) float32 in miles per gallon. Split 80/20. Raises
    DataError if bokeh_sampledata is not installed. Source: Donoho and Ramos, 1983
    ASA Data Exposition.
    """
    path = package_file("bokeh_sampledata", "_data/auto-mpg.csv", "the auto MPG table")
    rows = _read_csv(path)
    origins = torch.tensor([int(row["origin"]) - 1 for row in rows])
    inputs = torch.cat([_columns(rows, CAR_COLUMNS), one_hot(origins, 3)], dim=1)
    names = (*CAR_COLUMNS.values(), *(f"from {origin}" for origin in CAR_ORIGINS))
    return split_dataset(
        inputs,
        _columns(rows, ["mpg"]),
        source=AUTO_MPG,
        seed=seed,
        features=names,
    )


def table(name: str, seed: int = 0) -> Dataset:
    """One of scikit-learn's tables: digits, cancer, wine or diabetes.

    Shapes: inputs (N, F) float32 in raw units; targets (N,) int64, or (N, 1)
    float32 for diabetes, a regression. Split 80/20, stratified by class. Raises
    ValueError for another name and DataError if scikit-learn is not installed.
    """
    if name not in TABLES:
        raise ValueError(f"there is no table {name!r}; choose {', '.join(TABLES)}.")
    datasets = require("sklearn.datasets", f"the {name} table")
    if name == "diabetes":
        bunch = datasets.load_diabetes(scaled=False)
        targets = torch.tensor(bunch.target, dtype=torch.float32).unsqueeze(1)
    else:
        load = {"cancer": "load_breast_cancer"}.get(name, f"load_{name}")
        bunch = getattr(datasets, load)()
        targets = torch.tensor(bunch.target, dtype=torch.int64)
    return split_dataset(
        torch.tensor(bunch.data, dtype=torch.float32),
        targets,
        source=TABLES[name],
        seed=seed,
        classes=tuple(str(c) for c in getattr(bunch, "target_names", ())),
        features=tuple(str(feature) for feature in bunch.feature_names),
    )


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _columns(rows: list[dict[str, str]], names) -> Tensor:
    return torch.tensor([[float(row[name]) for name in names] for row in rows])
