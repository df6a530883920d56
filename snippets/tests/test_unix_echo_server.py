"""unix_echo_server: the stream contract, and whose path it may take and remove."""

import contextlib
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import unix_echo_server
from contracts import command_line, stream
from contracts.visits import Done, Visits
from support.server import UNIX, Server, command, environment, run

DEADLINE = 10.0  # seconds for any one call
IN_USE = os.strerror(errno.EADDRINUSE)

TestStream = stream.sequential("unix_echo_server", transport=UNIX)
TestCommandLine = command_line.server(unix_echo_server, UNIX)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make an empty folder the current one, so that paths in it are short."""
    before = Path.cwd()
    path = tmp_path_factory.mktemp("unix")
    os.chdir(path)
    yield path
    os.chdir(before)


@pytest.fixture
def no_arguments(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let main() see an empty command line, and undo what it does to SIGTERM."""
    monkeypatch.setattr(sys, "argv", ["unix_echo_server.py"])
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def unix_socket(kind: int = socket.SOCK_STREAM) -> socket.socket:
    """Return a UNIX socket with a deadline."""
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.settimeout(DEADLINE)
    return sock


def leave_stale(path: str, kind: int = socket.SOCK_STREAM) -> None:
    """Leave a socket at *path* as a killed server does."""
    with unix_socket(kind) as sock:
        sock.bind(path)


def ask(path: str, payload: bytes = b"Hello") -> bytes:
    """Return what the server at *path* answers to *payload*, once it has closed."""
    with unix_socket() as client:
        client.connect(path)
        client.sendall(payload)
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answer:
            return answer.read()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_path_is_gone_at_the_end(folder: Path, signum: signal.Signals) -> None:
    """The default path is in the current folder while it serves, and then is not."""
    with Server("unix_echo_server", transport=UNIX, folder=folder) as server:
        assert "listening on ./domain.sock\n" == server.stdout
        assert b"Hello" == ask("domain.sock")
        ended = server.stop(signum)
    assert (0, "", []) == (ended.status, ended.stderr, list(folder.iterdir()))


def test_the_path_of_a_killed_server_is_taken(folder: Path) -> None:
    """After SIGKILL the path is stale; the next server replaces and removes it."""
    with Server("unix_echo_server", transport=UNIX, folder=folder) as server:
        server.process.kill()
        server.process.wait(DEADLINE)
    with pytest.raises(ConnectionRefusedError):
        ask("domain.sock")
    with Server("unix_echo_server", transport=UNIX, folder=folder) as server:
        assert b"Hello" == ask("domain.sock")
        server.stop(signal.SIGINT)
    assert [] == list(folder.iterdir())


def test_the_path_of_a_live_server_is_kept(folder: Path) -> None:
    """A second server gives up with one line, and the first one goes on at its path."""
    with Server("unix_echo_server", transport=UNIX, folder=folder) as server:
        before = os.lstat("domain.sock")
        ended = run("unix_echo_server", folder=folder)
        assert (1, "") == (ended.status, ended.stdout)
        expected = f"cannot serve, check --path: [Errno {errno.EADDRINUSE}] {IN_USE}\n"
        assert expected == ended.stderr
        assert os.path.samestat(before, os.lstat("domain.sock"))
        assert b"Hello" == ask("domain.sock")
        assert server.is_alive()


@pytest.mark.linux
def test_a_full_backlog_is_a_sign_of_life(folder: Path) -> None:
    """A server too busy to take the probe keeps its path."""
    with unix_socket() as listener, unix_socket() as waiting, unix_socket() as late:
        listener.bind("domain.sock")
        listener.listen(0)
        waiting.connect("domain.sock")
        late.setblocking(False)
        with pytest.raises(BlockingIOError):
            late.connect("domain.sock")
        unix_echo_server.remove_stale("domain.sock")
        assert [folder / "domain.sock"] == list(folder.iterdir())


@pytest.mark.linux
@pytest.mark.parametrize("live", [True, False], ids=["live", "stale"])
def test_a_datagram_socket_counts_the_same(folder: Path, live: bool) -> None:
    """A live socket of another kind keeps its path; a stale one is replaced."""
    with unix_socket(socket.SOCK_DGRAM) as sock:
        sock.bind("domain.sock")
        if not live:
            sock.close()
            unix_echo_server.remove_stale("domain.sock")
        else:
            with pytest.raises(OSError, match="wrong type"):
                unix_echo_server.remove_stale("domain.sock")
    assert live == (folder / "domain.sock").exists()


