"""``python -m bookbuild``: run the pages, render the site, say how it went."""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bookbuild import (
    OUTPUT,
    RESULTS,
    SITE,
    STORE,
    TIME_LIMIT,
    BuildError,
    memory,
)
from bookbuild.changed import touched_since
from bookbuild.engine import Engine, Machine, Report, check_requirements
from bookbuild.keys import Recipes
from bookbuild.local import Local
from bookbuild.pages import Page, discover, find
from bookbuild.render import Renderer, build_wheel, configure, publish
from bookbuild.store import Store

STORE_LIMIT = 2.0  # GB
MEMORY = OUTPUT / "memory.json"


def build(root: Path, options: argparse.Namespace) -> int:
    """Bring results and site up to date; return the exit status."""
    start = time.perf_counter()
    memory.load(root / MEMORY)
    pages = discover(root)
    check_requirements(pages)
    configure(root)
    due = choose_pages(root, pages, options)
    machine = choose_machine(root, options)
    engine = make_engine(root, pages, machine, options)
    partial = len(due) < len(pages)
    with Renderer(root, partial=partial) as renderer:
        if not options.execute_only:
            renderer.prepare()
        report = engine.run(due)
        if partial:  # the others are shown as the store has them
            report.results = engine.stored(pages) | report.results
        publish(report.results, pages, root / RESULTS)
        keep = {engine.recipes.of(page).key for page in pages}
        engine.store.collect_garbage(int(options.store_limit * 1e9), keep)
        memory.save(root / MEMORY)
        if options.execute_only:
            print_errors(report)
            return 1 if report.errors else 0
        build_wheel(root)
        rendered = renderer.render()
    report_all(report, pages, machine, time.perf_counter() - start)
    if not rendered:
        print("Sphinx reported problems; see its messages above.")
    print(f"site: {(root / SITE / 'index.html')}")
    return 1 if report.errors or not rendered else 0


def make_engine(
    root: Path, pages: list[Page], machine: Machine, options: argparse.Namespace
) -> Engine:
    recipes = Recipes(pages, root, device_of=machine.device_of)
    return Engine(Store(options.store), recipes, machine)


def choose_machine(root: Path, options: argparse.Namespace) -> Machine:
    if not options.scheduler:
        return Local(options.jobs, options.time_limit, cold=options.cold)
    try:
        from bookbuild.cluster import Cluster
    except ModuleNotFoundError as error:
        raise BuildError(f"--scheduler needs {error.name}: {CLUSTER_HELP}") from error
    return Cluster(options.scheduler, root, options.time_limit)


def choose_pages(
    root: Path, pages: list[Page], options: argparse.Namespace
) -> list[Page]:
    """Return the pages that this build is about, with those that they require."""
    if options.page:
        chosen = [find(pages, options.page)]
    elif options.changed:
        chosen = touched_since(options.changed, root, pages)
        print(f"{len(chosen)} pages differ from {options.changed}", flush=True)
    else:
        return pages
    return list(
        dict.fromkeys(p for page in chosen for p in with_requirements(page, pages))
    )


def with_requirements(page: Page, pages: list[Page]) -> Iterator[Page]:
    for stem in page.requires:
        yield from with_requirements(find(pages, stem), pages)
    yield page


def explain(root: Path, options: argparse.Namespace) -> int:
    """Say why a page would run now, and why it ran when it last did."""
    pages = discover(root)
    page = find(pages, options.why)
    engine = make_engine(root, pages, choose_machine(root, options), options)
    stored = engine.store.load(engine.recipes.of(page).key) is not None
    print(
        f"{page.label} {'need not run' if stored else 'will run'}: {engine.why(page)}."
    )
    if record := engine.store.record(page.name):
        print(
            f"It last ran on {record['date']}, for {record['seconds']:.1f} s, because: "
            f"{record['why']}."
        )
    return 0


def report_all(
    report: Report, pages: list[Page], machine: Machine, wall: float
) -> None:
    """Print each page's time and what failed."""
    print(f"\n{'page':36} device   seconds")
    for page in sorted(pages, key=lambda p: p.name):
        result = report.results.get(page.name)
        if result:
            now = "" if page.name in report.ran else "  (stored)"
            print(f"{page.label:36} {result['device']:7} {result['seconds']:8.1f}{now}")
        elif page.name in report.errors:
            print(f"{page.label:36} FAILED")
    print_errors(report)
    print(
        f"\n{len(report.ran)} of {len(pages)} pages ran, "
        f"{report.sum('seconds'):.0f} s of their own; wall {wall:.1f} s, "
        f"of which {report.seconds:.1f} s until the last page had run"
    )
    if report.ran and not report.errors:
        cpu = report.sum("cpu_seconds")
        ratio = report.seconds / (cpu / machine.cores)
        print(f"{cpu:.0f} s of CPU on {machine.cores} cores: {ratio:.2f} of the ideal")
    if report.errors:
        print(f"{len(report.errors)} pages FAILED: {', '.join(report.errors)}")


def print_errors(report: Report) -> None:
    for message in report.errors.values():
        print(f"\n{'-' * 72}\n{message}", file=sys.stderr, flush=True)


CLUSTER_HELP = "install the dependency group `cluster`, as nox -s build does."


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Wait until no other build works in this checkout."""
    (root / OUTPUT).mkdir(exist_ok=True)
    lock = FileLock(root / OUTPUT / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("another build is at work in this folder; waiting for it", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bookbuild", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--page", metavar="NAME", help="execute this page only")
    which.add_argument(
        "--changed", metavar="BASE", help="execute only what differs from this commit"
    )
    which.add_argument(
        "--why", metavar="NAME", help="say why a page would run, and build nothing"
    )
    parser.add_argument("--store", type=Path, default=STORE, help="folder of results")
    parser.add_argument(
        "--store-limit",
        type=float,
        default=STORE_LIMIT,
        metavar="GB",
        help="size beyond which the oldest results go (default: %(default)s)",
    )
    parser.add_argument("--jobs", type=int, help="pages at a time (default: cores)")
    parser.add_argument(
        "--time-limit",
        type=float,
        default=TIME_LIMIT,
        metavar="SECONDS",
        help="stop a page that runs longer (default: %(default)s)",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="run the pages on a Dask cluster"
    )
    parser.add_argument(
        "--cold", action="store_true", help="start each kernel from nothing"
    )
    parser.add_argument(
        "--execute-only", action="store_true", help="run the pages, render nothing"
    )
    options = parser.parse_args(arguments)
    if options.jobs is not None and options.jobs < 1:
        parser.error("--jobs wants a number of at least 1")
    if options.time_limit <= 0 or options.store_limit < 0:
        parser.error("--time-limit and --store-limit want positive numbers")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    root = Path.cwd()
    try:
        if options.why:
            return explain(root, options)
        with alone(root):
            return build(root, options)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        output = (error.stderr or b"").decode(errors="replace")
        print(f"{output}error: {error}; see the messages above.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; pages that had finished are kept", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"error: {error}; free some space or mend the path.", file=sys.stderr)
        return 2
