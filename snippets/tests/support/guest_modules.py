"""Loads kernel modules and what they depend on, as modprobe does where it is there.

Usage: ``guest_modules.py FOLDER NAME...``; FOLDER has one folder a kernel release.

Sources: ``man 2 init_module``, ``man 5 modules.dep``.
"""

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

FINIT_MODULE = {"x86_64": 313, "aarch64": 273}  # the number of the system call


def dependencies(folder: Path) -> dict[str, list[Path]]:
    """Return for each module its files in the order in which to load them."""
    found = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        first, _, others = line.partition(":")
        name = Path(first).name.split(".")[0].replace("-", "_")
        found[name] = [folder / path for path in (*reversed(others.split()), first)]
    return found


def to_load(folder: Path, names: list[str]) -> Iterator[Path]:
    """Yield each file that *names* need, once; what is built in needs none."""
    files, seen = dependencies(folder), set()
    for name in names:
        for path in files.get(name.replace("-", "_"), []):
            if path not in seen:
                seen.add(path)
                yield path


def load(path: Path) -> None:
    """Load the module *path*. Raises OSError, for one where the kernel refuses it."""
    libc = ctypes.CDLL(None, use_errno=True)
    with path.open("rb") as file:
        number = FINIT_MODULE[platform.machine()]
        if libc.syscall(number, file.fileno(), ctypes.c_char_p(b""), 0):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), str(path))


def main() -> None:
    """Load what the command line names."""
    folder, *names = sys.argv[1:]
    try:
        for path in to_load(Path(folder) / platform.release(), names):
            load(path)
    except OSError as error:
        sys.exit(f"cannot load the modules of the guest: {error}")


if __name__ == "__main__":
    main()
