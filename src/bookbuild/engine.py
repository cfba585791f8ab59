"""Run the pages that have no result yet, side by side, and say how it goes."""

import json
import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from bookbuild import BuildError
from bookbuild.execute import PageError, Runner
from bookbuild.keys import page_keys
from bookbuild.pages import Page
from bookbuild.store import Store, write_atomically


@dataclass
class Report:
    """What a run of the engine did."""

    results: dict[str, dict] = field(default_factory=dict)  # by page name
    ran: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def page_seconds(self) -> float:
        """Sum of the seconds of the pages that ran now."""
        return sum(self.results[name]["seconds"] for name in self.ran)


class Engine:
    """Brings every page's result up to date."""

    def __init__(self, root: Path, store: Store, jobs: int | None = None) -> None:
        self.root = root
        self.store = store
        self.cores = os.cpu_count() or 1
        self.jobs = jobs or self.cores
        self.durations_path = store.folder / "durations.json"

    def run(self, pages: list[Page]) -> Report:
        """Execute what must be executed and return every result.

        A page that fails does not stop the others. Ctrl-C stops the running
        pages; what had finished is kept.
        """
        start = time.perf_counter()
        report = Report()
        keys = page_keys(pages, self.root)
        due = []
        for page in pages:
            result = self.store.load(keys[page.name])
            if result is None:
                due.append(page)
            else:
                report.results[page.name] = result
        if due:
            self._run_all(due, keys, report)
        report.seconds = time.perf_counter() - start
        return report

    def _run_all(self, due: list[Page], keys: dict[str, str], report: Report) -> None:
        durations = self._durations()
        # longest first, so that no long page is left alone at the end
        waiting = sorted(due, key=lambda p: -durations.get(p.name, 30.0))
        jobs = min(self.jobs, len(due))
        threads = max(1, self.cores // jobs)
        running: dict[Future, tuple[Page, Runner]] = {}
        print(f"running {len(due)} pages, {jobs} at a time", flush=True)
        with ThreadPoolExecutor(jobs) as pool:
            try:
                while waiting or running:
                    for page in self._ready(waiting, jobs - len(running), due, report):
                        waiting.remove(page)
                        runner = Runner(page, threads, self._inputs(page, report))
                        running[pool.submit(runner.run)] = page, runner
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        page, _ = running.pop(future)
                        self._finish(page, future, keys, report)
                        left = len(waiting) + len(running)
                        print(f"{self._line(page, report)} {left:4} left", flush=True)
            except KeyboardInterrupt:
                for _, runner in running.values():
                    runner.stop()
                raise

    def _ready(self, waiting, free: int, due, report: Report) -> list[Page]:
        """Return the pages that may start now: those that wait for no other."""
        done = set(report.results) | set(report.errors)
        pending = {page.stem for page in due if page.name not in done}
        return [p for p in waiting if not pending & set(p.requires)][:free]

    def _inputs(self, page: Page, report: Report) -> dict[str, str]:
        artifacts: dict[str, str] = {}
        for result in report.results.values():
            if Path(result["page"]).name in page.requires:
                artifacts |= result["artifacts"]
        return artifacts

    def _finish(self, page: Page, future: Future, keys, report: Report) -> None:
        try:
            result = future.result()
        except PageError as error:
            report.errors[page.name] = str(error)
            return
        self.store.save(keys[page.name], result)
        report.results[page.name] = result
        report.ran.append(page.name)
        durations = self._durations() | {page.name: result["seconds"]}
        write_atomically(self.durations_path, json.dumps(durations, indent=1))

    def _line(self, page: Page, report: Report) -> str:
        if page.name in report.errors:
            return f"  FAILED {page.stem:32} {'':13}"
        result = report.results[page.name]
        return (
            f"  ran    {page.stem:32} {result['device']:4} {result['seconds']:6.1f} s"
        )

    def _durations(self) -> dict[str, float]:
        """Seconds of earlier runs; they order the queue, so losing them is fine."""
        if not self.durations_path.exists():
            return {}
        try:
            return json.loads(self.durations_path.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            return {}


def check_requirements(pages: list[Page]) -> None:
    """Raise BuildError if a page requires none of the pages, or in the end itself."""
    by_stem = {page.stem: page for page in pages}

    def follow(page: Page, path: tuple[str, ...]) -> None:
        for stem in page.requires:
            if stem not in by_stem:
                raise BuildError(f"{page.path} requires {stem}, which is no page.")
            if stem in path:
                raise BuildError(f"{page.path} requires {stem}, which requires it.")
            follow(by_stem[stem], (*path, stem))

    for page in pages:
        follow(page, (page.stem,))


def publish(report: Report, pages: list[Page], folder: Path) -> None:
    """Lay every page's result where the Sphinx extension reads it.

    A file is touched only when its content changes: Sphinx sees by the file's
    time which documents it has to read again. A page that failed has no file.
    """
    wanted = set()
    for page in pages:
        path = folder / f"{page.name}.json"
        wanted.add(path)
        if page.name not in report.results:
            path.unlink(missing_ok=True)
            continue
        text = json.dumps(report.results[page.name])
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_atomically(path, text)
    for path in folder.rglob("*.json") if folder.exists() else ():
        if path not in wanted:
            path.unlink()
