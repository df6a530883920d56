"""sendfile_copy: the copy is right or refused, and never half a file is left."""

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import sendfile_copy
from contracts import command_line
from support import server
from support.sandbox import Sandbox, SandboxError
from support.server import SNIPPETS, environment, interruptible_children, run

DEADLINE = 25.0  # seconds for any one process, which must start under load, too
KIB = 1024
BYTES = bytes(range(256))  # all of them, and no two alike next to each other


hang_ups = pytest.fixture(autouse=True)(command_line.hang_ups)
folder = pytest.fixture(command_line.whole_files)


@pytest.fixture
def original(folder: Path) -> Path:
    """Return a file of 256 KiB."""
    path = folder / "original"
    path.write_bytes(BYTES * KIB)
    return path


@pytest.fixture
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one call of sendfile do 64 KiB."""
    monkeypatch.setattr(sendfile_copy, "CALL", 64 * KIB)


def quiet(done: int, size: int) -> None:
    """Say nothing."""


def once(action: Callable[[], object]) -> Callable[[int, int], None]:
    """Return what does *action* when it is first told of progress."""
    actions = [action]

    def tell(done: int, size: int) -> None:  # noqa: ARG001
        if actions:
            actions.pop()()

    return tell


def main(*arguments: str) -> object:
    """Run ``main()`` and return its exit status or what it says at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["sendfile_copy.py", *arguments])
        try:
            sendfile_copy.main()
        except SystemExit as ended:
            return ended.code
    return 0


@pytest.mark.parametrize(
    "size", [0, 1, 65_535, 65_536, 65_537, 300_000], ids=lambda size: f"{size}-bytes"
)
@pytest.mark.usefixtures("short_calls")
def test_every_byte_is_copied(folder: Path, size: int) -> None:
    """A file of any size is copied whole, and its size is returned."""
    source, target = folder / "source", folder / "target"
    source.write_bytes((BYTES * 2 * KIB)[:size])
    told: list[tuple[int, int]] = []
    copied = sendfile_copy.copy(
        str(source), str(target), lambda *progress: told.append(progress)
    )
    assert (size, source.read_bytes()) == (copied, target.read_bytes())
    calls = -(-size // (64 * KIB))
    expected = [(min(size, 64 * KIB * n), size) for n in range(1, calls + 1)]
    assert expected == told


@pytest.mark.linux
@pytest.mark.parametrize("call", [sendfile_copy.CALL, 2**31 + 1])
def test_no_call_does_more_than_linux_allows(
    monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """2 GiB + 1 byte are moved whole, although one call does 4 KiB less than 2 GiB."""
    monkeypatch.setattr(sendfile_copy, "CALL", call)
    told: list[int] = []
    sparse = os.memfd_create("sparse")  # all holes, so nothing is read or written
    sink = os.open("/dev/null", os.O_WRONLY)
    try:
        os.ftruncate(sparse, 2**31 + 1)
        assert 2**31 + 1 == sendfile_copy.move(sparse, sink, told.append)
    finally:
        os.close(sparse)
        os.close(sink)
    assert min(call, 0x7FFF_F000) == told[0]
    assert 2**31 + 1 == told[-1]


@pytest.mark.linux
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_two_gigabytes_and_a_byte(folder: Path) -> None:
    """A file of 2 GiB + 1, most of it holes, is copied with each byte in its place."""
    target = folder / "target"
    places = (0, 2**31 - 4097, 2**31 - 1, 2**31)
    sparse = os.memfd_create("sparse")  # its holes take neither disk nor memory
    try:
        for place in places:
            os.pwrite(sparse, b"x", place)
        source = f"/proc/{os.getpid()}/fd/{sparse}"
        assert 0 == main(source, str(target))
        assert 2**31 + 1 == target.stat().st_size
        same = ["cmp", source, str(target)]
        assert 0 == subprocess.run(same, check=False, timeout=DEADLINE * 6).returncode
    finally:
        os.close(sparse)
        target.unlink(missing_ok=True)


@pytest.mark.linux
@pytest.mark.parametrize(
    "source",
    ["/proc/version", "/proc/self/cmdline", "/proc/filesystems", "/proc/self/limits"],
)
def test_files_in_proc_are_copied(folder: Path, source: str) -> None:
    """A file whose size is said to be 0 is copied with what is in it.

    The kernel does sendfile from some of these, and EINVAL is what it says to others.
    """
    assert 0 == Path(source).stat().st_size
    target = folder / "copy"
    expected = Path(source).read_bytes()
    assert len(expected) == sendfile_copy.copy(source, str(target), quiet)
    assert expected == target.read_bytes()


@pytest.mark.linux
def test_a_file_in_sys_is_copied(folder: Path) -> None:
    """A file that is shorter than its size says is copied with what is in it."""
    source, target = Path("/sys/kernel/mm/transparent_hugepage/enabled"), folder / "c"
    source = source if source.exists() else Path("/sys/class/net/lo/mtu")
    assert source.stat().st_size > len(source.read_bytes())
    assert 0 == main(str(source), str(target))
    assert source.read_bytes() == target.read_bytes()


@pytest.mark.parametrize("code", sendfile_copy.NO_SENDFILE, ids=errno.errorcode.get)
def test_where_sendfile_cannot_it_reads(
    original: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Where sendfile says that it cannot do this at all, the copy is right, too."""

    def refuse(*_: int) -> int:
        raise OSError(code, os.strerror(code))

    target = original.with_name("copy")
    monkeypatch.setattr(os, "sendfile", refuse)
    assert 256 * KIB == sendfile_copy.copy(str(original), str(target), quiet)
    assert original.read_bytes() == target.read_bytes()


def test_writes_that_stop_halfway_go_on(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a write or a sendfile does less than it is asked to, nothing is lost."""
    write, sendfile = os.write, os.sendfile
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:1_000]))
    monkeypatch.setattr(
        os, "sendfile", lambda out, in_, offset, _: sendfile(out, in_, offset, 10_001)
    )
    target = original.with_name("copy")
    sendfile_copy.copy(str(original), str(target), quiet)
    assert original.read_bytes() == target.read_bytes()
    monkeypatch.setattr(os, "sendfile", lambda *_: 0)  # all is left to read and write
    sendfile_copy.copy(str(original), str(target), quiet)
    assert original.read_bytes() == target.read_bytes()


