"""Run every downloaded notebook and script, each alone in an empty folder.

Runs where only the wheel and its extras are installed, so it imports nothing of
the build: python tests/run_downloads.py FOLDER [--either] [--share N] [NAME ...]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

LIMIT = 600  # seconds


def run_notebook(path: Path, folder: str) -> str | None:
    """Return None, or what went wrong."""
    client = NotebookClient(
        nbformat.read(path, as_version=4),
        timeout=LIMIT,
        extra_arguments=["--log-level=ERROR"],  # the transport is none of ours
        resources={"metadata": {"path": folder}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        return str(error)
    return None


def run_script(path: Path, folder: str) -> str | None:
    """Return None, or what went wrong."""
    done = subprocess.run(
        [sys.executable, path.resolve()],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    return done.stderr if done.returncode else None


def failed_to_run(path: Path) -> bool:
    """Run a download in an empty folder and say how it went."""
    start = time.perf_counter()
    run = run_notebook if path.suffix == ".ipynb" else run_script
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        error = run(path, folder)
    verdict = "FAILED" if error else "ran"
    seconds = time.perf_counter() - start
    print(f"{verdict:6} {path.name:36} {seconds:6.1f} s", flush=True)
    if error:
        print(error, file=sys.stderr, flush=True)
    return error is not None


def choose(
    folder: Path, names: list[str], *, either: bool, share: int, turn: int
) -> list[Path]:
    """Return the downloads to run: all, those of some pages, or, of each page in
    turn, the notebook or the script; and of these one in ``share``."""
    notebooks = sorted(folder.rglob("*.ipynb"))
    if names:
        notebooks = [path for path in notebooks if path.stem in names]
    pairs = [(path, path.with_suffix(".py")) for path in notebooks]
    mine = pairs[turn % share :: share]
    if either:
        return [pair[(i + turn // share) % 2] for i, pair in enumerate(mine)]
    return [path for pair in mine for path in pair]


def turn_of_commit() -> int:
    """Return a number that differs from commit to commit, so that in a few runs of
    a share all downloads have their turn; 0 outside a repository."""
    command = ["git", "rev-list", "--count", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the site's downloads")
    parser.add_argument("names", nargs="*", help="of pages; all, if none is given")
    parser.add_argument(
        "--either", action="store_true", help="the notebook or the script of a page"
    )
    parser.add_argument(
        "--share", type=int, default=1, metavar="N", help="every Nth page, in turn"
    )
    options = parser.parse_intermixed_args()  # names may follow options
    if options.share < 1:
        parser.error("--share wants a number of at least 1")
    paths = choose(
        options.folder,
        options.names,
        either=options.either,
        share=options.share,
        turn=turn_of_commit(),
    )
    if not paths:
        print(f"there is nothing to run in {options.folder}", file=sys.stderr)
        return 1
    # as many at a time as there are cores, with one thread each
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = sum(pool.map(failed_to_run, paths))
    print(f"{len(paths) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
