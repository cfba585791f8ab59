"""What goes wrong while pages run is contained, reported, and costs nothing twice."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tinybook import cell, ran, read_until

# what a page does, and what its author is told
FAULTS = {
    "exits": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "quits": ("import os\nos._exit(3)", "ended the kernel with exit status 3"),
    "killed": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "killed by SIGKILL; most likely the machine ran out of memory",
    ),
    "crashes": ("import ctypes\nctypes.string_at(0)", "killed by SIGSEGV"),
    "greedy": ("x = bytearray(10**15)", "MemoryError"),
    "hangs": ("import time\ntime.sleep(600)", "the page ran longer than 25 s"),
    "deaf": (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "while True:\n    time.sleep(1)",
        "the page ran longer than 25 s",
    ),
    "chatters": ("print('x' * 50_000_000)", "the page's outputs exceed 10 MB"),
    "chatters_on": (
        "while True:\n    print('x' * 1000)",
        "the page's outputs exceed 10 MB",
    ),
}
SLOW = "import time\n\ntime.sleep(300)"


def test_a_page_that_goes_wrong_is_reported_and_harms_no_other(tiny_book):
    for name, (code, _) in FAULTS.items():
        tiny_book.chapter(name, cell(code))
    tiny_book.chapter("good", cell("print('sound')"))
    status, output = tiny_book.build("--execute-only", "--time-limit", "25")
    assert status == 1
    for name, (_, message) in FAULTS.items():
        assert f"book/{name}.md:9: this cell failed" in output
        assert message in output, f"{name}: {output}"
    assert ran(output) == {"good", "plot_line"}
    assert "sound" in tiny_book.outputs("book/good")


def test_a_page_may_fork(tiny_book):
    tiny_book.chapter(
        "forks",
        cell(
            "import os\n"
            "child = os.fork()\n"
            "if child == 0:\n    os._exit(7)\n"
            "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
        )
        + cell(
            "import multiprocessing\n"
            "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
            "    print(pool.map(abs, [-1, -2]))"
        ),
    )
    status, output = tiny_book.build("--execute-only")
    assert status == 0, output
    assert tiny_book.outputs("book/forks") == "7\n[1, 2]\n"


def test_after_kill_9_the_next_build_goes_on_where_it_stood(tiny_book):
    tiny_book.chapter("quick", cell("print('quick')"))
    tiny_book.chapter("slow", cell(SLOW))
    status, output = tiny_book.end_after("ran    quick", signal.SIGKILL, "--jobs", "3")
    assert status == -signal.SIGKILL, output
    tiny_book.chapter("slow", cell("print('no longer slow')"))
    status, output = tiny_book.build()
    assert status == 0, output
    assert "slow" in ran(output)
    assert "quick" not in ran(output)
    assert "no longer slow" in tiny_book.html("book/slow")


def test_after_kill_9_while_rendering_the_next_build_is_whole(tiny_book):
    tiny_book.chapter("one", cell("print('one')"))
    status, output = tiny_book.end_after("rendering", signal.SIGKILL)
    assert status == -signal.SIGKILL, output
    status, output = tiny_book.build()
    assert status == 0, output
    assert "one" in tiny_book.html("book/one")
    assert ran(output) == set()


def test_a_full_disk_ends_the_build_in_one_sentence_and_loses_nothing(
    tiny_book, tmp_path_factory
):
    store = tmp_path_factory.mktemp("small")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(store)]
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root may mount the small disk that this needs")
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let root mount a small disk")
    try:
        tiny_book.chapter("a_small", cell("print('small')"))
        tiny_book.chapter(
            "large", cell("import time\ntime.sleep(3)\nprint('x' * 10**6)")
        )
        arguments = ("--store", str(store), "--jobs", "1", "--execute-only")
        status, output = tiny_book.build(*arguments)
        assert status == 2
        assert "the result of large cannot be stored (No space left on device" in output
        assert "--store" in output
        assert "Traceback" not in output
        tiny_book.chapter("large", cell("print('x')"))
        status, output = tiny_book.build(*arguments)
        assert status == 0, output
        assert "a_small" not in ran(output), "what was stored is kept"
    finally:
        subprocess.run(["umount", str(store)], check=True)


def test_two_builds_at_once_run_each_page_once(tiny_book):
    tiny_book.chapter("one", cell("import time\ntime.sleep(3)\nprint('one')"))
    first = tiny_book.start()
    printed = read_until(first, "running")
    second = tiny_book.start()
    rest, _ = first.communicate(timeout=240)
    other, _ = second.communicate(timeout=240)
    assert first.returncode == 0, printed + rest
    assert second.returncode == 0, other
    assert "another build is at work in this folder; waiting for it" in other
    assert ran(rest) == {"one", "plot_line"}
    assert ran(other) == set()
    assert "one" in tiny_book.html("book/one")


def test_two_checkouts_may_share_a_store_at_once(tiny_book, tmp_path_factory):
    other_book = type(tiny_book)(tmp_path_factory.mktemp("other"))
    store = str(tmp_path_factory.mktemp("store"))
    for book in (tiny_book, other_book):
        book.chapter("one", cell("print('one')"))
    arguments = ("--store", store, "--execute-only")
    builds = [book.start(*arguments) for book in (tiny_book, other_book)]
    for build in builds:
        output, _ = build.communicate(timeout=240)
        assert build.returncode == 0, output
    status, output = other_book.build(*arguments)
    assert status == 0, output
    assert ran(output) == set()


def test_a_clock_set_back_leaves_nothing_stale(tiny_book):
    """The times of files lie; the site must follow their content all the same."""
    tiny_book.chapter("one", "The old prose.\n\n" + cell("print('old')"))
    tiny_book.chapter("two", cell("print('two')"))
    status, output = tiny_book.build()
    assert status == 0, output

    tiny_book.chapter("one", "The new prose.\n\n" + cell("print('new')"))
    tiny_book.chapters.reverse()
    tiny_book.toc()
    long_ago = time.time() - 10**7
    for path in tiny_book.root.rglob("*"):
        if path.is_file() and "_build" not in path.parts:
            os.utime(path, (long_ago, long_ago))
    for path in (tiny_book.root / "_build" / "results").rglob("*.json"):
        os.utime(path, (long_ago, long_ago))
    status, output = tiny_book.build()
    assert status == 0, output
    assert ran(output) == {"one"}
    page = tiny_book.html("book/one")
    assert "The new prose" in page
    assert "new\n" in page
    assert "old\n" not in page
    index = tiny_book.html("index")
    assert index.index("Page two") < index.index("Page one"), "_toc.yml was reversed"


def test_a_store_of_another_version_is_run_again_and_not_shown(tiny_book):
    tiny_book.chapter("one", cell("print('one')"))
    assert tiny_book.build("--execute-only")[0] == 0
    store = tiny_book.root / "_build" / "store"
    for path in store.rglob("*.json"):
        digest, body = path.read_text().split("\n", 1)
        content = json.loads(body) | {"outputs": "of a time to come"}
        path.write_text(f"{digest[::-1]}\n{json.dumps(content)}")
    status, output = tiny_book.build("--execute-only")
    assert status == 0, output
    assert ran(output) == {"one", "plot_line"}


def test_a_module_edited_while_a_page_ran_spoils_nothing(tiny_book):
    package = tiny_book.copy_package()
    code = "import tenphases.viz\nimport time\ntime.sleep(6)\nprint('done')"
    tiny_book.chapter("reader", cell(code))
    build = tiny_book.start("--execute-only", "--jobs", "1")
    read_until(build, "running")
    time.sleep(3)
    with (package / "viz.py").open("a") as file:
        file.write("# edited\n")
    output, _ = build.communicate(timeout=120)
    assert build.returncode == 1
    assert "src/tenphases/viz.py changed while the page ran; build again" in output
    status, output = tiny_book.build("--execute-only")
    assert status == 0, output
    assert "reader" in ran(output)


def test_the_store_stays_below_its_limit(tiny_book):
    store = tiny_book.root / "_build" / "store"

    def entries() -> list[Path]:
        return list(store.glob("??/*.json"))

    for text in "abc":
        tiny_book.chapter("one", cell(f"print('{text}' * 1000)"))
        assert tiny_book.build("--execute-only")[0] == 0
    assert len(entries()) == 4
    status, output = tiny_book.build("--execute-only", "--store-limit", "0")
    assert status == 0, output
    assert len(entries()) == 2, "what the book shows now is kept"
    assert ran(output) == set()
