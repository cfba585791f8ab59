"""The process that renders: it imports Sphinx and its extensions, then waits.

It reads one line from its input and builds the site; at the input's end it ends.
"""

import contextlib
import os
import sys

from bookbuild import OUTPUT, SITE
from bookbuild.sphinx.preload import preload


def main() -> int:
    preload()
    if not sys.stdin.readline():
        return 0
    from sphinx.cmd.build import main as sphinx_build

    return sphinx_build(
        [
            *["-b", "html", "-q", "-W", "-n", "--keep-going"],
            *["-j", str(os.cpu_count() or 1)],
            *["-d", str(OUTPUT / ".doctrees"), ".", str(SITE)],
        ]
    )


if __name__ == "__main__":
    status = 130
    with contextlib.suppress(KeyboardInterrupt):  # the build says so itself
        status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # to take its many objects apart one by one would take as long as to write a page
    os._exit(status)
