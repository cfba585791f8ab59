import gzip
from datetime import datetime, timedelta

import pytest
import torch

from tenphases import data


def test_glucose(cache):
    series = data.glucose()
    values = series.values
    assert values.shape == (57_770,) and values.dtype == torch.float32
    assert series.start == datetime(2010, 3, 24, 9, 51)
    assert series.step == timedelta(minutes=5)
    assert series.time(12) == datetime(2010, 3, 24, 10, 51)
    known = values[~values.isnan()]
    assert known.min() == 40 and known.max() == 400
    assert 0.09 < values.isnan().float().mean() < 0.11
    assert values[:5].tolist() == [258, 260, 258, 254, 246]
    report = str(series).splitlines()
    assert len(report) == 5 and all(len(line) <= 78 for line in report)
    assert "2010-10-10 23:56" in report[2] and "public domain" in report[4]
    assert "sensor" in str(series.source)
    assert torch.equal(data.glucose().values.nan_to_num(), values.nan_to_num())
    assert not cache.exists()  # nothing was fetched


def test_readings_lie_at_their_places(monkeypatch, tmp_path):
    path = tmp_path / "CGM.csv.gz"
    clock = ["09:51", "09:55", "09:56", "10:07", "10:11"]
    rows = [f"nil,2010-03-24 {time}:00,{100 + i}" for i, time in enumerate(clock)]

    def write(lines):
        path.write_bytes(
            gzip.compress("\n".join(["isig,datetime,glucose", *lines]).encode())
        )

    monkeypatch.setattr("tenphases.data.series.package_file", lambda *args: path)
    write(rows)  # 09:55 and 09:56 share a place, and 10:01 has none
    assert data.glucose().values.nan_to_num().tolist() == [100, 102, 0, 103, 104]
    write(rows[::-1])
    with pytest.raises(data.DataError, match="not in the order of time"):
        data.glucose()


def test_windows_are_slices_without_gaps():
    values = torch.arange(40.0)
    values[[7, 20]] = torch.nan
    past, future, now = data.windows(values, 3, 2)
    assert past.shape == (len(now), 3) and future.shape == (len(now), 2)
    assert past.is_contiguous() and future.is_contiguous()
    for p, f, n in zip(past, future, now.tolist(), strict=True):
        assert torch.equal(p, values[n - 2 : n + 1])
        assert torch.equal(f, values[n + 1 : n + 3])
    every = range(2, 38)
    wanted = [n for n in every if not {7, 20} & {*range(n - 2, n + 3)}]
    assert now.tolist() == wanted and now.dtype == torch.int64


def test_windows_of_a_short_series_and_wrong_lengths():
    past, future, now = data.windows(torch.arange(4.0), 3, 2)
    assert past.shape == (0, 3) and future.shape == (0, 2) and now.shape == (0,)
    assert data.windows(torch.arange(5.0), 3, 2)[2].tolist() == [2]
    for lengths in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="lengths of 1 or more"):
            data.windows(torch.arange(4.0), *lengths)


def test_missing_package_is_one_sentence(monkeypatch):
    monkeypatch.setattr("tenphases.data.core.find_spec", lambda package: None)
    with pytest.raises(data.DataError, match=r"glucose series needs .*; run: pip"):
        data.glucose()
