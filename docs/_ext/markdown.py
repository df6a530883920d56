"""Writes each page of the site as Markdown, too: at its address with ``.md`` after it.

For readers that are programs: what the page says and nothing around it, with each
listing and each console block as it is. The address is the one that llmstxt.org
proposes, and the page names it in a ``<link rel="alternate">``.

The Markdown is CommonMark, with the tables of GitHub.
"""

import posixpath
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.osutil import relative_uri
from sphinx.util.typing import ExtensionMetadata

ANYWHERE = re.compile(r"[\\`*\[\]]|(?<![^\W_])_|_(?![^\W_])|<(?=[\w/!?])|&(?=#?\w+;)")
AT_START = re.compile(r"^(\s*)(#{1,6}(?=\s|$)|[-+>](?=\s|$)|(?:=+|-+|~~~+)\s*$)", re.M)
NUMBER_AT_START = re.compile(r"^(\s*\d{1,9})([.)])(?=\s|$)", re.MULTILINE)
NUMBERED = re.compile(r"id\d+")  # an id that docutils made up: nothing leads to it
HEADING_LEVELS = 6
BREAK = "<br>"  # within a cell, which is one line

NOT_SHOWN = (
    *(nodes.Invisible, nodes.raw, nodes.meta, nodes.system_message),
    *(addnodes.index, addnodes.toctree, addnodes.highlightlang),
)
MARKS: dict[type[nodes.Element], str] = {
    nodes.emphasis: "*",
    nodes.strong: "**",
    nodes.title_reference: "*",
    addnodes.literal_emphasis: "*",
    addnodes.literal_strong: "**",
}

Link = Callable[[str], str]
Blocks = list[str]


