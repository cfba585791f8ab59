"""What each page of the built site weighs, and how soon it is there.

A page is loaded once with an empty cache, from a server on this machine that sends
what can be compressed with gzip at level 6, as hosts of static files do. Its weight
is the sum of the encoded bodies that the browser received, without figures
(``_images``). Then it is loaded with the CPU slowed down four times (Chrome's
``Emulation.setCPUThrottlingRate``); the largest contentful paint and the total
blocking time (what tasks take beyond 50 ms, after the first contentful paint) come
from the browser's own entries. ``--root`` names another built site, ``--each`` visits
only every N-th page.
"""

import argparse
import gzip
import shutil
import threading
from collections import defaultdict
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

THROTTLE = 4
GROUPS = {"book": "chapters", "examples": "gallery"}
TEXT = (".html", ".css", ".js", ".svg", ".json")
WATCH = """
    window.seen = {lcp: 0, fcp: 0, tasks: []};
    const watch = (type, note) => new PerformanceObserver((list) =>
      list.getEntries().forEach(note)).observe({type, buffered: true});
    watch("largest-contentful-paint", (e) => { seen.lcp = e.startTime; });
    watch("paint", (e) => { seen.fcp = e.startTime; });
    watch("longtask", (e) => seen.tasks.push([e.startTime, e.duration]));
"""
READ = """() => new Promise((done) => setTimeout(() => done({
    lcp: seen.lcp,
    tbt: seen.tasks.filter(([start]) => start >= seen.fcp)
                   .reduce((sum, [, time]) => sum + time - 50, 0),
}), 500))"""


@cache  # hosts do so beforehand, and not while a browser waits
def compressed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 6)


class Host(SimpleHTTPRequestHandler):
    """A static host that compresses text."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if path.suffix not in TEXT or not path.is_file():
            super().do_GET()
            return
        body = compressed(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


def weigh(browser: Browser, url: str) -> float:
    """Return the kilobytes of a page, without its figures."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    requests = []
    page.on("requestfinished", lambda request: requests.append(request))
    page.goto(url, wait_until="networkidle")
    own = [r for r in requests if "/_images/" not in r.url]
    total = sum(request.sizes()["responseBodySize"] for request in own)
    context.close()
    return total / 1000


def watch(browser: Browser, url: str) -> dict[str, float]:
    """Return largest contentful paint and total blocking time in milliseconds."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    devtools = context.new_cdp_session(page)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLE})
    page.goto(url, wait_until="load")
    found = page.evaluate(READ)
    context.close()
    return found


def group_of(name: str) -> str:
    if name.endswith("/index.html"):
        return "indexes"
    return GROUPS.get(name.split("/")[0], "others")


def measure(root: Path, each: int) -> dict[str, list[tuple[float, float, float]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site = f"http://127.0.0.1:{server.server_port}/"
    names = [p.relative_to(root).as_posix() for p in sorted(root.rglob("*.html"))]
    names = [n for n in names if not n.startswith(("_static/", "downloads/"))]
    rows = defaultdict(list)
    with sync_playwright() as driver:
        options = {
            "executable_path": shutil.which("chromium"),
            "args": ["--no-sandbox"],
        }
        browser = driver.chromium.launch(**options)
        for name in names[::each]:
            timed = watch(browser, site + name)
            row = (weigh(browser, site + name), timed["lcp"], timed["tbt"])
            rows[group_of(name)].append(row)
            rows["all"].append(row)
        browser.close()
    server.shutdown()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("_build/html"))
    parser.add_argument("--each", type=int, default=1)
    options = parser.parse_args()
    print("| pages | number | weight | LCP | TBT |\n|---|---|---|---|---|")
    for group, rows in sorted(measure(options.root, options.each).items()):
        weight, lcp, tbt = (median(column) for column in zip(*rows, strict=True))
        print(
            f"| {group} | {len(rows)} | {weight:.0f} kB | {lcp:.0f} ms | {tbt:.0f} ms |"
        )


if __name__ == "__main__":
    main()
