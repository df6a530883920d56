"""Echo over TCP to many clients, each in a thread of its own.

A thread may wait, so serving one client is the loop of ``tcp_echo_server.py``, and
what a client is owed is a local variable of at most ``CHUNK`` bytes. Each client
costs a thread: a stack, and the work of switching to it.

Nobody is dropped for being idle, and nothing is encrypted.

Sources: ``man 7 tcp``, ``man 2 accept`` (section "Error handling"),
https://docs.python.org/3/library/threading.html
"""

import argparse
import contextlib
import logging
import signal
import socket
import sys
import threading
import time

CHUNK = 65_536  # bytes: the most that one recv returns and that one client is owed
ACCEPT_PAUSE = 1.0  # seconds for which nobody is accepted after a fault
LOOK_UP = 0.5  # seconds: with threads, accept may miss a signal and wait on
log = logging.getLogger(__name__)  # to stderr, and never raises


class EchoServer:
    """Echo to every client of a listener."""

    def __init__(self, listener: socket.socket) -> None:
        listener.settimeout(LOOK_UP)
        # Accepted sockets inherit it: an answer in pieces does not wait until the peer
        # has acknowledged the first, which it puts off (by 40 ms on Linux).
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.listener = listener
        self.clients: set[socket.socket] = set()

    def serve(self) -> None:
        """Accept one client after the other, until interrupted."""
        try:
            while True:
                self.accept()
        finally:
            # The threads are no daemons, which would be cut off anywhere at the end
            # of the program: it waits for them. So wake up those that wait.
            for conn in list(self.clients):
                with contextlib.suppress(OSError):  # this client has just left
                    conn.shutdown(socket.SHUT_RDWR)

    def accept(self) -> None:
        """Take one client from the backlog and start its thread."""
        try:
            conn, _ = self.listener.accept()
        except (TimeoutError, ConnectionError):  # nobody there, or gone already
            return
        except OSError as error:
            # No free descriptor, say. To try again at once would spin.
            log.warning("accepting pauses: %s", error.strerror)
            time.sleep(ACCEPT_PAUSE)
            return
        self.clients.add(conn)
        try:
            threading.Thread(target=self.advance, args=(conn,)).start()
        except RuntimeError as error:  # no memory, or too many threads for this user
            log.warning("a client is turned away: %s", error)
            self.close(conn)

    def advance(self, conn: socket.socket) -> None:
        """Send back what *conn* receives until its peer has sent everything."""
        try:
            while chunk := conn.recv(CHUNK):
                conn.sendall(chunk)
        except OSError:  # reset, timed out, unreachable: only this client is lost
            pass
        finally:
            self.close(conn)

    def close(self, conn: socket.socket) -> None:
        """Forget *conn*."""
        self.clients.remove(conn)
        conn.close()


def create_listener(host: str, port: int) -> socket.socket:
    """Return an IPv4 listener on *host* and *port* (0 picks a free port).

    ``create_server`` sets SO_REUSEADDR, so that a restart need not wait for the
    old connections to leave TIME_WAIT. Raises OSError, for one where the port is
    in use, and UnicodeError where *host* cannot be a host name.
    """
    address = socket.getaddrinfo(host, port, socket.AF_INET)[0][4]
    return socket.create_server(address, backlog=socket.SOMAXCONN)


def interrupt(*_: object) -> None:
    """Interrupt the program, once: a second signal must not cut its end short."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    raise KeyboardInterrupt


def main() -> None:
    """Read the command line and serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="localhost", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=5566, help="default: %(default)s")
    args = parser.parse_args()
    if not 0 <= args.port <= 65_535:
        parser.error("--port must be between 0 and 65535")
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with create_listener(args.host, args.port) as listener:
            print("listening on {}:{}".format(*listener.getsockname()), flush=True)
            EchoServer(listener).serve()
    except KeyboardInterrupt:
        pass
    except (OSError, UnicodeError) as error:
        sys.exit(f"cannot serve, check --host and --port: {error}")


if __name__ == "__main__":
    main()
