"""Runs the console blocks of a section and compares what happens with the page.

A section has one sandbox; each caption in it is one bash in a pseudo-terminal. Every
line of a block is typed or expected, in the order of the page, and what is expected
must come before the next line is typed. No time is guessed: a program is typed to
once it owns the terminal, and a server is used once it says that it listens.

Whatever is still running at the end of a section must be alive, says nothing more,
and is ended by Ctrl-C. ``record`` runs a section in the same way and returns what
its blocks ought to be.
"""

import difflib
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from support.pages import (
    BARE_PROMPT,
    CONTINUED,
    PROMPT,
    SERVING,
    Block,
    Section,
    runs_on,
)
from support.sandbox import HOSTS, Sandbox
from support.terminal import SHELL, Terminal

DEADLINE = 20.0  # seconds in which each expected thing must happen
SETTLES = 1.0  # seconds for a program to come to rest before it is interrupted
PATIENCE = 3.0  # seconds for which a recording waits for output as on the page
QUIET = 0.5  # seconds without output after which an author's recording goes on
# What ``...`` stands for: a number, or what starts like one (a time, 0x1f); a number
# in bare hexadecimal digits; and, wherever a program prints them, the three dots.
VALUE = r"(?:\d[\w:.+-]*|[\da-fA-F]{8,}|\.\.\.)"
INTERRUPTED = (0, 130)  # exit statuses of a program that Ctrl-C ended as it should


class TranscriptError(Exception):
    """What happened is not what the page shows; the message holds the difference."""


@dataclass
class Step:
    """Something typed (a command or a line for a program) and what comes of it.

    Nothing is typed where a block goes on with the output of a running program.
    """

    typed: tuple[str, ...] = ()
    command: bool = False
    expected: list[str] = field(default_factory=list)
    actual: list[str] = field(default_factory=list)

    @property
    def echo(self) -> str:
        """What the terminal shows of the typing."""
        if self.typed == ("^D",):
            return ""
        if self.typed and is_key(self.typed[0]):
            return self.typed[0]
        return "".join(line + "\n" for line in self.typed)

    @property
    def keys(self) -> str:
        """What is sent to the terminal."""
        if self.typed and is_key(self.typed[0]):
            return chr(ord(self.typed[0][1]) - ord("@"))
        return self.echo

    def echoed(self, terminal: Terminal) -> bool:
        """Whether the terminal has shown all of the typing, or something else."""
        output = terminal.output
        return output == self.echo or not self.echo.startswith(output)

    def said(self, terminal: Terminal) -> list[str]:
        """Return the lines that came of the typing until now."""
        output = terminal.output.removeprefix(self.echo)
        if self.echo == "^C":  # bash adds a newline where a signal ended the program
            output = output.removeprefix("\n")
        return lines_of(output)

    def shown(self, lines: list[str]) -> Iterator[str]:
        """Yield the step as the page has it, with *lines* as its output."""
        prompt = PROMPT if self.command else ""
        for line in self.typed:
            yield prompt + line
            prompt = CONTINUED if self.command else ""
        yield from lines


class Console:
    """One shell of a section, and whether a program is left running in it."""

    def __init__(self, caption: str, terminal: Terminal) -> None:
        self.caption = caption
        self.terminal = terminal
        self.running = False


