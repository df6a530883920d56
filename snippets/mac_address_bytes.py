r"""MAC addresses as text and as the 6 bytes of an Ethernet header.

>>> to_bytes("00:00:5e:00:53:2a")
b'\x00\x00^\x00S*'
>>> to_text(b"\x00\x00\x5e\x00\x53\x2a")
'00:00:5e:00:53:2a'
>>> to_text(to_bytes("00-00-5E-00-53-2A"))
'00:00:5e:00:53:2a'
>>> to_bytes("00:00:5e:00:53")
Traceback (most recent call last):
ValueError: not a MAC address such as 00:00:5e:00:53:2a: '00:00:5e:00:53'

Other ways to write one are refused: without separators, with dots, with single
digits. So are the 8 bytes of EUI-64 and the 20 of InfiniBand.

Sources: RFC 9542 (the addresses 00-00-5E-00-53-xx are for documentation),
https://docs.python.org/3/library/stdtypes.html#bytes.hex
"""

import argparse
import re
import signal
import sys

# One separator throughout. bytes.fromhex alone would let blanks pass.
MAC = re.compile(r"[0-9A-Fa-f]{2}([:-])([0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}")


def to_bytes(mac: str) -> bytes:
    """Return the 6 bytes of *mac*; ValueError if it is not a MAC address."""
    if not MAC.fullmatch(mac):
        raise ValueError(f"not a MAC address such as 00:00:5e:00:53:2a: {mac!r}")
    return bytes.fromhex(mac.replace(mac[2], ""))


def to_text(packed: bytes) -> str:
    """Return *packed* in lower case with colons; ValueError unless it is 6 bytes."""
    if len(packed) != 6:
        raise ValueError(f"a MAC address has 6 bytes, not {len(packed)}")
    return packed.hex(":")


def main() -> None:
    """Print a MAC address as bytes and as text."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" ends it quietly
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mac", nargs="?", default="00:00:5e:00:53:2a")
    try:
        packed = to_bytes(parser.parse_args().mac)
    except ValueError as error:
        sys.exit(str(error))
    print(f"bytes: {packed!r}")
    print(f"text: {to_text(packed)}")


if __name__ == "__main__":
    main()
