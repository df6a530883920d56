"""Hash with SHA-256 in the kernel, through a socket of the family AF_ALG.

>>> sha256(b"Python is awesome!").hex()
'9d50bcac2d5e33f936ec2db7dc7b6579cba8e1b099d77c31d8564df46f66bdf5'

``bind`` chooses the algorithm, ``accept`` starts one calculation; data is sent to the
second socket, and the result received from it. ``MSG_MORE`` says that the message goes
on: data without it ends the message, and what is sent after that begins another.

This shows the interface, which the kernel's developers call deprecated and insecure.
A program that wants a hash uses ``hashlib``, which runs everywhere.

Sources: https://docs.kernel.org/crypto/userspace-if.html, ``man 2 sendfile``,
https://docs.python.org/3/library/socket.html#socket-families
"""

import argparse
import os
import signal
import socket
import sys
from typing import BinaryIO

SIZE = 32  # bytes of a digest
CHUNK = 65_536  # bytes that are read at a time where sendfile does not do
ONE_CALL = 0x7FFF_F000  # bytes: the most that one call of sendfile sends


def create_operation() -> socket.socket:
    """Return a socket that takes a message and gives its digest.

    Only ``bind`` tells whether this kernel has the algorithm; raises OSError where it
    has not. There is no time-out: such a socket cannot be polled, and never blocks.
    """
    try:
        with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as chosen:
            chosen.bind(("hash", "sha256"))
            return chosen.accept()[0]
    except (AttributeError, OSError) as error:  # the first where this is not Linux
        raise OSError(f"no sha256 by AF_ALG here, use hashlib: {error}") from error


def sha256(data: bytes) -> bytes:
    """Return the digest of *data*, 32 bytes. Raises OSError without AF_ALG."""
    with create_operation() as op:
        op.sendall(data, socket.MSG_MORE)  # may be several calls: one message still
        return op.recv(SIZE)  # ends the message


def send(op: socket.socket, file: BinaryIO, most: int) -> int:
    """Send up to *most* bytes of *file* in chunks; return how many there were."""
    done = 0
    while done < most and (chunk := file.read(min(most - done, CHUNK))):
        op.sendall(chunk, socket.MSG_MORE)
        done += len(chunk)
    return done


def sha256_file(file: BinaryIO) -> bytes:
    """Return the digest of all that is in *file*, from its beginning.

    The kernel reads it by one call of ``sendfile``, whose end is that of the message.
    What is too long for one call goes ahead in chunks. So does all that has no size,
    such as a pipe or a file of ``/proc``, and all that has less than its size, such as
    a file of ``/sys``. A file that grows meanwhile is hashed up to the size that it
    had. Raises OSError where it shrinks or cannot be read, and without AF_ALG.
    """
    fd = file.fileno()
    if size := os.fstat(fd).st_size:
        with create_operation() as op:
            offset = send(op, file, size - ONE_CALL)
            if offset + os.sendfile(op.fileno(), fd, offset, size - offset) == size:
                return op.recv(SIZE)
        if (now := os.fstat(fd).st_size) != size:
            raise OSError(f"its size was {size:,} bytes, and is {now:,} now")
        file.seek(0)
    with create_operation() as op:  # a new one: that short sendfile ended a message
        send(op, file, sys.maxsize)
        return op.recv(SIZE)


def main() -> None:
    """Print digests as sha256sum does."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", nargs="*", default=["-"], help="default: -, stdin")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" ends it quietly
    name = ""
    try:
        for name in args.file:
            is_stdin = name == "-"
            with open(0 if is_stdin else name, "rb", closefd=not is_stdin) as file:
                digest = sha256_file(file)
            line = digest.hex().encode() + b"  " + os.fsencode(name) + b"\n"
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)  # quietly, but not all are hashed
    except OSError as error:
        sys.exit(f"cannot hash {name!r}: {error}")


if __name__ == "__main__":
    main()
