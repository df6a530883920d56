"""Encrypt with AES-256-CBC in the kernel, as ``openssl enc`` does.

>>> key, iv = os.urandom(32), os.urandom(16)
>>> ciphertext = encrypt(key, iv, b"Demo AF_ALG")
>>> len(ciphertext), decrypt(key, iv, ciphertext)
(16, b'Demo AF_ALG')

CBC is not authenticated: who changes a ciphertext changes the plaintext, and often no
error tells. A flipped bit of the initialization vector flips that bit of the plaintext:

>>> iv, order = os.urandom(16), b"pay bob  1 euro"
>>> forged = iv[:9] + bytes([iv[9] ^ ord("1") ^ ord("9")]) + iv[10:]
>>> decrypt(key, forged, encrypt(key, iv, order))
b'pay bob  9 euro'

And who may ask often whether the padding of a changed ciphertext was right reads the
plaintext without the key: a padding oracle. All that can be wrong is one error here;
yet that there is one at all, or the time it takes, is enough. Use AES-GCM instead, by
the package ``cryptography``. Input and output are held in memory as a whole.

Sources: NIST SP 800-38A, RFC 5652 (section 6.3), ``man 1 openssl-enc``,
https://docs.kernel.org/crypto/userspace-if.html
"""

import argparse
import hashlib
import os
import signal
import socket
import sys
from pathlib import Path

BLOCK = 16  # bytes
CHUNK = 65_536  # bytes for the kernel at a time; what it buffers has a limit
TIMEOUT = 10.0  # seconds for any one call: recv would wait for ever for missing data
MAGIC = b"Salted__"  # begins the file, and a salt of eight bytes follows
ITERATIONS = 10_000  # as openssl enc -pbkdf2; enough for a random password only
REFUSED = "wrong password, or not what was encrypted"


def create_operation(key: bytes) -> socket.socket:
    """Return a socket that encrypts and decrypts by *key*: 16, 24 or 32 bytes.

    Only ``bind`` tells whether this kernel has the algorithm; raises OSError where it
    has not, and ValueError where the key has another length.
    """
    if len(key) not in (16, 24, 32):
        raise ValueError(f"a key has 16, 24 or 32 bytes, not {len(key)}")
    try:
        with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as chosen:
            chosen.bind(("skcipher", "cbc(aes)"))
            chosen.setsockopt(socket.SOL_ALG, socket.ALG_SET_KEY, key)
            op = chosen.accept()[0]
    except (AttributeError, OSError) as error:  # the first where this is not Linux
        raise OSError(f"no cbc(aes) by AF_ALG, use cryptography: {error}") from error
    op.settimeout(TIMEOUT)
    return op


def crypt(encrypts: bool, key: bytes, iv: bytes, data: bytes) -> bytes:
    """Return *data* encrypted or decrypted, without a look at the padding.

    *iv* is 16 bytes, and *data* whole blocks. The last block of a chunk's ciphertext is
    the vector of the next chunk. Raises ValueError, and OSError without AF_ALG.
    """
    if len(iv) != BLOCK or len(data) % BLOCK:
        raise ValueError("the vector is one block, and data are whole blocks")
    done = bytearray()
    with create_operation(key) as op:
        direction = socket.ALG_OP_ENCRYPT if encrypts else socket.ALG_OP_DECRYPT
        for start in range(0, len(data), CHUNK):
            chunk = data[start : start + CHUNK]
            sent = op.sendmsg_afalg([chunk], op=direction, iv=iv)
            answer = op.recv(len(chunk))
            if not len(chunk) == sent == len(answer):
                raise OSError(f"the kernel took {sent} and gave {len(answer)} bytes")
            iv = (answer if encrypts else chunk)[-BLOCK:]
            done += answer
    return bytes(done)


def encrypt(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """Return *plaintext* padded by 1 to 16 bytes, each of that value, and encrypted.

    *iv* must be 16 random bytes that were never used before.
    """
    count = BLOCK - len(plaintext) % BLOCK
    padded = plaintext + bytes([count]) * count
    return crypt(True, key, iv, padded)


def decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """Return the plaintext. Raises ValueError, the same whatever is wrong with it."""
    if not ciphertext or len(ciphertext) % BLOCK:
        raise ValueError(REFUSED)
    padded = crypt(False, key, iv, ciphertext)
    count = padded[-1]
    wrong = not 1 <= count <= BLOCK
    for place, value in enumerate(padded[: -BLOCK - 1 : -1]):  # all of them, always
        wrong |= (place < count) & (value != count)
    if wrong:
        raise ValueError(REFUSED)
    return padded[:-count]


def derive(password: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """Return the key and the vector that *password* and *salt* stand for."""
    made = hashlib.pbkdf2_hmac("sha256", password, salt, ITERATIONS, 32 + BLOCK)
    return made[:32], made[32:]


def seal(password: bytes, plaintext: bytes) -> bytes:
    """Return what ``openssl enc -d -aes-256-cbc -pbkdf2`` decrypts."""
    salt = os.urandom(8)  # so that no key and vector are ever used twice
    return MAGIC + salt + encrypt(*derive(password, salt), plaintext)


def unseal(password: bytes, sealed: bytes) -> bytes:
    """Return what was sealed. Raises ValueError as ``decrypt`` does."""
    if not sealed.startswith(MAGIC):
        raise ValueError(REFUSED)
    return decrypt(*derive(password, sealed[8:16]), sealed[16:])


def read_password(path: Path) -> bytes:
    """Return the first line of *path*. Raises OSError where others may read it."""
    with path.open("rb") as file:
        password = file.readline(1_024).removesuffix(b"\n")
        if not password or os.fstat(file.fileno()).st_mode & 0o077:
            raise OSError(f"{str(path)!r} needs mode 0600 and a line, a random one")
    return password


def main() -> None:
    """Encrypt or decrypt standard input to standard output."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=["encrypt", "decrypt"])
    parser.add_argument("password_file", type=Path, help="its first line counts")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" ends it quietly
    try:
        password = read_password(args.password_file)
        work = seal if args.action == "encrypt" else unseal
        sys.stdout.buffer.write(work(password, sys.stdin.buffer.read()))
        sys.stdout.buffer.flush()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)  # quietly, but not all of it is done
    except (OSError, ValueError) as error:
        sys.exit(f"cannot {args.action}: {error}")


if __name__ == "__main__":
    main()
