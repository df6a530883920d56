"""Send a file over TCP by ``socket.sendfile``: the kernel moves it from file to socket.

``--receive`` waits for a sender and stores what it sends, ``--send`` sends, and both
together do both, with a thread as the sender:

    python sendfile_tcp.py --receive copy
    python sendfile_tcp.py --send original
    python sendfile_tcp.py --send original --receive copy

The end of a TCP stream looks the same whether the sender has sent everything or has
been killed. So the number of bytes goes first: less is refused, and the file takes its
name once it is complete. And what ``sendfile`` has sent may not have arrived, so the
sender is content only once the receiver says that the file is stored. A receiver that
has stored it and cannot say so ends with exit status 3.

A file that is there keeps its permission bits, but not its owner; a new one gets those
that the umask leaves, and until it is complete nobody else may read it. A process that
is killed, so that it cannot tidy up, leaves a file ``.part-*`` behind.

A file with content but no size, as many in ``/proc``, is refused. Whoever reaches the
port may send, nothing is encrypted, and nothing but TCP's own checksum guards the
bytes. What is written to the source meanwhile may be sent as it was or as it is, also
after ``sendfile`` has returned: the socket holds pages of the file, not copies.

Sources: ``man 2 sendfile``, ``man 7 tcp``, ``man 2 rename``,
https://docs.python.org/3/library/socket.html#socket.socket.sendfile
"""

import argparse
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

SIZE = 8  # bytes that go first: the number of bytes of the file, big-endian
STORED = b"\x06"  # goes back at the end (ASCII: acknowledge)
CHUNK = 262_144  # bytes that the receiver takes and writes at a time, at most
TIMEOUT = 60.0  # seconds without progress until the other side counts as gone
UNTOLD = 3  # exit status where the file is stored and the sender does not know


