"""af_alg_aes_gcm: what the kernel does with lengths, and messages from end to end."""

import errno
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import af_alg_aes_gcm
from contracts import af_alg

TestAfAlg = af_alg.aead("af_alg_aes_gcm")
CHECKS = TestAfAlg()
KEY, NONCE, PLAIN = bytes(range(32)), bytes(range(12)), b"Demo AF_ALG"
REFUSED = "cannot decrypt: wrong key, or not what was encrypted\n"


@pytest.fixture
def key(tmp_path: Path) -> str:
    """Return a file that has a key."""
    return str(af_alg.key_file(tmp_path, KEY))


@pytest.fixture
def algorithm() -> Iterator[socket.socket]:
    """Return a socket for AES-GCM that has a key, and no length of tags yet."""
    with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as sock:
        sock.bind(("aead", "gcm(aes)"))
        sock.setsockopt(socket.SOL_ALG, socket.ALG_SET_KEY, KEY)
        yield sock


def old_decrypt(
    algorithm: socket.socket, associated: bytes, ciphertext: bytes, tag: bytes
) -> bytes:
    """Decrypt as the old sheet did, with the length of the data for that of the tag."""
    length = (socket.SOL_ALG, socket.ALG_SET_AEAD_AUTHSIZE, None, len(associated))
    algorithm.setsockopt(*length)
    message = associated + ciphertext + tag
    op, _ = algorithm.accept()
    with op:
        op.settimeout(10)
        op.sendmsg_afalg(
            [message], op=socket.ALG_OP_DECRYPT, iv=NONCE, assoclen=len(associated)
        )
        return op.recv(len(message) - len(tag))[len(associated) :]


@pytest.mark.af_alg
def test_the_length_of_associated_data_is_not_that_of_the_tag(
    algorithm: socket.socket,
) -> None:
    """With 12 for the tag's length the last 4 of 16 bytes go unchecked; not so here."""
    associated = b"to: bob     "
    sealed = AESGCM(KEY).encrypt(NONCE, PLAIN, associated)
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    tag = changed[-16:]
    assert PLAIN == old_decrypt(algorithm, associated, changed[:-16], tag)
    with pytest.raises(af_alg_aes_gcm.InvalidTagError):
        af_alg_aes_gcm.decrypt(KEY, NONCE, changed, associated)
    assert PLAIN == af_alg_aes_gcm.decrypt(KEY, NONCE, sealed, associated)


@pytest.mark.af_alg
def test_the_old_length_is_refused_for_most_data(algorithm: socket.socket) -> None:
    """With 20 bytes of data the old sheet's call fails: no tag is as long."""
    with pytest.raises(OSError, match="Invalid argument"):
        old_decrypt(algorithm, bytes(20), b"", bytes(16))


@pytest.mark.af_alg
def test_a_number_in_place_of_the_length_is_not_looked_at(
    algorithm: socket.socket,
) -> None:
    """Given as a value, 16 is an option of four bytes, and the tag has four, too."""
    algorithm.setsockopt(socket.SOL_ALG, socket.ALG_SET_AEAD_AUTHSIZE, 16)
    op, _ = algorithm.accept()
    with op:
        op.settimeout(10)
        op.sendmsg_afalg([PLAIN], op=socket.ALG_OP_ENCRYPT, iv=NONCE, assoclen=0)
        assert len(PLAIN) + 4 == len(op.recv(100))


@pytest.mark.af_alg
def test_who_asks_for_less_gets_a_shorter_message() -> None:
    """The kernel encrypts as much as it is asked for, with a tag that is right."""
    with af_alg_aes_gcm.create_operation(KEY) as op:
        op.sendmsg_afalg([PLAIN], op=socket.ALG_OP_ENCRYPT, iv=NONCE, assoclen=0)
        assert AESGCM(KEY).encrypt(NONCE, PLAIN[:4], None) == op.recv(4 + 16)


@pytest.mark.af_alg
def test_nothing_is_verified_where_nothing_is_asked_for() -> None:
    """Of an empty message recv(0) returns what is expected, whatever the tag is."""
    with af_alg_aes_gcm.create_operation(KEY) as op:
        op.sendmsg_afalg([bytes(16)], op=socket.ALG_OP_DECRYPT, iv=NONCE, assoclen=0)
        assert b"" == op.recv(0)
        with pytest.raises(OSError, match="Bad message") as caught:
            op.recv(1)
        assert errno.EBADMSG == caught.value.errno


