"""af_alg_aes_cbc: what openssl enc writes and reads, and what CBC does not notice."""

import os
import subprocess
from pathlib import Path

import pytest

import af_alg_aes_cbc
from contracts import af_alg
from support.requirements import missing

TestAfAlg = af_alg.block("af_alg_aes_cbc")
CHECKS = TestAfAlg()
REFUSED = "cannot decrypt: wrong password, or not what was encrypted\n"


@pytest.fixture
def password(tmp_path: Path) -> str:
    """Return a file that has a password."""
    return str(af_alg.key_file(tmp_path, b"correct horse\nand no more\n"))


def openssl(password: str, data: bytes, *options: str) -> bytes:
    """Return what openssl enc makes of *data*."""
    if lack := missing(["openssl"]):
        pytest.skip(lack)
    line = ["openssl", "enc", *options, "-aes-256-cbc", "-pbkdf2"]
    return subprocess.run(
        [*line, "-pass", f"file:{password}"],
        input=data,
        capture_output=True,
        check=True,
        timeout=20,
    ).stdout


@pytest.mark.af_alg
@pytest.mark.parametrize("size", [0, 65_537])
def test_openssl_reads_it_and_it_reads_openssl(size: int, password: str) -> None:
    """The format is that of openssl enc, in both directions."""
    plain = af_alg.pattern(size)
    ended = CHECKS.main("encrypt", password, stdin=plain)
    assert (0, "") == (ended.status, ended.stderr)
    sealed = ended.stdout.encode("latin-1")
    assert plain == openssl(password, sealed, "-d")
    ended = CHECKS.main("decrypt", password, stdin=openssl(password, plain))
    assert (0, "") == (ended.status, ended.stderr)
    assert plain == ended.stdout.encode("latin-1")


@pytest.mark.af_alg
def test_the_same_text_twice_has_nothing_in_common() -> None:
    """Each file has its own salt, and so a key and a vector of its own."""
    one, other = (af_alg_aes_cbc.seal(b"password", bytes(64)) for _ in range(2))
    assert one[:8] == other[:8] == b"Salted__"
    assert one[8:16] != other[8:16]
    assert not {one[n : n + 16] for n in range(16, 80, 16)} & {
        other[n : n + 16] for n in range(16, 80, 16)
    }


@pytest.mark.af_alg
def test_a_wrong_password_is_one_line(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password is one line and no output (unless the padding is right)."""
    monkeypatch.setattr(os, "urandom", lambda size: bytes(range(size)))
    sealed = af_alg_aes_cbc.seal(b"another", b"Demo AF_ALG")
    ended = CHECKS.main("decrypt", password, stdin=sealed)
    assert (1, "", REFUSED) == (ended.status, ended.stdout, ended.stderr)


@pytest.mark.parametrize(
    "sealed",
    [b"", b"Salted", b"Salted__", b"Salted__" + bytes(8), b"Salted__" + bytes(23)],
    ids=len,
)
def test_what_is_no_such_file_is_the_same_line(sealed: bytes, password: str) -> None:
    """What is too short, or begins with something else, is told from nothing else."""
    ended = CHECKS.main("decrypt", password, stdin=sealed)
    assert (1, "", REFUSED) == (ended.status, ended.stdout, ended.stderr)


@pytest.mark.af_alg
def test_cbc_does_not_notice_a_change() -> None:
    """A changed block of ciphertext garbles itself, and changes the next at will."""
    key, iv = af_alg.pattern(32), af_alg.pattern(16)
    sealed = bytearray(af_alg_aes_cbc.encrypt(key, iv, bytes(48)))
    sealed[16] ^= 0x41
    plain = af_alg_aes_cbc.decrypt(key, iv, bytes(sealed))
    assert (bytes(16), b"\x41" + bytes(15)) == (plain[:16], plain[32:])
    assert bytes(16) != plain[16:32]


@pytest.mark.parametrize("length", [0, 15, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    """A key that is none raises ValueError, before the kernel is asked."""
    with pytest.raises(ValueError, match="16, 24 or 32 bytes"):
        af_alg_aes_cbc.encrypt(bytes(length), bytes(16), b"")


@pytest.mark.parametrize(("iv", "data"), [(15, 16), (17, 16), (16, 15)])
def test_what_is_no_block_is_refused(iv: int, data: int) -> None:
    """A vector or data that are not whole blocks raise ValueError."""
    with pytest.raises(ValueError, match="whole blocks"):
        af_alg_aes_cbc.crypt(True, bytes(32), bytes(iv), bytes(data))


@pytest.mark.parametrize(
    ("content", "mode"),
    [(b"secret\n", 0o640), (b"secret\n", 0o604), (b"\nsecret", 0o600), (b"", 0o600)],
)
def test_a_password_that_others_read_or_that_is_none(
    content: bytes, mode: int, tmp_path: Path
) -> None:
    """A password file that is open to others, or has an empty line, is one line."""
    path = af_alg.key_file(tmp_path, content)
    path.chmod(mode)
    ended = CHECKS.main("encrypt", str(path))
    expected = f"cannot encrypt: {str(path)!r} needs mode 0600 and a line, a random one"
    assert (1, "", f"{expected}\n") == (ended.status, ended.stdout, ended.stderr)


def test_a_missing_password_file_is_one_line(tmp_path: Path) -> None:
    """A password file that is not there is one line that names it."""
    ended = CHECKS.main("encrypt", str(tmp_path / "gone"))
    assert (1, 1) == (ended.status, ended.stderr.count("\n"))
    assert str(tmp_path / "gone") in ended.stderr


def test_a_name_cannot_make_a_line_of_its_own(tmp_path: Path) -> None:
    """A password file with a newline in its name is one line nevertheless."""
    path = tmp_path / "a\nb"
    path.touch(0o600)
    ended = CHECKS.main("encrypt", str(path))
    assert (1, 1) == (ended.status, ended.stderr.count("\n"))
    assert repr(str(path)) in ended.stderr


@pytest.mark.parametrize("arguments", [[], ["encrypt"], ["sign", "file"]], ids=str)
def test_wrong_usage(arguments: list[str]) -> None:
    """Wrong usage is exit status 2."""
    assert 2 == CHECKS.main(*arguments).status