class Runner:
    """Runs one section, checking it or recording what happens."""

    def __init__(
        self, section: Section, *, deadline: float = DEADLINE, record: bool = False
    ) -> None:
        self.section = section
        self.deadline = deadline
        self.recording = record
        self.consoles: dict[str, Console] = {}

    def run(self) -> list[list[Step]]:
        """Return the steps of each block, done. Raises TranscriptError."""
        named = [block.host for block in self.section.blocks if block.host]
        count = max([HOSTS.index(host) + 1 for host in named], default=1)
        done = []
        with ExitStack() as stack:
            sandbox = stack.enter_context(Sandbox(HOSTS[:count]))
            for block in self.section.blocks:
                console = self._console(block, sandbox, stack)
                done.append(self._block(block, console))
            for console in reversed(self.consoles.values()):
                self._finish(console)
        return done

    def _console(self, block: Block, sandbox: Sandbox, stack: ExitStack) -> Console:
        if block.caption not in self.consoles:
            command = sandbox.command(
                block.host or HOSTS[0], ["setsid", "--ctty", *SHELL]
            )
            terminal = Terminal(command, sandbox.scratch, sandbox.environment)
            stack.callback(terminal.close)
            terminal.start(DEADLINE)
            self.consoles[block.caption] = Console(block.caption, terminal)
        return self.consoles[block.caption]

    def _block(self, block: Block, console: Console) -> list[Step]:
        steps = split(block)
        for number, step in enumerate(steps):
            following = steps[number + 1 :]
            if following:
                ends = following[0].command
            else:
                ends = not runs_on(self.section, block)
            try:
                self._step(step, console, ends)
            except TranscriptError as error:
                raise TranscriptError(
                    self._report(block, steps, number, str(error))
                ) from None
        return steps

    def _step(self, step: Step, console: Console, ends: bool) -> None:
        """Type what is typed, wait for what comes of it, and check or keep that."""
        terminal = console.terminal
        if step.typed:
            if not step.command:
                self._own(terminal, step.typed[0])
            step.actual = lines_of(terminal.output)
            if step.actual:
                raise TranscriptError("there is output that the page does not show")
            terminal.type(step.keys)
            console.running = True
        elif not console.running:
            raise TranscriptError("the page goes on, but no program is running")
        if self.recording:
            self._watch(step, terminal, ends)
        else:
            self._expect(step, terminal, ends)
        console.running = terminal.status is None
        terminal.take()

    def _expect(self, step: Step, terminal: Terminal, ends: bool) -> None:
        """Wait for what the page shows. Raises TranscriptError where it is not so."""

        def finished() -> bool:
            if terminal.status is not None:
                return True
            if ends or not step.echoed(terminal):
                return False
            whole = terminal.output.endswith("\n") or terminal.output == step.echo
            return whole and matches(step.expected, step.said(terminal))

        def hopeless() -> bool:
            lines = step.said(terminal)
            if not terminal.output.endswith("\n"):
                lines = lines[:-1]
            return step.echoed(terminal) and differs(step.expected, lines)

        terminal.wait(lambda: finished() or hopeless(), self.deadline)
        step.actual = step.said(terminal)
        status = terminal.status
        if not matches(step.expected, step.actual):
            raise TranscriptError(self._why(step, status))
        if ends and status is None:
            raise TranscriptError(
                f"the command has not ended within {self.deadline:g} seconds"
            )
        if not ends and status is not None:
            raise TranscriptError(
                f"the program ended (exit status {status}); the page needs it"
            )

    def _watch(self, step: Step, terminal: Terminal, ends: bool) -> None:
        """Keep what happens. As much as the page shows is waited for."""

        def enough() -> bool:
            lines = step.said(terminal)
            if terminal.status is not None:
                return True
            if ends:
                return any(line.startswith(SERVING) for line in lines)
            return matches(step.expected, lines) or len(lines) > len(step.expected)

        terminal.wait(enough, self.deadline if ends else PATIENCE)
        terminal.settle(QUIET)
        step.actual = step.said(terminal)
        if not (step.typed or step.actual):
            raise TranscriptError("nothing came; a block without a line is no block")

    def _own(self, terminal: Terminal, line: str) -> None:
        """Wait until a program owns the terminal and will get *line*."""
        terminal.wait(
            lambda: terminal.busy or terminal.status is not None, self.deadline
        )
        gone = terminal.status is not None or not terminal.busy
        if gone or (line == "^C" and not terminal.occupied(SETTLES)):
            raise TranscriptError(f"no program is running that could be given {line!r}")

    def _why(self, step: Step, ended: int | None) -> str:
        if differs(step.expected, step.actual):
            return "the output differs"
        if ended is not None:
            return f"the output differs, and the program ended (exit status {ended})"
        return f"output is missing after {self.deadline:g} seconds"

    def _finish(self, console: Console) -> None:
        """End what still runs in *console*; nothing unexpected may have happened."""
        terminal = console.terminal
        where = f"{self.section.path}:{self.section.line}: console {console.caption!r}"
        if console.running:
            if not terminal.occupied(SETTLES):
                terminal.wait(lambda: terminal.status is not None, self.deadline)
                raise TranscriptError(
                    f"{where}: the program had ended (exit status {terminal.status}) "
                    f"though the page leaves it running; it said {terminal.output!r}"
                )
            terminal.type("\x03")
            if not terminal.wait(lambda: terminal.status is not None, self.deadline):
                raise TranscriptError(
                    f"{where}: Ctrl-C did not end the program within "
                    f"{self.deadline:g} seconds; it said {terminal.output!r}"
                )
            status = terminal.status
            before, _, after = terminal.take().partition("^C")
            said = before + after.removeprefix("\n")
            if said or status not in INTERRUPTED:
                raise TranscriptError(
                    f"{where}: ended by Ctrl-C (exit status {status}), the program "
                    f"said what the page does not show: {said!r}"
                )
        terminal.type("jobs\n")
        terminal.wait(lambda: terminal.status is not None, self.deadline)
        if terminal.output != "jobs\n":
            raise TranscriptError(
                f"{where}: at the end it shows {terminal.output!r}; end what runs in "
                "the background by '$ fg' and '^C'"
            )

    def _report(self, block: Block, steps: list[Step], failed: int, why: str) -> str:
        """Return file, line, reason and the difference, page against sandbox."""
        page: list[str] = []
        sandbox: list[str] = []
        for number, step in enumerate(steps):
            page += step.shown(step.expected)
            if number == failed:
                sandbox += step.shown(keep(step.expected, step.actual))
            elif number < failed:
                sandbox += step.shown(step.expected)
        diff = difflib.unified_diff(
            page, sandbox, "on the page", "in the sandbox", lineterm="", n=100
        )
        report = [f"{block.path}:{block.line}: console {block.caption!r}: {why}", *diff]
        for console in self.consoles.values():
            if console.caption != block.caption:
                console.terminal.read(0)
                unread = lines_of(console.terminal.output)
                report += [f"console {console.caption!r} says: {t}" for t in unread]
        return "\n".join(report)


