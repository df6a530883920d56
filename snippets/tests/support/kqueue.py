"""``select.kqueue`` emulated on Linux, for tests of programs that use it.

It follows what ``man 2 kqueue`` documents, for the filters READ and WRITE on sockets,
pipes and terminals. Each filter has an epoll of its own, since one epoll takes a
descriptor once only; both are in an outer epoll, whose descriptor is ``fileno()``.

Where it differs: regular files are refused (EPERM), as epoll does; the ``fflags`` of
a connection in error are always ECONNRESET, since to ask which error it is would
clear it; events come in no particular order, which on BSD is no promise either.

Its proof is CPython's own tests of kqueue, see ``test_kqueue.py``.
"""

import contextlib
import dataclasses
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import termios
import time
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, Self

KQ_FILTER_READ = -1
KQ_FILTER_WRITE = -2
KQ_EV_ADD = 0x0001
KQ_EV_DELETE = 0x0002
KQ_EV_ENABLE = 0x0004
KQ_EV_DISABLE = 0x0008
KQ_EV_ONESHOT = 0x0010
KQ_EV_CLEAR = 0x0020
KQ_EV_DISPATCH = 0x0080  # which CPython's select does not name
KQ_EV_ERROR = 0x4000
KQ_EV_EOF = 0x8000

KEPT = KQ_EV_ONESHOT | KQ_EV_CLEAR | KQ_EV_DISPATCH  # flags that stay with a knote
WAKING = {KQ_FILTER_READ: select.EPOLLIN | select.EPOLLRDHUP}
WAKING[KQ_FILTER_WRITE] = select.EPOLLOUT
GONE = {KQ_FILTER_READ: select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR}
GONE[KQ_FILTER_WRITE] = select.EPOLLHUP | select.EPOLLERR
UNACKED = 24  # offset of tcpi_unacked in TCP_INFO: a listener's clients in waiting


class HasFileno(Protocol):
    """A socket or a file."""

    def fileno(self) -> int:
        """Return its descriptor."""


@dataclasses.dataclass(order=True)
class kevent:
    """A change of what is waited for, or an event that came."""

    ident: Any
    filter: int = KQ_FILTER_READ
    flags: int = KQ_EV_ADD
    fflags: int = 0
    data: int = 0
    udata: Any = 0

    def __post_init__(self) -> None:
        if not isinstance(self.ident, int):
            self.ident = self.ident.fileno()


@dataclasses.dataclass
class Knote:
    """One thing that is waited for: a descriptor and a filter."""

    fd: int
    filter: int
    flags: int
    udata: Any
    file: tuple[int, int]  # what the descriptor stood for when it was added
    enabled: bool = True


class Queue:
    """What a kqueue descriptor stands for; several objects may share it."""

    def __init__(self) -> None:
        self.outer = select.epoll()
        self.inner: dict[int, select.epoll] = {}
        self.knotes: dict[tuple[int, int], Knote] = {}
        for filter_ in WAKING:
            self.rebuild(filter_)

    def rebuild(self, filter_: int) -> None:
        """Make the epoll of *filter_* anew, without the files that left their number.

        epoll holds on to a closed descriptor's file while a copy of it is open, and
        a number that is free or stands for another file cannot take it out.
        """
        if filter_ in self.inner:
            self.inner[filter_].close()
        self.inner[filter_] = select.epoll()
        self.outer.register(self.inner[filter_], select.EPOLLIN)
        for knote in list(self.knotes.values()):
            if knote.filter == filter_ and self.find(knote.fd, filter_):
                self.watch(knote)

    def find(self, fd: int, filter_: int) -> Knote | None:
        """Return the knote; one whose descriptor was closed is gone."""
        knote = self.knotes.get((fd, filter_))
        if knote is None or knote.file == file_of(fd):
            return knote
        del self.knotes[fd, filter_]
        return None

    def watch(self, knote: Knote) -> None:
        """Put *knote* into its epoll if it is enabled, take it out if it is not."""
        epoll, events = self.inner[knote.filter], WAKING[knote.filter]
        if knote.flags & KQ_EV_CLEAR:
            events |= select.EPOLLET
        with contextlib.suppress(FileNotFoundError):
            epoll.unregister(knote.fd)
        if knote.enabled:
            epoll.register(knote.fd, events)

    def apply(self, change: kevent) -> None:
        """Do what *change* asks for. Raises OSError."""
        if change.filter not in WAKING:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        file = file_of(change.ident)
        if file is None:
            self.knotes.pop((change.ident, change.filter), None)
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        knote = self.find(change.ident, change.filter)
        if knote is None and not change.flags & KQ_EV_ADD:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        if knote is None:
            flags = change.flags & KEPT
            knote = Knote(change.ident, change.filter, flags, change.udata, file)
        if change.flags & KQ_EV_DELETE:
            self.drop(knote)
            return
        if change.flags & KQ_EV_ADD:
            knote.udata = change.udata
        if change.flags & KQ_EV_DISABLE:
            knote.enabled = False
        elif change.flags & KQ_EV_ENABLE:
            knote.enabled = True
        self.watch(knote)
        self.knotes[knote.fd, knote.filter] = knote

    def drop(self, knote: Knote) -> None:
        """Forget *knote*."""
        knote.enabled = False
        self.watch(knote)
        self.knotes.pop((knote.fd, knote.filter), None)

    def collect(self, max_events: int) -> list[kevent]:
        """Return the events that are there."""
        events: list[kevent] = []
        for filter_, epoll in list(self.inner.items()):
            if len(events) == max_events:
                break
            # The next call begins with the other filter, so that neither starves.
            self.inner[filter_] = self.inner.pop(filter_)
            stale = False
            for fd, mask in epoll.poll(0, max_events - len(events)):
                if knote := self.find(fd, filter_):
                    events.append(self.report(knote, mask))
                else:
                    stale = True
            if stale:
                self.rebuild(filter_)
        return events

    def report(self, knote: Knote, mask: int) -> kevent:
        """Return the event of *knote*, for which epoll has reported *mask*."""
        flags, fflags = knote.flags, 0
        if mask & GONE[knote.filter]:
            flags |= KQ_EV_EOF
        if mask & select.EPOLLERR:
            fflags = errno.ECONNRESET
        if knote.filter == KQ_FILTER_READ:
            data = bytes_to_read(knote.fd)
        else:
            data = room_to_write(knote.fd)
            if not flags & KQ_EV_EOF and has_ended_sending(knote.fd):
                flags |= KQ_EV_EOF
        if knote.flags & KQ_EV_ONESHOT:
            self.drop(knote)
        elif knote.flags & KQ_EV_DISPATCH:
            knote.enabled = False
            self.watch(knote)
        return kevent(knote.fd, knote.filter, flags, fflags, data, knote.udata)


