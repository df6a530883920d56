"""Echo over a UNIX domain socket, one client at a time.

The address is a path: clients are programs on this host, and who may connect is who
may write to that file. The file stays behind where a server is killed, and then
``bind`` fails with "Address already in use" although nobody listens. Such a stale
socket is replaced here, what a live server listens on never; a lock on the folder
lets servers that start at the same time do so one after the other.

Programs that do not take this lock are not kept out while one starts. A second client
waits in the backlog for its turn. There is no time-out and no limit on the number of
bytes.

Sources: ``man 7 unix``, ``man 2 flock``, ``man 2 connect``,
https://docs.python.org/3/library/socket.html
"""

import argparse
import contextlib
import fcntl
import logging
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CHUNK = 65_536  # bytes asked of the kernel at a time
LOCK_WAIT = 5.0  # seconds
log = logging.getLogger(__name__)  # to stderr, and never raises


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other server starts in *folder*, and keep the others waiting.

    The kernel drops the lock with the process, so none is ever left behind. Who may
    read the folder may lock it: raises OSError after ``LOCK_WAIT`` seconds.
    """
    fd = os.open(folder, os.O_RDONLY)
    deadline = time.monotonic() + LOCK_WAIT
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise OSError(f"another program keeps {folder} locked") from error
                time.sleep(0.01)
        yield
    finally:
        os.close(fd)


def remove_stale(path: str) -> None:
    """Remove the socket at *path* if nobody listens on it; leave anything else.

    Raises OSError where that cannot be found out, for one without permission.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:  # its backlog is full, so somebody listens
            pass
        except ConnectionRefusedError:
            Path(path).unlink()


@contextlib.contextmanager
def create_listener(path: str) -> Iterator[socket.socket]:
    """Listen on *path* for the time of a ``with`` block, then remove it.

    Raises OSError, for one where the path is in use or longer than 107 bytes (103 on
    BSD and macOS).
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with locked(Path(path).parent):
            remove_stale(path)
            listener.bind(path)
            ours = os.lstat(path)
            listener.listen(socket.SOMAXCONN)
        try:
            yield listener
        finally:  # while it still listens: nobody takes it for stale
            with contextlib.suppress(OSError):
                if os.path.samestat(ours, os.lstat(path)):  # not another's by now
                    Path(path).unlink()


def echo(conn: socket.socket) -> None:
    """Send back what *conn* receives until its peer has sent everything.

    A UNIX stream is a stream as TCP is: one ``recv`` returns any part of what was
    sent, and only ``b""`` says that no more will come. ``sendall`` sends the whole
    chunk where ``send`` may stop halfway. Raises OSError where the connection breaks.
    """
    while chunk := conn.recv(CHUNK):
        conn.sendall(chunk)


def serve(listener: socket.socket) -> None:
    """Accept one client after the other and echo to each, until interrupted."""
    while True:
        try:
            conn, _ = listener.accept()  # a client has no address of its own
        except ConnectionAbortedError:  # it left while it waited (BSD, macOS)
            continue
        with conn:
            try:
                echo(conn)
            except OSError as error:  # this client's trouble, not the next one's
                log.warning("a client: %s", error.strerror)


def main() -> None:
    """Read the command line and serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--path", default="./domain.sock", help="default: %(default)s")
    args = parser.parse_args()
    if not args.path:  # on Linux bind would pick an address that is no path
        parser.error("--path must not be empty")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        with create_listener(args.path) as listener:
            print(f"listening on {args.path}", flush=True)
            serve(listener)
    except KeyboardInterrupt:
        pass
    except (OSError, UnicodeError) as error:
        sys.exit(f"cannot serve, check --path: {error}")


if __name__ == "__main__":
    main()
