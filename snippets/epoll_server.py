"""Echo over TCP to many clients from one thread, by ``select.epoll`` (Linux).

The kernel keeps the set of sockets and returns only those that are ready, so idle
clients cost memory but no time. A client that is owed nothing is read from; one
that is owed something is written to and not read from. So what is kept for a
client never exceeds ``CHUNK`` bytes, however slowly it reads.

Nobody is dropped for being idle, and nothing is encrypted.

Sources: ``man 7 epoll``, ``man 2 accept`` (section "Error handling"),
https://docs.python.org/3/library/select.html#edge-and-level-trigger-polling-epoll-objects
"""

import argparse
import logging
import select
import signal
import socket
import sys
import time

CHUNK = 65_536  # bytes: the most that one recv returns and that one client is owed
TICK = 0.5  # seconds: a signal that comes just before a wait is noticed after it
ACCEPT_PAUSE = 1.0  # seconds for which nobody is accepted after a fault
log = logging.getLogger(__name__)  # to stderr, and never raises


class Client:
    """A connection, the bytes it is owed and the event it waits for."""

    def __init__(self, conn: socket.socket) -> None:
        self.conn = conn
        self.unsent = b""
        self.event = select.EPOLLIN


class EchoServer:
    """Echo to every client of a listener."""

    def __init__(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        # Accepted sockets inherit it: an answer in pieces does not wait until the peer
        # has acknowledged the first, which it puts off (by 40 ms on Linux).
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.listener = listener
        self.clients: dict[int, Client] = {}
        self.resume_at = 0.0  # while accepting pauses: until when
        self.epoll = select.epoll()
        self.epoll.register(listener, select.EPOLLIN)

    def serve(self) -> None:
        """Wait for events and act on them, until interrupted."""
        try:
            while True:
                for fd in self.wait():
                    if fd in self.clients:
                        self.advance(self.clients[fd])
                    else:
                        self.accept()
        finally:
            for client in list(self.clients.values()):
                self.close(client)
            self.epoll.close()

    def wait(self) -> list[int]:
        """Return the ready descriptors; sleep until there is one, or ``TICK``."""
        ready = self.epoll.poll(TICK)
        if self.resume_at and time.monotonic() >= self.resume_at:
            self.resume_at = 0.0
            self.epoll.modify(self.listener, select.EPOLLIN)
        return [fd for fd, _ in ready]

    def accept(self) -> None:
        """Take one client from the backlog."""
        try:
            conn, _ = self.listener.accept()
        except (BlockingIOError, ConnectionError):  # this client has gone already
            return
        except OSError as error:
            # No free descriptor, say. The listener stays readable: to look again at
            # once would spin.
            log.warning("accepting pauses: %s", error.strerror)
            self.epoll.modify(self.listener, 0)
            self.resume_at = time.monotonic() + ACCEPT_PAUSE
            return
        conn.setblocking(False)
        try:
            self.epoll.register(conn, select.EPOLLIN)
        except OSError as error:  # no memory, or too many watches for this user
            log.warning("a client is turned away: %s", error.strerror)
            conn.close()
            return
        self.clients[conn.fileno()] = Client(conn)

    def advance(self, client: Client) -> None:
        """Do for *client* what it waited for, and see what it waits for next."""
        try:
            client.unsent = client.unsent or client.conn.recv(CHUNK)
            if not client.unsent:  # it has sent everything and is owed nothing
                self.close(client)
                return
            client.unsent = client.unsent[client.conn.send(client.unsent) :]
        except BlockingIOError:  # nothing there after all, or no room: wait
            pass
        except OSError:  # reset, timed out, unreachable: only this client is lost
            self.close(client)
            return
        event = select.EPOLLOUT if client.unsent else select.EPOLLIN
        if event != client.event:
            client.event = event
            self.epoll.modify(client.conn, event)

    def close(self, client: Client) -> None:
        """Forget *client*; the kernel takes a closed socket out of the set."""
        del self.clients[client.conn.fileno()]
        client.conn.close()


def create_listener(host: str, port: int) -> socket.socket:
    """Return an IPv4 listener on *host* and *port* (0 picks a free port).

    ``create_server`` sets SO_REUSEADDR, so that a restart need not wait for the
    old connections to leave TIME_WAIT. Raises OSError, for one where the port is
    in use, and UnicodeError where *host* cannot be a host name.
    """
    address = socket.getaddrinfo(host, port, socket.AF_INET)[0][4]
    return socket.create_server(address, backlog=socket.SOMAXCONN)


def main() -> None:
    """Read the command line and serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="localhost", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=5566, help="default: %(default)s")
    args = parser.parse_args()
    if not 0 <= args.port <= 65_535:
        parser.error("--port must be between 0 and 65535")
    if not hasattr(select, "epoll"):
        sys.exit("cannot serve: this system has no epoll; try selectors_server.py")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
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
