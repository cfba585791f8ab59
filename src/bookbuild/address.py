"""Where the site and its repository stand, which only the build's environment knows."""

import os
import re
import subprocess
from urllib.parse import urlsplit


def repository() -> str | None:
    """Return the repository's web address, from the environment or git's remote."""
    named = os.environ.get("TENPHASES_REPOSITORY")
    if not named and "GITHUB_REPOSITORY" in os.environ:
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        named = f"{server}/{os.environ['GITHUB_REPOSITORY']}"
    if not named:
        git = ["git", "remote", "get-url", "origin"]
        try:
            done = subprocess.run(git, capture_output=True, text=True, check=False)
        except FileNotFoundError:  # no git: a source archive knows no repository
            return None
        named = done.stdout.strip()
    match = re.fullmatch(
        r"(?:https://|git@)(github\.com)[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?", named
    )
    return f"https://{match.group(1)}/{match.group(2)}" if match else None


def site_url() -> str:
    """Return the address at which the site will stand, or an empty string."""
    address = os.environ.get("TENPHASES_SITE_URL", "").strip()
    return address.rstrip("/") + "/" if address else ""


def colab_url(repository: str | None) -> str:
    """Return where Colab finds the published notebooks, or an empty string.

    Colab opens what lies in a branch, so this needs the one that is published.
    """
    branch = os.environ.get("TENPHASES_PAGES_BRANCH", "")
    if not repository or not branch:
        return ""
    path = urlsplit(repository).path
    return f"https://colab.research.google.com/github{path}/blob/{branch}/downloads"
