"""Echo over TCP to many clients from one thread, by ``select.select``.

The kernel keeps nothing: all sockets are passed at each call, and it looks at every
one of them, so the time of a call grows with the number of clients, idle ones too.
It takes no descriptor of FD_SETSIZE (1,024 on Linux and macOS) or above: a client
that gets one is turned away.

A client that is owed nothing is read from; one that is owed something is written to
and not read from. So what is kept for a client never exceeds ``CHUNK`` bytes,
however slowly it reads.

Nobody is dropped for being idle, and nothing is encrypted. On Windows the limit is
on the number of sockets, which this does not handle.

Sources: ``man 2 select``, ``man 2 accept`` (section "Error handling"),
https://docs.python.org/3/library/select.html#select.select
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
    """A connection and the bytes it is owed."""

    def __init__(self, conn: socket.socket) -> None:
        self.conn = conn
        self.unsent = b""


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

    def wait(self) -> list[int]:
        """Return the ready descriptors; sleep until there is one, or ``TICK``."""
        readers = [fd for fd, client in self.clients.items() if not client.unsent]
        writers = [fd for fd, client in self.clients.items() if client.unsent]
        if not self.resume_at:
            readers.append(self.listener.fileno())
        readable, writable, _ = select.select(readers, writers, [], TICK)
        if self.resume_at and time.monotonic() >= self.resume_at:
            self.resume_at = 0.0
        return readable + writable

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
            self.resume_at = time.monotonic() + ACCEPT_PAUSE
            return
        conn.setblocking(False)
        try:
            select.select([conn], [], [], 0)
        except ValueError:  # in wait() it would end the server
            log.warning("a client is turned away: FD_SETSIZE reached")
            conn.close()
            return
        self.clients[conn.fileno()] = Client(conn)

    def advance(self, client: Client) -> None:
        """Do for *client* what it waited for."""
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

    def close(self, client: Client) -> None:
        """Forget *client*."""
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
