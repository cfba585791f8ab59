"""The same queue on a Dask cluster: a scheduler and two workers on loopback."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tinybook import ROOT, cell, ran

pytest.importorskip("distributed", reason="the dependency group `cluster` is absent")

TAKES_A_WHILE = """
import os, time
from pathlib import Path

place = Path({folder!r}) / f"{{time.time_ns()}}"
place.write_text(str(os.getppid()))
time.sleep({seconds})
print("survived")
"""


class LocalCluster:
    """``dask scheduler`` and workers as processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen] = []
        self.scheduler = self._dask("scheduler", "--port", "0", "--no-dashboard")
        self.address = self._wait_for("scheduler", r"Scheduler at:\s+(tcp://\S+)")

    def start_worker(self, name: str, *arguments: str) -> subprocess.Popen:
        command = ("worker", self.address, "--nthreads", "1", "--no-dashboard")
        path = str(ROOT / "src")
        worker = self._dask(*command, "--name", name, *arguments, PYTHONPATH=path)
        self.workers.append(worker)
        self._wait_for(worker.log, r"(Registered to)")
        return worker

    def _dask(self, *arguments: str, **environment: str) -> subprocess.Popen:
        log = arguments[0]
        if "--name" in arguments:
            log = arguments[arguments.index("--name") + 1]
        with (self.folder / f"{log}.log").open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1"],
                cwd=self.folder,
                env={**os.environ, **environment},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process.log = log
        return process

    def _wait_for(self, log: str, pattern: str) -> str:
        for _ in range(1200):
            text = (self.folder / f"{log}.log").read_text()
            if found := re.search(pattern, text):
                return found[1]
            time.sleep(0.1)
        raise AssertionError(f"{log} did not start:\n{text}")

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def cluster(tmp_path_factory):
    cluster = LocalCluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.close()


def test_a_worker_killed_in_mid_page_costs_only_its_time(
    tiny_book, cluster, tmp_path_factory
):
    places = tmp_path_factory.mktemp("places")
    code = TAKES_A_WHILE.format(folder=str(places), seconds=12)
    tiny_book.chapter("long", cell(code))
    tiny_book.chapter("short", cell("print('short')"))
    workers = [cluster.start_worker(f"worker-{i}", "--no-nanny") for i in (1, 2)]
    build = tiny_book.start("--scheduler", cluster.address)
    while not (started := list(places.iterdir())):
        assert build.poll() is None, build.stdout.read()
        time.sleep(0.1)
    [victim] = [w for w in workers if is_below(int(started[0].read_text()), w.pid)]
    os.killpg(victim.pid, signal.SIGKILL)
    output, _ = build.communicate(timeout=400)
    assert build.returncode == 0, output
    assert ran(output) == {"long", "short", "plot_line"}
    assert "survived" in tiny_book.html("book/long")
    assert len(list(places.iterdir())) == 2, "the page started twice"

    status, output = tiny_book.build()
    assert status == 0, output
    assert ran(output) == set(), "a build without the cluster uses its results"


def test_a_page_gets_the_resources_that_it_asks_for(tiny_book, cluster):
    """The page asks for more memory than the first worker offers."""
    tiny_book.script("plot_anywhere", "import os\n\nprint('cpu')\n")
    tiny_book.write(
        "gallery/one/plot_large.py",
        '"""\nLarge\n=====\n\nIt needs memory.\n"""\n# resources: memory=8\n\n'
        "import os\n\nprint(os.environ['PLACE'])\n",
    )
    cluster.start_worker("small", "--no-nanny", "--resources", "memory=4")
    os.environ["PLACE"] = "large"
    try:
        cluster.start_worker("large", "--no-nanny", "--resources", "memory=16")
    finally:
        del os.environ["PLACE"]
    status, output = tiny_book.build("--scheduler", cluster.address, "--execute-only")
    assert status == 0, output
    assert tiny_book.outputs("examples/one/plot_large") == "large\n"


def test_the_source_of_the_package_travels_with_the_page(tiny_book, cluster):
    package = tiny_book.copy_package()
    with (package / "viz.py").open("a") as file:
        file.write("\nORIGIN = 'the build'\n")
    tiny_book.chapter("reader", cell("from tenphases import viz\nprint(viz.ORIGIN)"))
    cluster.start_worker("worker", "--no-nanny")
    status, output = tiny_book.build("--scheduler", cluster.address, "--execute-only")
    assert status == 0, output
    assert tiny_book.outputs("book/reader") == "the build\n"


def test_a_page_that_fails_on_a_worker_is_reported_as_here(tiny_book, cluster):
    tiny_book.chapter("raises", cell("1 / 0"))
    tiny_book.chapter("dies", cell("import os\nos._exit(3)"))
    cluster.start_worker("worker", "--no-nanny")
    status, output = tiny_book.build("--scheduler", cluster.address, "--execute-only")
    assert status == 1
    assert "book/raises.md:9: this cell failed" in output
    assert "ZeroDivisionError" in output
    assert "ended the kernel with exit status 3" in output


def test_no_cluster_is_one_sentence(tiny_book, monkeypatch):
    status, output = tiny_book.build(
        "--scheduler", "tcp://127.0.0.1:9", TENPHASES_PATIENCE="2"
    )
    assert status == 2
    assert "error: no cluster of Dask at tcp://127.0.0.1:9" in output
    assert "Traceback" not in output


def is_below(process: int, ancestor: int) -> bool:
    """Return whether a process descends from another."""
    while process > 1:
        if process == ancestor:
            return True
        status = Path(f"/proc/{process}/status").read_text()
        process = int(re.search(r"^PPid:\s+(\d+)", status, re.M)[1])
    return False
