"""ip_sniffer: what tcpdump says of the same packets, and what all three share."""

import inspect
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import arp_sniffer
import ip_sniffer
import tcp_sniffer
from contracts import sniffer
from contracts.sniffer import TAG, TO_ALICE, ipv4
from support.requirements import missing
from support.sandbox import Sandbox, SandboxError

pytestmark = pytest.mark.linux

TestSniffer = sniffer.contract("ip_sniffer", sniffer.PING)

# ping -R, recorded: its packets have options.
RECORDED = (
    "02000000000202000000000108004f00007c027b40004001bff1c0000201c000"
    "020201072708c000020100000000000000000000000000000000000000000000"
    "0000000000000000000008002f97001d0001ad65026b000000004da70c000000"
    "0000101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d"
    "2e2f3031323334353637",
    "02000000000102000000000208004f00007c49d8000040018438c0000202c000"
    "0201072710c0000201c0000202c0000202000000000000000000000000000000"
    "0000000000000000000000003797001d0001ad65026b000000004da70c000000"
    "0000101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d"
    "2e2f3031323334353637",
)
FRAMES = [bytes.fromhex(frame) for frame in RECORDED] + [
    TO_ALICE + b"\x08\x00" + packet
    for packet in (
        ipv4(17, bytes(8)).ljust(46, b"\0"),
        ipv4(17, bytes(8), b"\x94\4\0\0"),
        ipv4(6, bytes(20)),
        ipv4(1, b"Hello", fragment=0x2000),
        ipv4(1, b"Hello", fragment=0x00B9),
        ipv4(17, b"Hello", fragment=0x3FFF),
        ipv4(2, bytes(8)),
        ipv4(132, bytes(12)),
        ipv4(253, b"Hello"),
    )
]
HEADER = re.compile(
    r"\(tos (?P<tos>0x[0-9a-f]+)(?:,\S+)?, ttl (?P<ttl>\d+), id (?P<id>\d+), "
    r"offset (?P<offset>\d+), flags \[(?P<flags>.*?)\], "
    r"proto (?P<name>\S+) \((?P<protocol>\d+)\), length (?P<length>\d+)"
    r"(?:, options \((?P<options>.*?)\))?.*?\)\n"
    r"\s+(?P<source>\d+\.\d+\.\d+\.\d+)\S* > (?P<destination>\d+\.\d+\.\d+\.\d+)"
)
FLAGS = {"none": 0, "+": 1, "DF": 2, "+, DF": 3}
OPTIONS = {0: "EOL", 1: "NOP", 7: "RR", 148: "RA"}


def option_names(options: bytes) -> list[str]:
    """Return the names of IPv4 options; after the end nothing counts."""
    names = []
    while options:
        names.append(OPTIONS[options[0]])
        length = 1 if options[0] < 2 else options[1]
        options = options[length:] if options[0] else b""
    return names


@pytest.mark.parametrize("tag", [b"", TAG], ids=["untagged", "tagged"])
def test_it_says_what_tcpdump_says(tag: bytes) -> None:
    """Each field of recorded packets is what tcpdump prints for it."""
    names = ip_sniffer.protocol_names()
    frames = [frame[:12] + tag + frame[12:] for frame in FRAMES]
    for frame, text in zip(FRAMES, sniffer.tcpdump(frames), strict=True):
        told = HEADER.search(text)
        assert told is not None, text
        packet = ip_sniffer.parse(frame[14:])
        assert int(told["tos"], 16) == packet.tos
        for field in ("ttl", "id", "offset", "protocol"):
            assert int(told[field]) == getattr(packet, field)
        assert told["source"] == packet.source
        assert told["destination"] == packet.destination
        assert FLAGS[told["flags"]] == packet.flags
        found = option_names(packet.options)
        assert re.findall("[A-Z]{2,}", told["options"] or "") == found
        line = ip_sniffer.describe(packet, names)
        assert f", {told['length']} bytes, tos {told['tos']}, ttl" in line
        if told["name"] != "unknown" and names:
            assert told["name"].lower() == line.split(",")[0].split()[-1].lower()


def test_protocols_have_the_names_of_the_system(tmp_path: Path) -> None:
    """Names come from a list as /etc/protocols; lines that are none do no harm."""
    path = tmp_path / "protocols"
    path.write_bytes(b"# list\n\nicmp 1 ICMP # one\nodd\nodder x\n\xff\ntcp\t6 TCP")
    assert {1: "icmp", 6: "tcp"} == ip_sniffer.protocol_names(str(path))


