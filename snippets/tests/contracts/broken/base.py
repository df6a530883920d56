"""What the broken servers do right."""

import argparse
import contextlib
import select
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Callable

CHUNK = 65_536  # bytes asked of the kernel at a time


def listen(host: str, port: int) -> socket.socket:
    """Return a listener as the snippets make it."""
    return socket.create_server((host, port), backlog=socket.SOMAXCONN)


def read_address() -> tuple[str, int]:
    """Return host and port from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=5566)
    args = parser.parse_args()
    if not 0 <= args.port <= 65_535:
        parser.error("--port must be between 0 and 65535")
    return args.host, args.port


def announce(listener: socket.socket) -> None:
    """Print where *listener* listens."""
    host, port = listener.getsockname()
    print(f"listening on {host}:{port}", flush=True)


def main(
    serve: Callable[[socket.socket], None],
    create_listener: Callable[[str, int], socket.socket] = listen,
) -> None:
    """Let *serve* work until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        listener = create_listener(*read_address())
    except OSError as error:
        sys.exit(f"cannot listen: {error}")
    with contextlib.suppress(KeyboardInterrupt), listener:
        announce(listener)
        serve(listener)


def echo(conn: socket.socket) -> None:
    """Send back what *conn* receives until EOF."""
    while chunk := conn.recv(CHUNK):
        conn.sendall(chunk)


def one_by_one(
    listener: socket.socket, serve_client: Callable[[socket.socket], None] = echo
) -> None:
    """Let *serve_client* serve one client after the other."""
    while True:
        conn, _ = listener.accept()
        with conn, contextlib.suppress(OSError):
            serve_client(conn)


def serve_client(conn: socket.socket) -> None:
    """Serve one client."""
    with conn, contextlib.suppress(OSError):
        echo(conn)


def give_up(error: OSError) -> None:
    """End with *error*."""
    raise error


def in_threads(
    listener: socket.socket,
    no_client: Callable[[OSError], None] = give_up,
    serve_client: Callable[[socket.socket], None] = serve_client,
) -> None:
    """Let *serve_client* serve many clients, in a thread each.

    Where nobody can be accepted *no_client* does something about it.
    """
    while True:
        try:
            conn, _ = listener.accept()
        except OSError as error:
            no_client(error)
            continue
        threading.Thread(target=serve_client, args=(conn,), daemon=True).start()


def all_at_once(
    listener: socket.socket, advance: Callable[[socket.socket], bool]
) -> None:
    """Call *advance* for each client that has sent something, until it is False."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                ready = key.fileobj
                assert isinstance(ready, socket.socket)
                if ready is listener:
                    conn, _ = listener.accept()
                    conn.setblocking(False)
                    selector.register(conn, selectors.EVENT_READ)
                    continue
                stays = False
                with contextlib.suppress(OSError):
                    stays = advance(ready)
                if not stays:
                    selector.unregister(ready)
                    ready.close()


class Buffered:
    """Serve many clients at once and keep for each what could not be sent yet."""

    def __init__(self) -> None:
        self.unsent: dict[socket.socket, bytes] = {}
        self.clients: list[socket.socket] = []

    def serve(self, listener: socket.socket) -> None:
        """Read from those who are owed nothing; send to the others."""
        while True:
            silent = [conn for conn in self.clients if conn not in self.unsent]
            readable, writable, _ = select.select([listener, *silent], self.unsent, [])
            for ready in [*readable, *writable]:
                if ready is listener:
                    conn, _ = listener.accept()
                    conn.setblocking(False)
                    self.clients.append(conn)
                else:
                    self.advance(ready)

    def advance(self, conn: socket.socket) -> None:
        """Send to *conn* what it is owed, or else what it has sent."""
        try:
            chunk = self.unsent.pop(conn, b"") or conn.recv(CHUNK)
            rest = chunk
            with contextlib.suppress(BlockingIOError):
                rest = chunk[conn.send(chunk) :]
        except OSError:
            self.drop(conn)
        else:
            if rest:
                self.keep(conn, rest)
            if not chunk:
                self.close(conn)

    def keep(self, conn: socket.socket, rest: bytes) -> None:
        """Remember what *conn* is owed."""
        self.unsent[conn] = rest

    def drop(self, conn: socket.socket) -> None:
        """Forget a client whose connection broke."""
        self.close(conn)

    def close(self, conn: socket.socket) -> None:
        """Forget a client."""
        self.clients.remove(conn)
        conn.close()
