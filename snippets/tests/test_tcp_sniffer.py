"""tcp_sniffer: what tcpdump says of the same segments."""

import re
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tcp_sniffer
from contracts import sniffer
from contracts.sniffer import CONTROL, TAG, TO_ALICE, ipv4, tcp

pytestmark = pytest.mark.linux

TestSniffer = sniffer.contract("tcp_sniffer", sniffer.HTTP)

# curl and http.server, recorded: the handshake and the request.
RECORDED = (
    "02000000000202000000000108004500003c549b40004006621dc0000201c000"
    "0202c93e1f40de9d046000000000a002faf084320000020405b40402080aa695"
    "79f9000000000103030a",
    "02000000000102000000000208004500003c000040004006b6b8c0000202c000"
    "02011f40c93ea266f3c3de9d0461a012fe8884320000020405b40402080a2f52"
    "1ae1a69579f90103030a",
    "020000000002020000000001080045000034549c400040066224c0000201c000"
    "0202c93e1f40de9d0461a266f3c48010003f842a00000101080aa69579f92f52"
    "1ae1",
    "02000000000202000000000108004500007c549d4000400661dbc0000201c000"
    "0202c93e1f40de9d0461a266f3c48018003f847200000101080aa69579f92f52"
    "1ae1474554202f20485454502f312e310d0a486f73743a20626f623a38303030"
    "0d0a557365722d4167656e743a206375726c2f372e38382e310d0a4163636570"
    "743a202a2f2a0d0a0d0a",
    "020000000001020000000002080045000034aead400040060813c0000202c000"
    "02011f40c93ea266f3c4de9d04a980100040842a00000101080a2f521ae1a695"
    "79f9",
)
SACK = bytes.fromhex("0101050a 00000001 00000005")
FRAMES = [bytes.fromhex(frame) for frame in RECORDED] + [
    TO_ALICE + b"\x08\x00" + packet
    for packet in (
        ipv4(6, tcp(b"")).ljust(46, b"\0"),
        ipv4(6, tcp(b"Hello", SACK)),
        ipv4(6, tcp(b"Hello", b"\2\4\5\xb4\0\0\0\0"), b"\1\1\1\0"),
        ipv4(6, tcp(b"Hello", b"\3\3\7\1")),
        *(ipv4(6, tcp(b"")[:13] + bytes([1 << n]) + tcp(b"")[14:]) for n in range(8)),
        ipv4(6, tcp(b"")[:13] + b"\0" + tcp(b"")[14:]),
    )
]
TOLD = re.compile(
    r"(?P<source>\d+\.\d+\.\d+\.\d+)\.(?P<source_port>\d+) > "
    r"(?P<destination>\d+\.\d+\.\d+\.\d+)\.(?P<destination_port>\d+): "
    r"Flags \[(?P<flags>\S+)\], .*?"
    r"(?:seq (?P<seq>\d+)(?::\d+)?, )?(?:ack (?P<ack>\d+), )?win (?P<window>\d+)"
    r"(?:, urg \d+)?(?:, options \[(?P<options>.*?)\])?, length (?P<length>\d+)"
)
LETTERS = "FSRP.UEW"  # tcpdump's for the flags, from the lowest bit up


def as_tcpdump(options: str) -> str:
    """Return options as tcpdump writes them."""
    text = options.replace(", ", ",")
    text = re.sub(r"TS (\d+) (\d+)", r"TS val \1 ecr \2", text)
    text = re.sub(r"sack (\d+) (\d+)", r"sack 1 {\1:\2}", text)
    return re.sub(r"\bend\b", "eol", text)


@pytest.mark.parametrize("tag", [b"", TAG], ids=["untagged", "tagged"])
def test_it_says_what_tcpdump_says(tag: bytes) -> None:
    """Each field of recorded segments is what tcpdump prints for it."""
    frames = [frame[:12] + tag + frame[12:] for frame in FRAMES]
    for frame, text in zip(FRAMES, sniffer.tcpdump(frames, "-S"), strict=True):
        told = TOLD.search(text)
        assert told is not None, text
        segment = tcp_sniffer.parse(frame[14:])
        assert segment is not None
        assert (told["source"], int(told["source_port"])) == segment.source
        expected = told["destination"], int(told["destination_port"])
        assert expected == segment.destination
        flags = "".join(n for b, n in enumerate(LETTERS) if segment.flags >> b & 1)
        assert sorted(told["flags"].replace("none", "")) == sorted(flags)
        for field in ("seq", "ack", "window"):
            if told[field] is not None:
                assert int(told[field]) == getattr(segment, field)
        assert int(told["length"]) == len(segment.payload)
        found = as_tcpdump(tcp_sniffer.describe_options(segment.options))
        assert (told["options"] or "") == found


def test_the_line_has_the_fields_and_the_payload() -> None:
    """A line says all, and a second one has the payload as Python writes bytes."""
    segment = tcp_sniffer.parse(ipv4(6, tcp(CONTROL)))
    assert segment is not None
    expected = (
        "192.0.2.2:8000 -> 192.0.2.1:51518 PSH+ACK, seq 1, ack 2, window 256, "
        "7 bytes, options []\n    b'\\x1b[2J\\r\\x07\\x9b'"
    )
    assert expected == tcp_sniffer.describe(segment)


def test_a_long_payload_is_shown_in_part() -> None:
    """Of a payload at most 100 bytes are shown."""
    segment = tcp_sniffer.parse(ipv4(6, tcp(b"x" * 101)))
    assert segment is not None
    assert tcp_sniffer.describe(segment).endswith(f"\n    b'{'x' * 100}'")


@pytest.mark.parametrize(
    "packet",
    [ipv4(17, b"Hello"), ipv4(6, tcp(b""), fragment=1)],
    ids=["udp", "fragment"],
)
def test_what_has_no_tcp_header_is_passed_over(packet: bytes) -> None:
    """Neither another protocol nor a later fragment is taken for a segment."""
    assert tcp_sniffer.parse(packet) is None


def test_any_options_at_all() -> None:
    """Any bytes are options that can be described, or ValueError."""

    @sniffer.SnifferContract.any_bytes
    @given(st.binary(max_size=40))
    def options(data: bytes) -> None:
        try:
            found = tcp_sniffer.parse_options(data)
        except ValueError as error:
            found, why = (), str(error)
        else:
            why = "TCP option 0: 0 bytes, here 0"
        assert re.fullmatch(r"TCP option \d+: \d+ bytes, here \d+", why)
        assert tcp_sniffer.describe_options(found).isprintable() or not found

    options()


def test_elsewhere_than_on_linux_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no packet sockets, that is one line and exit status 1."""
    monkeypatch.setattr(sys, "argv", ["tcp_sniffer.py"])
    monkeypatch.delattr(socket, "AF_PACKET")
    with pytest.raises(SystemExit) as caught:
        tcp_sniffer.main()
    assert "cannot sniff here: only Linux has packet sockets" == caught.value.code
