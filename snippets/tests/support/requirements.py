"""What the tests need of the machine besides Python, and how to get it.

The programs and their Debian packages are listed in pyproject.toml under
``[tool.cheatsheet.clients]``, where ``nox -s deps`` finds them, too.
"""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


@cache
def packages() -> dict[str, str]:
    """Return the Debian package of each client."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        clients: dict[str, str] = tomllib.load(file)["tool"]["cheatsheet"]["clients"]
    return clients


def clients_in(commands: Iterable[str]) -> set[str]:
    """Return the clients that the shell *commands* name."""
    words: set[str] = set()
    for command in commands:
        words.update(re.findall(r"[\w.-]+", command))
    return words & packages().keys()


def missing(clients: Iterable[str]) -> str | None:
    """Return a line that says which of *clients* is missing and how to get it."""
    for client in sorted(clients):
        if not usable(client):
            package = packages()[client]
            remedy = f"run nox -s deps (Debian package {package})"
            return f"the client {client} is missing: {remedy}"
    return None


@cache
def usable(client: str) -> bool:
    """Tell whether *client* is installed, and is the one that is meant."""
    program = shutil.which(client, path=PATH)
    if program is None or client != "nc":
        return program is not None
    # Several programs call themselves nc; only OpenBSD's has -U, -N and -6.
    answer = subprocess.run(
        [program, "-h"], capture_output=True, text=True, timeout=10, check=False
    )
    return "OpenBSD" in answer.stdout + answer.stderr