def check(section: Section, *, deadline: float = DEADLINE) -> None:
    """Run *section*. Raises TranscriptError where the page is not what happens."""
    Runner(section, deadline=deadline).run()


def record(section: Section) -> str:
    """Run *section* and return its page's text with the blocks as they happened.

    Where a line with a wildcard still matches, it stays.
    """
    text = section.path.read_text(encoding="utf-8").split("\n")
    done = Runner(section, record=True).run()
    for block, steps in reversed(list(zip(section.blocks, done, strict=True))):
        lines: list[str] = []
        typed: list[int] = []
        for step in steps:
            if step.typed and not step.command:
                typed.append(len(lines) + 1)
            lines += step.shown(keep(step.expected, step.actual))
        if not lines[-1] and not runs_on(section, block):
            lines.append(BARE_PROMPT)
        margin = " " * block.indent
        indented = [(margin + line).rstrip() for line in lines]
        text[block.first - 1 : block.first - 1 + len(block.lines)] = indented
        _emphasize(text, block, typed)
    return "\n".join(text)


def _emphasize(text: list[str], block: Block, typed: list[int]) -> None:
    """Make the block's option name the lines *typed*."""
    option = ":emphasize-lines:"
    numbers = ", ".join(map(str, typed))
    for index in range(block.line, block.first - 1):
        if text[index].strip().startswith(option):
            margin = text[index][: -len(text[index].lstrip())]
            text[index] = f"{margin}{option} {numbers}"
            return


def split(block: Block) -> list[Step]:
    """Return the steps of *block*: commands, typed lines, and their output."""
    steps: list[Step] = []
    last = len(block.lines) - 1
    for number, line in enumerate(block.lines):
        if line.startswith(PROMPT):
            steps.append(Step((line.removeprefix(PROMPT),), command=True))
        elif line == BARE_PROMPT and number == last:
            steps.append(Step(("",), command=True))
        elif number in block.typed:
            steps.append(Step((line,)))
        elif line.startswith(CONTINUED) and steps and _unfinished(steps[-1]):
            steps[-1].typed += (line.removeprefix(CONTINUED),)
        else:
            if not steps:
                steps.append(Step())
            steps[-1].expected.append(line)
    return steps


def _unfinished(step: Step) -> bool:
    return step.command and step.typed[-1].endswith("\\") and not step.expected


def is_key(line: str) -> bool:
    """Tell whether *line* stands for one key with Control, such as ``^C``."""
    return re.fullmatch(r"\^[A-Z\\]", line) is not None


def lines_of(output: str) -> list[str]:
    """Return the lines of *output*; an unfinished last line counts as one."""
    return (
        [line.rstrip() for line in output.removesuffix("\n").split("\n")]
        if output
        else []
    )


def fits(expected: str, actual: str) -> bool:
    """Tell whether the line *actual* is what *expected* says, wildcards considered.

    A wildcard stands for a value that nobody can know, never for words: they say
    what happened. Nor does it stand for lines.
    """
    pattern = VALUE.join(map(re.escape, expected.split("...")))
    return re.fullmatch(pattern, actual) is not None


def matches(expected: list[str], actual: list[str]) -> bool:
    """Tell whether *actual* is what *expected* says, line by line."""
    return len(expected) == len(actual) and all(map(fits, expected, actual))


def differs(expected: list[str], actual: list[str]) -> bool:
    """Tell whether the finished lines *actual* cannot be how *expected* begins."""
    return not matches(expected[: len(actual)], actual)


def keep(expected: list[str], actual: list[str]) -> list[str]:
    """Return *actual*; a line that *expected* has with a wildcard is as it is there."""
    if matches(expected, actual):
        return expected
    inexact = [line for line in expected if "..." in line]
    return [next((e for e in inexact if fits(e, line)), line) for line in actual]