def make_file(path: Path) -> None:
    """Make a regular file."""
    path.write_text("precious")


def make_folder(path: Path) -> None:
    """Make a folder."""
    path.mkdir()


def make_link(path: Path) -> None:
    """Make a symbolic link to a stale socket."""
    leave_stale("other.sock")
    path.symlink_to("other.sock")


def make_dangling_link(path: Path) -> None:
    """Make a symbolic link to nothing."""
    path.symlink_to("nothing")


def make_fifo(path: Path) -> None:
    """Make a named pipe."""
    os.mkfifo(path)


@pytest.mark.parametrize(
    "make", [make_file, make_folder, make_link, make_dangling_link, make_fifo]
)
def test_what_is_no_socket_is_kept(folder: Path, make: Callable[[Path], None]) -> None:
    """Anything but a socket stays as it is, and the server says that it is there."""
    path = folder / "domain.sock"
    make(path)
    before = os.lstat(path), sorted(folder.iterdir())
    ended = run("unix_echo_server", folder=folder)
    assert (1, 1) == (ended.status, ended.stderr.count("\n"))
    assert ended.stderr.startswith("cannot serve, check --path: ")
    assert IN_USE in ended.stderr
    after = os.lstat(path), sorted(folder.iterdir())
    assert os.path.samestat(before[0], after[0])
    assert before[1] == after[1]


@pytest.mark.parametrize("successor", ["another server", "nobody"])
def test_only_its_own_path_is_removed(folder: Path, successor: str) -> None:
    """What stands at the path in its place by the end is not touched."""
    with Server("unix_echo_server", transport=UNIX, folder=folder) as server:
        Path("domain.sock").unlink()
        if successor == "nobody":
            ended = server.stop(signal.SIGINT)
            assert [] == list(folder.iterdir())
        else:
            with unix_socket() as other:
                other.bind("domain.sock")
                ended = server.stop(signal.SIGINT)
            assert [folder / "domain.sock"] == list(folder.iterdir())
    assert (0, "") == (ended.status, ended.stderr)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("x" * 200, "too long"),
        ("no/such/folder.sock", os.strerror(errno.ENOENT)),
        ("file/domain.sock", os.strerror(errno.ENOTDIR)),
        (".", IN_USE),
        pytest.param("/proc/domain.sock", "cannot", marks=pytest.mark.linux),
    ],
    ids=["too-long", "no-folder", "no-folder-but-a-file", "a-folder", "read-only"],
)
def test_a_path_that_cannot_be_used_is_one_line(
    folder: Path, path: str, why: str
) -> None:
    """A path that no socket can be at is one line on standard error, and status 1."""
    (folder / "file").touch()
    ended = run("unix_echo_server", "--path", path, folder=folder)
    assert (1, "", 1) == (ended.status, ended.stdout, ended.stderr.count("\n"))
    assert ended.stderr.startswith("cannot serve, check --path: ")
    assert why in ended.stderr
    assert [folder / "file"] == list(folder.iterdir())


@pytest.mark.linux
def test_the_longest_path_works(folder: Path) -> None:
    """107 bytes are a path, 108 are too many."""
    with unix_echo_server.create_listener("x" * 107):
        assert ["x" * 107] == [path.name for path in folder.iterdir()]
    with (
        pytest.raises(OSError, match="too long"),
        unix_echo_server.create_listener("x" * 108),
    ):
        pytest.fail("it listens")
    assert [] == list(folder.iterdir())


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Lay down root's rights, where the tests have them, for a ``with`` block."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_a_folder_that_may_not_be_written_to(folder: Path) -> None:
    """Where the folder is read-only, that is an OSError, and nothing is left."""
    folder.chmod(0o555)
    with (
        ordinary_user(),
        pytest.raises(PermissionError),
        unix_echo_server.create_listener("domain.sock"),
    ):
        pytest.fail("it listens")
    folder.chmod(0o755)
    assert [] == list(folder.iterdir())