@pytest.mark.usefixtures("short_calls")
def test_a_source_that_grows(original: Path) -> None:
    """What is appended while the copy runs is copied, too."""

    def append() -> None:
        with original.open("ab") as file:
            file.write(b"more")

    target = original.with_name("copy")
    done = sendfile_copy.copy(str(original), str(target), once(append))
    assert 256 * KIB + 4 == done
    assert original.read_bytes() == target.read_bytes()
    assert target.read_bytes().endswith(b"\xffmore")


@pytest.mark.usefixtures("short_calls")
def test_a_source_that_shrinks_ahead_of_the_copy(original: Path) -> None:
    """What is cut off before the copy gets there is not copied, and nothing waits."""
    target = original.with_name("copy")
    cut = once(lambda: os.truncate(original, 100_000))
    assert 100_000 == sendfile_copy.copy(str(original), str(target), cut)
    assert original.read_bytes() == target.read_bytes()


@pytest.mark.parametrize("left", [0, 1_000])
@pytest.mark.usefixtures("short_calls")
def test_a_source_that_shrinks_behind_the_copy(original: Path, left: int) -> None:
    """What the source has never been is no copy of it: refused, and nothing is left."""
    target = original.with_name("copy")
    cut = once(lambda: os.truncate(original, left))
    with pytest.raises(OSError, match="has shrunk while it was copied"):
        sendfile_copy.copy(str(original), str(target), cut)
    assert not target.exists()


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("before", [None, b"old"], ids=["new-target", "old-target"])
def test_whatever_goes_wrong_the_target_is_as_it_was(
    original: Path, trouble: type[BaseException], before: bytes | None
) -> None:
    """An exception of any kind leaves the target as it was, and nothing beside it."""
    target = original.with_name("copy")
    if before is not None:
        target.write_bytes(before)

    def fail() -> None:
        raise trouble

    with pytest.raises(trouble):
        sendfile_copy.copy(str(original), str(target), once(fail))
    assert before == (target.read_bytes() if target.exists() else None)


