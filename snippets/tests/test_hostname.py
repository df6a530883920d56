"""What ``hostname.py`` must do, whatever the resolver of this machine knows."""

import signal
import socket
import sys
from collections.abc import Iterator

import pytest

import hostname
from support.server import cut_off, run


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Make this host "alice" with a resolver that knows no name; undo it later.

    The program sets the handler of Ctrl-C, which is put back as well.
    """

    def unknown(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(sys, "argv", ["hostname.py"])
    monkeypatch.setattr(socket, "gethostname", lambda: "alice")
    monkeypatch.setattr(socket, "getfqdn", lambda name: name)
    monkeypatch.setattr(socket, "gethostbyname", unknown)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    handler = signal.getsignal(signal.SIGINT)
    yield monkeypatch
    signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.244", "::1", "2001:db8::1"])
def test_each_address_comes_once(address: str) -> None:
    """An address is its own only address, not one for each socket type."""
    assert [address] == hostname.addresses(address)


def test_gethostbyname_refuses_ipv6() -> None:
    """The old call has no answer where the new one has an IPv6 address."""
    with pytest.raises(OSError, match=r"."):
        hostname.first_ipv4("::1")


def test_prints_what_each_call_says() -> None:
    """Run with a name, it prints one line for each call and ends well."""
    ended = run("hostname", "localhost")
    assert (0, "") == (ended.status, ended.stderr)
    labels = [line.partition(": ")[0] for line in ended.stdout.splitlines()]
    assert ["gethostname", "getfqdn", "gethostbyname", "getaddrinfo"] == labels
    assert "gethostbyname: 127.0.0.1\n" in ended.stdout


def test_all_addresses_are_printed(
    resolver: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name with an IPv6 address alone is shown, and that gethostbyname fails."""

    def known(*_args: object, **_options: object) -> list[object]:
        v6, stream = socket.AF_INET6, socket.SOCK_STREAM
        return [
            (v6, stream, 6, "", ("2001:db8::1", 0, 0, 0)),
            (v6, stream, 6, "", ("2001:db8::2", 0, 0, 0)),
        ]

    resolver.setattr(socket, "getaddrinfo", known)
    hostname.main()
    expected = """\
gethostname: alice
getfqdn: alice
gethostbyname: none (Name or service not known)
getaddrinfo: 2001:db8::1, 2001:db8::2
"""
    assert expected == capsys.readouterr().out


@pytest.mark.usefixtures("resolver")
def test_own_name_that_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    """The name of this host is printed although it cannot be resolved."""
    with pytest.raises(SystemExit) as ended:
        hostname.main()
    expected = (
        "no address for 'alice', see /etc/hosts and DNS: Name or service not known"
    )
    assert expected == ended.value.code
    assert "gethostname: alice\ngetfqdn: alice\n" == capsys.readouterr().out


@pytest.mark.usefixtures("resolver")
def test_ctrl_c_ends_a_lookup() -> None:
    """Ctrl-C is left to the kernel: Python would wait until the lookup is over."""
    with pytest.raises(SystemExit):
        hostname.main()
    assert signal.SIG_DFL == signal.getsignal(signal.SIGINT)


@pytest.mark.parametrize("name", ["a..b", ".", "a" * 64, "a" * 5_000])
def test_no_host_name_at_all(name: str) -> None:
    """What cannot be a host name is one line on stderr and exit 1."""
    ended = run("hostname", name)
    assert 1 == ended.status
    assert 1 == len(ended.stderr.splitlines())
    assert ended.stderr.startswith(f"no address for {name!r}, see /etc/hosts and DNS: ")


def test_wrong_usage() -> None:
    """A second name is wrong usage."""
    assert 2 == run("hostname", "localhost", "localhost").status


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    """In ``| head`` it ends by SIGPIPE as other programs do, without a word."""
    assert (-signal.SIGPIPE, "") == cut_off("hostname", "localhost")
