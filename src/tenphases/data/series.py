"""A long series of measurements with gaps, and windows that do not cross them."""

import csv
import gzip
from dataclasses import dataclass
from datetime import datetime, timedelta

import torch
from torch import Tensor

from tenphases.data.core import DataError, Source, package_file

CGM = Source(
    name="Continuous glucose monitor",
    origin="package bokeh_sampledata; one person's sensor, March to October 2010",
    licence="public domain, as bokeh_sampledata records it",
    note="A reading every 5 minutes, with gaps where the sensor was changed or failed.",
)


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """Equally spaced values (T,) float32, nan where there is none.

    ``values[i]`` was measured at ``start + i * step``.
    """

    values: Tensor
    start: datetime
    step: timedelta
    source: Source

    def time(self, index: int) -> datetime:
        """Return when ``values[index]`` was measured."""
        return self.start + int(index) * self.step

    def __repr__(self) -> str:
        missing = self.values.isnan().float().mean().item()
        minutes = self.step.total_seconds() / 60
        first, last = self.time(0), self.time(len(self.values) - 1)
        return self.source.card(
            f"{len(self.values):,} places, {missing:.1%} empty",
            f"values   (T,) float32, every {minutes:.0f} minutes",
            f"time     {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}",
        )


def glucose() -> Series:
    """One person's glucose under the skin, in mg/dL, for 200 days.

    Shapes: values (T,) float32, one place for every 5 minutes, nan in the tenth of
    them without a reading. The sensor reports 40 to 400. Each reading lies at most
    half a step from its place; of two that fall on one place the later counts. The
    same in both profiles. Raises DataError if bokeh_sampledata is not installed.
    """
    path = package_file("bokeh_sampledata", "_data/CGM.csv.gz", "the glucose series")
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    times = [datetime.fromisoformat(row["datetime"]) for row in rows]
    step = timedelta(minutes=5)
    places = torch.tensor([round((time - times[0]) / step) for time in times])
    if not (places.diff() >= 0).all():
        raise DataError(f"the readings in {path} are not in the order of time.")
    values = torch.full((int(places[-1]) + 1,), torch.nan)
    for place, row in zip(places.tolist(), rows, strict=True):
        values[place] = float(row["glucose"])
    return Series(values, times[0], step, CGM)


def windows(
    values: Tensor, history: int, horizon: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut a series into pasts and futures, leaving out those with a gap inside.

    Shapes: values (T,), nan where missing; past (N, history); future (N, horizon);
    now (N,) int64, the index of the past's last value, so that ``past[n]`` is
    ``values[now[n] - history + 1 : now[n] + 1]`` and ``future[n]`` follows it.
    Neighbouring windows share nearly all of their values: split them by ``now``,
    with ``horizon`` places between the parts, and never at random. Raises
    ValueError for lengths below 1.
    """
    if history < 1 or horizon < 1:
        raise ValueError(f"windows wants lengths of 1 or more, not {history, horizon}.")
    if len(values) < history + horizon:
        return values.new_empty(0, history), values.new_empty(0, horizon), _none()
    whole = values.unfold(0, history + horizon, 1)  # (T - history - horizon + 1, both)
    kept = (~whole.isnan().any(dim=1)).nonzero().squeeze(1)
    past, future = whole[kept].split([history, horizon], dim=1)
    return past.contiguous(), future.contiguous(), kept + history - 1


def _none() -> Tensor:
    return torch.empty(0, dtype=torch.int64)
