"""af_alg_sha256: files of any kind and size, and output as sha256sum has it."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

import af_alg_sha256
from contracts import af_alg

TestAfAlg = af_alg.hash_("af_alg_sha256")
CHECKS = TestAfAlg()


def hashed(path: Path | str) -> bytes:
    """Return the digest of the file at *path*."""
    with Path(path).open("rb") as file:
        return af_alg_sha256.sha256_file(file)


@pytest.mark.af_alg
@pytest.mark.parametrize("most", [1, 4_096, 99_999, 100_000, 100_001])
def test_what_one_sendfile_does_not_send_is_hashed_too(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is longer than one call sends has the digest of all of it."""
    monkeypatch.setattr(af_alg_sha256, "ONE_CALL", most)
    path = tmp_path / "file"
    path.write_bytes(bytes(100_000))
    assert hashlib.sha256(bytes(100_000)).digest() == hashed(path)


@pytest.mark.af_alg
def test_the_end_of_a_sendfile_is_the_end_of_a_message(tmp_path: Path) -> None:
    """The kernel forgets what an earlier call of sendfile has sent."""
    path = tmp_path / "file"
    path.write_bytes(b"ab")
    with path.open("rb") as file, af_alg_sha256.create_operation() as op:
        for offset in (0, 1):
            assert 1 == os.sendfile(op.fileno(), file.fileno(), offset, 1)
        assert hashlib.sha256(b"b").digest() == op.recv(32)


@pytest.mark.af_alg
def test_the_socket_cannot_be_waited_for() -> None:
    """With a time-out the digest never comes, so there is none."""
    with af_alg_sha256.create_operation() as op:
        op.sendall(b"abc")
        op.settimeout(0.05)
        with pytest.raises(TimeoutError):
            op.recv(32)
        op.settimeout(None)
        assert hashlib.sha256(b"abc").digest() == op.recv(32)


@pytest.mark.af_alg
def test_a_file_without_a_size_is_read_to_its_end() -> None:
    """A file of /proc has the size 0 and is hashed nevertheless."""
    expected = hashlib.sha256(Path("/proc/version").read_bytes()).digest()
    assert expected == hashed("/proc/version")


@pytest.mark.af_alg
def test_a_file_with_less_than_its_size_is_read_to_its_end() -> None:
    """A file of /sys has a page for its size and is hashed as sha256sum does."""
    path = Path("/sys/class/net/lo/mtu")
    if not path.exists():
        pytest.skip(f"there is no {path}")
    content = path.read_bytes()
    assert len(content) < path.stat().st_size
    assert hashlib.sha256(content).digest() == hashed(path)


@pytest.mark.af_alg
def test_a_short_sendfile_of_a_file_that_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where sendfile sends less and the size is as it was, all is read in chunks."""
    path = tmp_path / "file"
    path.write_bytes(af_alg.pattern(100_000))
    sendfile = os.sendfile
    monkeypatch.setattr(os, "sendfile", lambda out, fd, at, _: sendfile(out, fd, at, 9))
    assert hashlib.sha256(af_alg.pattern(100_000)).digest() == hashed(path)


@pytest.mark.af_alg
def test_a_pipe_is_read_to_its_end() -> None:
    """A pipe has no size, and cannot be sent from at an offset."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as file:
        os.write(writer, b"abc")
        os.close(writer)
        assert hashlib.sha256(b"abc").digest() == af_alg_sha256.sha256_file(file)


@pytest.mark.af_alg
def test_a_file_that_grows_counts_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is added while a file is hashed does not count."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    sendfile = os.sendfile

    def late(out: int, source: int, offset: int, count: int) -> int:
        with path.open("ab") as file:
            file.write(b"more")
        return sendfile(out, source, offset, count)

    monkeypatch.setattr(os, "sendfile", late)
    assert hashlib.sha256(b"abc").digest() == hashed(path)


@pytest.mark.af_alg
def test_it_prints_what_sha256sum_prints(tmp_path: Path) -> None:
    """A line for each file: digest, two spaces, and the name as it was given."""
    expected = b""
    names = [os.fsencode(tmp_path) + b"/one", os.fsencode(tmp_path) + b"/tw\xff"]
    for name in names:
        Path(os.fsdecode(name)).write_bytes(name)
        expected += hashlib.sha256(name).hexdigest().encode() + b"  " + name + b"\n"
    ended = CHECKS.main(*map(os.fsdecode, names))
    assert (0, "") == (ended.status, ended.stderr)
    assert expected == ended.stdout.encode("latin-1")


@pytest.mark.parametrize("name", ["", "gone", "folder"])
def test_what_cannot_be_read_is_one_line(name: str, tmp_path: Path) -> None:
    """A file that is missing or none is one line that names it, and exit status 1."""
    (tmp_path / "folder").mkdir()
    path = f"{tmp_path}/{name}" if name else name
    ended = CHECKS.main(path)
    assert (1, "", 1) == (ended.status, ended.stdout, ended.stderr.count("\n"))
    assert ended.stderr.startswith(f"cannot hash {path!r}: ")


def test_ctrl_c_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a file is read ends main() without a word, and with 130."""

    def interrupted(_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(af_alg_sha256, "sha256_file", interrupted)
    ended = CHECKS.main(sys.executable)
    assert (130, "", "") == (ended.status, ended.stdout, ended.stderr)


def test_wrong_usage() -> None:
    """An option that there is none of is exit status 2."""
    ended = CHECKS.main("--what")
    assert (2, "") == (ended.status, ended.stdout)
    assert "--what" in ended.stderr