def file_of(fd: int) -> tuple[int, int] | None:
    """Return what identifies the file that *fd* stands for, None if for none."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off signals: one that came while a socket is borrowed would close it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def borrowed(fd: int) -> Iterator[socket.socket | None]:
    """Lend *fd* as a socket, or None where it is not one."""
    try:
        sock = socket.socket(fileno=fd)
    except OSError:
        yield None
        return
    try:
        yield sock
    finally:
        sock.detach()


def amount(fd: int, request: int) -> int:
    """Return the number of bytes that *request* asks for, 0 where it has none."""
    try:
        answer = fcntl.ioctl(fd, request, bytes(4))
    except OSError:
        return 0
    return int(struct.unpack("i", answer)[0])


def bytes_to_read(fd: int) -> int:
    """Return how many bytes wait, of a listener how many clients."""
    with borrowed(fd) as sock:
        if sock and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            if sock.family == socket.AF_UNIX:
                return 1  # or more: it does not say
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, UNACKED + 4)
            return int(struct.unpack_from("I", info, UNACKED)[0])
    return amount(fd, termios.FIONREAD)


def room_to_write(fd: int) -> int:
    """Return how many bytes the kernel takes at most."""
    with borrowed(fd) as sock:
        if sock is None:
            return select.PIPE_BUF
        size = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    return max(0, size - amount(fd, termios.TIOCOUTQ))


def has_ended_sending(fd: int) -> bool:
    """Tell whether the sending side of a stream that is not in error is shut."""
    with borrowed(fd) as sock:
        if sock and sock.type == socket.SOCK_STREAM:
            try:
                sock.send(b"", socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BrokenPipeError:
                return True
            except OSError:
                pass
    return False


class kqueue:
    """What ``select.kqueue`` is on BSD and macOS."""

    def __init__(self, queue: Queue | None = None) -> None:
        self._queue = queue or Queue()
        self._fd = self._queue.outer.fileno()
        self.closed = False
        _queues[self._fd] = self._queue
        _objects.add(self)

    @classmethod
    def fromfd(cls, fd: int) -> Self:
        """Return a second object for a kqueue descriptor."""
        return cls(_queues[fd])

    def fileno(self) -> int:
        """Return the descriptor, which can itself be waited for."""
        if self.closed:
            raise ValueError("I/O operation on closed kqueue object")
        return self._fd

    def close(self) -> None:
        """Close the descriptor; a second call does nothing."""
        self.closed = True
        for epoll in (*self._queue.inner.values(), self._queue.outer):
            epoll.close()

    def control(
        self,
        changelist: Iterable[kevent] | None,
        max_events: int,
        timeout: float | None = None,
        /,
    ) -> list[kevent]:
        """Apply the changes, then wait for events and return up to *max_events*.

        Where there is room a change that fails is an event of its own; else it is
        an OSError. *timeout* is in seconds.
        """
        self.fileno()
        if max_events < 0:
            raise ValueError(f"max_events must be 0 or more, not {max_events}")
        if timeout is not None and timeout < 0:
            raise ValueError("timeout must be positive or None")
        failed: list[kevent] = []
        for change in changelist or ():
            try:
                self._queue.apply(change)
            except OSError as error:
                if len(failed) == max_events:
                    raise
                event = dataclasses.replace(change, flags=KQ_EV_ERROR, fflags=0)
                event.data = error.errno or 0
                failed.append(event)
        if failed or not max_events:
            return failed
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if until is None else max(0, until - time.monotonic())
            self._queue.outer.poll(left)
            with uninterrupted():
                events = self._queue.collect(max_events)
            if events or (until is not None and time.monotonic() >= until):
                return events


_queues: weakref.WeakValueDictionary[int, Queue] = weakref.WeakValueDictionary()
_objects: weakref.WeakSet[kqueue] = weakref.WeakSet()


def _close_all() -> None:
    """Close every kqueue: a child that is forked has none."""
    for queue in list(_objects):
        queue.close()


os.register_at_fork(after_in_child=_close_all)


def names() -> dict[str, object]:
    """Return what ``select`` has on BSD and macOS, by name."""
    here = globals().items()
    constants = {name: value for name, value in here if name.startswith("KQ_")}
    del constants["KQ_EV_DISPATCH"]
    return {"kqueue": kqueue, "kevent": kevent, **constants}
