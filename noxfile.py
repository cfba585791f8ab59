"""Every command of the project; `nox --list` explains each in a line."""

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["build"]

DOWNLOADS = Path("_build/html/downloads")
FORMATTED = ("src", "tests", "benchmarks", "noxfile.py")
EXTRAS = "data,notebook,tools,vision,deploy,control"


def install(session: nox.Session, *groups: str, editable: bool = True) -> None:
    """Install the package with its extras and some dependency groups, as pinned."""
    chosen = [part for group in groups for part in ("--group", group)]
    package = ["-e", f".[{EXTRAS}]"] if editable else []
    session.install("-q", "-c", "constraints.txt", *package, *chosen)
    keep_bytecode(session)


def keep_bytecode(session: nox.Session) -> None:
    """Let Python keep what it compiles in the session's own environment.

    Many containers forbid it; then every import of torch costs three times as much.
    """
    session.env["PYTHONDONTWRITEBYTECODE"] = ""


@nox.session
def build(session: nox.Session) -> None:
    """Run every page that changed and build the site into _build/html."""
    install(session, "book", *(["cluster"] if "--scheduler" in session.posargs else []))
    session.run("python", "-m", "bookbuild", *session.posargs)


@nox.session
def page(session: nox.Session) -> None:
    """Run one page and build the site around it: nox -s page -- first-program."""
    if not session.posargs:
        session.error("name a page: nox -s page -- first-program")
    install(session, "book")
    name, *rest = session.posargs
    session.run("python", "-m", "bookbuild", "--page", name, *rest)


@nox.session
def new(session: nox.Session) -> None:
    """Write a page to start from: nox -s new -- chapter 04 my-page (or script)."""
    install(session, "book")
    session.run("python", "-m", "bookbuild.new", *session.posargs)


