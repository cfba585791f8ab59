"""Run every downloaded notebook and script, each alone in an empty folder.

A page's first cell names the extras of tenphases that it needs. For each set of them
this makes an environment with the wheel and these extras alone, as a reader would have
it, runs the pages that ask for it, and deletes it. Nothing reaches the network from
there but pip. It imports nothing of the build:

    python tests/run_downloads.py FOLDER [--either] [--share N] [NAME ...]
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

LIMIT = 600  # seconds
EXTRAS = re.compile(r"(?:tenphases|\.whl)\[([\w,]+)\]")
# a reader runs notebooks in a Jupyter that is there already
JUPYTER = "ipykernel"
# put into an environment: what a page does must not need the network, but for pip
OFFLINE = """\
import ipaddress
import sys

def refuse(event, args):
    if event != "socket.connect" or not isinstance(args[1], tuple):
        return
    host = args[1][0]
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise OSError(f"a page must not reach out to {host}")

if sys.orig_argv[1:3] != ["-m", "pip"]:
    sys.addaudithook(refuse)
"""


class Environment:
    """An interpreter beside which only the wheel and some of its extras stand."""

    def __init__(self, folder: Path, wheel: Path, extras: str) -> None:
        scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = scripts / "python"
        path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
        self.variables = {**os.environ, "PATH": path, "MPLBACKEND": "agg"}
        self._uv("venv", "--clear", "--python", sys.executable, folder)
        wanted = f"tenphases[{extras}] @ {wheel.resolve().as_uri()}"
        limits = ("--constraints", "constraints.txt")
        self._uv("pip", "install", "--python", self.python, *limits, wanted, JUPYTER)
        ask = [self.python, "-c", "import sysconfig as s; print(s.get_path('purelib'))"]
        found = subprocess.run(ask, capture_output=True, text=True, check=True)
        packages = Path(found.stdout.strip())
        (packages / "stay_offline.py").write_text(OFFLINE)
        (packages / "stay_offline.pth").write_text("import stay_offline\n")

    def _uv(self, *arguments: object) -> None:
        subprocess.run([shutil.which("uv") or "uv", "--quiet", *arguments], check=True)

    def run(self, path: Path) -> str | None:
        """Run a download in an empty folder; return None, or what went wrong."""
        run = self.run_notebook if path.suffix == ".ipynb" else self.run_script
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            return run(path, folder)

    def run_notebook(self, path: Path, folder: str) -> str | None:
        client = NotebookClient(
            nbformat.read(path, as_version=4),
            timeout=LIMIT,
            resources={"metadata": {"path": folder}},
        )
        client.km = AsyncKernelManager(kernel_spec_manager=Kernels(self))
        try:
            client.execute()
        except CellExecutionError as error:
            return str(error)
        return None

    def run_script(self, path: Path, folder: str) -> str | None:
        done = subprocess.run(
            [self.python, path.resolve()],
            cwd=folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        return done.stderr if done.returncode else None


class Kernels(KernelSpecManager):
    """Knows one kernel, whatever its name: that of an environment."""

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self.environment = environment

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        command = [str(self.environment.python), "-m", "ipykernel_launcher"]
        command += ["-f", "{connection_file}", "--log-level=ERROR"]
        path = {"PATH": self.environment.variables["PATH"]}
        return KernelSpec(argv=command, display_name=kernel_name, env=path)


def extras_named(path: Path) -> str:
    """Return the extras, such as ``data,tools``, that a page's first cell names; of a
    script, those of the notebook beside it."""
    notebook = json.loads(path.with_suffix(".ipynb").read_text(encoding="utf-8"))
    first = "".join(notebook["cells"][0]["source"])
    match = EXTRAS.search(first)
    if match is None:
        raise SystemExit(f"{path}: its first cell names no extras of tenphases")
    return match[1]


def failed_to_run(environment: Environment, path: Path) -> bool:
    """Run a download and say how it went."""
    start = time.perf_counter()
    error = environment.run(path)
    verdict = "FAILED" if error else "ran"
    seconds = time.perf_counter() - start
    print(f"{verdict:6} {path.name:36} {seconds:6.1f} s", flush=True)
    if error:
        print(error, file=sys.stderr, flush=True)
    return error is not None


def run_group(wheel: Path, extras: str, paths: list[Path]) -> int:
    """Run the downloads that need the same extras; return how many failed."""
    print(f"\ntenphases[{extras}] alone, for {len(paths)} downloads", flush=True)
    with tempfile.TemporaryDirectory(prefix="page-", dir=Path(sys.prefix)) as folder:
        environment = Environment(Path(folder), wheel, extras)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return sum(pool.map(lambda path: failed_to_run(environment, path), paths))


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


def parse() -> argparse.Namespace:
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
    return options


def main() -> int:
    options = parse()
    paths = choose(
        options.folder,
        options.names,
        either=options.either,
        share=options.share,
        turn=turn_of_commit(),
    )
    wheels = sorted(options.folder.glob("*.whl"))
    if not paths or not wheels:
        print(f"there is nothing to run in {options.folder}", file=sys.stderr)
        return 1
    groups = defaultdict(list)
    for path in paths:
        groups[extras_named(path)].append(path)
    os.environ.pop("PYTHONPATH", None)  # it would lead to this checkout
    # as many at a time as there are cores, with one thread each
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    failed = sum(run_group(wheels[-1], *group) for group in groups.items())
    print(f"\n{len(paths) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