class Writer:
    """Writes the nodes of one page; *link* makes the addresses of its links."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.level = 0  # of the heading that is above all

    def page(self, document: nodes.document) -> str:
        """Return the whole page."""
        return join(self.children(document)) + "\n"

    def children(self, node: nodes.Element) -> Blocks:
        """Return the blocks of what *node* holds, of text among them a paragraph."""
        found: Blocks = []
        text: list[nodes.Node] = []
        for child in node.children:
            if isinstance(child, nodes.Text | nodes.Inline) and not is_block(child):
                text.append(child)
                continue
            found += self.paragraph(text)
            text = []
            if isinstance(child, nodes.Element):
                found += self.block(child)
        return found + self.paragraph(text)

    def block(self, node: nodes.Element) -> Blocks:
        """Return the blocks that show *node*."""
        own = anchors(node["ids"])
        if isinstance(node, NOT_SHOWN):
            return own
        return own + self.content(node)

    def content(self, node: nodes.Element) -> Blocks:
        """Return the blocks that show *node*, but for what links to it lead to."""
        for kind in type(node).__mro__:
            special = getattr(self, f"block_{kind.__name__}", None)
            if special is not None:
                blocks: Blocks = special(node)
                return blocks
        if isinstance(node, nodes.Admonition) and not isinstance(node, addnodes.desc):
            return self.admonition(node)
        if isinstance(node, nodes.TextElement):
            return self.paragraph(node.children)
        return self.children(node)

    def paragraph(self, content: Iterable[nodes.Node]) -> Blocks:
        """Return inline *content* as one block, or none if it is empty."""
        text = "".join(self.inline(child) for child in content).strip()
        return [at_start(text)] if text else []

    def block_section(self, node: nodes.section) -> Blocks:
        """Return a section, whose title is one level below that of its parent."""
        self.level += 1
        found = self.children(node)
        self.level -= 1
        return found

    def block_title(self, node: nodes.title) -> Blocks:
        """Return the title of the section or of a box."""
        if isinstance(node.parent, nodes.section):
            return [heading(self.level, self.text(node))]
        return [f"**{self.text(node)}**"]

    def block_rubric(self, node: nodes.rubric) -> Blocks:
        """Return a heading that opens no section."""
        return [heading(node.get("heading-level", self.level + 1), self.text(node))]

    def block_caption(self, node: nodes.caption) -> Blocks:
        """Return the name of a console, and which of its lines are typed into it."""
        text = f"**{self.text(node)}**"
        for block in node.parent.findall(nodes.literal_block):
            options: dict[str, Any] = block.get("highlight_args", {})
            if lines := options.get("hl_lines"):
                noun = "line" if len(lines) == 1 else "lines"
                numbers = ", ".join(str(line) for line in lines)
                text += f" (typed: {noun} {numbers})"
        return [f"{text}:"]

    def block_literal_block(self, node: nodes.literal_block) -> Blocks:
        """Return a listing as it is, fenced."""
        language = node.get("language", "")
        return [fenced(node.astext(), "" if language == "default" else language)]

    def block_doctest_block(self, node: nodes.doctest_block) -> Blocks:
        """Return a session with the interpreter, fenced."""
        return [fenced(node.astext(), "pycon")]

    def block_block_quote(self, node: nodes.block_quote) -> Blocks:
        """Return a quotation."""
        return [indented(join(self.children(node)), "> ", "> ")]

    def admonition(self, node: nodes.Element) -> Blocks:
        """Return a box as a quotation that begins with the kind of box."""
        blocks = self.children(node)
        if type(node) is not nodes.admonition:  # that one has a title of its own
            blocks.insert(0, f"**{type(node).__name__.capitalize()}**")
        return [indented(join(blocks), "> ", "> ")]

    def block_bullet_list(self, node: nodes.bullet_list) -> Blocks:
        """Return a list."""
        return self.list(node, "- ")

    def block_enumerated_list(self, node: nodes.enumerated_list) -> Blocks:
        """Return a numbered list."""
        return self.list(node, "{number}. ", node.get("start", 1))

    def list(self, node: nodes.Element, marker: str, first: int = 1) -> Blocks:
        """Return the items, with empty lines between them if one has several blocks."""
        shown = [item for item in node.children if isinstance(item, nodes.Element)]
        items = [self.children(item) for item in shown if not is_block(item)]
        tight = all(len(item) <= 1 for item in items)
        lines = []
        for number, item in enumerate(items, first):
            mark = marker.format(number=number)
            lines.append(indented(join(item), mark, " " * len(mark)))
        return [("\n" if tight else "\n\n").join(lines)]

    def block_definition_list(self, node: nodes.definition_list) -> Blocks:
        """Return a list whose items begin with the term."""
        return self.list(node, "- ")

    def block_term(self, node: nodes.term) -> Blocks:
        """Return the term that is defined, or the name of a field."""
        return [f"**{self.text(node)}**"]

    block_field_list = block_definition_list
    block_field_name = block_term

    def block_table(self, node: nodes.table) -> Blocks:
        """Return a table; each cell is one line."""
        rows = [
            [
                BREAK.join(self.children(entry)).replace("\n", " ").replace("|", "\\|")
                for entry in row.findall(nodes.entry)
            ]
            for row in node.findall(nodes.row)
        ]
        if not rows:
            return []
        width = max(len(row) for row in rows)
        if not list(node.findall(nodes.thead)):
            rows.insert(0, [])
        rows = [row + [""] * (width - len(row)) for row in rows]
        rows.insert(1, ["---"] * width)
        caption = [f"**{self.text(title)}**" for title in node.findall(nodes.title)]
        return [*caption, "\n".join(f"| {' | '.join(row)} |" for row in rows)]

    def block_line_block(self, node: nodes.line_block) -> Blocks:
        """Return lines that stay lines."""
        return ["\\\n".join(self.text(line) for line in node.findall(nodes.line))]

    def block_transition(self, _node: nodes.transition) -> Blocks:
        """Return a rule."""
        return ["---"]

    def block_desc_signature(self, node: addnodes.desc_signature) -> Blocks:
        """Return the signature of a function or class as a heading."""
        shown = node.deepcopy()
        for link in list(shown.findall(nodes.reference)):
            if "viewcode-link" in str(link):
                link.parent.remove(link)
        level = self.level + 1 + bool(node.get("class"))
        return [heading(level, code(shown.astext()))]

    def text(self, node: nodes.Element) -> str:
        """Return the content of *node* in one line."""
        return "".join(map(self.inline, node.children)).strip().replace("\n", " ")

    def inline(self, node: nodes.Node) -> str:
        """Return *node* within a paragraph."""
        if isinstance(node, nodes.Text):
            return escaped(node.astext())
        if not isinstance(node, nodes.Element):
            return ""
        if isinstance(node, NOT_SHOWN):
            return "".join(self.block(node))  # where a link leads to, if anything
        if isinstance(node, nodes.literal):
            return code(node.astext())
        content = "".join(map(self.inline, node.children))
        if isinstance(node, nodes.reference | addnodes.download_reference):
            return self.reference(node, content)
        mark = MARKS.get(type(node), "") if content.strip() else ""
        return f"{mark}{content}{mark}"

    def reference(self, node: nodes.Element, content: str) -> str:
        """Return a link, or only its text if it leads nowhere."""
        address = node.get("refuri") or (f"#{node['refid']}" if "refid" in node else "")
        if not address:
            return content
        if node.astext() == address and ":" in address:
            return f"<{address}>"
        address = self.link(address)
        for plain, quoted in {" ": "%20", "(": "%28", ")": "%29"}.items():
            address = address.replace(plain, quoted)
        return f"[{content}]({address})"


def is_block(node: nodes.Node) -> bool:
    """Tell whether *node* is a block, though docutils calls it inline."""
    return isinstance(node, nodes.Invisible | addnodes.desc_signature)


def join(blocks: Blocks) -> str:
    """Return *blocks* with an empty line between them."""
    return "\n\n".join(blocks)


def anchors(names: Iterable[str]) -> Blocks:
    """Return what links can lead to, as HTML, since Markdown has no such thing."""
    named = [name for name in names if not NUMBERED.fullmatch(name)]
    line = "".join(f'<a id="{name}"></a>' for name in named)
    return [line] if line else []


def heading(level: int, text: str) -> str:
    """Return a heading of that *level*, or of the lowest that there is."""
    return f"{'#' * min(max(level, 1), HEADING_LEVELS)} {text}"


def escaped(text: str) -> str:
    """Return *text* so that nothing in it is taken for Markdown."""
    return ANYWHERE.sub(r"\\\g<0>", text)


def at_start(text: str) -> str:
    """Return a paragraph of which no line begins as another kind of block."""
    return NUMBER_AT_START.sub(r"\1\\\2", AT_START.sub(r"\1\\\2", text))


def longest_run(text: str) -> int:
    """Return how many backticks stand together in *text* at most."""
    return max(map(len, re.findall("`+", text)), default=0)


def code(text: str) -> str:
    """Return *text* as code within a line."""
    text = text.replace("\n", " ")
    fence = "`" * (longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def fenced(text: str, language: str) -> str:
    """Return *text* as a block of code, with not a byte of it changed."""
    fence = "`" * max(3, longest_run(text) + 1)
    end = "" if text.endswith("\n") else "\n"
    return f"{fence}{language}\n{text}{end}{fence}"


def indented(text: str, first: str, others: str) -> str:
    """Return *text* with *first* before its first line and *others* before each other.

    An empty line stays empty, but for a quotation, which it would end.
    """
    lines = text.split("\n")
    rest = [f"{others}{line}" if line else others.rstrip() for line in lines[1:]]
    return "\n".join([(first + lines[0]).rstrip(), *rest])


def link_from(app: Sphinx, page: str) -> Link:
    """Return a function that turns the links of *page* to pages into those to .md."""

    def link(address: str) -> str:
        path, hash_, anchor = address.partition("#")
        if not path or ":" in path:
            return address
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
        is_page = target.removesuffix(".html") in app.env.all_docs
        return f"{path}.md{hash_}{anchor}" if is_page else address

    return link


def add_markdown(
    app: Sphinx,
    page: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Write the Markdown of *page*, and name it in the head of the page."""
    if app.builder.name != "html" or doctree is None:
        return
    own = app.builder.get_target_uri(page)
    path = Path(app.outdir) / f"{own}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(Writer(link_from(app, own)).page(doctree), encoding="utf-8")
    href = relative_uri(own, f"{own}.md")
    link = f'<link rel="alternate" type="text/markdown" href="{href}">'
    context["metatags"] = context.get("metatags", "") + link


def setup(app: Sphinx) -> ExtensionMetadata:
    """Write it whenever a page is written."""
    app.connect("html-page-context", add_markdown)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
