"""What ``getaddrinfo.py`` must make of odd input, without a network."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

import getaddrinfo
from support.server import SNIPPETS, cut_off, run

DEADLINE = 10.0  # seconds
# A resolver that never answers, as seen by the program, which runs unchanged.
NO_ANSWER = """\
import os, runpy, socket, sys, time
def never(*args, **options):
    os.write(1, b"asked")
    time.sleep(60)
socket.getaddrinfo = never
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
INET = "AF_INET"
INET6 = "AF_INET6"


@pytest.fixture
def _keep_sigint() -> Iterator[None]:
    """Put back the handler of Ctrl-C, which the program sets."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize(
    ("host", "family", "sockaddr"),
    [
        ("192.0.2.244", INET, ("192.0.2.244", 0)),
        ("2001:db8:f00d::1:d", INET6, ("2001:db8:f00d::1:d", 0, 0, 0)),
        ("::ffff:192.0.2.128", INET6, ("::ffff:192.0.2.128", 0, 0, 0)),
        ("0xc000027b", INET, ("192.0.2.123", 0)),
        ("3221226198", INET, ("192.0.2.214", 0)),
        ("127.1", INET, ("127.0.0.1", 0)),
    ],
    ids=["IPv4", "IPv6", "mapped", "hex", "decimal", "two parts"],
)
def test_address(host: str, family: str, sockaddr: tuple[object, ...]) -> None:
    """Each way to write an address gives one result, printed with the family's name."""
    ended = run("getaddrinfo", host)
    assert (0, f"{family} {sockaddr}\n", "") == (
        ended.status,
        ended.stdout,
        ended.stderr,
    )


def test_scoped_address() -> None:
    """The scope after the percent sign becomes the number of the interface."""
    number, interface = socket.if_nameindex()[0]
    expected = [(socket.AF_INET6, ("fe80::1", 0, 0, number))]
    assert expected == getaddrinfo.resolve(f"fe80::1%{interface}")


def test_result_is_what_bind_takes() -> None:
    """A family and its socket address are enough to make and bind a socket."""
    [(family, sockaddr)] = getaddrinfo.resolve("127.0.0.1")
    with socket.socket(family) as listener:
        listener.bind(sockaddr)
        assert "127.0.0.1" == listener.getsockname()[0]


@pytest.mark.usefixtures("_keep_sigint")
@pytest.mark.parametrize("host", ["10.0.0.256", "not-exist.example.com", "", "a\nb"])
def test_unresolvable(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the resolver does not know ends the program with one line."""

    def unknown(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(sys, "argv", ["getaddrinfo.py", host])
    with pytest.raises(SystemExit) as ended:
        getaddrinfo.main()
    assert f"no address for {host!r}: Name or service not known" == ended.value.code
    assert "" == capsys.readouterr().out


@pytest.mark.parametrize("host", ["a..b", ".", "a" * 64, "a" * 5_000])
def test_no_host_name_at_all(host: str) -> None:
    """What cannot be a host name is one line on stderr and exit 1."""
    ended = run("getaddrinfo", host)
    assert (1, "") == (ended.status, ended.stdout)
    assert 1 == len(ended.stderr.splitlines())
    assert ended.stderr.startswith(f"no address for {host!r}: ")


@pytest.mark.parametrize("arguments", [(), ("192.0.2.1", "192.0.2.2")])
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    """Anything but one host is wrong usage."""
    assert 2 == run("getaddrinfo", *arguments).status


def test_ctrl_c_ends_a_lookup() -> None:
    """Ctrl-C ends a lookup that gets no answer, at once and without a traceback."""
    with subprocess.Popen(
        [sys.executable, "-c", NO_ANSWER, SNIPPETS / "getaddrinfo.py", "192.0.2.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        try:
            assert program.stdout is not None
            assert b"asked" == os.read(program.stdout.fileno(), 5)
            program.send_signal(signal.SIGINT)
            assert b"" == program.communicate(timeout=DEADLINE)[1]
        finally:
            program.kill()
    assert -signal.SIGINT == program.returncode


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    """In ``| head`` it ends by SIGPIPE as other programs do, without a word."""
    assert (-signal.SIGPIPE, "") == cut_off("getaddrinfo", "localhost")
