"""What builds the book's site.

A build has three floors. ``pages`` reads chapters and gallery scripts into
cells; ``engine`` runs those whose key has no result in the ``store``; ``sphinx``
is an extension that renders prose and stored results, and runs nothing.
"""

from pathlib import Path


class BuildError(Exception):
    """The build cannot go on; the message says what to do."""


ROOT = Path.cwd()
OUTPUT = Path("_build")
SITE = OUTPUT / "html"
STORE = OUTPUT / "store"
RESULTS = OUTPUT / "results"
