"""What the broken TLS servers do right."""

import argparse
import contextlib
import selectors
import signal
import socket
import ssl
import sys
from collections.abc import Callable

CHUNK = 65_536  # bytes asked of TLS at a time
TIMEOUT = 3.0  # seconds for the handshake
NAMED = "cannot use {cert} with {key}, make both by the openssl lines: {error}"
ServeClient = Callable[[ssl.SSLSocket], None]


def good_context() -> ssl.SSLContext:
    """Return a context as the snippets make it, the certificate left out."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return context


def main(
    serve: Callable[[socket.socket, ssl.SSLContext], None],
    create_context: Callable[[], ssl.SSLContext] = good_context,
    fault: str = NAMED,
) -> None:
    """Let *serve* work until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=5566)
    parser.add_argument("--cert", default="cert.pem")
    parser.add_argument("--key", default="key.pem")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    context = create_context()
    try:
        context.load_cert_chain(args.cert, args.key)
    except OSError as error:
        sys.exit(fault.format(cert=args.cert, key=args.key, error=error))
    with (
        contextlib.suppress(KeyboardInterrupt),
        socket.create_server((args.host, args.port), backlog=128) as listener,
    ):
        host, port = listener.getsockname()
        print(f"listening on {host}:{port}", flush=True)
        serve(listener, context)


def wrap(conn: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return *conn* as the server's side of TLS, before the handshake."""
    return context.wrap_socket(
        conn,
        server_side=True,
        do_handshake_on_connect=False,
        suppress_ragged_eofs=False,
    )


def echo(tls: ssl.SSLSocket) -> None:
    """Shake hands, echo and say farewell."""
    tls.settimeout(TIMEOUT)
    tls.do_handshake()
    tls.settimeout(None)
    while chunk := tls.recv(CHUNK):
        tls.sendall(chunk)
    tls.unwrap()


def one_by_one(
    listener: socket.socket,
    context: ssl.SSLContext,
    serve_client: ServeClient = echo,
    caught: tuple[type[BaseException], ...] = (OSError,),
) -> None:
    """Let *serve_client* serve one client after the other."""
    while True:
        conn, _ = listener.accept()
        with contextlib.suppress(*caught), wrap(conn, context) as tls:
            serve_client(tls)


def all_at_once(
    listener: socket.socket,
    context: ssl.SSLContext,
    advance: Callable[[ssl.SSLSocket], None],
    *,
    blocking: bool = False,
) -> None:
    """Call *advance* for each client that has sent something, until it raises."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                ready = key.fileobj
                assert isinstance(ready, socket.socket)
                if ready is listener:
                    conn, _ = listener.accept()
                    conn.setblocking(blocking)
                    selector.register(wrap(conn, context), selectors.EVENT_READ)
                    continue
                assert isinstance(ready, ssl.SSLSocket)
                try:
                    advance(ready)
                except ssl.SSLWantReadError:
                    continue
                except OSError:
                    selector.unregister(ready)
                    ready.close()