@pytest.mark.af_alg
def test_a_wait_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recv for which there is no data ends with the time-out."""
    monkeypatch.setattr(af_alg_aes_gcm, "TIMEOUT", 0.05)
    with af_alg_aes_gcm.create_operation(KEY) as op:
        more = socket.MSG_MORE
        op.sendmsg_afalg([PLAIN], op=socket.ALG_OP_ENCRYPT, iv=NONCE, flags=more)
        with pytest.raises(TimeoutError):
            op.recv(100)


@pytest.mark.af_alg
def test_from_end_to_end(key: str) -> None:
    """What is encrypted is decrypted with the same associated data, and not without."""
    data = ("--associated", "to: b\N{LATIN SMALL LETTER O WITH DIAERESIS}b")
    ended = CHECKS.main("encrypt", key, *data, stdin=PLAIN)
    assert (0, "") == (ended.status, ended.stderr)
    sealed = ended.stdout.encode("latin-1")
    read = AESGCM(KEY).decrypt(sealed[:12], sealed[12:], data[1].encode())
    assert PLAIN == read
    ended = CHECKS.main("decrypt", key, *data, stdin=sealed)
    assert (0, PLAIN.decode(), "") == (ended.status, ended.stdout, ended.stderr)
    ended = CHECKS.main("decrypt", key, stdin=sealed)
    assert (1, "", REFUSED) == (ended.status, ended.stdout, ended.stderr)


@pytest.mark.af_alg
def test_each_message_has_a_nonce_of_its_own(key: str) -> None:
    """The same text encrypted again has another nonce, and nothing in common."""
    sealed = [CHECKS.main("encrypt", key, stdin=bytes(16)).stdout for _ in range(20)]
    assert 20 == len({one[:12] for one in sealed}) == len({one[12:] for one in sealed})


@pytest.mark.af_alg
def test_more_than_a_message_is_one_line(key: str) -> None:
    """What does not fit is one line that says how much does, and exit status 1."""
    ended = CHECKS.main("encrypt", key, stdin=bytes(300_000))
    expected = "cannot encrypt: 300,016 bytes are more than one message: 212,992\n"
    assert (1, "", expected) == (ended.status, ended.stdout, ended.stderr)


def with_buffer(monkeypatch: pytest.MonkeyPatch, name: int, size: int) -> None:
    """Let the buffer *name* of each socket for a calculation have *size* bytes."""
    create = af_alg_aes_gcm.create_operation

    def smaller(key: bytes) -> socket.socket:
        op = create(key)
        op.setsockopt(socket.SOL_SOCKET, name, size // 2)
        assert size == op.getsockopt(socket.SOL_SOCKET, name)
        return op

    monkeypatch.setattr(af_alg_aes_gcm, "create_operation", smaller)


@pytest.mark.af_alg
@pytest.mark.parametrize("name", [socket.SO_SNDBUF, socket.SO_RCVBUF], ids=str)
def test_a_buffer_that_is_no_whole_number_of_pages(
    name: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 212,000 bytes whole pages count: what fits is decrypted, more is refused."""
    with_buffer(monkeypatch, name, 212_000)
    room = 212_000 - 212_000 % resource.getpagesize()
    plain = af_alg.pattern(room - 16 + 1)
    with pytest.raises(ValueError, match=f"more than one message: {room:,}$"):
        af_alg_aes_gcm.encrypt(KEY, NONCE, plain, b"")
    sealed = af_alg_aes_gcm.encrypt(KEY, NONCE, plain[1:], b"")
    assert plain[1:] == af_alg_aes_gcm.decrypt(KEY, NONCE, sealed, b"")
    with pytest.raises(ValueError, match="more than one message"):
        af_alg_aes_gcm.decrypt(KEY, NONCE, sealed + b"x", b"")


@pytest.mark.af_alg
def test_what_the_kernel_does_not_take_is_no_forgery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A message that is cut on its way in raises OSError, not InvalidTagError."""
    sealed = af_alg_aes_gcm.encrypt(KEY, NONCE, bytes(50_000), b"")
    with_buffer(monkeypatch, socket.SO_SNDBUF, 32_768)
    monkeypatch.setattr(af_alg_aes_gcm, "room_of", lambda _: 1_000_000)
    with pytest.raises(OSError, match="the kernel took only 32,768 bytes"):
        af_alg_aes_gcm.decrypt(KEY, NONCE, sealed, b"")


@pytest.mark.parametrize("size", [0, 11, 12, 27])
def test_what_is_shorter_than_nonce_and_tag_is_refused(size: int, key: str) -> None:
    """Less than 28 bytes are no message; the kernel is not even asked."""
    ended = CHECKS.main("decrypt", key, stdin=bytes(size))
    assert (1, "", REFUSED) == (ended.status, ended.stdout, ended.stderr)


@pytest.mark.parametrize("length", [0, 8, 11, 13, 16])
def test_a_nonce_of_another_length_is_refused(length: int) -> None:
    """A nonce that is not 12 bytes long raises ValueError."""
    with pytest.raises(ValueError, match="12 bytes"):
        af_alg_aes_gcm.encrypt(KEY, bytes(length), b"", b"")


@pytest.mark.parametrize("length", [0, 15, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    """A key that is none raises ValueError, before the kernel is asked."""
    with pytest.raises(ValueError, match="16, 24 or 32 bytes"):
        af_alg_aes_gcm.encrypt(bytes(length), NONCE, b"", b"")


@pytest.mark.parametrize(
    ("content", "mode"),
    [(KEY, 0o640), (KEY, 0o602), (KEY[1:], 0o600), (KEY + b"\n", 0o600), (b"", 0o600)],
)
def test_a_key_that_others_read_or_that_is_none(
    content: bytes, mode: int, tmp_path: Path
) -> None:
    """A key file that is open to others, or has not 32 bytes, is one line."""
    path = af_alg.key_file(tmp_path, content)
    path.chmod(mode)
    ended = CHECKS.main("encrypt", str(path))
    expected = f"cannot encrypt: {str(path)!r} needs mode 0600 and 32 random bytes"
    assert (1, "", f"{expected}\n") == (ended.status, ended.stdout, ended.stderr)


@pytest.mark.parametrize("arguments", [[], ["encrypt"], ["sign", "file"]], ids=str)
def test_wrong_usage(arguments: list[str]) -> None:
    """Wrong usage is exit status 2."""
    assert 2 == CHECKS.main(*arguments).status