@pytest.mark.linux
def test_a_path_that_may_not_be_probed_is_kept(folder: Path) -> None:
    """Where it cannot be found out whether a server lives, its path stays."""
    leave_stale("domain.sock")
    Path("domain.sock").chmod(0o000)
    folder.chmod(0o777)
    with ordinary_user(), pytest.raises(PermissionError):
        unix_echo_server.remove_stale("domain.sock")
    assert [folder / "domain.sock"] == list(folder.iterdir())


@pytest.mark.usefixtures("folder", "no_arguments")
def test_permission_denied_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What create_listener() raises ends main() with one line and status 1."""

    def denied(_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(unix_echo_server, "create_listener", denied)
    expected = "cannot serve, check --path: [Errno 13] Permission denied"
    assert expected == command_line.end_of(unix_echo_server.main)


def test_of_many_that_start_at_once_one_serves(folder: Path) -> None:
    """On a stale path, several servers that start together end up as one."""
    leave_stale("domain.sock")
    starting = [
        subprocess.Popen(
            command("unix_echo_server"),
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(5)
    ]
    try:
        lines = [
            str(process.stdout and process.stdout.readline()) for process in starting
        ]
        serving = [p for p, line in zip(starting, lines, strict=True) if line]
        given_up = [p for p in starting if p not in serving]
        assert (1, 4) == (len(serving), len(given_up))
        assert b"Hello" == ask("domain.sock")
        for process in given_up:
            assert IN_USE in process.communicate(timeout=DEADLINE)[1]
        serving[0].send_signal(signal.SIGTERM)
        assert ("", "") == serving[0].communicate(timeout=DEADLINE)
    finally:
        for process in starting:
            process.kill()
            process.communicate()
    assert [] == list(folder.iterdir())


def is_locked(folder: Path) -> bool:
    """Tell whether somebody has the lock on *folder*."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def test_the_lock_is_held_from_probe_to_listen(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a stale path is looked for and replaced others wait, and no longer."""
    seen = []
    remove_stale = unix_echo_server.remove_stale

    def watched(path: str) -> None:
        seen.append(is_locked(folder))
        remove_stale(path)

    monkeypatch.setattr(unix_echo_server, "remove_stale", watched)
    with unix_echo_server.create_listener("domain.sock"):
        seen.append(is_locked(folder))
    assert [True, False] == seen


def test_the_lock_is_waited_for(folder: Path) -> None:
    """Who starts while another one starts comes after it."""
    order = []

    def start() -> None:
        with unix_echo_server.create_listener("domain.sock"):
            order.append("second")

    waiting = threading.Thread(target=start)
    with unix_echo_server.locked(folder):
        waiting.start()
        order.append("first")
    waiting.join(DEADLINE)
    assert ["first", "second"] == order


def test_serve_goes_on_after_clients_that_are_lost(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A client lost before or after accept costs a line at most; the next is served."""
    with unix_echo_server.create_listener("domain.sock") as listener:
        with unix_socket() as lost:
            lost.connect("domain.sock")
            first_visit = listener.accept()
            first_visit[0].sendall(b"unread, so that closing resets")
        with unix_socket() as client:
            client.connect("domain.sock")
            second_visit = listener.accept()
            client.sendall(b"Hello")
            client.shutdown(socket.SHUT_WR)
            with Visits(fileno=os.dup(listener.fileno())) as visits:
                visits.script = iter(
                    [ConnectionAbortedError(), first_visit, second_visit]
                )
                with pytest.raises(Done):
                    unix_echo_server.serve(visits)
            assert b"Hello" == client.recv(5, socket.MSG_WAITALL)
    assert "a client: Connection reset by peer\n" == capsys.readouterr().err
    assert [] == list(folder.iterdir())


@pytest.mark.usefixtures("no_arguments")
def test_ctrl_c_is_quiet_while_another_one_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C that comes before it listens ends main() without a traceback."""
    monkeypatch.setattr(fcntl, "flock", command_line.interrupted)
    assert command_line.end_of(unix_echo_server.main) is None
    assert [] == list(folder.iterdir())


def test_a_folder_that_stays_locked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program that keeps the lock is an OSError in time; nothing is made."""
    monkeypatch.setattr(unix_echo_server, "LOCK_WAIT", 0.05)
    with (
        unix_echo_server.locked(folder),
        pytest.raises(OSError, match="another program keeps"),
        unix_echo_server.create_listener(str(folder / "domain.sock")),
    ):
        pass
    assert not (folder / "domain.sock").exists()