def test_the_old_target_is_there_until_the_new_one_is_whole(original: Path) -> None:
    """Who reads the target meanwhile gets the old file; its other names keep it."""
    target, other = original.with_name("copy"), original.with_name("other")
    target.write_bytes(b"old")
    other.hardlink_to(target)
    seen: list[bytes] = []
    look = once(lambda: seen.append(target.read_bytes()))
    sendfile_copy.copy(str(original), str(target), look)
    assert [b"old"] == seen
    assert (b"old", 256 * KIB) == (other.read_bytes(), target.stat().st_size)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(0o644, 0o644), (0o600, 0o600), (0o444, 0o444), (0o777, 0o777), (0o6755, 0o755)],
    ids=oct,
)
def test_the_mode_is_kept(original: Path, mode: int, expected: int) -> None:
    """The permission bits are the source's, whatever the umask; no set-user-ID."""
    target = original.with_name("copy")
    target.write_bytes(b"old")
    target.chmod(0o640)
    original.chmod(mode)
    seen: list[int] = []

    def look() -> None:
        [partial] = target.parent.glob(".part-*")
        seen.append(stat.S_IMODE(partial.stat().st_mode))

    umask = os.umask(0o027)
    try:
        sendfile_copy.copy(str(original), str(target), once(look))
    finally:
        os.umask(umask)
    assert expected == stat.S_IMODE(target.stat().st_mode)
    assert [0o600] == seen  # nobody else reads it before it has its mode


@pytest.mark.parametrize("exists", [True, False], ids=["to-a-file", "to-nothing"])
def test_a_link_stays_a_link(original: Path, exists: bool) -> None:
    """A target that is a symbolic link leads to the copy afterwards."""
    link, real = original.with_name("link"), original.with_name("real")
    if exists:
        real.write_bytes(b"old")
    link.symlink_to("real")
    sendfile_copy.copy(str(original), str(link), quiet)
    assert link.is_symlink()
    assert original.read_bytes() == real.read_bytes()


@pytest.mark.parametrize("kind", ["name", "path", "hard-link", "link"])
def test_a_file_is_not_copied_to_itself(original: Path, kind: str) -> None:
    """The source under whatever name is refused as target, and stays as it is."""
    target = original.with_name("same")
    if kind == "hard-link":
        target.hardlink_to(original)
    elif kind == "link":
        target.symlink_to(original)
    else:
        beside = original.parent / "." / ".." / original.parent.name / "original"
        target = original if kind == "name" else beside
    a, b = repr(str(original)), repr(str(target))
    line = f"cannot copy {a} to {b}: {a} and {b} are the same file"
    assert line == main(str(original), str(target))
    assert BYTES * KIB == original.read_bytes()


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("missing", "copy", "No such file or directory: '{source}'"),
        ("", "copy", "No such file or directory: ''"),
        ("folder", "copy", "Is a directory: '{source}'"),
        ("fifo", "copy", "'{source}' is no regular file"),
        ("/dev/zero", "copy", "'{source}' is no regular file"),
        ("original", "folder", "'{target}' is no regular file"),
        ("original", "", "'' is no regular file"),
        ("original", "copy/", "'{target}/' is no regular file"),
        ("original", "fifo", "'{target}' is no regular file"),
        ("original", "/dev/null", "'{target}' is no regular file"),
        ("original", "missing/copy", "No such file or directory: '{target}'"),
        ("original", "original/copy", "Not a directory: '{target}'"),
    ],
)
def test_what_cannot_be_copied_is_one_line(
    original: Path, source: str, target: str, why: str
) -> None:
    """What is no file, or can be none, is one line that names it, and no file is made.

    Neither is waited for: nobody writes to the FIFO.
    """
    (original.parent / "folder").mkdir()
    os.mkfifo(original.parent / "fifo")
    before = sorted(original.parent.rglob("*"))
    paths = [str(original.parent / name) if name else "" for name in (source, target)]
    if target.endswith("/"):
        paths[1] += "/"
    said = str(main(*paths))
    assert said.startswith(f"cannot copy {paths[0]!r} to {paths[1]!r}: ")
    named = {"source": paths[0], "target": paths[1].removesuffix("/")}
    assert said.endswith(why.format(**named))
    assert 1 == len(said.splitlines())
    assert before == sorted(original.parent.rglob("*"))
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.linux
def test_a_folder_that_nobody_may_write_to(original: Path) -> None:
    """Where no file can be made, the line names the target, not a temporary file."""
    said = str(main(str(original), "/sys/copy"))
    assert said.startswith(f"cannot copy {str(original)!r} to '/sys/copy': [Errno ")
    assert said.endswith(": '/sys/copy'")


