"""An interactive bash in a pseudo-terminal: what is typed, and what comes back.

It reads and writes; what the text should be is for others to say. The prompt is made
of two control characters around the exit status of the last command, so that no
program's output is taken for it.

Sources: ``man 7 pty``, ``man 3 termios``, https://docs.python.org/3/library/os.html
"""

import codecs
import contextlib
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from support.server import interruptible_children

PROMPT = re.compile("\x1c([0-9]+)\x1d")
SHELL = ("bash", "--norc", "--noprofile", "--noediting", "-i")
SIZE = (24, 80)  # rows, columns
READ = 65_536  # bytes
BETWEEN_LOOKS = 0.05  # seconds
ASLEEP = {psutil.STATUS_SLEEPING, psutil.STATUS_STOPPED, psutil.STATUS_IDLE}


class Terminal:
    """A bash, started by *command* (which ends in ``SHELL``) and its terminal.

    ``text`` is what came back and was not taken yet.
    """

    def __init__(
        self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]
    ) -> None:
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._master, slave = os.openpty()
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
            keep_output(slave)
            with interruptible_children():
                self._process = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env={**environment, "PS1": "\x1c$?\x1d", "PS2": ""},
                    stdin=slave,
                    stdout=slave,
                    stderr=slave,
                )
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)

    def start(self, seconds: float) -> None:
        """Wait for the first prompt. Raises TimeoutError where there is none."""
        if not self.wait(lambda: self.status is not None, seconds):
            message = f"bash did not start; it said {self.text!r}"
            raise TimeoutError(message)
        self._shell = os.tcgetpgrp(self._master)
        self.take()

    @property
    def output(self) -> str:
        """The text before the next prompt, lines ended by a newline alone."""
        return PROMPT.split(self.text, maxsplit=1)[0].replace("\r\n", "\n")

    @property
    def status(self) -> int | None:
        """The exit status that the next prompt tells, None where there is no prompt."""
        match = PROMPT.search(self.text)
        return int(match[1]) if match else None

    @property
    def busy(self) -> bool:
        """Whether a program owns the terminal, so that it gets what is typed."""
        return os.tcgetpgrp(self._master) != self._shell

    def take(self) -> str:
        """Return ``output`` and go on behind it and behind its prompt."""
        output = self.output
        match = PROMPT.search(self.text)
        self.text = self.text[match.end() :] if match else ""
        return output

    def type(self, text: str) -> None:
        """Send *text* as the keyboard would."""
        data = text.encode()
        while data:
            data = data[os.write(self._master, data) :]

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Read until *condition* holds; False where it does not within *seconds*."""
        end = time.monotonic() + seconds
        while not condition():
            left = end - time.monotonic()
            # Whether a program owns the terminal shows in no text: look often.
            if left <= 0 or not (self.read(min(left, 0.01)) or self.alive):
                return condition()
        return True

    def settle(self, quiet: float) -> None:
        """Read until nothing has come for *quiet* seconds. For authors, not tests."""
        while self.read(quiet):
            pass

    def read(self, seconds: float) -> bool:
        """Add what comes within *seconds* to ``text``; False where nothing came."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, READ)
        except OSError:  # EIO: bash and all that used the terminal have ended
            return False
        self.text += self._decoder.decode(data)
        return bool(data)

    def occupied(self, seconds: float) -> bool:
        """Whether a program owns the terminal and is there to stay.

        A program that is about to end is at work, or a moment later it is gone. So
        this waits, for *seconds* at most, until two looks in a row find the same
        processes asleep that did nothing in between.
        """
        end = time.monotonic() + seconds
        before = self._programs()
        while before and time.monotonic() < end:
            time.sleep(BETWEEN_LOOKS)
            now = self._programs()
            if now == before and all(status in ASLEEP for _, status, _ in now):
                break
            before = now
        return bool(before)

    def _programs(self) -> list[tuple[int, str, int]]:
        """Return the living processes that own the terminal, and what they did."""
        group = os.tcgetpgrp(self._master)
        found: list[tuple[int, str, int]] = []
        for process in psutil.process_iter() if group != self._shell else ():
            with contextlib.suppress(ProcessLookupError, psutil.Error):
                if os.getpgid(process.pid) == group:
                    status = process.status()
                    if status != psutil.STATUS_ZOMBIE:
                        woken = sum(process.num_ctx_switches())
                        found.append((process.pid, status, woken))
        return found

    @property
    def alive(self) -> bool:
        """Whether bash has not ended."""
        return self._process.poll() is None

    def close(self) -> None:
        """End bash, as a closed window would, and reap it."""
        os.close(self._master)  # the kernel sends SIGHUP
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        self._process.kill()
        self._process.wait()


def keep_output(terminal: int) -> None:
    """Make Ctrl-C keep the output that was not read yet; it would drop it."""
    attributes = termios.tcgetattr(terminal)
    attributes[3] |= termios.NOFLSH  # the local modes
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
