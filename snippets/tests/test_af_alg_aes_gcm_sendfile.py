"""af_alg_aes_gcm_sendfile: its command line, and what it shares with the others."""

import inspect
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import af_alg_aes_gcm
import af_alg_aes_gcm_sendfile
from contracts import af_alg

TestAfAlg = af_alg.aead_file("af_alg_aes_gcm_sendfile")
CHECKS = TestAfAlg()
KEY = bytes(range(32))


@pytest.fixture
def key(tmp_path: Path) -> str:
    """Return a file that has a key, beside a file ``source`` of two records."""
    (tmp_path / "source").write_bytes(af_alg.pattern(100_000))
    return str(af_alg.key_file(tmp_path, KEY))


def names(folder: Path) -> set[str]:
    """Return what is in *folder*."""
    return {path.name for path in folder.iterdir()}


@pytest.mark.af_alg
def test_published_vectors_come_out_of_its_parts() -> None:
    """Its sockets and its way to receive give NIST's and Wycheproof's ciphertexts."""
    for (key, nonce, associated, plain, sealed), valid in af_alg.gcm_vectors():
        if valid and not associated and len(key) == 32:
            with af_alg_aes_gcm_sendfile.create_operation(key) as op:
                op.sendmsg_afalg([plain], op=1, iv=nonce, assoclen=0)
                assert sealed == af_alg_aes_gcm_sendfile.receive(op, len(sealed))


@pytest.mark.af_alg
def test_a_file_may_take_the_place_of_its_source(key: str, tmp_path: Path) -> None:
    """Source and target may be the same file: it is replaced when all is read."""
    source = tmp_path / "source"
    for action in ("encrypt", "decrypt"):
        ended = CHECKS.main(action, key, str(source), str(source))
        assert (0, "", "") == (ended.status, ended.stdout, ended.stderr)
        assert (action == "decrypt") == (af_alg.pattern(100_000) == source.read_bytes())
    assert {"key", "source"} == names(tmp_path)


@pytest.mark.af_alg
def test_a_target_that_has_no_room_is_one_line(key: str, tmp_path: Path) -> None:
    """Where the target cannot be written that is one line, and nothing is left."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        source, target = tmp_path / "source", tmp_path / "target"
        ended = CHECKS.main("encrypt", key, str(source), str(target))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (1, "", 1) == (ended.status, ended.stdout, ended.stderr.count("\n"))
    assert "File too large" in ended.stderr
    assert {"key", "source"} == names(tmp_path)


@pytest.mark.af_alg
def test_ctrl_c_leaves_nothing(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after a record is quiet, and what was written so far is removed."""
    receive = af_alg_aes_gcm_sendfile.receive
    records: list[bytes] = []

    def interrupted(*arguments: object) -> bytes:
        if records:
            raise KeyboardInterrupt
        records.append(receive(*arguments))  # type: ignore[arg-type]
        return records[0]

    monkeypatch.setattr(af_alg_aes_gcm_sendfile, "receive", interrupted)
    source, target = tmp_path / "source", tmp_path / "target"
    ended = CHECKS.main("encrypt", key, str(source), str(target))
    assert (130, "", "") == (ended.status, ended.stdout, ended.stderr)
    assert 1 == len(records)
    assert {"key", "source"} == names(tmp_path)


@pytest.mark.parametrize("target", ["folder", "fifo", "link", "new/"])
def test_a_target_that_is_no_file_is_refused_at_once(
    target: str, tmp_path: Path
) -> None:
    """A folder, a FIFO or a link to one is not replaced; no other file is opened."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    before = names(tmp_path)
    path = f"{tmp_path}/{target}"
    ended = CHECKS.main("encrypt", f"{tmp_path}/no-key", f"{tmp_path}/no-source", path)
    expected = f"cannot encrypt '{tmp_path}/no-source' to {path!r}: "
    expected += "the target is no regular file\n"
    assert (1, "", expected) == (ended.status, ended.stdout, ended.stderr)
    assert before == names(tmp_path)
    assert (tmp_path / "fifo").is_fifo()
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["fifo", "null"])
def test_a_source_that_is_no_file_is_refused_at_once(
    name: str, key: str, tmp_path: Path
) -> None:
    """A FIFO that nobody writes to is not waited for, and a device is refused."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "null").symlink_to("/dev/null")
    before = names(tmp_path)
    ended = CHECKS.main("encrypt", key, f"{tmp_path}/{name}", f"{tmp_path}/target")
    assert (1, "", 1) == (ended.status, ended.stdout, ended.stderr.count("\n"))
    assert ended.stderr.endswith("': the source is no regular file\n")
    assert before == names(tmp_path)


def test_a_link_leads_to_the_target(tmp_path: Path) -> None:
    """A symbolic link stays, and the file that it leads to is replaced."""
    (tmp_path / "file").touch(0o644)
    (tmp_path / "link").symlink_to("file")
    place = af_alg_aes_gcm_sendfile.place(f"{tmp_path}/link")
    af_alg_aes_gcm_sendfile.write(place, iter([b"new"]))
    assert (tmp_path / "link").is_symlink()
    assert b"new" == (tmp_path / "file").read_bytes()