@pytest.mark.linux
def test_a_full_disk_is_one_line() -> None:
    """Where the disk gets full, the old target is there, and the room is free again."""
    script = (
        "mkdir full && mount -t tmpfs -o size=1m tmpfs full && echo old >full/copy &&"
        " head -c 3m /dev/zero >original;"
        f" {sys.executable} -W error snippets/sendfile_copy.py original full/copy;"
        " echo $?; ls -A full; cat full/copy; head -c 900k /dev/zero >full/room"
    )
    try:
        with Sandbox() as sandbox:
            done = sandbox.run("alice", "sh", "-c", script)
    except SandboxError as error:
        pytest.skip(str(error))
    assert (0, "1\ncopy\nold\n") == (done.returncode, done.stdout)
    why = "[Errno 28] No space left on device"
    assert f"cannot copy 'original' to 'full/copy': {why}\n" == done.stderr


@pytest.mark.linux
def test_memory_stays_flat(folder: Path) -> None:
    """A copy of 64 MiB takes no more memory than one of 1 byte, give or take 2 MiB."""
    peaks = []
    for size in (1, 64 * KIB * KIB):
        source = folder / "source"
        with source.open("wb") as file:
            file.truncate(size)
        code = (
            "import sys; from pathlib import Path; import sendfile_copy as m;"
            f"sys.argv = ['x', {str(source)!r}, {str(folder / 'copy')!r}]; m.main();"
            "print(Path('/proc/self/status').read_text())"
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=SNIPPETS,
            env=environment(),
            capture_output=True,
            check=True,
            text=True,
            timeout=DEADLINE,
        )
        peaks.append(int(done.stdout.split("VmHWM:")[1].split()[0]))  # in KiB
    assert peaks[1] < peaks[0] + 2 * KIB


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(original: Path, signum: signal.Signals) -> None:
    """A signal in the midst of a copy ends it quietly, and the old target stays."""
    target = original.with_name("copy")
    target.write_bytes(b"old")
    lines = [
        "import os, sys",
        "import sendfile_copy as m",
        "sendfile = os.sendfile",
        "def one_call(*arguments):",
        "    done = sendfile(*arguments)",
        f"    os.kill(os.getpid(), {signum:d})",
        "    return done",
        "os.sendfile, m.CALL = one_call, 65_536",
        f"sys.argv = ['changed.py', {str(original)!r}, {str(target)!r}]",
        "m.main()",
    ]
    with interruptible_children():
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", "\n".join(lines)],
            cwd=SNIPPETS,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=DEADLINE,
        )
    assert (130, b"", b"") == (done.returncode, done.stdout, done.stderr)
    assert [target, original] == sorted(original.parent.iterdir())
    assert b"old" == target.read_bytes()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a command that is run more time to start and end."""
    monkeypatch.setattr(server, "ENDS_WITHIN", DEADLINE)


def test_nohup_has_its_way(original: Path) -> None:
    """Where SIGHUP is ignored at the start, it does not end the copy."""
    lines = [
        "import os, signal, sys",
        "import sendfile_copy as m",
        "copy = m.copy",
        "def hung_up(*arguments):",
        "    os.kill(os.getpid(), signal.SIGHUP)",
        "    return copy(*arguments)",
        "m.copy = hung_up",
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)",
        f"sys.argv = ['changed.py', {str(original)!r}, {str(original) + '.copy'!r}]",
        "m.main()",
    ]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(lines)],
        cwd=SNIPPETS,
        env=environment(),
        capture_output=True,
        check=False,
        timeout=DEADLINE,
    )
    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)
    assert original.read_bytes() == Path(f"{original}.copy").read_bytes()


def test_without_stderr_it_copies(original: Path) -> None:
    """Where standard error is closed, the copy is made, and that is no fault."""
    target = original.with_name("copy")
    line = server.command("sendfile_copy", str(original), str(target))
    shell = ["sh", "-c", '"$@" 2>&-', "sh", *line]
    done = subprocess.run(
        shell, check=False, capture_output=True, env=environment(), timeout=DEADLINE
    )
    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)
    assert original.read_bytes() == target.read_bytes()


def test_a_name_with_a_line_feed_is_still_one_line(original: Path) -> None:
    """What a terminal would act on is shown as an escape."""
    source = original.with_name("a\nb\x1b[31m")
    source.mkdir()
    said = str(main(str(source), str(source)))
    assert said.isprintable()
    assert str(source) not in said
    target = original.with_name("fifo\n")
    os.mkfifo(target)
    assert str(main(str(original), str(target))).isprintable()
    assert str(main(str(target), str(original))).isprintable()
    twin = original.with_name("twin\n")
    twin.hardlink_to(original)
    assert str(main(str(original), str(twin))).isprintable()


@pytest.mark.usefixtures("patience")
def test_it_says_nothing_where_all_is_well(original: Path) -> None:
    """The command itself copies, quietly, in a folder of relative names."""
    ended = run("sendfile_copy", "original", "copy", folder=original.parent)
    assert (0, "", "") == (ended.status, ended.stdout, ended.stderr)
    assert original.read_bytes() == original.with_name("copy").read_bytes()


class Terminal(io.StringIO):
    """What says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize(
    ("kind", "times", "expected"),
    [
        (Terminal, [0.0, 0.5, 1.0, 1.9], ""),
        (Terminal, [0.0, 1.9, 2.0, 2.5, 3.0], "\r3 of 8 MiB\r5 of 8 MiB\n"),
        (io.StringIO, [0.0, 1.9, 2.0, 2.5, 3.0], ""),
    ],
    ids=["short", "long", "no-terminal"],
)
@pytest.mark.parametrize("end", [None, KeyboardInterrupt, OSError("why")])
def test_progress(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[io.StringIO],
    times: list[float],
    expected: str,
    end: BaseException | type[BaseException] | None,
) -> None:
    """A copy of two seconds and more says each second how far it is, in a terminal.

    The line ends with the copy, however that ends.
    """

    def copy(source: str, target: str, tell: Callable[[int, int], None]) -> int:
        for done, now in enumerate(times, 1):
            monkeypatch.setattr(time, "monotonic", lambda now=now: now)
            tell(done << 20, 8 << 20)
        if end is not None:
            raise end
        return len(source + target)

    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(sendfile_copy, "copy", copy)
    monkeypatch.setattr(sys, "stderr", kind())
    main("original", "copy")
    assert isinstance(sys.stderr, io.StringIO)
    assert expected == sys.stderr.getvalue()


@pytest.mark.parametrize("arguments", [[], ["one"], ["one", "two", "three"]], ids=len)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage is exit status 2 and says what is missing or too much."""
    assert 2 == main(*arguments)
    assert "usage: sendfile_copy.py" in capsys.readouterr().err
