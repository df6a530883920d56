"""What a page says: its sections, the snippet of each, and its console blocks.

A parser, nothing else: text in, dataclasses out, PageError with file and line where
the text is not what CONTRIBUTING.rst describes. Nothing is run here.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from docutils.nodes import make_id
from sybil import Document, Region
from sybil.parsers.rest.lexers import DirectiveLexer

TITLE = re.compile(
    r"^(?:\.\. _(?P<target>[^\n]+):\n\n)?(?P<title>\S[^\n]*)\n-{3,}\n", re.MULTILINE
)
# Every way in which a page could show a console, wanted or not: what is found
# by this and not by parse() is a block that nothing would run.
CONSOLE_LIKE = re.compile(
    r"^[ \t]*\.\.[ \t]*(?:code-block|code|sourcecode|highlight|prompt)::[ \t]*"
    r"(?:console|shell-session|bash-session|sh-session|doscon|pycon-console)\b",
    re.MULTILINE | re.IGNORECASE,
)
ON_HOST = re.compile(r"(?:^| )on (alice|bob|carol)$")
PROMPT = "$ "
BARE_PROMPT = "$"  # a block's last line: it keeps an empty line of output before it
CONTINUED = "> "  # the prompt of a command's second and further lines
SERVING = "listening on "  # what a server says once it can be used
# What a listing may have: options that leave the file whole and as it is.
LISTING_OPTIONS = {"language", "caption", "emphasize-lines", "linenos", "name"}


class PageError(Exception):
    """The page cannot be understood; the message says where, why and what to do."""


@dataclass(frozen=True)
class Block:
    """A console block: what is typed and what comes back, line by line.

    *line* is the line of the directive in the file, *first* that of the first line
    of its content; *typed* are indexes into *lines*.
    """

    path: Path
    line: int
    first: int
    indent: int
    caption: str
    lines: tuple[str, ...]
    typed: frozenset[int]

    @property
    def host(self) -> str | None:
        """The host that the caption names, if it names one."""
        match = ON_HOST.search(self.caption)
        return match[1] if match else None


@dataclass
class Section:
    """A section of a page, from its title to the next one."""

    path: Path
    line: int
    title: str
    anchor: str
    start: int
    end: int
    snippets: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)


def parse(path: Path, text: str | None = None) -> list[Section]:
    """Return the sections of the page *path*, whose text may be given."""
    if text is None:
        text = path.read_text(encoding="utf-8")
    document = Document(text, str(path))
    sections = _sections(path, text)
    for region in DirectiveLexer("literalinclude")(document):
        included = Path((region.lexemes["arguments"] or "").strip())
        if included.parent.name == "snippets":
            _check_listing(document, region)
            _owner(sections, document, region).snippets.append(included.stem)
    for region in DirectiveLexer("code-block")(document):
        if (region.lexemes["arguments"] or "").strip() == "console":
            block = _block(path, document, region)
            _owner(sections, document, region).blocks.append(block)
    for section in sections:
        _check_consoles(section)
    return sections


def console_lines(text: str) -> list[int]:
    """Return the line numbers of all that looks like a console block in *text*."""
    return [text.count("\n", 0, m.start()) + 1 for m in CONSOLE_LIKE.finditer(text)]


def runs_on(section: Section, block: Block) -> bool:
    """Tell whether the last command of *block* is still running where it ends.

    It is where a later block of the same console goes on with anything but a
    command, where the command is a server, and where the reader typed into it and
    did not end it by ``^C`` or ``^D``. Where a bare prompt follows it, it has ended.
    """
    console = [b for b in section.blocks if b.caption == block.caption]
    following = console[console.index(block) + 1 :]
    if following:
        return not following[0].lines[0].startswith(PROMPT)
    if block.lines[-1] == BARE_PROMPT:
        return False
    lines = [(n, line) for n, line in enumerate(block.lines)]
    commands = [n for n, line in lines if line.startswith(PROMPT)]
    if commands:
        lines = lines[commands[-1] :]
    last_typed = [line for n, line in lines if n in block.typed][-1:]
    if last_typed:
        return last_typed[0] not in ("^C", "^D")
    if not commands:  # goes on with a program's output: it ran on before, and does
        return True
    return any(line.startswith(SERVING) for _, line in lines)


def _sections(path: Path, text: str) -> list[Section]:
    matches = list(TITLE.finditer(text))
    starts = [match.start() for match in matches] + [len(text)]
    return [
        Section(
            path=path,
            line=text.count("\n", 0, match.start("title")) + 1,
            title=match["title"],
            anchor=make_id(match["target"] or match["title"]),
            start=match.start(),
            end=end,
        )
        for match, end in zip(matches, starts[1:], strict=True)
    ]


def _owner(sections: list[Section], document: Document, region: Region) -> Section:
    for section in sections:
        if section.start <= region.start < section.end:
            return section
    line = document.text.count("\n", 0, region.start) + 1
    remedy = "move it below a title that is underlined with '-'"
    raise PageError(
        f"{document.path}:{line}: this directive stands in no section, so nothing "
        f"would test it: {remedy}"
    )


def _check_listing(document: Document, region: Region) -> None:
    """Refuse an option by which a page would show another text than was tested."""
    unknown = sorted(region.lexemes["options"].keys() - LISTING_OPTIONS)
    if unknown:
        line = document.text.count("\n", 0, region.start) + 1
        raise PageError(
            f"{document.path}:{line}: this listing has the option {unknown[0]}, but a "
            "snippet is shown whole, as it was tested: remove the option"
        )


def _block(path: Path, document: Document, region: Region) -> Block:
    line = document.text.count("\n", 0, region.start) + 1
    where = f"{path}:{line}: this console block"
    source = region.lexemes["source"]
    options = region.lexemes["options"]
    unknown = sorted(options.keys() - {"caption", "emphasize-lines"})
    if unknown:
        raise PageError(f"{where} has the option {unknown[0]}: remove it")
    lines = tuple(text.rstrip() for text in source.rstrip().split("\n"))
    if not lines[0]:
        raise PageError(f"{where} is empty: give it a command, indented, or remove it")
    if lines[0].startswith(" "):
        raise PageError(f"{where} has a line indented less than its first: align it")
    first = document.text.count("\n", 0, region.start + source.offset) + 1
    unindented = document.text.split("\n")[first - 1]
    indent = len(unindented) - len(unindented.lstrip(" "))
    return Block(
        path=path,
        line=line,
        first=first,
        indent=indent,
        caption=options.get("caption", "").strip(),
        lines=lines,
        typed=_numbers(options.get("emphasize-lines", ""), len(lines), where),
    )


def _numbers(option: str, count: int, where: str) -> frozenset[int]:
    """Return the indexes that an emphasize-lines option such as ``2, 4-6`` names."""
    numbers: set[int] = set()
    for part in filter(None, option.replace(" ", "").split(",")):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        wanted = range(int(match[1]), int(match[2] or match[1]) + 1) if match else ()
        if not wanted or wanted[0] < 1 or wanted[-1] > count:
            remedy = f"use numbers from 1 to {count}, such as 2, 4-6"
            raise PageError(f"{where} has emphasize-lines {option!r}: {remedy}")
        numbers |= {number - 1 for number in wanted}
    return frozenset(numbers)


def _check_consoles(section: Section) -> None:
    """Refuse a console that starts with output, since no command would make it."""
    seen: set[str] = set()
    for block in section.blocks:
        if block.caption not in seen and not block.lines[0].startswith(PROMPT):
            message = f"does not start with a command: begin it with {PROMPT!r}"
            raise PageError(f"{block.path}:{block.line}: this console block {message}")
        seen.add(block.caption)
