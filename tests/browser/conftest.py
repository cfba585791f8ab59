"""A browser, the site it reads, and one visit to each page."""

import os
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from visits import Visit, visit
from xdist.scheduler import LoadScopeScheduling

SITE = Path("_build/html").resolve()
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
# not for readers: the index is pip's, the others are parts of the theme
NOT_PAGES = ("_static", "downloads")


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "visit every N-th page only; another commit visits others"
    parser.addoption("--share", type=int, default=1, metavar="N", help=words)


def pages(share: int) -> list[str]:
    found = (path.relative_to(SITE) for path in SITE.rglob("*.html"))
    names = sorted(p.as_posix() for p in found if p.parts[0] not in NOT_PAGES)
    return names[commits() % share :: share]


def commits() -> int:
    """Return how many there are; 0 outside a repository."""
    command = ["git", "rev-list", "--count", "HEAD"]
    return int(subprocess.run(command, capture_output=True).stdout or 0)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seen" in metafunc.fixturenames:
        names = pages(metafunc.config.getoption("--share"))
        metafunc.parametrize("seen", names, indirect=True)


class ByPage(LoadScopeScheduling):
    """Gives all tests of a page to one process, which visits it once."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("[")[2] if "test_pages" in nodeid else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log) -> ByPage:
    return ByPage(config, log)


@pytest.fixture(scope="session")
def site_url():
    """Serve the site on a port of its own."""

    class Quiet(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            """Say nothing: the browser reports what is missing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser():
    missing = None
    if not (SITE / "index.html").exists():
        missing = "There is no built site; run: nox -s build"
    elif CHROMIUM is None:
        missing = "There is no Chromium; install your system's package chromium."
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    with sync_playwright() as driver:
        options = {"executable_path": CHROMIUM, "args": ["--no-sandbox"]}
        browser = driver.chromium.launch(**options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page of a browser that has not been here before."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def visits() -> dict[str, Visit]:
    """Return what was seen so far, by page."""
    return {}


@pytest.fixture
def seen(browser, site_url, visits, request) -> Visit:
    """What there was to see on one page of the site."""
    name = request.param
    if name not in visits:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        visits[name] = visit(context.new_page(), site_url, name)
        context.close()
    return visits[name]
