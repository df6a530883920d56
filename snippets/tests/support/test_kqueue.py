"""The emulation of kqueue: CPython's own tests of kqueue pass on it, and more."""

import contextlib
import errno
import importlib.util
import os
import re
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import kqueue
from support.kqueue import (
    KQ_EV_ADD,
    KQ_EV_CLEAR,
    KQ_EV_DELETE,
    KQ_EV_DISABLE,
    KQ_EV_DISPATCH,
    KQ_EV_ENABLE,
    KQ_EV_EOF,
    KQ_EV_ERROR,
    KQ_EV_ONESHOT,
    KQ_FILTER_READ,
    KQ_FILTER_WRITE,
    kevent,
)

pytestmark = pytest.mark.linux

DEADLINE = 10.0  # seconds for any one call
RUNNER = Path(__file__).with_name("run_on_kqueue.py")
RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 seconds
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def queue() -> Iterator[kqueue.kqueue]:
    """Return a kqueue."""
    queue = kqueue.kqueue()
    yield queue
    queue.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return the two ends of a TCP connection."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), DEADLINE) as ours,
        listener.accept()[0] as theirs,
    ):
        theirs.settimeout(DEADLINE)
        yield ours, theirs


def one(queue: kqueue.kqueue) -> kevent:
    """Return the next event."""
    (event,) = queue.control(None, 1, DEADLINE)
    return event


def until_eof(queue: kqueue.kqueue) -> kevent:
    """Return the first event with EV_EOF."""
    while not (event := one(queue)).flags & KQ_EV_EOF:
        pass
    return event


@pytest.mark.parametrize(
    ("tests", "count"),
    [("test.test_kqueue", 7), ("test.test_selectors.KqueueSelectorTestCase", 20)],
)
def test_cpython(tests: str, count: int, tmp_path: Path) -> None:
    """CPython's own tests of kqueue and of KqueueSelector pass, none left out.

    One of them is of other selectors and skips itself on BSD, too.
    """
    package = importlib.util.find_spec("test.support")
    module = ".".join(tests.split(".")[:2])
    if package is None or not importlib.util.find_spec(module):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        pytest.skip(
            f"this Python comes without {module}: install the Debian package"
            f" libpython{version}-testsuite, or use a Python built from source"
        )
    ended = subprocess.run(
        [sys.executable, str(RUNNER), "-m", "unittest", "-v", tests],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=50,
    )
    ran = re.search(r"^Ran (\d+) tests", ended.stderr, re.MULTILINE)
    assert ran, ended.stderr
    assert 0 == ended.returncode, ended.stderr
    assert int(ran[1]) >= count
    skipped = re.findall(r"^(\w+) .*\.\.\. skipped", ended.stderr, re.MULTILINE)
    assert set(skipped) <= {"test_modify_unregister"}, ended.stderr


def test_read_tells_how_much(queue: kqueue.kqueue, pair: Pair) -> None:
    """READ has the number of bytes that wait as data, and udata comes back."""
    ours, theirs = pair
    change = kevent(theirs, KQ_FILTER_READ, KQ_EV_ADD, udata=5)
    assert [] == queue.control([change], 1, 0)
    ours.sendall(b"Hello")
    assert [kevent(theirs, KQ_FILTER_READ, 0, 0, 5, 5)] == [one(queue)]
    queue.control([kevent(theirs, udata=6)], 0)
    assert 6 == one(queue).udata  # adding again changes it


