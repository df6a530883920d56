"""What ``mac_address_bytes.py`` must take and refuse."""

import signal

import pytest

import mac_address_bytes
from support.server import cut_off, run

PACKED = b"\x00\x00\x5e\x00\x53\x2a"
NO_MACS = [
    "",
    "00:00:5e:00:53",
    "00:00:5e:00:53:2a:00",
    "00:00:5e:00:53:2g",
    "00:00:5e-00-53-2a",  # two separators
    "00005e00532a",
    "0000.5e00.532a",
    "0:0:5e:0:53:2a",
    "00 00 5e 00 53 2a",
    "00:00:5e:00:53: 2",
    "00:00:5e:00:53:2a\n",
    " 00:00:5e:00:53:2a",
    "00:00:5e:00:53:2a ",
    ":00:00:5e:00:53:2a",
    "\uff10\uff10:00:5e:00:53:2a",  # full-width digits
    "\u0660\u0660:00:5e:00:53:2a",  # Arabic-Indic digits
    "\udcff",  # a byte on the command line that is no UTF-8
    "00:" * 5_000,
]


@pytest.mark.parametrize(
    "text", ["00:00:5e:00:53:2a", "00:00:5E:00:53:2A", "00-00-5e-00-53-2A"]
)
def test_text_to_bytes(text: str) -> None:
    """Colons and hyphens, capitals and small letters give the same bytes."""
    assert PACKED == mac_address_bytes.to_bytes(text)


def test_bytes_to_text() -> None:
    """Bytes are written in small letters, two digits each, with colons."""
    assert "00:00:5e:00:53:2a" == mac_address_bytes.to_text(PACKED)


def test_every_byte_comes_back() -> None:
    """Each of the 256 values survives the way to text and back."""
    for value in range(256):
        packed = bytes([value]) + PACKED[1:]
        text = mac_address_bytes.to_text(packed)
        assert packed == mac_address_bytes.to_bytes(text)


@pytest.mark.parametrize("text", NO_MACS)
def test_no_mac(text: str) -> None:
    """Anything else is a ValueError that shows what was given."""
    with pytest.raises(ValueError, match="not a MAC address such as ") as error:
        mac_address_bytes.to_bytes(text)
    assert str(error.value).endswith(repr(text))


@pytest.mark.parametrize("size", [0, 5, 7, 8, 20])
def test_no_packed_mac(size: int) -> None:
    """Bytes of another length than 6 are a ValueError that says how many."""
    with pytest.raises(ValueError, match=f"has 6 bytes, not {size}$"):
        mac_address_bytes.to_text(bytes(size))


def test_prints_both_forms() -> None:
    """Run with an address, it prints the bytes and the usual text."""
    ended = run("mac_address_bytes", "00-00-5E-00-53-2A")
    expected = "bytes: b'\\x00\\x00^\\x00S*'\ntext: 00:00:5e:00:53:2a\n"
    assert (0, expected, "") == (ended.status, ended.stdout, ended.stderr)


@pytest.mark.parametrize("text", ["", "a\nb", "\udcff", "0000.5e00.532a", "0" * 5_000])
def test_bad_input(text: str) -> None:
    """What is no MAC address is one line on stderr and exit 1."""
    ended = run("mac_address_bytes", text)
    assert (1, "") == (ended.status, ended.stdout)
    assert 1 == len(ended.stderr.splitlines())
    assert ended.stderr.startswith("not a MAC address such as ")


def test_wrong_usage() -> None:
    """A second address is wrong usage."""
    assert 2 == run("mac_address_bytes", "a", "b").status


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    """In ``| head`` it ends by SIGPIPE as other programs do, without a word."""
    assert (-signal.SIGPIPE, "") == cut_off("mac_address_bytes")
