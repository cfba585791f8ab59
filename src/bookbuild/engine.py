"""Run the pages that have no result yet, side by side, and say how it goes."""

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from bookbuild import BuildError, PageError
from bookbuild.keys import Recipe, Recipes
from bookbuild.pages import Page
from bookbuild.store import Store

MANY = 4  # more reasons than this are counted, not said
UNKNOWN = 30.0  # seconds, for a page that has never run


class Machine(Protocol):
    """Where pages run: this machine, or a cluster."""

    slots: int
    cores: int

    def open(self, pages: int, libraries: set[str]) -> None: ...
    def close(self) -> None: ...
    def device_of(self, page: Page) -> str: ...
    def fits(self, page: Page, running: list[Page]) -> bool: ...
    def run(self, page: Page, artifacts: dict[str, str], priority: float) -> dict: ...
    def stop(self) -> None: ...


@dataclass
class Report:
    """What a run of the engine did."""

    results: dict[str, dict] = field(default_factory=dict)  # by page name
    ran: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def sum(self, what: str) -> float:
        """Return the sum of ``seconds`` or ``cpu_seconds`` of the pages that ran."""
        return sum(self.results[name][what] for name in self.ran)


class Engine:
    """Brings the results of some of the book's pages up to date."""

    def __init__(self, store: Store, recipes: Recipes, machine: Machine) -> None:
        self.store = store
        self.recipes = recipes
        self.machine = machine

    def run(self, pages: list[Page]) -> Report:
        """Execute what must be executed and return every result.

        A page that fails does not stop the others. Ctrl-C stops the running
        pages; what had finished is kept.
        """
        start = time.perf_counter()
        report = Report(self.stored(pages))
        due = [page for page in pages if page.name not in report.results]
        if due:
            self._run_all(due, report)
        report.seconds = time.perf_counter() - start
        return report

    def stored(self, pages: list[Page]) -> dict[str, dict]:
        """Return the results that the store already has, by page name."""
        found = {
            page.name: self.store.load(self.recipes.of(page).key) for page in pages
        }
        # a page that was renamed since it ran goes by its new name
        return {name: r | {"page": name} for name, r in found.items() if r}

    def why(self, page: Page) -> str:
        """Say in a sentence why the page has to run, or that it need not."""
        recipe = self.recipes.of(page)
        record = self.store.record(page.name)
        if self.store.load(recipe.key):
            return "nothing that it depends on has changed since its result was stored"
        if record is None:
            return "it has no stored run to compare with"
        changes = recipe.differences(record["recipe"])
        if len(changes) > MANY:
            changes[MANY:] = [f"and {len(changes) - MANY} more changes"]
        return "; ".join(changes) or "its result is damaged or was deleted"

    def _run_all(self, due: list[Page], report: Report) -> None:
        # longest first, so that no long page is left alone at the end; and a page
        # for which others wait takes their time as well
        expected = {page.name: self._expected(page, due) for page in due}
        waiting = sorted(due, key=lambda page: -expected[page.name])
        slots = min(self.machine.slots, len(due))
        running: dict[Future, Page] = {}
        print(f"running {len(due)} pages, {slots} at a time", flush=True)
        self.machine.open(len(due), self._libraries(due))
        with ThreadPoolExecutor(slots) as pool:
            try:
                while waiting or running:
                    for page in self._ready(waiting, running, slots, report):
                        waiting.remove(page)
                        inputs = self._inputs(page, report)
                        priority = expected[page.name]
                        work = pool.submit(self.machine.run, page, inputs, priority)
                        running[work] = page
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        page = running.pop(future)
                        line = self._finish(page, future, report)
                        left = len(waiting) + len(running)
                        print(f"{line}  [{left} left]", flush=True)
            except BaseException:  # Ctrl-C, a full disk: nothing may go on behind us
                self.machine.stop()
                raise
            finally:
                self.machine.close()

    def _ready(self, waiting, running, slots: int, report: Report) -> list[Page]:
        """Return the pages that may start now: those that wait for nothing."""
        done = set(report.results) | set(report.errors)
        pending = {p.stem for p in (*waiting, *running.values()) if p.name not in done}
        chosen: list[Page] = []
        for page in waiting:
            beside = [*running.values(), *chosen]
            if (
                len(beside) < slots
                and not pending & set(page.requires)
                and self.machine.fits(page, beside)
            ):
                chosen.append(page)
        return chosen

    def _inputs(self, page: Page, report: Report) -> dict[str, str]:
        artifacts: dict[str, str] = {}
        for result in report.results.values():
            if Path(result["page"]).name in page.requires:
                artifacts |= result["artifacts"]
        return artifacts

    def _finish(self, page: Page, future: Future, report: Report) -> str:
        """Keep the result, or the error, of a page that has ended; return a line."""
        recipe = self.recipes.of(page)
        why = self.why(page)
        try:
            result = future.result()
            self._require_unchanged(page, recipe)
        except PageError as error:
            report.errors[page.name] = str(error)
            return f"  FAILED {page.label:36} {'':16} {why}"
        result |= {"key": recipe.key, "python": recipe.python}
        result |= {"versions": recipe.imports, "named": recipe.named}
        seconds = result["seconds"]
        record = {"recipe": asdict(recipe), "why": why, "date": result["date"]}
        try:
            self.store.save(recipe.key, result)
            self.store.save_record(page.name, record | {"seconds": seconds})
        except OSError as error:
            raise BuildError(
                f"the result of {page.label} cannot be stored ({error.strerror}: "
                f"{self.store.folder}); free some space or choose another folder with "
                "--store. What was stored before is kept."
            ) from error
        report.results[page.name] = result
        report.ran.append(page.name)
        took = f"{seconds:6.1f} s on {result['device']}"
        return f"  ran    {page.label:36} {took:16} {why}"

    def _require_unchanged(self, page: Page, recipe: Recipe) -> None:
        """Raise PageError if a module was edited while the page ran: nobody can
        tell which version of it the page saw."""
        now = self.recipes.read(page).files
        changed = [
            name
            for name in sorted({*now, *recipe.files})
            if name.endswith(".py") and now.get(name) != recipe.files.get(name)
        ]
        if changed:
            raise PageError(
                f"{page.path}: {', '.join(changed)} changed while the page ran; "
                "build again"
            )

    def _expected(self, page: Page, due: list[Page]) -> float:
        record = self.store.record(page.name)
        after = (p for p in due if page.stem in p.requires)
        waiting = max((self._expected(p, due) for p in after), default=0.0)
        return (record["seconds"] if record else UNKNOWN) + waiting

    def _libraries(self, pages: list[Page]) -> set[str]:
        return {name for page in pages for name in self.recipes.of(page).modules}


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
