"""Encrypt and authenticate with AES-GCM in the kernel, associated data included.

>>> key, nonce = os.urandom(32), os.urandom(12)
>>> sealed = encrypt(key, nonce, b"Demo AF_ALG", b"to: bob")
>>> len(sealed), decrypt(key, nonce, sealed, b"to: bob")
(27, b'Demo AF_ALG')
>>> decrypt(key, nonce, sealed, b"to: eve")
Traceback (most recent call last):
    ...
af_alg_aes_gcm.InvalidTagError: wrong key, or not what was encrypted

Associated data is authenticated but not encrypted, and not part of the result: the
other side has it already. ``ALG_SET_AEAD_AUTHSIZE`` is the length of the tag, in the
place of the option's length and before ``accept``; with less than 16 the kernel checks
only so many bytes of the tag. A message, with associated data and tag, is at most what
the socket's buffers hold in whole pages: 212,992 bytes by default with those of 4 KiB.

Two messages by one key and one nonce give away both, and let anybody forge others.
Random nonces do for 2**32 messages by one key.

Sources: NIST SP 800-38D, RFC 5116, https://docs.kernel.org/crypto/userspace-if.html
"""

import argparse
import errno
import os
import resource
import signal
import socket
import sys
from pathlib import Path

TAG = 16  # bytes
NONCE = 12  # bytes; the kernel takes no other length
TIMEOUT = 10.0  # seconds for any one call: recv would wait for ever for missing data
REFUSED = "wrong key, or not what was encrypted"


class InvalidTagError(Exception):
    """Ciphertext, tag, associated data, nonce or key is another than it was."""


def create_operation(key: bytes) -> socket.socket:
    """Return a socket that encrypts and decrypts by *key*: 16, 24 or 32 bytes.

    Only ``bind`` tells whether this kernel has the algorithm; raises OSError where it
    has not, and ValueError where the key has another length.
    """
    if len(key) not in (16, 24, 32):
        raise ValueError(f"a key has 16, 24 or 32 bytes, not {len(key)}")
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


def room_of(op: socket.socket) -> int:
    """Return how many bytes *op* takes, or gives, at a time: whole pages only."""
    buffers = (socket.SO_SNDBUF, socket.SO_RCVBUF)
    room = min(op.getsockopt(socket.SOL_SOCKET, buffer) for buffer in buffers)
    return room - room % resource.getpagesize()


def crypt(
    encrypts: bool, key: bytes, nonce: bytes, data: bytes, associated: bytes
) -> bytes:
    """Return *data* encrypted, with its tag, or decrypted, without it."""
    size = len(data) + (TAG if encrypts else -TAG)
    if size < 0:
        raise InvalidTagError(REFUSED)
    if len(nonce) != NONCE:
        raise ValueError(f"a nonce has {NONCE} bytes, not {len(nonce)}")
    with create_operation(key) as op:
        room = room_of(op)
        longest = len(associated) + max(len(data), size)
        if longest > room:
            raise ValueError(f"{longest:,} bytes are more than one message: {room:,}")
        direction = socket.ALG_OP_ENCRYPT if encrypts else socket.ALG_OP_DECRYPT
        sent = op.sendmsg_afalg(
            [associated, data], op=direction, iv=nonce, assoclen=len(associated)
        )
        if sent != len(associated) + len(data):  # of a part no tag would be right
            raise OSError(f"the kernel took only {sent:,} bytes")
        # For fewer bytes the kernel would take the message to be shorter. And recv(0)
        # does not call it, so that nothing would be verified.
        expected = len(associated) + size
        try:
            answer = op.recv(max(1, expected))
        except OSError as error:
            if error.errno == errno.EBADMSG:
                raise InvalidTagError(REFUSED) from None
            raise
    if len(answer) != expected:
        raise OSError(f"the kernel gave {len(answer):,} bytes, not {expected:,}")
    return answer[len(associated) :]  # which it gives back in front


def encrypt(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Return the ciphertext of *plaintext*, and the tag of 16 bytes after it.

    *nonce* must be 12 bytes that this key was never used with before. Raises
    ValueError where *plaintext*, *associated* and tag are more than one message.
    """
    return crypt(True, key, nonce, plaintext, associated)


def decrypt(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    """Return the plaintext of *sealed*, as ``encrypt`` returns it.

    Raises InvalidTagError where it is not, and ValueError as ``encrypt`` does.
    """
    return crypt(False, key, nonce, sealed, associated)


def read_key(path: Path) -> bytes:
    """Return the 32 bytes of *path*. Raises OSError where others may read them."""
    with path.open("rb") as file:
        key = file.read(33)
        if len(key) != 32 or os.fstat(file.fileno()).st_mode & 0o077:
            raise OSError(f"{str(path)!r} needs mode 0600 and 32 random bytes")
    return key


def main() -> None:
    """Encrypt or decrypt standard input to standard output, nonce first."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=["encrypt", "decrypt"])
    parser.add_argument("key_file", type=Path, help="32 random bytes")
    parser.add_argument("--associated", type=os.fsencode, default=b"", metavar="TEXT")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" ends it quietly
    try:
        key, data = read_key(args.key_file), sys.stdin.buffer.read()
        if args.action == "encrypt":
            nonce = os.urandom(NONCE)  # a new one for each message
            result = nonce + encrypt(key, nonce, data, args.associated)
        else:
            result = decrypt(key, data[:NONCE], data[NONCE:], args.associated)
        sys.stdout.buffer.write(result)
        sys.stdout.buffer.flush()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)  # quietly, but not all of it is done
    except (OSError, ValueError, InvalidTagError) as error:
        sys.exit(f"cannot {args.action}: {error}")


if __name__ == "__main__":
    main()
