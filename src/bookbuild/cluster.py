"""Run pages on the workers of a Dask cluster, with the results in this store.

A worker is a machine with the same environment (``nox -s worker``). The source of
``tenphases`` travels with each page, so a worker's own checkout may be older; its
packages and its ``bookbuild`` may not, and are compared before a page runs.
"""

import hashlib
import io
import os
import platform
import tempfile
import threading
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from distributed import Client, Future, KilledWorker, get_worker
from distributed.comm.core import CommClosedError

from bookbuild import BuildError
from bookbuild.execute import Job, PageError, Runner, limit_threads
from bookbuild.files import hash_files
from bookbuild.keys import profile
from bookbuild.pages import Page
from bookbuild.versions import version_or_absent
from bookbuild.warm import LIBRARIES, ForkServer, available

PATIENCE = float(os.environ.get("TENPHASES_PATIENCE", "60"))  # s to wait for a cluster


class Cluster:
    """The workers that a Dask scheduler knows; more may join at any time."""

    slots = 1000  # the scheduler holds the queue

    def __init__(self, address: str, root: Path, time_limit: float) -> None:
        self.root = root
        self.time_limit = time_limit
        self._futures: set[Future] = set()
        try:
            self._client = Client(address, timeout=PATIENCE)
            self._client.wait_for_workers(1, timeout=PATIENCE)
        except (OSError, TimeoutError, ValueError) as error:
            raise BuildError(
                f"no cluster of Dask at {address} ({error}); start a scheduler and a "
                f"worker: nox -s worker -- {address}"
            ) from error
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        self.cores = sum(worker["nthreads"] for worker in workers)
        self.offered = {name for worker in workers for name in worker["resources"]}

    def open(self, pages: int, libraries: set[str]) -> None:
        self._package = pack(self.root / "src" / "tenphases")

    def close(self) -> None:
        self._client.close()

    def device_of(self, page: Page) -> str:
        """Return the device that the page will find: a GPU only if it asks for it."""
        if os.environ.get("TENPHASES_DEVICE", "auto").lower() != "auto":
            return profile()["device"]
        return "cuda" if dict(page.resources).keys() & {"GPU"} & self.offered else "cpu"

    def fits(self, page: Page, running: list[Page]) -> bool:
        return True  # resources are the scheduler's business

    def run(self, page: Page, artifacts: dict[str, str], priority: float) -> dict:
        """Run a page on some worker; raises PageError and BuildError."""
        environment = {
            "TENPHASES_DEVICE": self.device_of(page),
            "TENPHASES_DATA": profile()["data"],
        }
        job = Job(page, 1, artifacts, environment, self.time_limit)
        needs = {n: v for n, v in page.resources if n in self.offered}
        future = self._client.submit(
            run_here,
            job,
            self._package,
            requirements(),
            pure=False,
            priority=priority,
            resources=needs or None,
        )
        self._futures.add(future)
        try:
            return future.result()
        except KilledWorker as error:
            raise PageError(
                f"{page.path}: {error.allowed_failures + 1} workers died while they "
                "ran this page; does it need more memory than they have?"
            ) from error
        except (CommClosedError, TimeoutError) as error:
            raise BuildError(f"the scheduler is gone ({error}); build again") from error
        finally:
            self._futures.discard(future)

    def stop(self) -> None:
        """Take back what waits; a page that runs ends on its worker, unheard."""
        self._client.cancel(list(self._futures))


def requirements() -> dict[str, str]:
    """Return what a worker must have in common with this machine."""
    here = Path(__file__).parent
    return {
        "bookbuild": hash_files(here, *(path.name for path in here.glob("*.py"))),
        "python": platform.python_version(),
        **{name: version_or_absent(name) for name in ("ipykernel", *LIBRARIES)},
    }


def pack(package: Path) -> bytes:
    """Return the package's files as a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(package.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(package.parent))
    return buffer.getvalue()


# --- on the worker --------------------------------------------------------------

_once = threading.Lock()  # a worker may run several pages at a time


def run_here(job: Job, package: bytes, required: dict[str, str]) -> dict:
    """Run a page on this worker; raises PageError."""
    for name, theirs in requirements().items():
        if theirs != required[name]:
            raise PageError(
                f"{job.page.path}: the worker {get_worker().address} has another "
                f"{name} than the build; bring it to the same commit and run nox "
                "there again"
            )
    threads = max(1, (os.cpu_count() or 1) // get_worker().state.nthreads)
    with _once:
        folder, server = _unpacked(package), _server(threads)
    path = [str(folder), os.environ.get("PYTHONPATH", "")]
    environment = job.environment | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    job = replace(job, threads=threads, environment=environment)
    return Runner(job, server).run()


@cache
def _server(threads: int) -> ForkServer | None:
    """Return the worker's own fork server; it ends with the worker."""
    if not available():
        return None
    return ForkServer(set(LIBRARIES), {**os.environ, **limit_threads(threads)})


@cache
def _unpacked(package: bytes) -> Path:
    digest = hashlib.sha256(package).hexdigest()[:16]
    folder = Path(tempfile.mkdtemp(prefix=f"tenphases-{digest}-"))
    zipfile.ZipFile(io.BytesIO(package)).extractall(folder)
    return folder
