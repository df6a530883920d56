"""Talk to a child process line by line, as through a pipe that goes both ways.

A pipe goes one way, so parent and child would need two. ``socketpair`` makes two
connected sockets; ``fork`` leaves both of them open in both processes. Each closes the
end that is the other's: while any copy of an end is open, its peer never sees EOF.
A stream has no message boundaries, so each message here is a line.

POSIX only. A process that has other threads must not fork: a lock that one of them
holds would stay locked in the child for ever.

Sources: ``man 2 socketpair``, ``man 2 fork``, ``man 2 wait``, ``man 7 pipe``,
https://docs.python.org/3/library/socket.html#socket.socket.makefile
"""

import argparse
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable


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


def child(sock: socket.socket) -> None:
    """Print and answer each line until the parent has sent the last one."""
    with sock.makefile(encoding="utf-8") as lines:
        for line in lines:
            print(line, end="", flush=True)
            sock.sendall(b"Hi! Parent!\n")
    print("child: EOF", flush=True)


def parent(sock: socket.socket, rounds: int) -> None:
    """Send a line and print the answer, *rounds* times; then wait for the EOF.

    Raises EOFError or OSError where the child has left before.
    """
    with sock.makefile(encoding="utf-8") as lines:
        for _ in range(rounds):
            sock.sendall(b"Hi! Child!\n")
            line = lines.readline()
            if not line:
                raise EOFError("no answer")
            print(line, end="", flush=True)
        sock.shutdown(socket.SHUT_WR)  # the child sees EOF and may still send
        if not lines.readline():
            print("parent: EOF", flush=True)


def wait(pid: int) -> str:
    """Wait for the child to end and return how it did.

    A child that nobody waits for stays in the process table as a zombie.
    """
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return f"exit status {status}" if status >= 0 else f"signal {-status}"


def main() -> None:
    """Start the child and talk to it; Ctrl-C and SIGTERM end both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    args = parser.parse_args()
    if args.rounds < 0:
        parser.error("--rounds must not be negative")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        pid, sock = spawn(child)
        trouble: Exception | None = None
        try:
            with sock:
                parent(sock, args.rounds)
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
