"""What builds the book's site.

A build has three floors. ``pages`` reads chapters and gallery scripts into
cells; ``engine`` runs those whose key has no result in the ``store``; ``sphinx``
is an extension that renders prose and stored results, and runs nothing.
"""

from pathlib import Path


class BuildError(Exception):
    """The build cannot go on; the message says what to do."""


class PageError(Exception):
    """A page failed; the message names file and line and says what happened."""


ROOT = Path.cwd()
OUTPUT = Path("_build")
SITE = OUTPUT / "html"
STORE = OUTPUT / "store"
RESULTS = OUTPUT / "results"
TIME_LIMIT = 1800  # seconds for one page
# set while one page is built alone: then the others may have no outputs
PARTIAL = "TENPHASES_PARTIAL"
