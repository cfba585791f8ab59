"""Run pages on this machine, each in a kernel of its own."""

import os
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bookbuild.keys import profile
from bookbuild.pages import Page

# What runs a page (execute, warm) is imported when there is one to run: Jupyter's
# client takes half a second that a build without such a page need not wait.
if TYPE_CHECKING:
    from bookbuild.execute import Runner
    from bookbuild.warm import ForkServer


class Local:
    """This machine's cores, memory and accelerators."""

    def __init__(self, jobs: int | None, time_limit: float, *, cold: bool) -> None:
        self.cores = os.cpu_count() or 1
        self.slots = jobs or self.cores
        self.time_limit = time_limit
        self.capacity = {"GPU": float(count_gpus()), "memory": memory()}
        self._cold = cold
        self._server: ForkServer | None = None
        self._threads = 1
        self._running: set[Runner] = set()
        self._lock = threading.Lock()
        self._stack = ExitStack()

    def open(self, pages: int, libraries: set[str]) -> None:
        """Get ready to run so many pages, which import these libraries."""
        from bookbuild.execute import limit_threads
        from bookbuild.warm import ForkServer, available

        # together the running pages use every core, and no core twice
        self._threads = max(1, self.cores // min(self.slots, pages))
        # a few pages import sooner by themselves, each on its own core
        if available() and not self._cold and pages > self.slots:
            env = {**os.environ, **limit_threads(self._threads)}
            self._server = ForkServer(libraries, env)
            self._stack.callback(self._server.close)

    def close(self) -> None:
        self._stack.close()

    def device_of(self, page: Page) -> str:
        return profile()["device"]

    def fits(self, page: Page, running: list[Page]) -> bool:
        """Return whether the page's resources are free beside the running pages.

        A page that asks for more than the machine has gets all of it.
        """
        for name, amount in page.resources:
            taken = sum(dict(other.resources).get(name, 0) for other in running)
            if taken and taken + amount > self.capacity[name]:
                return False
        return True

    def run(self, page: Page, artifacts: dict[str, str], _priority: float) -> dict:
        """Run a page and return its result; raises PageError."""
        from bookbuild.execute import Job, Runner

        job = Job(page, self._threads, artifacts, time_limit=self.time_limit)
        runner = Runner(job, self._server)
        with self._lock:
            self._running.add(runner)
        try:
            return runner.run()
        finally:
            with self._lock:
                self._running.discard(runner)

    def stop(self) -> None:
        """Kill every page that runs."""
        with self._lock:
            for runner in self._running:
                runner.stop()


def count_gpus() -> int:
    """Return how many accelerators the drivers show."""
    return len(list(Path("/dev").glob("nvidia[0-9]*"))) or int(
        profile()["device"] != "cpu"
    )


def memory() -> float:
    """Return the machine's memory in GB, without end where it cannot be asked."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return float("inf")
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
