"""Each message of docs/errors.rst is provoked, and is what the page says."""

import contextlib
import errno
import json
import os
import re
import resource
import select
import socket
import ssl
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from support import tls
from support.pages import TITLE, parse
from support.requirements import ROOT
from support.sandbox import Sandbox

pytestmark = pytest.mark.linux  # whose numbers and words the page quotes

PAGE = ROOT / "docs" / "errors.rst"
QUOTE = re.compile(
    r"^\.\. code-block:: text\n(?:   :caption: (?P<caption>.+)\n)?\n   (?P<line>.+)\n",
    re.MULTILINE,
)
PARTS = re.compile(
    r"^:Cause:\n   .+\n:Fix:\n   .+\n:See:\n   :ref:`.+`\n\Z", re.S | re.M
)
IN_SANDBOX = (
    "connection-timed-out",
    "name-or-service-not-known",
    "network-is-unreachable",
    "no-route-to-host",
    "operation-not-permitted",
    "permission-denied",
    "temporary-failure-in-name-resolution",
)
LOOPBACK = ("127.0.0.1", 0)

Provoke = Callable[[], object]
provokers: list[tuple[str, Provoke]] = []


def texts() -> dict[str, str]:
    """Return what stands under each title of the page."""
    text = PAGE.read_text(encoding="utf-8")
    return {
        section.anchor: TITLE.sub("", text[section.start : section.end]).strip() + "\n"
        for section in parse(PAGE, text)
    }


def applies(caption: str | None) -> bool:
    """Tell whether a quote with *caption* is of this Python and this OpenSSL."""
    return caption is None or all(map(holds, caption.split(", ")))


def holds(condition: str) -> bool:
    """Tell whether "CPython 3.12", "... and newer" or "... to 3.13" holds here."""
    match = re.fullmatch(
        r"(CPython|OpenSSL) ([\d.]+)(?: to ([\d.]+)|( and newer))?", condition
    )
    assert match, f"{PAGE}: a caption that no test understands: {condition}"
    here = {"CPython": sys.version_info[:3], "OpenSSL": ssl.OPENSSL_VERSION_INFO[:3]}
    version: tuple[int, ...] = here[match[1]]
    first, last = (
        tuple(map(int, text.split("."))) for text in (match[2], match[3] or match[2])
    )
    return first <= version and (bool(match[4]) or version[: len(last)] <= last)


def quoted(anchor: str) -> list[str]:
    """Return what the section *anchor* quotes for this Python and this OpenSSL."""
    quotes = QUOTE.finditer(texts()[anchor])
    return [quote["line"] for quote in quotes if applies(quote["caption"])]


def printed(provoke: Provoke) -> str:
    """Return how Python would print what *provoke* raises."""
    try:
        provoke()
    except Exception as error:
        return traceback.format_exception_only(error)[0].strip()
    return "nothing was raised"


def without_line(message: str) -> str:
    """Return *message* without the line number of CPython's own code."""
    return re.sub(r"\(_ssl\.c:\d+\)$", "(_ssl.c:...)", message)


def provokes(anchor: str) -> Callable[[Provoke], Provoke]:
    """Let a function stand for the section *anchor* of the page."""

    def register(provoke: Provoke) -> Provoke:
        provokers.append((anchor, provoke))
        return provoke

    return register


@provokes("address-family-for-hostname-not-supported")
def other_family() -> None:
    """Give an IPv4 address to an IPv6 socket."""
    with socket.socket(socket.AF_INET6) as sock:
        sock.connect(("127.0.0.1", 80))


@provokes("label-too-long")
def long_label() -> None:
    """Look up a name with a part of 64 letters."""
    socket.getaddrinfo("a" * 64, 80)


@provokes("port-must-be-0-65535")
def high_port() -> None:
    """Bind to a port of 17 bits."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 65_536))


@provokes("address-must-be-tuple-not-str")
def address_in_one() -> None:
    """Give an address as a person writes it."""
    with socket.socket() as sock:
        sock.connect("127.0.0.1:5566")  # type: ignore[arg-type,unused-ignore]


@provokes("a-bytes-like-object-is-required")
def text_is_sent() -> None:
    """Send text."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall("text")  # type: ignore[arg-type]


