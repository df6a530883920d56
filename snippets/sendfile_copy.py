"""Copy a file by ``os.sendfile``: the kernel moves the bytes, Python sees none of them.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     original, target = Path(folder, "original"), Path(folder, "copy")
...     _ = original.write_bytes(b"some bytes" * 100_000)
...     copy(str(original), str(target), print)
...     target.read_bytes() == original.read_bytes()
1000000 1000000
1000000
True

The bytes go to a new file in the target's folder, which takes the target's name once it
is complete: under that name there is the old file or the whole new one, never a part.
A target that is there is replaced, whatever its mode; a symbolic link stays, and the
file that it leads to is replaced.

A source that grows meanwhile is copied up to the end that it has when the copy gets
there. One that is shorter at the end than what was copied is refused. Bytes that are
overwritten meanwhile may be copied as they were or as they are.

The permission bits are kept (not set-user-ID and the like). Owner, times, extended
attributes and ACLs are not, and holes become zeros. Nothing waits for the disk (fsync),
so a power failure soon after may lose the new content. A process that is killed, so
that it cannot tidy up, leaves a file ``.part-*`` behind. File to file is what sendfile
can do on Linux; where it cannot, this reads and writes.

Sources: ``man 2 sendfile``, ``man 2 rename``, ``man 5 proc``,
https://docs.python.org/3/library/os.html#os.sendfile
"""

import argparse
import contextlib
import errno
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

CALL = 8 * 1024 * 1024  # bytes asked of one sendfile; Linux never does 2 GiB in one
CHUNK = 65_536  # bytes asked of one read, where sendfile cannot be used
# Not from this source (many files in /proc), not in this kernel, not into a file (BSD)
NO_SENDFILE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK)


def place(path: str) -> Path:
    """Return where a file *path* is to be: of a symbolic link, where it leads.

    Raises OSError where something else is: a folder, or a device.
    """
    target = Path(os.path.realpath(path))
    if path.endswith("/") or (target.exists() and not target.is_file()):
        raise OSError(f"{path!r} is no regular file")
    return target


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of *path* at the end of a ``with`` block.

    Nobody else may read it before it is given a mode. Where the block is left by an
    exception, Ctrl-C included, it is removed and *path* is as it was. Raises OSError.
    """
    target = place(path)
    partial = target.with_name(f".part-{os.urandom(8).hex()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(partial, flags, 0o600), "wb") as new:
            yield new
        partial.replace(target)  # at once: nobody ever finds half a file there
    except OSError as error:
        if error.filename == str(partial):  # a name that means nothing to the user
            error.filename = path
        raise
    finally:
        partial.unlink(missing_ok=True)


def move(source: int, target: int, tell: Callable[[int], None]) -> int:
    """Copy from descriptor *source* to *target* and return how many bytes there were.

    Only 0 bytes or no bytes say where the end is: the size is 0 for files in /proc that
    have content, and any call may do less than it is asked to. *tell* gets the number
    of bytes so far. Raises OSError, for one where the disk is full.
    """
    done = 0
    try:
        while sent := os.sendfile(target, source, done, CALL):
            done += sent
            tell(done)
    except OSError as error:
        if error.errno not in NO_SENDFILE:
            raise
    while chunk := os.pread(source, CHUNK, done):  # after a sendfile, none
        done += os.write(target, chunk)
        tell(done)
    return done


def copy(source: str, target: str, tell: Callable[[int, int], None]) -> int:
    """Copy the file *source* to *target*, mode included; return its number of bytes.

    *tell* gets the number of bytes so far and how many *source* was said to have.
    Raises OSError and leaves *target* as it was, for one where either is no regular
    file, where both are the same, or where *source* shrinks meanwhile.
    """

    def opener(path: str, flags: int) -> int:
        return os.open(path, flags | os.O_NONBLOCK)  # no waiting for a FIFO's writer

    with open(source, "rb", opener=opener) as old:
        before = os.fstat(old.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise OSError(f"{source!r} is no regular file")
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(before, Path(target).stat()):
                raise OSError(f"{source!r} and {target!r} are the same file")
        with replacing(target) as new:
            size = before.st_size
            done = move(old.fileno(), new.fileno(), lambda done: tell(done, size))
            if os.fstat(old.fileno()).st_size < min(size, done):
                raise OSError(f"{source!r} has shrunk while it was copied")
            os.fchmod(new.fileno(), before.st_mode & 0o777)
    return done


class Progress:
    """Says on a terminal how far a copy is, after two seconds and then each second."""

    def __init__(self) -> None:
        shown = sys.stderr is not None and sys.stderr.isatty()  # None after 2>&-
        self.due = time.monotonic() + 2 if shown else float("inf")
        self.end = ""  # what ends the line, once there is one

    def tell(self, done: int, size: int) -> None:
        """Say that *done* of *size* bytes are copied, if it is time to."""
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + 1
            self.end = "\n"
            line = f"\r{done >> 20:,} of {size >> 20:,} MiB"
            print(line, end="", file=sys.stderr, flush=True)


def main() -> None:
    """Copy what the command line names; what ends it midway leaves nothing behind."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source")
    parser.add_argument("target", help="a file, replaced if it is there; no folder")
    args = parser.parse_args()
    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) != signal.SIG_IGN:  # as nohup has it
            signal.signal(signum, signal.default_int_handler)  # ends as Ctrl-C does
    progress = Progress()
    try:
        copy(args.source, args.target, progress.tell)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)  # quietly, but there is no copy
    except OSError as error:
        sys.exit(f"cannot copy {args.source!r} to {args.target!r}: {error}")
    finally:
        if progress.end:
            print(file=sys.stderr)


if __name__ == "__main__":
    main()