@nox.session
def worker(session: nox.Session) -> None:
    """Lend this machine to builds: nox -s worker -- tcp://HOST:8786 [--resources …]."""
    if not session.posargs:
        session.error("name the scheduler: nox -s worker -- tcp://HOST:8786")
    install(session, "book", "cluster")
    cores = str(max(1, (os.cpu_count() or 2) // 2))
    session.run("dask", "worker", "--nthreads", cores, *session.posargs)


@nox.session
def scheduler(session: nox.Session) -> None:
    """Start the scheduler that builds and workers meet at (tcp://HOST:8786)."""
    install(session, "book", "cluster")
    session.run("dask", "scheduler", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the build against plain jupyter-book; takes more than an hour."""
    install(session, "book")
    session.run("python", "benchmarks/rendering.py")
    session.run("python", "benchmarks/engine.py", *session.posargs)


@nox.session
def live(session: nox.Session) -> None:
    """Serve the site; on every save, run what changed, rebuild and reload."""
    install(session, "book")
    ignored = ["_build", "examples", "conf.py", ".nox", ".git", "artifacts"]
    session.run(
        "sphinx-autobuild",
        *("--pre-build", "python -m bookbuild --execute-only"),
        *(part for name in ignored for part in ("--ignore", str(Path(name).resolve()))),
        *("--watch", "src/tenphases", "-q", "-d", "_build/.doctrees"),
        *(".", "_build/html", *session.posargs),
    )


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests of the package, of the build and of the exercises."""
    install(session, "book", "test", "cluster", "lint")
    # two at a time: most of them wait for builds, which use every core
    where = ("tests", "--ignore=tests/site", "--ignore=tests/browser", "-n", "2")
    session.run("pytest", *where, *session.posargs)


@nox.session
def check(session: nox.Session) -> None:
    """Check the built site: links, downloads, images, headings, requests."""
    install(session, "book", "test")
    session.run("pytest", "tests/site", *session.posargs)


@nox.session
def site(session: nox.Session) -> None:
    """Read every page of the built site in Chromium: axe, console, widths, themes."""
    install(session, "test", "browser", editable=False)
    install_chromium(session)
    where = ("tests/browser", "-o", "pythonpath=tests/browser")
    session.run("pytest", *where, "-n", "2", *session.posargs)


def install_chromium(session: nox.Session) -> None:
    """Install Debian's Chromium where there is none and this user may."""
    may = shutil.which("apt-get") and os.geteuid() == 0
    if not shutil.which("chromium") and may:
        session.run("apt-get", "update", "-q", external=True, silent=True)
        apt = ("apt-get", "install", "-qy", "--no-install-recommends")
        session.run(*apt, "chromium", external=True, silent=True)


@nox.session
def weigh(session: nox.Session) -> None:
    """Measure what pages weigh and how soon they are there, as a table."""
    install(session, "test", "browser", editable=False)
    install_chromium(session)
    session.run("python", "benchmarks/site.py", *session.posargs)


@nox.session
def notebooks(session: nox.Session) -> None:
    """Run downloads with only what they ask for: [--either] [--share N] [NAME]."""
    if not any(DOWNLOADS.glob("*.whl")):
        session.error("there is no built site; run: nox -s build")
    # what drives them; each group of pages gets an environment of its own
    session.install("-q", "-c", "constraints.txt", "uv", "nbclient")
    keep_bytecode(session)
    session.run("python", "tests/run_downloads.py", str(DOWNLOADS), *session.posargs)


@nox.session
def labs(session: nox.Session) -> None:
    """Grade a class's notebooks into a table: nox -s labs -- submissions [--lab 1]."""
    if not session.posargs:
        session.error("name the folder of submissions: nox -s labs -- submissions")
    install(session, "book")
    session.run("python", "-m", "bookbuild.labs", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and spelling of modules, tests and pages: [PAGE ...]."""
    install(session, "lint", editable=False)
    if not session.posargs:
        session.run("ruff", "check")
        session.run("ruff", "format", "--check", *FORMATTED)
        session.run(
            "zizmor", "--offline", "--quiet", "--min-severity=medium", ".github"
        )
    pages = ("python", "-m", "bookbuild.lint", *session.posargs)
    session.run(*pages, env={"PYTHONPATH": "src"})


@nox.session
def torch(session: nox.Session) -> None:
    """Try the newest torch, or the oldest that we support: nox -s torch -- oldest."""
    if session.posargs not in (["newest"], ["oldest"]):
        session.error("say which: nox -s torch -- newest, or: oldest")
    oldest = session.posargs == ["oldest"]
    package = ("-e", f".[{EXTRAS}]", "--group", "book", "--group", "test")
    # without our pins, which belong to one torch
    session.install("-q", "--upgrade", *package, *(lowest() if oldest else []))
    keep_bytecode(session)
    session.run("pytest", "tests/tenphases", "-n", "2")
    if not oldest:
        session.run("python", "-m", "bookbuild", "--execute-only")


def lowest() -> list[str]:
    """Return the lower bounds of torch and torchvision as exact requirements."""
    wanted = nox.project.load_toml("pyproject.toml")["project"]["dependencies"]
    return [f"{one.replace('>=', '==')}.*" for one in wanted if one.startswith("torch")]


@nox.session
def linkcheck(session: nox.Session) -> None:
    """Look up every link that leaves the site (needs the network)."""
    install(session, "book")
    session.run("python", "-m", "bookbuild", "--execute-only")
    session.run("sphinx-build", "-q", "-b", "linkcheck", ".", "_build/linkcheck")


@nox.session
def gpu(session: nox.Session) -> None:
    """Build on the accelerator and record its measurements for the book."""
    install(session, "book")
    env = {"TENPHASES_DEVICE": "cuda", "TENPHASES_RECORD": "1"}
    session.run("python", "-m", "bookbuild", "--jobs", "1", *session.posargs, env=env)


@nox.session
def lock(session: nox.Session) -> None:
    """Write constraints.txt anew: the versions that the site is built with."""
    session.install("-q", "uv")
    session.run(
        *("uv", "pip", "compile", "-q", "--universal", "--upgrade"),
        *("--python-version", "3.11", "--no-emit-index-url", "--no-annotate"),
        *("--all-extras", "--group", "book", "--group", "test", "--group", "lint"),
        *("--group", "cluster", "--group", "browser"),
        *("--custom-compile-command", "nox -s lock"),
        *("-o", "constraints.txt", "pyproject.toml"),
    )