@provokes("address-already-in-use")
def port_in_use() -> None:
    """Listen where another one listens."""
    with socket.create_server(LOOPBACK) as first, socket.socket() as second:
        second.bind(first.getsockname())


@provokes("address-already-in-use")
def path_in_use() -> None:
    """Bind to a path that exists."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("/")


@provokes("cannot-assign-requested-address")
def foreign_address() -> None:
    """Bind to an address that is reserved for documentation."""
    with socket.socket() as sock:
        sock.bind(("192.0.2.99", 0))


@provokes("invalid-argument")
def no_scope() -> None:
    """Bind to a link-local address by a pair, which loses the scope."""
    with socket.socket(socket.AF_INET6) as sock:
        sock.bind(("fe80::1%lo", 0))


@provokes("invalid-argument")
def bound_twice() -> None:
    """Bind twice."""
    with socket.socket() as sock:
        sock.bind(LOOPBACK)
        sock.bind(LOOPBACK)


@provokes("invalid-argument")
def accept_too_soon() -> None:
    """Accept before listening."""
    with socket.socket() as sock:
        sock.bind(LOOPBACK)
        sock.accept()


@provokes("permission-denied")
def broadcast() -> None:
    """Send to the broadcast address of loopback, without SO_BROADCAST."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"", ("127.255.255.255", 9))


@provokes("protocol-not-supported")
def raw_without_protocol() -> None:
    """Make a raw socket of no protocol."""
    socket.socket(socket.AF_INET, socket.SOCK_RAW)


@provokes("protocol-not-supported")
def wrong_protocol() -> None:
    """Make a stream of datagrams."""
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_UDP)


@provokes("address-family-not-supported-by-protocol")
def unknown_family() -> None:
    """Make a socket of a family that no kernel has."""
    socket.socket(socket.AF_UNSPEC)


@provokes("operation-not-supported")
def listening_datagrams() -> None:
    """Listen for datagrams."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.listen()


@provokes("connection-refused")
def nobody_listens() -> None:
    """Connect to a port that is bound, so that nobody else has it, and no more."""
    with socket.socket() as bound, socket.socket() as sock:
        bound.bind(LOOPBACK)
        sock.connect(bound.getsockname())


@provokes("connection-refused")
def nobody_receives() -> None:
    """Send a second datagram after the receiver has gone."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        with socket.socket(type=socket.SOCK_DGRAM) as receiver:
            receiver.bind(LOOPBACK)
            sock.connect(receiver.getsockname())
        sock.send(b"")
        sock.send(b"")


@provokes("connection-refused")
def path_left_behind() -> None:
    """Connect to a path that nobody listens on."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "socket")
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(path)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)


@provokes("connection-reset-by-peer")
def unread_bytes() -> None:
    """Receive after the peer has closed its socket with a byte unread."""
    with socket.create_server(LOOPBACK) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs = listener.accept()[0]
    with ours, theirs:
        ours.sendall(b"x")
        theirs.recv(1, socket.MSG_PEEK)  # it is there
        theirs.close()
        ours.recv(1)


@provokes("broken-pipe")
def peer_closed() -> None:
    """Send to an end that is closed."""
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        ours.sendall(b"x")


@provokes("broken-pipe")
def own_end_shut() -> None:
    """Send after saying that no more will come."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.shutdown(socket.SHUT_WR)
        ours.sendall(b"x")


@provokes("transport-endpoint-is-not-connected")
def recv_of_listener() -> None:
    """Receive from the listener."""
    with socket.create_server(LOOPBACK) as listener:
        listener.recv(1)


@provokes("bad-file-descriptor")
def closed_socket() -> None:
    """Receive from a closed socket."""
    with socket.socket() as sock:
        pass
    sock.recv(1)


