"""tls_echo_server, and what the servers of its chapter have in common with it."""

import inspect
import re
import socket
import ssl
import time
from pathlib import Path
from types import ModuleType

import pytest

import tls_ciphers_server
import tls_echo_server
import tls_selectors_server
from contracts import command_line, stream, tls
from support.pages import parse
from support.server import Server, run
from support.tls import (
    PAGE,
    TLS,
    certificate_commands,
    client_context,
    folder_of,
    run_command,
    wait_for_end,
)

DEADLINE = 10.0  # seconds for any one call
SEQUENTIAL = [tls_echo_server, tls_ciphers_server]
ALL = [*SEQUENTIAL, tls_selectors_server]
SAME = ("create_listener", "echo", "serve_client", "explain", "serve")

TestStream = stream.sequential("tls_echo_server", transport=TLS)
TestTls = tls.sequential("tls_echo_server")
TestCommandLine = command_line.server(tls_echo_server, TLS)


def name(module: ModuleType) -> str:
    """Return what a parametrized test shows for *module*."""
    return module.__name__


@pytest.fixture
def page_certificate() -> Path:
    """Return a folder with cert.pem and key.pem, made by the lines on the page."""
    return folder_of("page")


@pytest.mark.parametrize("module", ALL, ids=name)
def test_the_context_allows_what_is_sound(
    module: ModuleType, page_certificate: Path
) -> None:
    """TLS 1.2 or newer, forward secrecy, AEAD, no compression, no renegotiation."""
    context = module.create_context(
        str(page_certificate / "cert.pem"), str(page_certificate / "key.pem")
    )
    assert ssl.TLSVersion.TLSv1_2 == context.minimum_version
    for option in (ssl.OP_NO_COMPRESSION, ssl.OP_NO_RENEGOTIATION):
        assert option in context.options
    if module in SEQUENTIAL:  # which say who was cut short
        assert not context.options & getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    for suite in context.get_ciphers():
        assert re.match("TLS_|ECDHE-", suite["name"])
        assert re.search("GCM|CHACHA20|CCM", suite["name"])


@pytest.mark.parametrize("module", ALL, ids=name)
def test_the_certificate_is_that_of_the_current_folder(
    module: ModuleType, page_certificate: Path
) -> None:
    """Without --cert and --key it takes cert.pem and key.pem of the current folder."""
    place = ("--port", "0")
    with Server(module.__name__, place=place, folder=page_certificate) as server:
        sock = socket.create_connection(server.address, DEADLINE)
        context = client_context(page_certificate)
        with context.wrap_socket(sock, server_hostname="localhost") as conn:
            conn.sendall(b"Hello")
            assert b"Hello" == conn.recv(5)
            conn.unwrap()


@pytest.mark.parametrize("module", ALL, ids=name)
def test_without_a_certificate_it_says_how_to_make_one(module: ModuleType) -> None:
    """In an empty folder it names the files, and what makes them."""
    ended = run(module.__name__, "--port", "0")
    expected = (
        "cannot serve, check --host, --port, and what openssl has made as "
        "--cert cert.pem and --key key.pem: [Errno 2] No such file or directory\n"
    )
    assert (1, "", expected) == (ended.status, ended.stdout, ended.stderr)


@pytest.mark.parametrize("number", range(3))
def test_the_openssl_lines_are_the_same_everywhere(number: int) -> None:
    """Each section, and the docstring of its file, makes the certificate alike."""
    section = parse(PAGE)[number]
    (module,) = [m for m in ALL if m.__name__ == section.snippets[0]]
    lines = (module.__doc__ or "").replace("\\\n", "").split("\n")
    in_docstring = [
        " ".join(line.split())
        for line in lines
        if re.match(r" +openssl (ecparam|req) ", line)
    ]
    on_page = [" ".join(command.split()) for command in certificate_commands(number)]
    first = [" ".join(command.split()) for command in certificate_commands()]
    assert 2 == len(first)
    assert first == on_page
    assert first == in_docstring


