"""Send a file over TCP by ``socket.sendfile``: the kernel moves it from file to socket.

``--receive`` waits for a sender and stores what it sends, ``--send`` sends, and both
together do both, with a child process as the sender:

    python sendfile_tcp.py --receive copy
    python sendfile_tcp.py --send original
    python sendfile_tcp.py --send original --receive copy

The end of a TCP stream looks the same whether the sender has sent everything or has
been killed. So the number of bytes goes first: less is refused, and the file takes its
name once it is complete. And what ``sendfile`` has sent may not have arrived, so the
sender is content only once the receiver says that the file is stored.

A file with content but no size, as many in ``/proc``, is refused. Whoever reaches the
port may send, nothing is encrypted, and nothing but TCP's own checksum guards the
bytes. What is written to the source meanwhile may be sent as it was or as it is, also
after ``sendfile`` has returned: the socket holds pages of the file, not copies.

Sources: ``man 2 sendfile``, ``man 7 tcp``, ``man 2 rename``,
https://docs.python.org/3/library/socket.html#socket.socket.sendfile
"""

import argparse
import contextlib
import multiprocessing
import os
import signal
import socket
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

SIZE = struct.Struct("!Q")  # goes first: the number of bytes, as eight bytes
STORED = b"\x06"  # goes back at the end (ASCII: acknowledge)
CHUNK = 262_144  # bytes that the receiver writes at a time
TIMEOUT = 60.0  # seconds without progress until the other side counts as gone
FORK = multiprocessing.get_context("fork")  # the child has our sockets and files
NOT_TO_BLAME = 2  # exit status of a child whose receiver has left, and knows why


def place(path: str) -> Path:
    """Return where a file *path* is to be: of a symbolic link, where it leads.

    Raises OSError where something else is: a folder, or a device.
    """
    target = Path(os.path.realpath(path))
    if path.endswith("/") or (target.exists() and not target.is_file()):
        raise OSError(f"{path} is no regular file")
    return target


@contextlib.contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open the file *path*. Raises OSError where it has no size to send first."""

    def opener(path: str, flags: int) -> int:
        return os.open(path, flags | os.O_NONBLOCK)  # no waiting for a FIFO's writer

    with open(path, "rb", opener=opener) as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode) or (not info.st_size and file.peek(1)):
            raise OSError(f"{path} is no regular file with a size: send a copy of it")
        yield file


def send(conn: socket.socket, file: BinaryIO) -> int:
    """Send *file* and wait until it is stored; return its number of bytes.

    ``socket.sendfile`` takes a socket that blocks or has a time-out, and goes on until
    all is sent; where the kernel cannot do it, it reads and sends. Raises EOFError or
    OSError where the receiver leaves before, OSError where the file has shrunk.
    """
    size = os.fstat(file.fileno()).st_size
    conn.sendall(SIZE.pack(size))
    sent = conn.sendfile(file, count=size) if size else 0
    if sent < size:
        raise OSError(f"the file has shrunk to {sent} of {size} bytes")
    if conn.recv(1) != STORED:
        raise EOFError("the receiver has left before the file was stored")
    return size


def fill(buffer: memoryview, conn: socket.socket) -> None:
    """Receive until *buffer* is full. Raises EOFError where the sender leaves."""
    while buffer:
        count = conn.recv_into(buffer)
        if not count:
            raise EOFError("the sender has left before the file was complete")
        buffer = buffer[count:]


def receive(conn: socket.socket, path: str) -> int:
    """Store what is sent as *path*, say so, and return the number of bytes.

    The bytes go to a new file in the same folder, which takes its name at the end.
    Raises EOFError or OSError, and leaves *path* as it was, where that fails.
    """
    target = place(path)
    partial = target.with_name(f".part-{os.urandom(8).hex()}")
    buffer = memoryview(bytearray(CHUNK))
    try:
        with partial.open("xb") as file:
            fill(buffer[: SIZE.size], conn)
            (size,) = SIZE.unpack(buffer[: SIZE.size])
            for left in range(size, 0, -CHUNK):
                fill(buffer[:left], conn)
                file.write(buffer[:left])
        partial.replace(target)  # at once: nobody ever finds half a file there
    finally:
        partial.unlink(missing_ok=True)
    conn.sendall(STORED)
    return int(size)


def create_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens on *host* and *port*.

    Raises OSError, for one where the port is in use, and UnicodeError where *host*
    cannot be a host name.
    """
    address = socket.getaddrinfo(host, port, socket.AF_INET)[0][4]
    return socket.create_server(address)