def test_a_target_is_for_its_owner_only(tmp_path: Path) -> None:
    """From its first byte on, only the owner reads a target, whoever read the old."""
    target = tmp_path / "target"
    target.touch(0o644)

    def parts() -> Iterator[bytes]:
        yield b"plaintext"
        modes = {path.stat().st_mode & 0o777 for path in tmp_path.glob(".part-*")}
        assert {0o600} == modes

    umask = os.umask(0)
    try:
        af_alg_aes_gcm_sendfile.write(target, parts())
    finally:
        os.umask(umask)
    assert 0o600 == target.stat().st_mode & 0o777


def test_errors_name_the_target(tmp_path: Path) -> None:
    """Where there is no folder for it, or a folder now, the error has its own name."""
    with pytest.raises(FileNotFoundError) as caught:
        af_alg_aes_gcm_sendfile.write(tmp_path / "gone" / "target", iter([b""]))
    assert str(tmp_path / "gone" / "target") == caught.value.filename
    assert ".part" not in str(caught.value)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="irectory") as other:
        af_alg_aes_gcm_sendfile.write(tmp_path / "folder", iter([b""]))
    assert ".part" not in str(other.value)
    assert {"folder"} == names(tmp_path)


@pytest.mark.af_alg
def test_a_buffer_that_is_too_small_is_no_shorter_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel does not take a record, the error says that and no more."""
    (tmp_path / "source").write_bytes(bytes(65_536))
    create = af_alg_aes_gcm_sendfile.create_operation

    def smaller(key: bytes) -> socket.socket:
        op = create(key)
        op.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768 // 2)
        return op

    monkeypatch.setattr(af_alg_aes_gcm_sendfile, "create_operation", smaller)
    expected = "the kernel took only 32,768 of 65,536 bytes of it"
    with (
        (tmp_path / "source").open("rb") as source,
        pytest.raises(OSError, match=f"^{expected}$"),
    ):
        list(af_alg_aes_gcm_sendfile.encrypt(KEY, source.fileno()))


@pytest.mark.af_alg
def test_one_sendfile_is_one_message_of_limited_length(tmp_path: Path) -> None:
    """It stops where the buffer is full, and the message ends with its last byte."""
    (tmp_path / "source").write_bytes(bytes(300_000))
    with (tmp_path / "source").open("rb") as source:
        for size, expected in ((300_000, 212_992), (10, 10)):
            with af_alg_aes_gcm_sendfile.create_operation(KEY) as op:
                op.sendmsg_afalg(
                    op=socket.ALG_OP_ENCRYPT,
                    iv=bytes(12),
                    assoclen=0,
                    flags=socket.MSG_MORE,
                )
                sent = os.sendfile(op.fileno(), source.fileno(), 0, size)
                assert expected == sent
                if size == sent:  # no second call: recv has all that it waits for
                    message = AESGCM(KEY).encrypt(bytes(12), bytes(10), None)
                    assert message == op.recv(10 + 16)


@pytest.mark.parametrize(
    ("source", "target"),
    [("gone", "target"), ("folder", "target"), ("source", "gone/target")],
)
def test_what_cannot_be_opened_is_one_line(
    source: str, target: str, key: str, tmp_path: Path
) -> None:
    """A source that cannot be read or a target without a folder is one line."""
    (tmp_path / "folder").mkdir()
    path = f"{tmp_path}/{source}"
    ended = CHECKS.main("encrypt", key, path, f"{tmp_path}/{target}")
    assert (1, "", 1) == (ended.status, ended.stdout, ended.stderr.count("\n"))
    names_both = f"cannot encrypt {path!r} to '{tmp_path}/{target}': "
    assert ended.stderr.startswith(names_both)
    assert ".part" not in ended.stderr
    assert {"key", "source", "folder"} == names(tmp_path)


def test_a_key_that_others_read_is_one_line(key: str, tmp_path: Path) -> None:
    """A key file that is open to others is not used."""
    Path(key).chmod(0o644)
    ended = CHECKS.main("encrypt", key, f"{tmp_path}/source", f"{tmp_path}/target")
    assert (1, "", 1) == (ended.status, ended.stdout, ended.stderr.count("\n"))
    assert f"{key!r} needs mode 0600 and 32 random bytes" in ended.stderr
    assert {"key", "source"} == names(tmp_path)


def test_keys_are_read_by_the_same_lines() -> None:
    """Where the two programs do not mean to differ, they are the same."""
    expected = inspect.getsource(af_alg_aes_gcm.read_key)
    assert expected == inspect.getsource(af_alg_aes_gcm_sendfile.read_key)


def test_parts_are_written_before_the_target_has_its_name(tmp_path: Path) -> None:
    """While parts come, there is no target yet."""
    target = tmp_path / "target"

    def parts() -> Iterator[bytes]:
        for part in (b"one", b"two"):
            assert not target.exists()
            yield part

    af_alg_aes_gcm_sendfile.write(target, parts())
    assert b"onetwo" == target.read_bytes()


@pytest.mark.parametrize(
    "arguments", [[], ["encrypt", "a", "b"], ["sign", "a", "b", "c"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    """Wrong usage is exit status 2."""
    assert 2 == CHECKS.main(*arguments).status