def say(line: str) -> None:
    """Print *line* at once. Ends the program, with a line, where that cannot be."""
    try:
        print(line, flush=True)
    except OSError as error:
        with contextlib.suppress(OSError):
            sys.stdout.close()  # or Python tries once more at its end
        sys.exit(f"cannot write {line!r} to stdout: {error}")


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of *path* at the end of a ``with`` block.

    Nobody else may read it before. Where the block is left by an exception, Ctrl-C
    included, it is removed and *path* is as it was. Raises OSError.
    """
    target = Path(os.path.realpath(path))  # of a symbolic link, where it leads
    if path.endswith("/") or (target.exists() and not target.is_file()):
        raise OSError(f"{path!r} is no regular file")
    umask = os.umask(0o077)  # there is no way to read it without setting it
    os.umask(umask)
    partial = target.with_name(f".part-{os.urandom(8).hex()}")
    try:
        # One call: to open a file that is there and cut it to nothing makes ext4 write
        # all of the new content to the disk before ``close`` returns.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(partial, flags, 0o600), "wb") as new:
            yield new
            old = target.stat().st_mode & 0o777 if target.exists() else None
            os.fchmod(new.fileno(), 0o666 & ~umask if old is None else old)
        partial.replace(target)  # at once: nobody ever finds half a file there
    except OSError as error:
        if error.filename == str(partial):  # a name that means nothing to the user
            error.filename = path
        raise
    finally:
        partial.unlink(missing_ok=True)


def opened(path: str) -> BinaryIO:
    """Return the file *path*, open. Raises OSError where it has no size to send."""
    file = Path(path)
    size = file.stat().st_size  # first: to open a FIFO would wait for its writer
    if not file.is_file() or (size == 0 and file.read_bytes()):
        raise OSError(f"{path!r} is no regular file with a size: send a copy of it")
    return file.open("rb")


def send(conn: socket.socket, file: BinaryIO) -> int:
    """Send *file*, wait until it is stored, close *conn*; return the number of bytes.

    ``socket.sendfile`` takes a socket that blocks or has a time-out, and goes on until
    all is sent; where the kernel cannot do it, it reads and sends. Raises EOFError or
    OSError where the receiver leaves before, OSError where the file has less than the
    size that it was said to have.
    """
    with conn:
        size = os.fstat(file.fileno()).st_size
        conn.sendall(size.to_bytes(SIZE, "big"))
        sent = conn.sendfile(file, count=size) if size else 0
        if sent < size:
            told = f"only {sent} of the {size} bytes that it was said to have"
            raise OSError(f"the file had {told}")
        if conn.recv(1) != STORED:
            raise EOFError("the receiver has left before the file was stored")
    return size


def pieces(conn: socket.socket, size: int) -> Iterator[memoryview]:
    """Receive *size* bytes as they come, each piece in the place of the one before.

    Raises EOFError where the sender leaves.
    """
    # One buffer for all: for each that is as large, malloc may have to map memory.
    buffer = memoryview(bytearray(CHUNK))
    while size:
        count = conn.recv_into(buffer[:size])
        if not count:
            raise EOFError("the sender has left before the file was complete")
        size -= count
        yield buffer[:count]


def receive(connect: Callable[[], socket.socket], path: str) -> int:
    """Store what is sent as *path*, say so to the sender, return the number of bytes.

    Where *path* can be no file, *connect* is not called; the connection that it returns
    is closed at the end. Raises EOFError or OSError, and leaves *path* as it was, where
    the file cannot be stored. Where it is stored and the sender cannot be told, this
    says so and ends the program with ``UNTOLD``.
    """
    with contextlib.ExitStack() as stack:
        with replacing(path) as new:
            conn = stack.enter_context(connect())
            size = int.from_bytes(b"".join(map(bytes, pieces(conn, SIZE))), "big")
            for piece in pieces(conn, size):
                new.write(piece)
        try:
            conn.sendall(STORED)
        except OSError as error:
            print(f"stored, but the sender does not know: {error}", file=sys.stderr)
            sys.exit(UNTOLD)
    return size


def accepted(host: str, port: int) -> socket.socket:
    """Wait for a sender and return the connection.

    Raises OSError, for one where the port is in use, and UnicodeError where *host*
    cannot be a host name.
    """
    with socket.create_server((host, port)) as listener:
        say("listening on {}:{}".format(*listener.getsockname()))
        conn, _ = listener.accept()
    conn.settimeout(TIMEOUT)
    return conn


def send_and_receive(source: str, target: str, host: str, port: int) -> int:
    """Receive as *target* what a thread sends of *source*. Raises as those two do.

    Neither waits for the other: the kernel completes a connection to a socket that
    listens, whether or not ``accept`` has been called.
    """
    from concurrent.futures import ThreadPoolExecutor  # slow, and needed here only

    with opened(source) as file, ThreadPoolExecutor() as pool:
        with socket.create_server((host, port)) as listener:
            near = socket.create_connection(listener.getsockname(), TIMEOUT)
            far, peer = listener.accept()
        with far:  # closed before the pool waits for the thread, which ends then
            if peer != near.getsockname():
                near.close()
                raise OSError("somebody else has connected first: try again")
            far.settimeout(TIMEOUT)
            sender = pool.submit(send, near, file)
            with contextlib.suppress(EOFError):
                return receive(lambda: far, target)
            return sender.result()  # raises: it has left too early, and knows why


def main() -> None:
    """Do what the command line says; what ends it midway leaves nothing behind."""
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
    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) != signal.SIG_IGN:  # as nohup has it
            signal.signal(signum, signal.default_int_handler)  # ends as Ctrl-C does
    where = (args.host, args.port)
    try:
        if args.receive is None:
            with opened(args.send) as file:
                size = send(socket.create_connection(where, TIMEOUT), file)
            say(f"sent {size} bytes")
        elif args.send is None:
            size = receive(lambda: accepted(*where), args.receive)
            say(f"received {size} bytes")
        else:
            size = send_and_receive(args.send, args.receive, *where)
            say(f"sent {size} bytes\nreceived {size} bytes")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)  # quietly: there is half a file nowhere
    except (BrokenPipeError, ConnectionResetError) as error:
        sys.exit(f"the other side has left: {error}")
    except (EOFError, OSError, UnicodeError) as error:
        sys.exit(f"cannot transfer the file: {error}")


if __name__ == "__main__":
    main()