@provokes("timed-out")
def own_timeout() -> None:
    """Wait a millisecond for a peer that is silent."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.001)
        ours.recv(1)


@provokes("resource-temporarily-unavailable")
def nothing_there() -> None:
    """Receive from a non-blocking socket whose peer is silent."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        ours.recv(1)


@provokes("operation-now-in-progress")
def connect_without_waiting() -> None:
    """Connect a non-blocking socket."""
    with socket.create_server(LOOPBACK) as listener, socket.socket() as sock:
        sock.setblocking(False)
        sock.connect(listener.getsockname())


@provokes("too-many-open-files")
def no_descriptor_left() -> None:
    """Make a socket where the limit is the number that it would get."""
    free = os.dup(0)
    os.close(free)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        socket.socket()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@provokes("filedescriptor-out-of-range-in-select")
def beyond_fd_setsize() -> None:
    """Watch a number beyond FD_SETSIZE; whether it is open does not matter."""
    select.select([1_024], [], [])


@provokes("module-has-no-attribute-kqueue")
def kqueue_on_linux() -> None:
    """Use kqueue on Linux."""
    select.kqueue()  # type: ignore[attr-defined,unused-ignore]


@provokes("af-unix-path-too-long")
def long_path() -> None:
    """Bind to a path of 108 bytes."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("x" * 108)


@provokes("no-such-file-or-directory")
def no_path() -> None:
    """Connect to a path that no server has made."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("/no-such-folder/socket")


@provokes("no-such-file-or-directory")
def no_certificate() -> None:
    """Load a certificate that is not there."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain("no-such-cert.pem")


@provokes("message-too-long")
def long_datagram() -> None:
    """Send a byte more than a datagram can carry."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(bytes(65_508), ("127.0.0.1", 9))


@provokes("operation-did-not-complete-read")
def handshake_alone() -> None:
    """Shake hands on a non-blocking socket whose peer is silent."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        wrapped = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(
            ours, server_hostname="localhost", do_handshake_on_connect=False
        )
        with wrapped:
            wrapped.do_handshake()


@provokes("operation-did-not-complete-write")
def no_room() -> None:
    """Shake hands on a non-blocking socket whose buffer is full."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(bytes(4_096))
        wrapped = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(
            ours, server_hostname="localhost", do_handshake_on_connect=False
        )
        with wrapped:
            wrapped.do_handshake()


@provokes("no-cipher-can-be-selected")
def unknown_suite() -> None:
    """Choose a suite that does not exist."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers("NO-SUCH-SUITE")


@provokes("check-hostname-requires-server-hostname")
def no_name() -> None:
    """Verify without a name."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ssl.create_default_context().wrap_socket(ours)


class Sides:
    """A client and a server that shake hands in memory."""

    def __init__(self, name: str = "localhost") -> None:
        folder = tls.folder_of("page")
        self.client_context = tls.client_context(folder)
        self.server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server_context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self.name = name
        self.to_server, self.to_client = ssl.MemoryBIO(), ssl.MemoryBIO()

    def client(self) -> ssl.SSLObject:
        """Return the client's side."""
        return self.client_context.wrap_bio(
            self.to_client, self.to_server, server_hostname=self.name
        )

    def server(self) -> ssl.SSLObject:
        """Return the server's side."""
        return self.server_context.wrap_bio(
            self.to_server, self.to_client, server_side=True
        )

    def handshake(self, listen_to: str) -> None:
        """Shake hands; raise what the side *listen_to* has to say."""
        sides = {"client": self.client(), "server": self.server()}
        for name in ("client", "server") * 3:
            try:
                sides[name].do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                if name == listen_to:
                    raise


@provokes("no-shared-cipher")
def other_suite() -> None:
    """Offer one suite of TLS 1.2 where the server has another."""
    sides = Sides()
    sides.client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    sides.client_context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    sides.server_context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    sides.handshake("server")