def connected_pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a new connection, the one that has connected first.

    Nobody waits for anybody: the kernel completes a connection to a socket that
    listens, whether or not ``accept`` has been called. Raises as ``create_listener``.
    """
    with create_listener(host, port) as listener:
        near = socket.create_connection(listener.getsockname(), TIMEOUT)
        while True:
            far, peer = listener.accept()
            if peer == near.getsockname():
                far.settimeout(TIMEOUT)
                return near, far
            far.close()  # somebody else was quicker


def child(conn: socket.socket, others: socket.socket, file: BinaryIO) -> None:
    """Send *file*; say what goes wrong, other than that the parent has left."""
    others.close()  # while any copy of it is open, it has not left
    try:
        print(f"sent {send(conn, file)} bytes")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except (EOFError, ConnectionError):
        sys.exit(NOT_TO_BLAME)
    except OSError as error:
        sys.exit(f"cannot transfer the file: {error}")


def send_and_receive(source: str, target: str, host: str, port: int) -> None:
    """Receive as *target* what a child process sends of *source*."""
    with opened(source) as file:
        place(target)
        near, far = connected_pair(host, port)
        sender = FORK.Process(target=child, args=(near, far, file))
        with far:
            try:
                with near:
                    sender.start()
                size = receive(far, target)
            except (EOFError, ConnectionError):
                sender.join()
                if sender.exitcode == 1:  # it has said why
                    sys.exit(1)
                raise
            finally:
                far.close()  # if the child still sends, it ends now
                if sender.pid is not None:
                    sender.join()  # or it would stay a zombie
    print(f"received {size} bytes")


def receive_from(path: str, host: str, port: int) -> None:
    """Wait for one sender and store what it sends as *path*."""
    place(path)  # no sender need come to find that wrong
    with create_listener(host, port) as listener:
        print("listening on {}:{}".format(*listener.getsockname()), flush=True)
        conn, _ = listener.accept()
    with conn:
        conn.settimeout(TIMEOUT)
        print(f"received {receive(conn, path)} bytes")


def main() -> None:
    """Do what the command line says; Ctrl-C and SIGTERM leave nothing behind."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--send", metavar="FILE")
    parser.add_argument("--receive", metavar="FILE", help="replaced if it is there")
    parser.add_argument("--host", default="localhost", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=5566, help="default: %(default)s")
    args = parser.parse_args()
    if args.send is None and args.receive is None:
        parser.error("say --send FILE, --receive FILE or both")
    if not 0 <= args.port <= 65_535:
        parser.error("--port must be between 0 and 65535")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        if args.receive is None:
            address = (args.host, args.port)
            with (
                opened(args.send) as file,
                socket.create_connection(address, TIMEOUT) as conn,
            ):
                print(f"sent {send(conn, file)} bytes")
        elif args.send is None:
            receive_from(args.receive, args.host, args.port)
        else:
            send_and_receive(args.send, args.receive, args.host, args.port)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)  # quietly, but nothing was stored
    except (BrokenPipeError, ConnectionResetError) as error:
        sys.exit(f"the other side has left: {error}")
    except (EOFError, OSError, UnicodeError) as error:
        sys.exit(f"cannot transfer the file: {error}")


if __name__ == "__main__":
    main()
