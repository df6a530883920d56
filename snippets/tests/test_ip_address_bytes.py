"""What ``ip_address_bytes.py`` must take and refuse."""

import ipaddress
import signal
import socket

import pytest

import ip_address_bytes
from support.server import cut_off, run

ADDRESSES = [
    ("0.0.0.0", b"\0\0\0\0"),
    ("192.0.2.1", b"\xc0\0\2\1"),
    ("255.255.255.255", b"\xff\xff\xff\xff"),
    ("::", bytes(16)),
    ("::1", bytes(15) + b"\1"),
    ("2001:db8::1", b"\x20\1\x0d\xb8" + bytes(11) + b"\1"),
    ("::ffff:192.0.2.128", bytes(10) + b"\xff\xff\xc0\0\2\x80"),
]
NO_ADDRESSES = [
    "",
    "127.1",
    "0x7f.0.0.1",
    "010.0.0.1",
    "10.0.0.256",
    "192.0.2",
    "192.0.2.1 x",
    "192.0.2.1\n",
    " 192.0.2.1",
    "\uff11\uff19\uff12.0.2.1",  # full-width digits
    "\udcff",  # a byte on the command line that is no UTF-8
    "::1::",
    ":",
    "[::1]",
    "2001:db8::1/64",
    "9" * 5_000,
]


@pytest.mark.parametrize(("text", "packed"), ADDRESSES)
def test_both_directions(text: str, packed: bytes) -> None:
    """Text becomes the bytes of a packet, and these the same text again."""
    assert packed == ip_address_bytes.to_bytes(text)
    assert text == ip_address_bytes.to_text(packed)
    assert packed == ipaddress.ip_address(text).packed


def test_long_form_is_shortened() -> None:
    """IPv6 in full or in capitals comes back in the short form of RFC 5952."""
    packed = ip_address_bytes.to_bytes("2001:0DB8:0000:0000:0000:0000:0000:0001")
    assert "2001:db8::1" == ip_address_bytes.to_text(packed)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_no_address(text: str) -> None:
    """Anything else is a ValueError that shows what was given."""
    with pytest.raises(ValueError, match="not an IPv4 or IPv6 address: ") as error:
        ip_address_bytes.to_bytes(text)
    assert str(error.value).endswith(repr(text))


@pytest.mark.parametrize("size", [0, 3, 5, 15, 17])
def test_no_packed_address(size: int) -> None:
    """Bytes of another length than 4 or 16 are a ValueError."""
    with pytest.raises(ValueError, match="invalid length"):
        ip_address_bytes.to_text(bytes(size))


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.1", "127.0.0.1"), ("010.0.0.1", "8.0.0.1"), ("0x7f000001", "127.0.0.1")],
)
def test_inet_aton_takes_more(text: str, address: str) -> None:
    """What the page says that inet_aton takes is what it takes."""
    assert address == socket.inet_ntoa(socket.inet_aton(text))


def test_prints_who_reads_it() -> None:
    """An address that one reader takes is shown, and who refuses it; exit 0."""
    ended = run("ip_address_bytes", "127.1")
    expected = """\
inet_aton: 7f 00 00 01 is 127.0.0.1
inet_pton: refused
ipaddress: refused
"""
    assert (0, expected, "") == (ended.status, ended.stdout, ended.stderr)


@pytest.mark.parametrize("text", ["", "10.0.0.256", "a\nb", "\udcff", "9" * 5_000])
def test_nobody_reads_it(text: str) -> None:
    """What no reader takes is one line on stderr and exit 1."""
    ended = run("ip_address_bytes", text)
    assert (1, 3) == (ended.status, ended.stdout.count(": refused\n"))
    assert 1 == len(ended.stderr.splitlines())
    assert ended.stderr.startswith("not an IPv4 or IPv6 address: ")


def test_wrong_usage() -> None:
    """A second address is wrong usage."""
    assert 2 == run("ip_address_bytes", "::1", "::1").status


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    """In ``| head`` it ends by SIGPIPE as other programs do, without a word."""
    assert (-signal.SIGPIPE, "") == cut_off("ip_address_bytes")
