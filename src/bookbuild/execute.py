"""Run one page in a fresh kernel and return its result."""

import base64
import itertools
import json
import os
import platform
import re
import sysconfig
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from bookbuild.pages import Cell, Page

TIME_LIMIT = 600  # seconds for one cell
ANSI = re.compile(r"\x1b\[[0-9;]*m")
KERNEL_FILE = re.compile(r"\S*ipykernel_\d+\S*\.py")  # differs at every run
NOT_A_NUMBER = re.compile(r"(?<![\w.])(?:nan|-?inf)(?!\w)", re.I)

# figures as SVG, which stay sharp and which the site can recolour for dark pages
BEFORE = "%config InlineBackend.figure_formats = ['svg']"
AFTER = """
import json, tenphases, torch
from tenphases import benchmarks
print(json.dumps({
    "device": tenphases.get_device().type,
    "device_name": benchmarks.device_name(),
    "torch": torch.__version__,
}))
"""


class PageError(Exception):
    """A page failed; the message names file and line and says what happened."""


class Runner:
    """Executes one page. ``stop`` may be called from another thread."""

    def __init__(self, page: Page, threads: int, artifacts: dict[str, str]) -> None:
        self.page = page
        self.threads = threads
        self.artifacts = artifacts
        self.manager = AsyncKernelManager(kernel_name="python3")

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
            try:
                notebook = self._execute(folder)
            except (NoSuchKernel, RuntimeError) as error:
                # what a cell does is a PageError already; this is the kernel's own
                raise PageError(
                    f"{self.page.path}: no kernel could be started for this page "
                    f"({error}); build again, with --jobs 1 if the machine is busy"
                ) from error
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

    def stop(self) -> None:
        """Kill the kernel; ``run`` then raises in its own thread."""
        provisioner = self.manager.provisioner
        process = getattr(provisioner, "process", None)
        if process is not None and process.poll() is None:
            process.kill()

    def _execute(self, folder: Path) -> nbformat.NotebookNode:
        cells = [BEFORE, *(cell.source for cell in self.page.cells), AFTER]
        notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
        for cell, own in zip(notebook.cells[1:-1], self.page.cells, strict=True):
            cell.metadata["tags"] = sorted(own.tags)
        client = NotebookClient(
            notebook,
            km=self.manager,
            timeout=TIME_LIMIT,
            shutdown_kernel="immediate",
            coalesce_streams=True,  # one block of text, however it was written
            allow_errors=True,  # we stop ourselves, to name the cell and its line
            resources={"metadata": {"path": str(folder)}},
        )
        # nbclient leaves a manager that it did not make, and its kernel, alone
        with client.setup_kernel(env=self._environment(folder), cleanup_kc=True):
            for index, cell in enumerate(notebook.cells):
                own = self.page.cells[index - 1] if 0 < index < len(cells) - 1 else None
                self._execute_cell(client, cell, index, own)
        return notebook

    def _execute_cell(self, client, cell, index: int, own: Cell | None) -> None:
        place = own or Cell(cell.source, 1)
        try:
            client.execute_cell(cell, index)
        except DeadKernelError:
            raise PageError(
                describe(self.page, place, "the kernel died (out of memory?)")
            ) from None
        except CellTimeoutError:
            message = f"the cell ran longer than {TIME_LIMIT} s"
            raise PageError(describe(self.page, place, message)) from None
        errors = [o for o in cell.outputs if o.output_type == "error"]
        if "raises-exception" in place.tags:
            if not errors:
                message = "the cell is tagged raises-exception, but raised none"
                raise PageError(describe(self.page, place, message))
        elif errors:
            trace = ANSI.sub("", "\n".join(errors[0].traceback))
            raise PageError(describe(self.page, place, trace))

    def _environment(self, folder: Path) -> dict[str, str]:
        return {
            **os.environ,
            "TENPHASES_ARTIFACTS": str(folder / "artifacts"),
            "OMP_NUM_THREADS": str(self.threads),
            "MKL_NUM_THREADS": str(self.threads),
            "PYTHONHASHSEED": "0",
        }

    def _write_artifacts(self, folder: Path) -> None:
        (folder / "artifacts").mkdir()
        for name, content in self.artifacts.items():
            (folder / "artifacts" / name).write_bytes(base64.b64decode(content))

    def _read_artifacts(self, folder: Path) -> dict[str, str]:
        return {
            path.name: base64.b64encode(path.read_bytes()).decode()
            for path in sorted((folder / "artifacts").iterdir())
            if path.is_file()
        }


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
        return KERNEL_FILE.sub("cell", text)

    for output in itertools.chain.from_iterable(outputs):
        if "text" in output:
            output["text"] = hide(output["text"])
        if "traceback" in output:
            output["traceback"] = [hide(line) for line in output["traceback"]]


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


def visible_text(output: dict) -> str:
    """Return an output's text as a reader sees it."""
    if output["output_type"] == "stream":
        return output["text"]
    return output.get("data", {}).get("text/plain", "")
