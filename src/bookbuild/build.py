"""``python -m bookbuild``: run the pages, render the site, say how it went."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from bookbuild import RESULTS, SITE, STORE, BuildError
from bookbuild.engine import Engine, Report, check_requirements, publish
from bookbuild.keys import page_keys
from bookbuild.pages import Page, discover, find
from bookbuild.render import build_wheel, configure, render
from bookbuild.store import Store

ALLOWANCE = 60  # seconds of a cold build that are not the pages' own


def build(
    root: Path, only: str | None, store: Path, jobs: int | None, execute_only: bool
) -> int:
    """Bring results and site up to date; return the exit status."""
    start = time.perf_counter()
    pages = discover(root)
    check_requirements(pages)
    configure(root)
    due = with_requirements(find(pages, only), pages) if only else pages
    engine = Engine(root, Store(store), jobs)
    report = engine.run(due)
    if only:  # the other pages are shown with what the store has of them
        report.results |= stored(engine, pages)
    publish(report, pages, root / RESULTS)
    if execute_only:
        print_errors(report)
        return 1 if report.errors else 0
    build_wheel(root)
    rendered = render(root, partial=bool(only))
    report_all(root, report, pages, rendered, time.perf_counter() - start, engine)
    return 1 if report.errors or not rendered else 0


def stored(engine: Engine, pages: list[Page]) -> dict[str, dict]:
    """Return the results that the store already has, by page name."""
    found = {
        name: engine.store.load(key)
        for name, key in page_keys(pages, engine.root).items()
    }
    return {name: result for name, result in found.items() if result}


def with_requirements(page: Page, pages: list[Page]) -> list[Page]:
    chosen = [page]
    for stem in page.requires:
        chosen += with_requirements(find(pages, stem), pages)
    return list(dict.fromkeys(chosen))


def report_all(
    root: Path, report: Report, pages: list[Page], rendered: bool, wall: float, engine
) -> None:
    """Print each page's time, what failed, and where the site is."""
    print("\npage                                 device   seconds")
    for page in sorted(pages, key=lambda p: p.name):
        result = report.results.get(page.name)
        if result:
            now = "" if page.name in report.ran else "  (stored)"
            print(f"{page.stem:36} {result['device']:7} {result['seconds']:8.1f}{now}")
        elif page.name in report.errors:
            print(f"{page.stem:36} FAILED")
    print_errors(report)
    print(
        f"\n{len(report.ran)} of {len(pages)} pages ran, "
        f"{report.page_seconds:.0f} s of their own; wall {wall:.1f} s"
    )
    if report.ran:
        bound = 1.3 * report.page_seconds / engine.cores + ALLOWANCE
        print(f"bound for these pages on {engine.cores} cores: {bound:.0f} s")
    if report.errors:
        print(f"{len(report.errors)} pages FAILED: {', '.join(report.errors)}")
    if not rendered:
        print("Sphinx reported problems; see its messages above.")
    print(f"site: {(root / SITE / 'index.html')}")


def print_errors(report: Report) -> None:
    for message in report.errors.values():
        print(f"\n{'-' * 72}\n{message}", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bookbuild", description=__doc__)
    parser.add_argument("--page", metavar="NAME", help="execute this page only")
    parser.add_argument("--store", type=Path, default=STORE, help="folder of results")
    parser.add_argument("--jobs", type=int, help="pages at a time (default: cores)")
    parser.add_argument(
        "--execute-only", action="store_true", help="run the pages, render nothing"
    )
    options = parser.parse_args(arguments)
    try:
        return build(
            Path.cwd(),
            options.page,
            options.store,
            options.jobs,
            options.execute_only,
        )
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
