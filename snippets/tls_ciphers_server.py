r"""Echo over TLS with chosen cipher suites, one client at a time.

OpenSSL names the suites of TLS 1.2 one by one; ``--ciphers`` takes such names, joined
by colons, or an expression (``man 1 openssl-ciphers``). The three or so of TLS 1.3
are another list, which ``set_ciphers`` leaves as it is, and a client that speaks TLS
1.3 gets one of those. Both lists are printed as JSON:

>>> context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
>>> context.set_ciphers(CIPHERS)
>>> suites = describe_ciphers(context)
>>> [name for name, protocol in suites.items() if protocol == "TLSv1.2"]
['ECDHE-ECDSA-AES128-GCM-SHA256']
>>> "TLS_AES_128_GCM_SHA256" in suites
True

An ECDSA suite needs a certificate with an ECDSA key. For a trial on this machine make
both in the current folder (OpenSSL 3)::

    openssl ecparam -name prime256v1 -genkey -noout -out key.pem
    openssl req -x509 -new -key key.pem -out cert.pem -days 365 -subj /CN=localhost \
      -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 \
      -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth

Apart from the choice this is ``tls_echo_server.py``: a second client waits in the
backlog for its turn, and the handshake has a time-out. Nothing here keeps you from
choosing a suite that is weak.

Sources: RFC 8446 (appendix B.4), RFC 9325 (section 4.2) on the choice of suites,
https://docs.python.org/3/library/ssl.html#ssl.SSLContext.set_ciphers
"""

import argparse
import json
import logging
import signal
import socket
import ssl
import sys

CIPHERS = "ECDHE-ECDSA-AES128-GCM-SHA256"  # forward secrecy, ECDSA key, AEAD
CHUNK = 65_536  # bytes asked of TLS at a time; it returns one record, 16,384 at most
TIMEOUT = 5.0  # seconds for the whole handshake, and again for the farewell
IDLE = 86_400.0  # seconds that a client may make no progress after the handshake
log = logging.getLogger(__name__)  # to stderr, and never raises


def create_context(cert: str, key: str, ciphers: str = CIPHERS) -> ssl.SSLContext:
    """Return what TLS needs to know: versions, suites, certificate and key.

    Raises ValueError where OpenSSL knows no suite in *ciphers*, and OSError where the
    files *cert* and *key* are not a certificate and its key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.set_ciphers(ciphers)  # those of TLS 1.2, no others
    except ssl.SSLError as error:
        raise ValueError(
            f"cannot use --ciphers {ciphers}, choose among those that "
            f"`openssl ciphers -v` lists: {error.args[0]}"
        ) from error
    context.options |= ssl.OP_NO_RENEGOTIATION
    # Python takes a connection cut short for one that ended well. OpenSSL 3 can tell.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.load_cert_chain(cert, key)
    return context


def describe_ciphers(context: ssl.SSLContext) -> dict[str, str]:
    """Return the suites that *context* allows, each with the version it came with."""
    return {suite["name"]: suite["protocol"] for suite in context.get_ciphers()}


def create_listener(host: str, port: int) -> socket.socket:
    """Return an IPv4 listener on *host* and *port* (0 picks a free port).

    ``create_server`` sets SO_REUSEADDR, so that a restart need not wait for the
    old connections to leave TIME_WAIT. Raises OSError, for one where the port is
    in use, and UnicodeError where *host* cannot be a host name.
    """
    address = socket.getaddrinfo(host, port, socket.AF_INET)[0][4]
    return socket.create_server(address, backlog=socket.SOMAXCONN)


def echo(conn: ssl.SSLSocket) -> None:
    """Send back what *conn* receives until its peer has sent everything.

    ``b""`` stands for close_notify. Raises OSError where the connection breaks or
    ends without it.
    """
    while chunk := conn.recv(CHUNK):
        conn.sendall(chunk)


def serve_client(conn: socket.socket, context: ssl.SSLContext) -> None:
    """Shake hands over *conn*, echo and say farewell. Raises OSError.

    All of TLS happens here and none of it in accept, where one client that never
    finishes its handshake would keep the server for ever.
    """
    conn.settimeout(TIMEOUT)
    with context.wrap_socket(
        conn,
        server_side=True,
        do_handshake_on_connect=False,
        suppress_ragged_eofs=False,
    ) as tls:
        tls.do_handshake()
        # Not None: without a time-out it is OpenSSL that waits, and Ctrl-C is lost.
        tls.settimeout(IDLE)
        echo(tls)
        tls.settimeout(TIMEOUT)
        tls.unwrap()  # sends our close_notify


def explain(error: OSError) -> str:
    """Return in words why a connection ended."""
    # Which class and which words it comes in depends on the version of Python.
    if isinstance(error, ssl.SSLEOFError) or "UNEXPECTED_EOF" in str(error):
        return "ended without close_notify"  # it crashed, or somebody cut it off
    return str(error)


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Accept one client after the other and echo to each, until interrupted."""
    while True:
        try:
            conn, peer = listener.accept()
        except ConnectionAbortedError:  # it left while it waited (BSD, macOS)
            continue
        with conn:
            try:
                serve_client(conn, context)
            except OSError as error:  # this client's trouble, not the next one's
                log.warning("%s: %s", peer, explain(error))


def main() -> None:
    """Read the command line and serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="localhost", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=5566, help="default: %(default)s")
    parser.add_argument("--cert", default="cert.pem", help="default: %(default)s")
    parser.add_argument("--key", default="key.pem", help="default: %(default)s")
    parser.add_argument("--ciphers", default=CIPHERS, help="default: %(default)s")
    args = parser.parse_args()
    if not 0 <= args.port <= 65_535:
        parser.error("--port must be between 0 and 65535")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        context = create_context(args.cert, args.key, args.ciphers)
        print(json.dumps(describe_ciphers(context), indent=2))
        with create_listener(args.host, args.port) as listener:
            print("listening on {}:{}".format(*listener.getsockname()), flush=True)
            serve(listener, context)
    except KeyboardInterrupt:
        pass
    except (OSError, UnicodeError) as error:
        sys.exit(
            "cannot serve, check --host, --port, and what openssl has made as "
            f"--cert {args.cert} and --key {args.key}: {error}"
        )
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
