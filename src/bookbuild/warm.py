"""Kernels that start warm: forked from a process that has imported the libraries.

Importing torch and its company costs seconds in every fresh kernel. Here one
process (``python -m bookbuild.warm``) imports them once and forks for each page.
A fork copies only the thread that forks, and locks that other threads hold stay
locked in the copy for ever; so the server forks only while it has a single thread,
and otherwise kernels start from nothing. It imports nothing of ``tenphases``, whose
files may change, uses no accelerator, and the pages see no more of it than faster
imports.

Only Linux can do this safely: elsewhere every kernel starts from nothing.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from importlib import import_module
from pathlib import Path

from jupyter_client.provisioning import LocalProvisioner

# in this order; each only if a page to come imports it
LIBRARIES = ("torch", "torchvision", "matplotlib", "sklearn", "pandas")
MODULES = {"matplotlib": ("matplotlib.pyplot",), "sklearn": ("sklearn.utils",)}
KERNEL = ("ipykernel.kernelapp", "threadpoolctl")
# OpenBLAS starts its threads when it is imported, and so does Arrow's allocator
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
MESSAGE = 1 << 20  # bytes; a request holds the page's environment


class Refused(Exception):
    """The server has more than one thread, so it forks no kernel."""


class ForkedProcess:
    """A kernel that the server forked, with the methods of ``subprocess.Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, status: int) -> None:
        self._status = os.fdopen(status, "rb", buffering=0)
        self.returncode: int | None = None
        line = self._status.readline()
        if not line:
            self._status.close()
            raise RuntimeError("the process that starts kernels has ended")
        self.pid = int(line)
        if not self.pid:
            self._status.close()
            raise Refused

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self._finish()
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            self._finish()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _finish(self) -> None:
        line = self._status.readline()
        # no line: the server itself was killed, and the kernels go with it
        self.returncode = int(line) if line else -signal.SIGKILL
        self._status.close()


class ForkServer:
    """The build's side of the server. ``start`` may be called from any thread."""

    def __init__(self, libraries: set[str], environment: dict[str, str]) -> None:
        modules = [
            module
            for library in LIBRARIES
            if library in libraries
            for module in MODULES.get(library, (library,))
        ]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bookbuild.warm", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
                env={**environment, **ONE_THREAD},
                start_new_session=True,  # Ctrl-C is the build's to handle
            )
        self._process.stdin.write(json.dumps([*modules, *KERNEL]).encode())
        self._process.stdin.close()

    def start(self, arguments: list[str], env: dict[str, str], cwd: str):
        """Fork a kernel; returns at once if the libraries are there already.

        Raises RuntimeError if the server has ended, and Refused if it may not fork.
        """
        request = {"arguments": arguments, "env": env, "cwd": cwd}
        read, write = os.pipe()
        try:
            with self._lock:
                message = [json.dumps(request).encode()]
                socket.send_fds(self._control, message, [write])
        except OSError as error:
            os.close(read)
            raise RuntimeError(f"the process that starts kernels: {error}") from error
        finally:
            os.close(write)
        return ForkedProcess(read)

    def close(self) -> None:
        """End the server and every kernel that still runs."""
        self._control.close()
        self._process.wait()


class ForkedKernel(LocalProvisioner):
    """Starts a page's kernel through a fork server."""

    server: ForkServer

    async def launch_kernel(self, cmd: list[str], **kwargs: object) -> dict:
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        cwd = str(kwargs["cwd"])
        try:
            self.process = self.server.start(arguments, kwargs["env"], cwd)
        except Refused:
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid  # it leads a group of its own
        return self.connection_info


def available() -> bool:
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


# --- the server's side ----------------------------------------------------------


def serve(control: socket.socket) -> None:
    """Fork a kernel for each request until the build closes its end."""
    children: dict[int, tuple[int, int]] = {}  # pidfd: process, where to report
    while True:
        ready, _, _ = select.select([control, *children], [], [])
        for child in set(ready) - {control}:
            process, report = children.pop(child)
            _report(report, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
            os.close(report)
            os.close(child)
        if control in ready:
            request, descriptors, _, _ = socket.recv_fds(control, MESSAGE, 1)
            if not request:
                break
            if not _alone():
                _report(descriptors[0], 0)
                os.close(descriptors[0])
                continue
            process = os.fork()
            if process == 0:
                _become_kernel(json.loads(request), control, descriptors, children)
            _report(descriptors[0], process)
            children[os.pidfd_open(process)] = process, descriptors[0]
    for process, _ in children.values():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)


def _report(descriptor: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # the build listens no more
        os.write(descriptor, f"{number}\n".encode())


def _alone() -> bool:
    """Return whether this process has a single thread, and warn once if not."""
    count = len(os.listdir("/proc/self/task"))
    if count != 1:
        _warn_of_threads(count)
    return count == 1


@cache
def _warn_of_threads(count: int) -> None:
    print(
        f"a library has started threads ({count}), so kernels start from nothing, "
        "which takes longer",
        file=sys.stderr,
        flush=True,
    )


def _become_kernel(request: dict, control, descriptors, children) -> None:
    """Go on as a kernel; never returns."""
    status = 1
    try:
        os.setsid()
        control.close()
        reports = [report for _, report in children.values()]
        for descriptor in (*descriptors, *children, *reports):
            os.close(descriptor)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        _prepare()
        from ipykernel.kernelapp import IPKernelApp

        IPKernelApp.launch_instance(request["arguments"])
        status = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _prepare() -> None:
    """Make the copy what a fresh interpreter would be."""
    own = [
        place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place
    ]
    sys.path[:] = [*own, *(place for place in sys.path if place not in own)]
    # if memory runs out, let this process go, not the build
    Path("/proc/self/oom_score_adj").write_text("1000")
    # or all pages would draw the same; Python's own generator sees to itself
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    if threads > 1 and "threadpoolctl" in sys.modules:
        sys.modules["threadpoolctl"].threadpool_limits(threads, user_api="blas")


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # kernels end with this process
    sys.path[:] = [place for place in sys.path if place not in ("", os.getcwd())]
    sys.argv[:] = ["ipykernel_launcher.py"]
    # as a kernel has it before it imports matplotlib
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    for module in json.load(sys.stdin):
        # one that is missing or broken is for the page to report, in its own words
        with contextlib.suppress(Exception):
            import_module(module)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    serve(control)


if __name__ == "__main__":
    main()
