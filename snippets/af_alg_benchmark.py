"""Compare AES-GCM in the kernel, through AF_ALG, with the package ``cryptography``.

Both sides do the same: encrypt a message, decrypt it, and compare. Both have their
key set before the clock starts, and for each message a nonce that nothing else has.
They take turns, so that what slows this machine down for a while slows both.

What is measured is one thread on this machine. In an emulated kernel the figures say
nothing about AF_ALG. The output says so on User Mode Linux, the only emulation that is
recognised: on others, such as QEMU, it has the figures and no remark.

Sources: https://docs.kernel.org/crypto/userspace-if.html,
https://cryptography.io/en/latest/hazmat/primitives/aead/,
https://docs.python.org/3/library/time.html#time.perf_counter
"""

import argparse
import itertools
import os
import signal
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

TAG = 16  # bytes
SIZES = (64, 256, 1_024, 4_096, 16_384, 65_536)  # bytes
REPEATS = 5  # of each side; what is printed are medians
TIMEOUT = 10.0  # seconds for any one call: recv would wait for ever for missing data

RoundTrip = Callable[[bytes, bytes], bytes]  # of a nonce and a plaintext


def create_operation(key: bytes) -> socket.socket:
    """Return a socket that encrypts and decrypts by *key*: 16, 24 or 32 bytes.

    Only ``bind`` tells whether this kernel has the algorithm; raises OSError where it
    has not.
    """
    try:
        with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as chosen:
            chosen.bind(("aead", "gcm(aes)"))
            chosen.setsockopt(socket.SOL_ALG, socket.ALG_SET_KEY, key)
            chosen.setsockopt(socket.SOL_ALG, socket.ALG_SET_AEAD_AUTHSIZE, None, TAG)
            op = chosen.accept()[0]
    except (AttributeError, OSError) as error:  # the first where this is not Linux
        raise OSError(f"no gcm(aes) by AF_ALG, use cryptography: {error}") from error
    op.settimeout(TIMEOUT)
    return op


def send(op: socket.socket, direction: int, nonce: bytes, data: bytes) -> None:
    """Send a message. Raises OSError where the kernel has no room for all of it."""
    sent = op.sendmsg_afalg([data], op=direction, iv=nonce, assoclen=0)
    if sent != len(data):
        raise OSError(f"the kernel took only {sent:,} of {len(data):,} bytes")


def encrypt(op: socket.socket, nonce: bytes, plaintext: bytes) -> bytes:
    """Return ciphertext and tag of at most 64 KiB."""
    send(op, socket.ALG_OP_ENCRYPT, nonce, plaintext)
    return op.recv(len(plaintext) + TAG)


def decrypt(op: socket.socket, nonce: bytes, sealed: bytes) -> bytes:
    """Return the plaintext. Raises OSError (EBADMSG) where *sealed* was changed."""
    send(op, socket.ALG_OP_DECRYPT, nonce, sealed)
    return op.recv(max(1, len(sealed) - TAG))  # recv(0) would verify nothing


def in_kernel(op: socket.socket) -> RoundTrip:
    """Return a function that encrypts and decrypts by AF_ALG."""
    return lambda nonce, plaintext: decrypt(op, nonce, encrypt(op, nonce, plaintext))


def in_library(key: bytes) -> RoundTrip:
    """Return one that does it by ``cryptography``. Raises ImportError without it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    aes = AESGCM(key)
    return lambda nonce, plaintext: aes.decrypt(
        nonce, aes.encrypt(nonce, plaintext, None), None
    )


def seconds_each(
    work: RoundTrip, messages: Sequence[bytes], fresh: Iterator[bytes], end: float
) -> float:
    """Return the time that *work* takes for one of *messages*, on average.

    Raises TimeoutError when it is *end*, ValueError where a result is wrong.
    """
    begin = time.perf_counter()
    for message in messages:
        if work(next(fresh), message) != message:
            raise ValueError("what was decrypted is not what was encrypted")
        if time.perf_counter() > end:
            raise TimeoutError("it takes too long: lower --count or raise --limit")
    return (time.perf_counter() - begin) / len(messages)


def measure(count: int, limit: float) -> Iterator[tuple[int, float, float]]:
    """Yield a size, and for each side the median of its seconds for a message.

    Raises OSError without AF_ALG, ImportError, and what ``seconds_each`` raises.
    """
    end = time.perf_counter() + limit
    fresh = (number.to_bytes(12) for number in itertools.count())  # with new keys
    with create_operation(os.urandom(32)) as op:
        sides = in_kernel(op), in_library(os.urandom(32))
        for size in SIZES:
            messages = [os.urandom(size)] * count
            turns = [
                [seconds_each(side, messages, fresh, end) for side in sides]
                for _ in range(REPEATS)
            ]
            kernel, library = map(statistics.median, zip(*turns, strict=True))
            yield size, kernel, library


def remark() -> str:
    """Return what the reader must know: whether the kernel is User Mode Linux."""
    emulated = "User Mode Linux" in Path("/proc/cpuinfo").read_text()
    return " (kernel emulated: not the speed of AF_ALG)" if emulated else ""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=200, help="default: %(default)s")
    parser.add_argument(
        "--limit", type=float, default=60.0, help="seconds, default: 60"
    )
    args = parser.parse_args()
    if not (1 <= args.count <= 1_000_000 and 0 < args.limit <= 86_400):
        parser.error("--count is 1 to 1000000, and --limit more than 0 up to 86400")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" ends it quietly
    try:
        for size, kernel, library in measure(args.count, args.limit):
            print(f"{size} bytes: AF_ALG {kernel * 1e6:.1f} us,", end=" ")
            print(f"cryptography {library * 1e6:.1f} us,", end=" ")
            print(f"ratio {kernel / library:.1f}{remark()}", flush=True)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)  # quietly, but not all is measured
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f"cannot compare: {error}")


if __name__ == "__main__":
    main()
