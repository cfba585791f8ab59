"""Run one page in a fresh kernel and return its result."""

import base64
import contextlib
import itertools
import json
import os
import platform
import re
import signal
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from bookbuild import TIME_LIMIT, PageError
from bookbuild.pages import Cell, Page, visible_text
from bookbuild.warm import ForkedKernel, ForkServer

OUTPUT_LIMIT = 10_000_000  # bytes that one page may send
ANSI = re.compile(r"\x1b\[[0-9;]*m")
WORD = re.compile(r"\S+")
NOT_A_NUMBER = re.compile(r"(?<![\w.])(?:nan|-?inf)(?!\w)", re.I)

# figures as SVG, which stay sharp and which the site can recolour for dark pages
BEFORE = "%config InlineBackend.figure_formats = ['svg']"
AFTER = """
import json, os, tenphases
from tenphases import benchmarks
print(json.dumps({
    "device": tenphases.get_device().type,
    "device_name": benchmarks.device_name(),
    "cpu_seconds": round(sum(os.times()[:4]), 2),
}))
"""


@dataclass
class Job:
    """A page to run, and what it is run with."""

    page: Page
    threads: int = 1
    artifacts: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    time_limit: float = TIME_LIMIT


class Runner:
    """Executes one page. ``stop`` may be called from another thread."""

    def __init__(self, job: Job, server: ForkServer | None = None) -> None:
        self.job = job
        self.page = job.page
        self.manager = AsyncKernelManager(kernel_name="python3")
        if server is not None:
            self.manager.provisioner = ForkedKernel(
                parent=self.manager, kernel_spec=self.manager.kernel_spec
            )
            self.manager.provisioner.server = server
        self._stopped: str | None = None  # why, if we killed the kernel
        self._received = 0

    def run(self) -> dict:
        """Execute the page and return its result; raises PageError."""
        with tempfile.TemporaryDirectory(
            prefix="page-", ignore_cleanup_errors=True
        ) as name:
            folder = Path(name)
            if platform.system() != "Windows":
                self.manager.transport = "ipc"
                self.manager.ip = str(folder / "kernel")  # sockets of its own
            self._write_artifacts(folder)
            start = time.perf_counter()
            limit = f"the page ran longer than {self.job.time_limit:g} s"
            watchdog = threading.Timer(self.job.time_limit, self.stop, [limit])
            watchdog.daemon = True
            watchdog.start()
            try:
                notebook = self._execute(folder)
            except (NoSuchKernel, RuntimeError) as error:
                # what a cell does is a PageError already; this is the kernel's own
                raise PageError(
                    f"{self.page.path}: no kernel could be started for this page "
                    f"({self._stopped or error}); build again, with --jobs 1 if the "
                    "machine is busy"
                ) from error
            finally:
                watchdog.cancel()
            seconds = time.perf_counter() - start
            outputs = [cell.outputs for cell in notebook.cells[1:-1]]
            hide_places(outputs)
            check_outputs(self.page, outputs)
            return {
                "page": self.page.name,
                "sources": [cell.source for cell in self.page.cells],
                "outputs": outputs,
                "seconds": round(seconds, 2),
                "date": datetime.now(UTC).date().isoformat(),
                "cores": os.cpu_count(),
                "artifacts": self._read_artifacts(folder),
                **json.loads(notebook.cells[-1].outputs[0].text),
            }

    def stop(self, reason: str = "the build was stopped") -> None:
        """Kill the kernel and all that it started; ``run`` then raises."""
        self._stopped = self._stopped or reason
        process = getattr(self.manager.provisioner, "process", None)
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()

    def _execute(self, folder: Path) -> nbformat.NotebookNode:
        cells = [BEFORE, *(cell.source for cell in self.page.cells), AFTER]
        notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
        for cell, own in zip(notebook.cells[1:-1], self.page.cells, strict=True):
            cell.metadata["tags"] = sorted(own.tags)
        client = CountingClient(
            notebook,
            km=self.manager,
            timeout=None,  # the watchdog's task
            shutdown_kernel="immediate",
            allow_errors=True,  # we stop ourselves, to name the cell and its line
            resources={"metadata": {"path": str(folder)}},
        )
        client.received = self._count
        # nbclient leaves a manager that it did not make, and its kernel, alone
        with client.setup_kernel(env=self._environment(folder), cleanup_kc=True):
            process = self.manager.provisioner.process
            for index, cell in enumerate(notebook.cells):
                own = self.page.cells[index - 1] if 0 < index < len(cells) - 1 else None
                self._execute_cell(client, cell, index, own, process)
        return notebook

    def _execute_cell(self, client, cell, index: int, own: Cell | None, process):
        place = own or Cell(cell.source, 1)
        if self._stopped:  # while the kernel was starting
            raise PageError(describe(self.page, place, self._stopped))
        try:
            client.execute_cell(cell, index)
        except DeadKernelError:
            message = self._stopped or how_it_died(process.wait())
            raise PageError(describe(self.page, place, message)) from None
        if self._stopped:  # too late for the kernel to notice
            raise PageError(describe(self.page, place, self._stopped))
        cell.outputs = join_streams(cell.outputs)
        errors = [o for o in cell.outputs if o.output_type == "error"]
        if "raises-exception" in place.tags:
            if not errors:
                message = "the cell is tagged raises-exception, but raised none"
                raise PageError(describe(self.page, place, message))
        elif errors:
            trace = ANSI.sub("", "\n".join(errors[0].traceback))
            raise PageError(describe(self.page, place, trace))

    def _count(self, size: int) -> None:
        self._received += size
        if self._received > OUTPUT_LIMIT:
            megabytes = OUTPUT_LIMIT // 1_000_000
            self.stop(f"the page's outputs exceed {megabytes} MB; print less")

    def _environment(self, folder: Path) -> dict[str, str]:
        return {
            **os.environ,
            **limit_threads(self.job.threads),
            **self.job.environment,
            "TENPHASES_ARTIFACTS": str(folder / "artifacts"),
        }

    def _write_artifacts(self, folder: Path) -> None:
        (folder / "artifacts").mkdir()
        for name, content in self.job.artifacts.items():
            (folder / "artifacts" / name).write_bytes(base64.b64decode(content))

    def _read_artifacts(self, folder: Path) -> dict[str, str]:
        return {
            path.name: base64.b64encode(path.read_bytes()).decode()
            for path in sorted((folder / "artifacts").iterdir())
            if path.is_file()
        }


