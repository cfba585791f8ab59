"""``python -m bookbuild``: run the pages, render the site, say how it went."""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bookbuild import OUTPUT, RESULTS, SITE, STORE, BuildError
from bookbuild.engine import Engine, Report, publish
from bookbuild.keys import page_keys
from bookbuild.pages import Page, discover, find
from bookbuild.sphinx.results import PARTIAL
from bookbuild.store import Store

ALLOWANCE = 60  # seconds of a cold build that are not the pages' own


def build(
    root: Path, only: str | None, store: Path, jobs: int | None, execute_only: bool
) -> int:
    """Bring results and site up to date; return the exit status."""
    start = time.perf_counter()
    pages = discover(root)
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


def configure(root: Path) -> None:
    """Write conf.py, which Sphinx reads, from Jupyter Book's own two files."""
    sources = root / "_config.yml", root / "_toc.yml"
    target = root / "conf.py"
    if not target.exists() or any(
        source.stat().st_mtime > target.stat().st_mtime for source in sources
    ):
        jupyter_book = Path(sys.executable).with_name("jupyter-book")
        command = [jupyter_book, "config", "sphinx", "."]
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)


def render(root: Path, *, partial: bool) -> bool:
    """Run Sphinx; return whether it ended without an error or a warning.

    In a ``partial`` build some pages may have no outputs.
    """
    environment = root / OUTPUT / ".doctrees" / "environment.pickle"
    command = [
        *[sys.executable, "-m", "sphinx", "-b", "html", "-q"],
        *["-W", "-n", "--keep-going", "-j", str(os.cpu_count() or 1)],
        *["-d", str(OUTPUT / ".doctrees"), ".", str(SITE)],
    ]
    print("rendering", flush=True)
    env = {**os.environ, PARTIAL: "1" if partial else ""}
    done = subprocess.run(command, cwd=root, check=False, env=env)
    if done.returncode != 0:
        # Sphinx warns of a page only when it reads it; without this, the same
        # warning would pass unseen at the next build
        environment.unlink(missing_ok=True)
    return done.returncode == 0


def build_wheel(root: Path) -> None:
    """Build the wheel that the downloads install, if its sources changed."""
    folder = root / OUTPUT / "wheel"
    digest = hashlib.sha256((root / "pyproject.toml").read_bytes())
    for path in sorted((root / "src" / "tenphases").rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.read_bytes())
    stamp = folder / "sources.sha256"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(
        [*command, "-d", str(folder)], cwd=root, check=True, capture_output=True
    )
    stamp.write_text(digest.hexdigest())


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
