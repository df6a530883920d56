"""Keeps what is dear to make for the next build, beside what was read of the pages.

A text is found again by all that it is made of. What was kept of other things stays
until build/ is deleted.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path


def text(folder: Path, made_of: object, make: Callable[[], str]) -> str:
    """Return the text that *folder* has of *made_of*, or else the one of *make*.

    *made_of* is anything whose ``repr`` tells it from all else. Several processes may
    ask for the same text at the same time.
    """
    key = hashlib.sha256(repr(made_of).encode()).hexdigest()[:20]
    path = folder / key
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        made = make()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=folder, delete=False
    ) as file:
        file.write(made)
    Path(file.name).replace(path)  # whole, or not there
    return made
