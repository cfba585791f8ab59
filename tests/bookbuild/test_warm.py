"""Kernels forked from a process that has imported the libraries."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bookbuild import warm
from bookbuild.execute import Job, Runner, limit_threads
from bookbuild.pages import Cell, Page
from bookbuild.warm import ForkServer

pytestmark = pytest.mark.skipif(
    not warm.available(), reason="only Linux can fork kernels safely"
)
# what a page can see of the process that it runs in
PROBE = """
import multiprocessing, os, random, sys, threading, warnings
import numpy, torch
print({
    "threads": threading.active_count(),
    "tenphases": [name for name in sys.modules if name.startswith("tenphases")],
    "argv": sys.argv[0].endswith("ipykernel_launcher.py"),
    "start method": multiprocessing.get_start_method(),
    "parent": multiprocessing.parent_process(),
    "cuda in a bad fork": torch.cuda._is_in_bad_fork(),
    "torch threads": torch.get_num_threads(),
    "hash": hash("tenphases"),
    "here": os.path.basename(os.getcwd()).startswith("page-"),
    "path": [place for place in sys.path if place == ""],
})
"""
DRAWS = """
import numpy, random, torch
print(numpy.random.rand(), random.random(), torch.rand(1).item())
"""
FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
WORKERS = """
import torch
from torch.utils.data import DataLoader

loader = DataLoader(torch.arange(8), batch_size=2, num_workers=2)
print(torch.cat(list(loader)).tolist())
print((torch.ones(500, 500) @ torch.ones(500)).sum().item())
"""


def run(*sources: str, server: ForkServer | None, threads: int = 1) -> list[list[dict]]:
    cells = tuple(Cell(source, 1) for source in sources)
    job = Job(Page("page", Path("page.md"), cells), threads)
    return Runner(job, server).run()["outputs"]


@pytest.fixture(scope="module")
def server():
    server = ForkServer({"torch", "matplotlib"}, {**os.environ, **limit_threads(1)})
    yield server
    server.close()


def test_a_page_sees_what_it_sees_in_a_kernel_of_its_own(server):
    cold = run(PROBE, FIGURE, server=None)
    warm_ = run(PROBE, FIGURE, server=server)
    assert warm_[0] == cold[0]
    kinds = [[sorted(o.get("data", {})) for o in r[1]] for r in (cold, warm_)]
    assert kinds[0] == kinds[1]
    assert "image/svg+xml" in kinds[0][0]


def test_the_libraries_are_there_before_the_page_starts(server):
    look = "import sys\nprint('torch' in sys.modules)"
    assert run(look, server=server)[0][0]["text"] == "True\n"
    assert run(look, server=None)[0][0]["text"] == "False\n"


def test_pages_share_no_random_state(server):
    draws = {run(DRAWS, server=server)[0][0]["text"] for _ in range(3)}
    numbers = [number for line in draws for number in line.split()]
    assert len(set(numbers)) == 9


def test_a_forked_page_may_start_processes_and_threads(server):
    text = run(WORKERS, server=server, threads=2)[0][0]["text"]
    assert text == "[0, 1, 2, 3, 4, 5, 6, 7]\n250000.0\n"


def test_beside_a_thread_kernels_start_from_nothing(tmp_path, capfd):
    (tmp_path / "sklearn").mkdir()
    (tmp_path / "sklearn" / "__init__.py").write_text("")
    (tmp_path / "sklearn" / "utils.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    server = ForkServer({"sklearn"}, {**os.environ, "PYTHONPATH": path})
    probe = "import os, sys\nprint('sklearn.utils' in sys.modules)"
    try:
        assert run(probe, server=server)[0][0]["text"] == "False\n"
        assert run(probe, server=server)[0][0]["text"] == "False\n"
    finally:
        server.close()
    assert capfd.readouterr().err.count("a library has started threads (2)") == 1


def test_the_libraries_that_are_imported_start_no_threads(capfd):
    server = ForkServer({"pandas", "sklearn", "torchvision"}, dict(os.environ))
    probe = "import sys\nprint('pandas' in sys.modules, 'pyarrow' in sys.modules)"
    try:
        assert run(probe, server=server)[0][0]["text"] == "True True\n"
    finally:
        server.close()
    assert capfd.readouterr().err == ""


def test_a_library_that_cannot_be_imported_is_the_pages_affair(tmp_path):
    (tmp_path / "pandas.py").write_text("raise RuntimeError('broken library')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    server = ForkServer({"pandas"}, {**os.environ, "PYTHONPATH": path})
    try:
        assert run("print(1)", server=server)[0][0]["text"] == "1\n"
    finally:
        server.close()


def alive(process: int) -> bool:
    """Return whether a process runs (one that nobody has waited for does not)."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_what_a_page_leaves_running_ends_with_it(server):
    leave = (
        "import subprocess\n"
        "process = subprocess.Popen(['sleep', '600'])\nprint(process.pid)"
    )
    for chosen in (server, None):
        process = int(run(leave, server=chosen)[0][0]["text"])
        assert wait_until(lambda pid=process: not alive(pid))


def test_kernels_end_when_the_build_is_killed(tmp_path):
    """The build may be killed with -9: then nothing may go on behind it."""
    code = f"""
import os, sys
from pathlib import Path
from bookbuild.execute import Job, Runner
from bookbuild.pages import Cell, Page
from bookbuild.warm import ForkServer
server = ForkServer(set(), dict(os.environ))
source = (
    "import os, time\\n"
    "open({str(tmp_path / "pid")!r}, 'w').write(str(os.getpid()))\\n"
    "time.sleep(600)"
)
Runner(Job(Page("page", Path("page.md"), (Cell(source, 1),))), server).run()
"""
    build = subprocess.Popen([sys.executable, "-c", code])
    place = tmp_path / "pid"
    assert wait_until(lambda: place.exists() and place.read_text(), 60)
    kernel = int(place.read_text())
    assert alive(kernel)
    build.kill()
    build.wait()
    assert wait_until(lambda: not alive(kernel))
