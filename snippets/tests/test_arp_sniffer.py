"""arp_sniffer: what tcpdump says of the same messages."""

import re
import socket
import sys

import pytest

import arp_sniffer
from contracts import sniffer
from contracts.sniffer import TAG

pytestmark = pytest.mark.linux

TestSniffer = sniffer.contract("arp_sniffer", sniffer.ASK)

# arping, arping -U and arping -D, recorded: a request, its reply, an announcement and
# a probe.
RECORDED = (
    "ffffffffffff02000000000108060001080006040001020000000001c0000201"
    "ffffffffffffc0000202",
    "02000000000102000000000208060001080006040002020000000002c0000202"
    "020000000001c0000201",
    "ffffffffffff02000000000108060001080006040001020000000001c0000201"
    "ffffffffffffc0000201",
    "ffffffffffff0200000000010806000108000604000102000000000100000000"
    "ffffffffffffc0000201",
)
FRAMES = [bytes.fromhex(frame) for frame in RECORDED]
TOLD = re.compile(
    r"(?P<frame_source>[0-9a-f:]{17}) > (?P<frame_destination>[0-9a-f:]{17}), .*?"
    r"(?:Request who-has (?P<target_ip>[\d.]+)(?: \((?P<target_mac>[0-9a-f:]{17})\))? "
    r"tell (?P<asker>[\d.]+)"
    r"|Reply (?P<sender_ip>[\d.]+) is-at (?P<sender_mac>[0-9a-f:]{17})), length"
)


@pytest.mark.parametrize("vlans", [(), (5,), (7, 5)], ids=["untagged", "one", "two"])
def test_it_says_what_tcpdump_says(vlans: tuple[int, ...]) -> None:
    """Each field of recorded messages is what tcpdump prints for it."""
    tags = b"".join(TAG[:3] + bytes([vlan]) for vlan in vlans)
    frames = [(f[:12] + tags + f[12:]).ljust(60, b"\0") for f in FRAMES]
    for frame, text in zip(frames, sniffer.tcpdump(frames, "-e"), strict=True):
        told = TOLD.match(text)
        assert told is not None, text
        message = arp_sniffer.parse(frame)
        assert [str(v) for v in message.vlans] == re.findall(r"vlan (\d+)", text)
        fields = {k: v for k, v in told.groupdict().items() if v and k != "asker"}
        assert fields == {name: getattr(message, name) for name in fields}
        if told["asker"]:
            assert (1, told["asker"]) == (message.operation, message.sender_ip)
        else:
            assert 2 == message.operation


def test_requests_replies_and_gratuitous_ones_are_told_apart() -> None:
    """Each kind of message has its own words."""
    said = [arp_sniffer.describe(arp_sniffer.parse(frame)) for frame in FRAMES]
    alice = "02:00:00:00:00:01"
    assert [
        f"request: who has 192.0.2.2? tell 192.0.2.1 at {alice}",
        "reply: 192.0.2.2 is at 02:00:00:00:00:02",
        f"gratuitous request: who has 192.0.2.1? tell 192.0.2.1 at {alice}",
        f"request: who has 192.0.2.1? tell 0.0.0.0 at {alice}",
    ] == [line.split(" ", 3)[3] for line in said]


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"", "Ethernet header is short: 0 of 14 bytes"),
        (FRAMES[0][:13], "Ethernet header is short: 13 of 14 bytes"),
        (FRAMES[0][:12] + TAG, "VLAN tag is short: 2 of 4 bytes"),
        (FRAMES[0][:41], "ARP message is short: 27 of 28 bytes"),
        (FRAMES[0][:12] + b"\x86\xdd" + bytes(40), "Ethernet type is 0x86dd, not ARP"),
        (
            FRAMES[0][:14] + b"\0\6" + FRAMES[0][16:],
            "ARP for [6, 2048, 6, 4], not for Ethernet and IPv4",
        ),
    ],
    ids=["empty", "13", "tag", "41", "ipv6", "hardware"],
)
def test_it_says_what_is_wrong_with_a_frame(frame: bytes, why: str) -> None:
    """A frame that is short or of another kind is refused, and the message says why."""
    with pytest.raises(ValueError, match=re.escape(why)):
        arp_sniffer.parse(frame)


def test_elsewhere_than_on_linux_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no packet sockets, that is one line and exit status 1."""
    monkeypatch.setattr(sys, "argv", ["arp_sniffer.py"])
    monkeypatch.delattr(socket, "AF_PACKET")
    with pytest.raises(SystemExit) as caught:
        arp_sniffer.main()
    assert "cannot sniff here: only Linux has packet sockets" == caught.value.code


# Sends a tagged request over lo and prints for a socket of each kind what the frame's
# type is, and the tag if the kernel tells it. 263 and 8 are SOL_PACKET and
# PACKET_AUXDATA (linux/if_packet.h); 0x10 in the status says that there is a tag.
TELL = """
import socket, struct, sys
frame = bytes.fromhex(sys.argv[1])
sockets = []
for protocol in (0x0003, 0x0806):  # ETH_P_ALL, ETH_P_ARP
    sniffing = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    sniffing.setsockopt(263, 8, 1)
    sniffing.settimeout(10)
    sniffing.bind(("lo", protocol))
    sockets.append(sniffing)
sockets[0].send(frame)
for sniffing in sockets:
  with sniffing:
    kind = socket.PACKET_OUTGOING
    while kind == socket.PACKET_OUTGOING:
        data, ancillary, _, (_, _, kind, _, _) = sniffing.recvmsg(2048, 64)
    status, _, _, _, _, tag, _ = struct.unpack("IIIHHHH", ancillary[0][2])
    print(data[12:14].hex(), tag if status & 0x10 else None)
"""


@pytest.mark.slow
def test_whom_the_kernel_tells_of_a_tag() -> None:
    """It takes the first tag off, and tells a socket for all protocols only."""
    frame = FRAMES[0][:12] + TAG + FRAMES[0][12:]
    with TestSniffer().sandbox() as sandbox:
        done = sandbox.run("alice", sys.executable, "-c", TELL, frame.hex())
    assert ("0806 5\n0806 None\n", "") == (done.stdout, done.stderr)
