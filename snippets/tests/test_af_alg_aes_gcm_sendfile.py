"""af_alg_aes_gcm_sendfile: its command line, and what it shares with the others."""

import inspect
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    assert (0, "", "") == (ended.status, ended.stdout, ended.stderr)
    assert 1 == len(records)
    assert {"key", "source"} == names(tmp_path)


@pytest.mark.af_alg
def test_a_target_that_is_a_folder_is_one_line(key: str, tmp_path: Path) -> None:
    """A folder is not replaced."""
    (tmp_path / "folder").mkdir()
    source, target = tmp_path / "source", tmp_path / "folder"
    ended = CHECKS.main("encrypt", key, str(source), str(target))
    assert (1, "", 1) == (ended.status, ended.stdout, ended.stderr.count("\n"))
    assert {"key", "source", "folder"} == names(tmp_path)


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
    assert ended.stderr.startswith(f"cannot encrypt {path}: ")
    assert {"key", "source", "folder"} == names(tmp_path)


def test_a_key_that_others_read_is_one_line(key: str, tmp_path: Path) -> None:
    """A key file that is open to others is not used."""
    Path(key).chmod(0o644)
    ended = CHECKS.main("encrypt", key, f"{tmp_path}/source", f"{tmp_path}/target")
    assert (1, "", 1) == (ended.status, ended.stdout, ended.stderr.count("\n"))
    assert f"{key} needs mode 0600 and 32 bytes" in ended.stderr
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