class CountingClient(NotebookClient):
    """Tells how much the kernel sends, while the cell still runs."""

    received: Callable[[int], None]

    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        self.received(
            len(content.get("text", ""))
            + sum(len(str(value)) for value in content.get("data", {}).values())
        )
        return super().process_message(msg, cell, cell_index)


def join_streams(outputs: list[dict]) -> list[dict]:
    """Return the outputs with one block of text, however it was written, and of a
    line that was written over (a progress bar) only what was left of it.

    nbclient's own ``coalesce_streams`` takes time quadratic in a line's length.
    """
    joined: list[dict] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.get("name") and output["name"] == last.get("name"):
            last["text"] += output["text"]
        else:
            joined.append(output)
    for output in joined:
        if "\r" in output.get("text", ""):
            lines = output["text"].replace("\r\n", "\n").split("\n")
            output["text"] = "\n".join(line.rpartition("\r")[2] for line in lines)
    return joined


def limit_threads(threads: int) -> dict[str, str]:
    """Return the environment of a kernel that is to use so many threads."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "PYTHONHASHSEED": "0",
    }


def how_it_died(status: int) -> str:
    """Say in words how a kernel ended."""
    if status >= 0:
        return f"the cell ended the kernel with exit status {status}"
    name = signal.Signals(-status).name
    memory = "; most likely the machine ran out of memory" * (name == "SIGKILL")
    return f"the kernel was killed by {name}{memory}"


def describe(page: Page, cell: Cell, message: str) -> str:
    """Say where a page failed, show the cell and what was raised."""
    code = "\n".join(
        f"{cell.line + i:5} | {line}" for i, line in enumerate(cell.source.splitlines())
    )
    return f"{page.path}:{cell.line}: this cell failed\n{code}\n\n{message.strip()}"


def hide_places(outputs: list[list[dict]]) -> None:
    """Take out of the outputs, in place, what is this machine's own business.

    Tracebacks and warnings name files: an environment's, the checkout's, and one
    that IPython makes up anew for each cell of each run.
    """
    places = [
        (str(Path(sysconfig.get_path("purelib")).parent), "..."),
        (f"{Path.cwd()}{os.sep}", ""),
        (str(Path.home()), "~"),
    ]

    def hide(text: str) -> str:
        for place, name in places:
            text = text.replace(place, name)
        return WORD.sub(name_cell, text) if "ipykernel_" in text else text

    for output in itertools.chain.from_iterable(outputs):
        if "text" in output:
            output["text"] = hide(output["text"])
        if "traceback" in output:
            output["traceback"] = [hide(line) for line in output["traceback"]]


def name_cell(word: re.Match) -> str:
    """Replace the file that IPython makes up for a cell, anew at every run."""
    text = word[0]
    end = text.rfind(".py")
    return f"cell{text[end + 3 :]}" if 0 <= text.find("ipykernel_") < end else text


def check_outputs(page: Page, outputs: list[list[dict]]) -> None:
    """Raise PageError for a NaN or a warning that the page does not announce.

    A cell that is about either says so with the tag ``expect-nan`` or
    ``expect-warning``.
    """
    for cell, cell_outputs in zip(page.cells, outputs, strict=True):
        for output in cell_outputs:
            text = visible_text(output)
            if output.get("name") == "stderr" and "expect-warning" not in cell.tags:
                message = f"the cell writes to stderr, which nothing discusses:\n{text}"
                raise PageError(describe(page, cell, message))
            if "expect-nan" not in cell.tags and NOT_A_NUMBER.search(text):
                message = f"the output holds a number that is none:\n{text}"
                raise PageError(describe(page, cell, message))