def test_read_of_a_listener_tells_who_waits(queue: kqueue.kqueue) -> None:
    """On a listener READ has the number of clients that wait as data."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), DEADLINE),
        socket.create_connection(listener.getsockname(), DEADLINE),
    ):
        queue.control([kevent(listener)], 0)
        assert 2 == one(queue).data
        for _ in range(2):
            assert one(queue)
            listener.accept()[0].close()
        assert [] == queue.control(None, 1, 0)


def test_write_tells_how_much_room(queue: kqueue.kqueue, pair: Pair) -> None:
    """WRITE has free space as data, and does not come while there is none."""
    ours, _ = pair
    queue.control([kevent(ours, KQ_FILTER_WRITE)], 0)
    event = one(queue)
    assert (KQ_FILTER_WRITE, 0) == (event.filter, event.flags)
    assert event.data > 0
    ours.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            ours.send(bytes(65_536))
    assert [] == queue.control(None, 1, 0)


def test_fin_with_unread_data(queue: kqueue.kqueue, pair: Pair) -> None:
    """FIN gives EV_EOF at once, with data that is still to be read."""
    ours, theirs = pair
    ours.sendall(b"Hello")
    ours.shutdown(socket.SHUT_WR)
    queue.control([kevent(theirs)], 0)
    assert 5 == until_eof(queue).data
    assert b"Hello" == theirs.recv(6)
    assert (0, 0) == (one(queue).data, one(queue).fflags)
    assert b"" == theirs.recv(6)


@pytest.mark.parametrize("filter_", [KQ_FILTER_READ, KQ_FILTER_WRITE])
def test_reset(queue: kqueue.kqueue, pair: Pair, filter_: int) -> None:
    """RST gives EV_EOF and ECONNRESET, and recv() still raises."""
    ours, theirs = pair
    queue.control([kevent(theirs, filter_)], 0)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
    ours.close()
    assert errno.ECONNRESET == until_eof(queue).fflags
    with pytest.raises(ConnectionResetError):
        theirs.recv(1)


def test_own_shutdown(queue: kqueue.kqueue, pair: Pair) -> None:
    """Who has ended sending gets EV_EOF on WRITE."""
    ours, _ = pair
    queue.control([kevent(ours, KQ_FILTER_WRITE)], 0)
    assert 0 == one(queue).flags & KQ_EV_EOF
    ours.shutdown(socket.SHUT_WR)
    assert one(queue).flags & KQ_EV_EOF


def test_disable_and_enable(queue: kqueue.kqueue, pair: Pair) -> None:
    """A disabled knote is silent, and is there when it is enabled."""
    ours, theirs = pair
    ours.close()
    queue.control([kevent(theirs, flags=KQ_EV_ADD | KQ_EV_DISABLE)], 0)
    assert [] == queue.control(None, 1, 0)
    queue.control([kevent(theirs, flags=KQ_EV_ENABLE)], 0)
    assert one(queue)
    queue.control([kevent(theirs, flags=KQ_EV_DISABLE)], 0)
    assert [] == queue.control(None, 1, 0)


def test_oneshot(queue: kqueue.kqueue, pair: Pair) -> None:
    """ONESHOT deletes after the first event."""
    ours, theirs = pair
    ours.sendall(b"Hello")
    queue.control([kevent(theirs, flags=KQ_EV_ADD | KQ_EV_ONESHOT)], 0)
    assert one(queue)
    assert [] == queue.control(None, 1, 0)
    with pytest.raises(FileNotFoundError):
        queue.control([kevent(theirs, flags=KQ_EV_ENABLE)], 0)


def test_dispatch(queue: kqueue.kqueue, pair: Pair) -> None:
    """DISPATCH disables after each event."""
    ours, theirs = pair
    ours.sendall(b"Hello")
    queue.control([kevent(theirs, flags=KQ_EV_ADD | KQ_EV_DISPATCH)], 0)
    for _ in range(2):
        assert one(queue)
        assert [] == queue.control(None, 1, 0)
        queue.control([kevent(theirs, flags=KQ_EV_ENABLE)], 0)


def test_clear(queue: kqueue.kqueue, pair: Pair) -> None:
    """CLEAR reports what is new, once."""
    ours, theirs = pair
    queue.control([kevent(theirs, flags=KQ_EV_ADD | KQ_EV_CLEAR)], 0)
    for sent in (5, 10):
        ours.sendall(b"Hello")
        assert sent == one(queue).data
        assert [] == queue.control(None, 1, 0)


def test_delete(queue: kqueue.kqueue, pair: Pair) -> None:
    """What is deleted is not reported; to delete it again is ENOENT."""
    ours, theirs = pair
    delete = kevent(theirs, flags=KQ_EV_DELETE)
    ours.sendall(b"Hello")
    queue.control([kevent(theirs), delete], 0)
    assert [] == queue.control(None, 1, 0)
    with pytest.raises(FileNotFoundError):
        queue.control([delete], 0)
    (event,) = queue.control([delete], 1)  # with room it is an event
    assert (KQ_EV_ERROR, errno.ENOENT) == (event.flags, event.data)


def test_close_takes_out(queue: kqueue.kqueue, pair: Pair) -> None:
    """Closing a descriptor takes it out, also while a copy of it is open."""
    ours, theirs = pair
    queue.control([kevent(theirs), kevent(theirs, KQ_FILTER_WRITE)], 0)
    ours.sendall(b"Hello")
    number = theirs.fileno()
    with theirs.dup():
        theirs.close()
        assert [] == queue.control(None, 2, 0)
        with pytest.raises(OSError, match="Bad file descriptor"):
            queue.control([kevent(number, flags=KQ_EV_DELETE)], 0)


def test_reused_number(queue: kqueue.kqueue, pair: Pair) -> None:
    """A number that stands for another file by now has no knote of the old one."""
    ours, theirs = pair
    queue.control([kevent(theirs)], 0)
    ours.sendall(b"Hello")
    with theirs.dup():
        os.dup2(ours.fileno(), theirs.fileno())
        assert [] == queue.control(None, 1, 0)
        queue.control([kevent(theirs, KQ_FILTER_WRITE)], 0)
        assert KQ_FILTER_WRITE == one(queue).filter
        with pytest.raises(FileNotFoundError):
            queue.control([kevent(theirs, flags=KQ_EV_DELETE)], 0)


def test_neither_filter_starves(queue: kqueue.kqueue, pair: Pair) -> None:
    """With room for one event, READ and WRITE take turns."""
    ours, theirs = pair
    ours.sendall(b"Hello")
    queue.control([kevent(theirs), kevent(theirs, KQ_FILTER_WRITE)], 0)
    assert {KQ_FILTER_READ, KQ_FILTER_WRITE} == {one(queue).filter for _ in range(2)}


def test_a_queue_can_be_waited_for(queue: kqueue.kqueue, pair: Pair) -> None:
    """The descriptor of a kqueue is readable while it has an event."""
    ours, theirs = pair
    queue.control([kevent(theirs)], 0)
    assert ([], [], []) == select.select([queue], [], [], 0)
    ours.sendall(b"Hello")
    assert [queue] == select.select([queue], [], [], DEADLINE)[0]


def test_no_room_for_events(queue: kqueue.kqueue, pair: Pair) -> None:
    """With no room it returns at once; less than no room, or time, is refused."""
    assert [] == queue.control([kevent(pair[1])], 0, None)
    assert [] == queue.control(None, 1, 0.001)
    with pytest.raises(ValueError, match="must be"):
        queue.control(None, -1)
    with pytest.raises(ValueError, match="must be"):
        queue.control(None, 1, -1)


def test_a_borrowed_socket_stays_open(pair: Pair) -> None:
    """To look at a socket does not close it; what is no socket is left alone."""
    with kqueue.borrowed(pair[0].fileno()) as sock:
        assert sock is not None
    pair[0].sendall(b"Hello")
    with Path(os.devnull).open() as file, kqueue.borrowed(file.fileno()) as sock:
        assert sock is None


def test_pipe(queue: kqueue.kqueue) -> None:
    """A pipe can be waited for at both ends."""
    reader, writer = os.pipe()
    with open(reader, "rb"), open(writer, "wb", buffering=0) as file:  # noqa: PTH123
        queue.control([kevent(reader), kevent(writer, KQ_FILTER_WRITE)], 0)
        assert (writer, select.PIPE_BUF) == (one(queue).ident, one(queue).data)
        queue.control([kevent(writer, KQ_FILTER_WRITE, KQ_EV_DELETE)], 0)
        file.write(b"Hello")
        assert (reader, 5) == (one(queue).ident, one(queue).data)