@provokes("no-shared-cipher")
def server_without_certificate() -> None:
    """Be a server without a certificate."""
    sides = Sides()
    sides.server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    sides.handshake("server")


@provokes("http-request")
def plain_http() -> None:
    """Speak HTTP to a TLS server."""
    sides = Sides()
    sides.to_server.write(b"GET / HTTP/1.0\r\n\r\n")
    sides.server().do_handshake()


@provokes("wrong-version-number")
def plain_server() -> None:
    """Speak TLS to a server that does not."""
    sides = Sides()
    sides.to_client.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    sides.client().do_handshake()


@provokes("certificate-verify-failed")
def unknown_certificate() -> None:
    """Trust nobody."""
    sides = Sides()
    sides.client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    sides.handshake("client")


@provokes("unknown-ca")
def distrust_told() -> None:
    """Trust nobody, as the server learns it."""
    sides = Sides()
    sides.client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    sides.handshake("server")


@provokes("hostname-mismatch")
def other_name() -> None:
    """Want another name."""
    Sides("example.org").handshake("client")


@provokes("eof-occurred-in-violation-of-protocol")
def end_in_the_handshake() -> None:
    """Leave in the middle of the handshake."""
    sides = Sides()
    sides.client_context = ssl.create_default_context()
    sides.to_client.write_eof()
    sides.client().do_handshake()


@pytest.mark.parametrize(
    ("anchor", "provoke"),
    provokers,
    ids=[f"{anchor}-{provoke.__name__}" for anchor, provoke in provokers],
)
def test_the_message_is_what_the_page_quotes(anchor: str, provoke: Provoke) -> None:
    """What Python prints is what the section quotes, letter by letter."""
    actual = without_line(printed(provoke))
    expected = quoted(anchor)
    if not expected and ":caption: OpenSSL" in texts()[anchor]:
        return  # the page does not say how this version of OpenSSL puts it
    assert expected == [actual]


@pytest.fixture(scope="module")
def from_sandbox(needs_sandbox: None) -> dict[str, list[str]]:  # noqa: ARG001
    """Return what was raised in a network of its own, and with fewer rights."""
    program = Path(__file__).with_name("provoke_in_sandbox.py")
    with Sandbox() as sandbox:
        done = sandbox.run("alice", sys.executable, str(program))
    assert "" == done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("anchor", IN_SANDBOX)
def test_the_message_in_a_sandbox(
    from_sandbox: dict[str, list[str]], anchor: str
) -> None:
    """What takes another network, or fewer rights, is quoted right, too."""
    [expected] = quoted(anchor)
    actual = from_sandbox[anchor]
    assert [expected] * len(actual) == actual
    assert set(IN_SANDBOX) == from_sandbox.keys()


def test_each_section_is_provoked() -> None:
    """No message stands on the page that no test provokes."""
    tested = {anchor for anchor, _ in provokers} | set(IN_SANDBOX)
    assert set() == texts().keys() - tested, "write what provokes these messages"
    assert set() == tested - texts().keys(), "the page has no such sections"


@pytest.mark.parametrize("anchor", texts())
def test_a_section_has_all_its_parts(anchor: str) -> None:
    """A section quotes a message, and has its cause, its fix and a section to see."""
    text = texts()[anchor]
    quotes = list(QUOTE.finditer(text))
    assert quotes, "no message is quoted"
    assert text.count(".. code-block::") == len(quotes), "a quote is not understood"
    for quote in quotes:
        applies(quote["caption"])
    assert PARTS.search(text[quotes[-1].end() :]), "Cause, Fix and See, in this order"


def test_create_server_adds_the_address() -> None:
    """As the page says, create_server adds to the message the address in question."""
    [expected] = quoted("address-already-in-use")
    with socket.create_server(LOOPBACK) as first:
        place = first.getsockname()
        added = f" (while attempting to bind on address {place})"
        assert expected + added == printed(lambda: socket.create_server(place))
    assert "``(while attempting to bind on address" in texts()["address-already-in-use"]
    assert 98 == errno.EADDRINUSE
