r"""Echo over TLS to many clients from one thread, by ``selectors``.

To send, TLS may first have to receive, and the other way round. Each of its calls
(handshake, receive, send, farewell) says by SSLWantReadError or SSLWantWriteError
what it waits for, and is made again, the same, once the socket is ready for that.

``recv`` takes a whole record from the socket. What it did not return of one is held
by TLS, where no selector sees it: ``pending`` says that there is more.

A client is read from only while it is owed nothing, so what is kept for it never
exceeds ``CHUNK`` bytes and what OpenSSL keeps of one record each way. Nobody is
dropped for being idle, in the handshake or after it. OpenSSL answers messages of its
own kind (KeyUpdate of TLS 1.3) within one call, as long as more of them come: a client
that sends nothing else keeps the others, and Ctrl-C, waiting.

For a trial on this machine make certificate and key in the current folder (OpenSSL 3)::

    openssl ecparam -name prime256v1 -genkey -noout -out key.pem
    openssl req -x509 -new -key key.pem -out cert.pem -days 365 -subj /CN=localhost \
      -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 \
      -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth

Sources: ``man 3 SSL_get_error``, ``man 3 SSL_pending``, ``man 2 accept``,
https://docs.python.org/3/library/ssl.html#notes-on-non-blocking-sockets
"""

import argparse
import logging
import selectors
import signal
import socket
import ssl
import sys
import time

CHUNK = 4_096  # bytes: the most that one recv returns and that one client is owed
TICK = 0.5  # seconds: a signal that comes just before a wait is noticed after it
ACCEPT_PAUSE = 1.0  # seconds for which nobody is accepted after a fault


class Client:
    """A connection, the bytes it is owed and the event it waits for."""

    def __init__(self, conn: ssl.SSLSocket) -> None:
        self.conn = conn
        self.unsent = b""
        self.event = selectors.EVENT_READ


class EchoServer:
    """Echo to every client of a listener."""

    def __init__(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        listener.setblocking(False)
        # Accepted sockets inherit it: an answer in pieces does not wait until the peer
        # has acknowledged the first, which it puts off (by 40 ms on Linux).
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.listener = listener
        self.context = context
        self.clients: dict[int, Client] = {}
        self.resume_at = 0.0  # while accepting pauses: until when
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)

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
            self.selector.close()

    def wait(self) -> list[int]:
        """Return the ready descriptors; sleep until there is one, or ``TICK``."""
        ready = self.selector.select(TICK)
        if self.resume_at and time.monotonic() >= self.resume_at:
            self.resume_at = 0.0
            self.selector.register(self.listener, selectors.EVENT_READ)
        return [key.fd for key, _ in ready]

    def accept(self) -> None:
        """Take one client from the backlog; its handshake is for later."""
        try:
            conn, _ = self.listener.accept()
        except (BlockingIOError, ConnectionError):  # this client has gone already
            return
        except OSError as error:
            # No free descriptor, say. The listener stays readable: to look again at
            # once would spin.
            logging.getLogger(__name__).warning("accepting pauses: %s", error.strerror)
            self.selector.unregister(self.listener)
            self.resume_at = time.monotonic() + ACCEPT_PAUSE
            return
        conn.setblocking(False)
        try:
            conn.getpeername()  # fails where it was reset, which ssl takes badly
            conn = self.context.wrap_socket(
                conn, server_side=True, do_handshake_on_connect=False
            )
            self.selector.register(conn, selectors.EVENT_READ)
        except OSError:  # or no memory, or too many watches for this user
            conn.close()
            return
        self.clients[conn.fileno()] = Client(conn)

    def advance(self, client: Client) -> None:
        """Do for *client* what it waited for, and see what it waits for next."""
        event = selectors.EVENT_READ
        try:
            client.conn.do_handshake()  # which does nothing once it is done
            while True:
                client.unsent = client.unsent or client.conn.recv(CHUNK)
                if not client.unsent:  # close_notify, or a bare end of the connection
                    client.conn.unwrap()  # says ours, behind all that was owed
                    raise EOFError
                client.unsent = client.unsent[client.conn.send(client.unsent) :]
                if not client.unsent and not client.conn.pending():
                    break  # then the others have a turn
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:
            event = selectors.EVENT_WRITE
        except (EOFError, OSError):  # or no TLS, reset, cut short: only this client
            self.close(client)
            return
        if event != client.event:
            client.event = event
            self.selector.modify(client.conn, event)

    def close(self, client: Client) -> None:
        """Forget *client*; the selector has a table of its own, so it comes first."""
        self.selector.unregister(client.conn)
        del self.clients[client.conn.fileno()]
        client.conn.close()


def create_context(cert: str, key: str) -> ssl.SSLContext:
    """Return what TLS needs to know: versions, suites, certificate and key.

    Raises OSError where the files *cert* and *key* are not such a pair.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # For TLS 1.2: forward secrecy and AEAD only. TLS 1.3 has nothing else.
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(cert, key)
    return context


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
    parser.add_argument("--cert", default="cert.pem", help="default: %(default)s")
    parser.add_argument("--key", default="key.pem", help="default: %(default)s")
    args = parser.parse_args()
    if not 0 <= args.port <= 65_535:
        parser.error("--port must be between 0 and 65535")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        context = create_context(args.cert, args.key)
        with create_listener(args.host, args.port) as listener:
            print("listening on {}:{}".format(*listener.getsockname()), flush=True)
            EchoServer(listener, context).serve()
    except KeyboardInterrupt:
        pass
    except (OSError, UnicodeError) as error:
        sys.exit(
            "cannot serve, check --host, --port, and what openssl has made as "
            f"--cert {args.cert} and --key {args.key}: {error}"
        )


if __name__ == "__main__":
    main()
