"""Exchange messages with a child process, both ways over a socket pair.

``socketpair`` makes two connected sockets, and ``fork`` leaves both of them open in
both processes. Each closes the end that is the other's: while any copy of an end is
open, its peer never sees EOF. A stream has no message boundaries, so the length of
each message goes before it.

POSIX only. A process that has other threads must not fork: a lock that one of them
holds would stay locked in the child for ever.

Sources: ``man 2 socketpair``, ``man 2 fork``, ``man 2 wait``,
https://docs.python.org/3/library/os.html#os.fork
"""

import argparse
import os
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from typing import BinaryIO

LENGTH = struct.Struct("!I")  # before each message: its bytes, as four bytes


def spawn(work: Callable[[socket.socket], None]) -> tuple[int, socket.socket]:
    """Start a child that does *work* on its end; return its pid and our end.

    Raises OSError where no process can be started.
    """
    ours, theirs = socket.socketpair()
    sys.stdout.flush()  # what is buffered now would be printed by both
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if pid:
        theirs.close()
        return pid, ours
    status = 1
    try:
        ours.close()
        with theirs:
            work(theirs)
        sys.stdout.flush()  # os._exit does not
        status = 0
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except (EOFError, ConnectionError):
        pass  # the parent has left, and knows why
    except OSError as error:
        print(f"child: {error}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)  # what follows in this program is for the parent


def send(sock: socket.socket, message: bytes) -> None:
    """Send one message."""
    sock.sendall(LENGTH.pack(len(message)) + message)


def receive(stream: BinaryIO) -> bytes:
    """Return the next message. Raises EOFError where the peer has left instead.

    A buffered ``read`` goes on until it has all the bytes that it is asked for, or EOF.
    """
    header = stream.read(LENGTH.size)
    if len(header) == LENGTH.size:
        (length,) = LENGTH.unpack(header)
        message = stream.read(length)
        if len(message) == length:
            return message
    raise EOFError("the other side has left before its message was complete")


def child(sock: socket.socket) -> None:
    """Greet the parent, print its answer, and wait until it has no more to say."""
    print(f"child pid: {os.getpid()}", flush=True)
    with sock.makefile("rb") as stream:
        send(sock, b"Hello Parent")
        message = receive(stream)
        print(f"p[{os.getppid()}] ---> c[{os.getpid()}]: {message!r}", flush=True)
        if not stream.read(1):
            print("child: EOF", flush=True)


def parent(sock: socket.socket, pid: int) -> None:
    """Print the greeting, answer it, and wait until the child has closed its end."""
    with sock.makefile("rb") as stream:
        message = receive(stream)
        print(f"c[{pid}] ---> p[{os.getpid()}]: {message!r}", flush=True)
        send(sock, b"Hello Child")
        sock.shutdown(socket.SHUT_WR)
        if not stream.read(1):
            print("parent: EOF", flush=True)


def wait(pid: int) -> str:
    """Wait for the child to end and return how it did.

    A child that nobody waits for stays in the process table as a zombie.
    """
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return f"exit status {status}" if status >= 0 else f"signal {-status}"


def main() -> None:
    """Start the child and talk to it; Ctrl-C and SIGTERM end both."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        print(f"parent pid: {os.getpid()}")
        pid, sock = spawn(child)
        trouble: Exception | None = None
        try:
            with sock:
                parent(sock, pid)
        except (EOFError, OSError) as error:
            trouble = error
        finally:
            ending = wait(pid)  # our end is closed by now: the child sees EOF
        if trouble or ending != "exit status 0":
            sys.exit(f"the child ended early, {ending}: {trouble or 'all was said'}")
        print(f"child ended: {ending}")
    except KeyboardInterrupt:
        pass
    except OSError as error:
        sys.exit(f"cannot start a child: {error}")


if __name__ == "__main__":
    main()