def test_the_openssl_lines_print_nothing_and_keep_the_key_private(
    page_certificate: Path, tmp_path: Path
) -> None:
    """They ask nothing, print nothing, and nobody else may read the key."""
    for command in certificate_commands():
        assert "" == run_command(command, tmp_path)
    assert 0o600 == (tmp_path / "key.pem").stat().st_mode & 0o777
    first = (page_certificate / "key.pem").read_bytes()
    assert first != (tmp_path / "key.pem").read_bytes()


def test_the_certificate_is_no_authority(page_certificate: Path) -> None:
    """It has a P-256 key, three names, and may sign no other certificate."""
    text = run_command("openssl x509 -in cert.pem -noout -text", page_certificate)
    words = " ".join(text.split())
    for expected in (
        "ASN1 OID: prime256v1",
        "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
        "Basic Constraints: critical CA:FALSE",
        "TLS Web Server Authentication",
    ):
        assert expected in words


def test_the_certificate_passes_strict_verification(page_certificate: Path) -> None:
    """It verifies by RFC 5280 to the letter, as Python 3.13 and newer demand."""
    strict = "openssl verify -x509_strict -purpose sslserver -verify_hostname localhost"
    output = run_command(f"{strict} -CAfile cert.pem cert.pem", page_certificate)
    assert "cert.pem: OK\n" == output
    context = client_context(page_certificate)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with Server("tls_echo_server", place=TLS.anywhere()) as server:
        sock = socket.create_connection(server.address, DEADLINE)
        with context.wrap_socket(sock, server_hostname="::1") as conn:
            conn.unwrap()


def test_no_key_is_in_the_project() -> None:
    """What the page makes is not for git."""
    ignored = (PAGE.parents[2] / ".gitignore").read_text().split("\n")
    assert "*.pem" in ignored
    assert not list((PAGE.parents[2] / "snippets").rglob("*.pem"))


@pytest.mark.parametrize("module", SEQUENTIAL, ids=name)
def test_a_lost_client_is_one_line(module: ModuleType, page_certificate: Path) -> None:
    """Plain HTTP and an end without close_notify are told apart, a line each."""
    with Server(module.__name__, place=TLS.anywhere()) as server:
        with socket.create_connection(server.address, DEADLINE) as http:
            http.sendall(b"GET / HTTP/1.0\r\n\r\n")
            wait_for_end(http, DEADLINE)
        sock = socket.create_connection(server.address, DEADLINE)
        context = client_context(page_certificate)
        with context.wrap_socket(sock, server_hostname="localhost") as conn:
            conn.sendall(b"Hello")
            assert b"Hello" == conn.recv(5)
            raw = socket.socket(fileno=conn.detach())
        with raw:
            raw.shutdown(socket.SHUT_WR)
            raw.settimeout(DEADLINE)
            while raw.recv(1_024):
                pass
        deadline = time.monotonic() + DEADLINE
        while server.stderr.count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        first, second = server.stderr.splitlines()
    assert "HTTP_REQUEST" in first
    assert second.endswith(": ended without close_notify")


@pytest.mark.parametrize("module", SEQUENTIAL, ids=name)
def test_the_variations_serve_by_the_same_lines(module: ModuleType) -> None:
    """The sequential servers differ where they mean to, and nowhere else."""
    for function in SAME:
        expected = inspect.getsource(getattr(tls_echo_server, function))
        assert expected == inspect.getsource(getattr(module, function))
    assert tls_echo_server.TIMEOUT == module.TIMEOUT


@pytest.mark.parametrize("module", SEQUENTIAL, ids=name)
def test_it_says_that_a_second_client_waits(module: ModuleType) -> None:
    """The reader is told what one client at a time means."""
    assert "second client waits in the backlog" in " ".join(
        (module.__doc__ or "").split()
    )
