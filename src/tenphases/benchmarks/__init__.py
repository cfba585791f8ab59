"""Measured times: an honest stopwatch, and figures recorded on other machines.

Chapter ``gpu-acceleration`` derives :func:`fastest`. A record is one JSON file,
``<name>--<device>.json``, with the machine, the versions, the date, the commit
and the rows that were measured. The files that ship with the book lie beside
this module; ``TENPHASES_BENCHMARKS`` names another folder.
"""

import json
import os
import platform
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from tenphases.repro import get_device

HERE = Path(__file__).parent
KEYS = ("name", "device", "device_type", "torch", "cuda", "date", "commit", "results")


def wait(device: torch.device | str) -> None:
    """Wait until the device has done all that was asked of it."""
    if torch.device(device).type not in ("cpu", "meta"):
        torch.accelerator.synchronize(device)


def fastest(
    work: Callable[[], object],
    device: torch.device | str = "cpu",
    *,
    budget: float = 0.05,
    repeats: int = 5,
) -> float:
    """Return the seconds that one call of ``work`` takes at its fastest.

    One call warms up. Then blocks of calls are timed, each at least 0.2 ms long
    and ended by waiting for the device, until ``budget`` seconds and ``repeats``
    blocks are over. Other programs can only slow a block down, so the fastest one
    says most about the machine (Chen and Revels, 2016).
    """

    def block(calls: int) -> float:
        wait(device)
        start = time.perf_counter()
        for _ in range(calls):
            work()
        wait(device)
        return time.perf_counter() - start

    block(1)
    calls, spent = 1, block(1)
    while spent < 2e-4:
        calls *= 2
        spent = block(calls)
    blocks = [spent]
    while sum(blocks) < budget or len(blocks) < repeats:
        blocks.append(block(calls))
    return min(blocks) / calls


def device_name(device: torch.device | str | None = None) -> str:
    """Return the maker's name of a device; of :func:`get_device` if none is given."""
    device = get_device() if device is None else torch.device(device)
    module = None if device.type == "cpu" else torch.get_device_module(device)
    if hasattr(module, "get_device_name"):
        return module.get_device_name(device)
    name = _processor()
    return name if device.type == "cpu" else f"{name} {device.type}"


def record(
    name: str, results: Sequence[dict], *, folder: str | Path | None = None
) -> Path:
    """Write what was measured on this machine's device and return the file.

    ``results`` are rows (dicts of plain values, times in seconds). An earlier
    record of the same name and device is replaced, in one step: a reader never
    sees half a file. Raises ValueError for a name that is no plain lower-case
    word, for no rows, and for values that JSON cannot hold (NaN, tensors).
    """
    _check_name(name)
    device = get_device()
    content = {
        "name": name,
        "device": device_name(device),
        "device_type": device.type,
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "results": list(results),
    }
    if problem := _problem(content):
        raise ValueError(f"record got {problem}.")
    try:
        text = json.dumps(content, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"results do not fit into JSON: {error}") from None
    folder = _folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", content["device"].lower()).strip("-")
    path = folder / f"{name}--{slug}.json"
    _replace(path, text + "\n")
    return path


def load(name: str, *, folder: str | Path | None = None) -> list[dict]:
    """Return every record of that name, in the order of their files.

    The list is empty if none was recorded. Raises ValueError, with the file's
    path, for a file that is not a record.
    """
    _check_name(name)
    return [_read(path) for path in sorted(_folder(folder).glob(f"{name}--*.json"))]


def _read(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); record it anew.") from None
    if problem := _problem(content):
        raise ValueError(f"{path} is no record: it has {problem}; record it anew.")
    return content


def _problem(content: object) -> str | None:
    """Say what keeps this from being a record; None if it is one."""
    if not isinstance(content, dict):
        return "no keys"
    if missing := [key for key in KEYS if key not in content]:
        return f"no {', '.join(missing)}"
    rows = content["results"]
    if not isinstance(rows, list) or not rows:
        return "no rows of results"
    if not all(isinstance(row, dict) for row in rows):
        return "results that are not dicts"
    return None


def _folder(folder: str | Path | None) -> Path:
    return Path(folder or os.environ.get("TENPHASES_BENCHMARKS") or HERE)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f"a record's name is like 'matmul-timing', not {name!r}.")


def _replace(path: Path, text: str) -> None:
    """Write a file beside the old one and put it in its place."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(draft, 0o644)  # mkstemp's files are private
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def _processor() -> str:
    """Name of the processor as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.M)
        if found:
            return found[1].strip()
    if platform.system() == "Darwin":
        name = _output("sysctl", "-n", "machdep.cpu.brand_string")
        if name:
            return name
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """Commit of the checkout that holds this file, '-dirty' if changed; else None.

    An installed copy may lie inside somebody else's repository, so the file must
    be one that the repository tracks.
    """
    if _output("git", "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    return _output("git", "describe", "--always", "--dirty", "--abbrev=40", "--match=")


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(
            command, cwd=HERE, capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
