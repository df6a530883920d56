"""Encrypt a file with AES-GCM in the kernel, which reads it by ``sendfile``.

The kernel takes a message of some 200 KiB at most, and decrypts nothing before it has
all of it. So a file goes in records of 64 KiB, each with a tag of its own. What keeps
them together is the nonce, as in the construction STREAM: seven random bytes, the
record's number in four, and one that is 1 in the last record and 0 in all others. So a
file that is cut short, put in another order, changed or added to is refused.

A file is 23 random bytes, then its records; what is random gives it a key of its own,
HMAC-SHA256 of them by the key in the key file. Each record is as the class AESGCM of
the package ``cryptography`` has it: ciphertext and tag, without associated data.

The target gets its name when all of it is right: a new file of mode 0600, whatever the
mode of an old one. A symbolic link stays, and the file that it leads to is replaced.
Who looks at what is encrypted sees how long the source is, to the byte. A process that
is killed, so that it cannot tidy up, leaves a file ``.part-*`` behind.

Sources: Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and
its Nonce-Reuse Misuse-Resistance" (https://eprint.iacr.org/2015/189), NIST SP 800-38D,
``man 2 sendfile``, https://docs.kernel.org/crypto/userspace-if.html
"""

import argparse
import errno
import hmac
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

TAG = 16  # bytes
RECORD = 65_536  # bytes of plaintext in each record but the last
HEADER = 23  # bytes
TIMEOUT = 10.0  # seconds for any one call: recv would wait for ever for missing data


class InvalidFileError(Exception):
    """The file is not what was encrypted by this key, or is not all of it."""


def create_operation(key: bytes) -> socket.socket:
    """Return a socket that encrypts and decrypts by *key*, 32 bytes.

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


def receive(op: socket.socket, size: int) -> bytes:
    """Return the record of *size* bytes. Raises InvalidFileError for a wrong tag."""
    try:
        record = op.recv(max(1, size))  # recv(0) would return without a verification
    except OSError as error:
        if error.errno != errno.EBADMSG:
            raise
        raise InvalidFileError("wrong key, or it was changed or cut short") from None
    if len(record) != size:  # less is a shorter message to the kernel, and right
        raise OSError(f"the kernel gave {len(record):,} bytes, not {size:,}")
    return record


def crypt(encrypts: bool, key: bytes, header: bytes, fd: int) -> Iterator[bytes]:
    """Yield each record of the file *fd*, encrypted or decrypted."""
    first, step, more = (0, RECORD, TAG) if encrypts else (HEADER, RECORD + TAG, -TAG)
    end = os.fstat(fd).st_size
    with create_operation(hmac.digest(key, header, "sha256")) as op:
        direction = socket.ALG_OP_ENCRYPT if encrypts else socket.ALG_OP_DECRYPT
        for number, start in enumerate(range(first, max(end, first + 1), step)):
            size = min(step, end - start)
            if size + more < 0:  # less than a tag, or even than a header
                raise InvalidFileError("it was cut short, or is no file of this kind")
            is_last = start + size == end
            nonce = header[:7] + number.to_bytes(4) + is_last.to_bytes()
            flags = socket.MSG_MORE if size else 0  # more follows, by sendfile
            op.sendmsg_afalg(op=direction, iv=nonce, assoclen=0, flags=flags)
            sent = os.sendfile(op.fileno(), fd, start, size) if size else 0
            if sent != size:
                raise OSError(f"the kernel took only {sent:,} of {size:,} bytes of it")
            yield receive(op, size + more)
    if os.pread(fd, 1, end):  # it grew, or is one of those in /proc
        raise OSError(f"it has more than the {end:,} bytes that it seemed to have")


def encrypt(key: bytes, source: int) -> Iterator[bytes]:
    """Yield the header, then each record of *source*, by *key* of 32 bytes.

    Raises OSError where the size of *source* changes meanwhile, and without AF_ALG.
    """
    header = os.urandom(HEADER)  # so that no key and nonce are ever used twice
    yield header
    yield from crypt(True, key, header, source)


def decrypt(key: bytes, source: int) -> Iterator[bytes]:
    """Yield what was encrypted; use none of it before all of it is there.

    Raises InvalidFileError after any number of records, and OSError as ``encrypt``.
    """
    yield from crypt(False, key, os.pread(source, HEADER, 0), source)


def place(path: str) -> Path:
    """Return where a file *path* is to be: of a symbolic link, where it leads.

    Raises OSError where something else is, such as a folder, a device or a FIFO.
    """
    if path.endswith("/") or (Path(path).exists() and not Path(path).is_file()):
        raise OSError("the target is no regular file")
    return Path(os.path.realpath(path))


def opener(path: str, flags: int) -> int:
    """Open without waiting for a FIFO's writer; what is new is for its owner only."""
    return os.open(path, flags | os.O_NONBLOCK, 0o600)


def write(target: Path, parts: Iterator[bytes]) -> None:
    """Write *parts* to a new file that gets the name *target* when all is there.

    Only its owner may read it. Raises OSError.
    """
    partial = target.with_name(f".part-{os.urandom(8).hex()}")
    try:
        with open(partial, "xb", opener=opener) as file:
            file.writelines(parts)
        partial.replace(target)
    except OSError as error:
        if error.filename == str(partial):  # a name that means nothing to the user
            error.filename = str(target)
        raise
    finally:
        partial.unlink(missing_ok=True)


def read_key(path: Path) -> bytes:
    """Return the 32 bytes of *path*. Raises OSError where others may read them."""
    with path.open("rb") as file:
        key = file.read(33)
        if len(key) != 32 or os.fstat(file.fileno()).st_mode & 0o077:
            raise OSError(f"{str(path)!r} needs mode 0600 and 32 random bytes")
    return key


def main() -> None:
    """Encrypt or decrypt one file to another."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=["encrypt", "decrypt"])
    for name in ("key_file", "source", "target"):
        parser.add_argument(name)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    work = encrypt if args.action == "encrypt" else decrypt
    try:
        target = place(args.target)
        with open(args.source, "rb", opener=opener) as source:
            if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                raise OSError("the source is no regular file")
            write(target, work(read_key(Path(args.key_file)), source.fileno()))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)  # quietly, but there is no new target
    except (OSError, InvalidFileError) as error:
        sys.exit(f"cannot {args.action} {args.source!r} to {args.target!r}: {error}")


if __name__ == "__main__":
    main()