def test_without_a_list_there_are_numbers(tmp_path: Path) -> None:
    """Where the system has no list of protocols, each appears as its number."""
    names = ip_sniffer.protocol_names(str(tmp_path / "none"))
    line = ip_sniffer.describe(ip_sniffer.parse(ipv4(6, b"")), names)
    assert line.startswith("192.0.2.2 -> 192.0.2.1 protocol 6, 20 bytes, ")


def test_udp_and_tcp_and_icmp_are_seen() -> None:
    """The names of what is usual are those that everybody uses."""
    names = ip_sniffer.protocol_names()
    if not names:
        pytest.skip("there is no /etc/protocols: install Debian's netbase")
    assert ["icmp", "tcp", "udp"] == [names[number] for number in (1, 6, 17)]


def test_head_ends_it() -> None:
    """Once nobody reads what it prints, it ends by SIGPIPE without a word."""
    line = (
        "ping -c 50 -i 0.2 127.0.0.1 >/dev/null & "
        "python snippets/ip_sniffer.py | head -n 1; echo ${PIPESTATUS[0]}; kill $!"
    )
    lack = missing({"bash", "ping"})
    if lack:
        pytest.skip(lack)
    try:
        with Sandbox() as sandbox:
            done = sandbox.run("alice", "bash", "-c", line)
    except SandboxError as error:
        pytest.skip(str(error))
    expected = ("listening on all interfaces\n141\n", "")
    assert expected == (done.stdout, done.stderr)


def test_the_capability_on_a_copy_is_enough() -> None:
    """As the advice says: setcap lets a copy of Python sniff without sudo."""
    lack = missing({"setcap", "setpriv"})
    if lack:
        pytest.skip(lack)
    # noroot takes from root what makes root special, as an ordinary user is.
    line = (
        'cp "$(readlink -f "$1")" ./copy && setcap cap_net_raw+ep ./copy && '
        'PYTHONHOME="$2" setpriv --securebits=+noroot ./copy -W error '
        "snippets/ip_sniffer.py --interface none; "
        'setpriv --securebits=+noroot "$1" snippets/ip_sniffer.py'
    )
    try:
        with Sandbox() as sandbox:
            done = sandbox.run(
                "alice", "sh", "-c", line, "sh", sys.executable, sys.base_prefix
            )
    except SandboxError as error:
        pytest.skip(str(error))
    expected = [
        "cannot sniff, check --interface: [Errno 19] No such device",
        f"cannot sniff: {ip_sniffer.DENIED}",
    ]
    assert expected == done.stderr.splitlines()


def test_the_three_differ_only_where_they_mean_to() -> None:
    """The lines that the files share are the same in each."""

    def shell(main: Callable[[], None]) -> list[str]:
        source = inspect.getsource(main).replace(", protocol_names()", "")
        source = re.sub(r"    # ETH_P_IP alone.*\n", "", source)
        differing = r"ETH_P_\w+|SOCK_\w+|packets|segments|messages"
        return re.sub(differing, "", source).splitlines()

    for module in (tcp_sniffer, arp_sniffer):
        assert shell(ip_sniffer.main) == shell(module.main)
    assert {ip_sniffer.DENIED} == {tcp_sniffer.DENIED, arp_sniffer.DENIED}


def test_elsewhere_than_on_linux_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no packet sockets, that is one line and exit status 1."""
    monkeypatch.setattr(sys, "argv", ["ip_sniffer.py"])
    monkeypatch.delattr(socket, "AF_PACKET")
    with pytest.raises(SystemExit) as caught:
        ip_sniffer.main()
    assert "cannot sniff here: only Linux has packet sockets" == caught.value.code


@pytest.mark.slow
@pytest.mark.parametrize(
    ("snippet", "traffic"),
    [("ip_sniffer", sniffer.PING), ("tcp_sniffer", sniffer.HTTP)],
)
def test_two_tags_are_malformed(snippet: str, traffic: sniffer.Traffic) -> None:
    """The kernel takes one of two tags off; what is left is told to be no packet."""
    test = sniffer.contract(snippet, traffic)()
    frame = traffic.frame[:12] + TAG + TAG + traffic.frame[12:]
    with test.sniffing() as (sandbox, server):
        test.send(sandbox, frame)
        lines = test.lines_until_marker(sandbox, server)
    assert any(line.startswith("eth0 malformed: ") for line in lines)
