"""Whatever a page says, its Markdown says the same and nothing else."""

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from markdown_it import MarkdownIt
from markdown_it.token import Token

import markdown

PROSE = [
    "a * b * c, _x_ and __init__ and snake_case_name",
    "``code`` and ```odd`` and `` ` ``",
    "[no link](nowhere) and <host> and </b> and &amp; and a \\\\ backslash",
    "2024. A year, not a number\n# no title\n1) no item\n+ no item",
    "- no item",
    "=====x\n---\nno rule",
    "a|b and !x and ~~~",
]


def tokens(text: str) -> list[Token]:
    """Return the tokens of *text*."""
    return MarkdownIt("commonmark").enable("table").parse(text)


def written(doctree: nodes.document) -> str:
    """Return *doctree* as Markdown."""
    return markdown.Writer(lambda address: address).page(doctree)


def document(*content: nodes.Node) -> nodes.document:
    """Return a page of *content*."""
    page = publish_doctree("")
    page += list(content)
    return page


@pytest.mark.parametrize("text", PROSE)
def test_prose_is_prose(text: str) -> None:
    """Nothing in plain text is taken for Markdown."""
    result = tokens(written(document(nodes.paragraph("", text))))
    assert ["paragraph_open", "inline", "paragraph_close"] == [t.type for t in result]
    children = result[1].children or []
    assert {"text", "softbreak", "text_special"} >= {child.type for child in children}
    said = "".join("\n" if c.type == "softbreak" else c.content for c in children)
    assert text.replace("\n ", "\n") == said


@pytest.mark.parametrize("text", ["a", "`", "a `b` c", "``", "a``", "|"])
def test_code_is_code(text: str) -> None:
    """Code within a line stays as it is, with backticks in it, too."""
    paragraph = nodes.paragraph("", "so ", nodes.literal("", text))
    [_, inline, _] = tokens(written(document(paragraph)))
    assert [text] == [c.content for c in inline.children or [] if c.type != "text"]


@pytest.mark.parametrize(
    "text", ["x\n", "\n  x\n\n\n", "a\n```\nb\n", "````\n", "\t~\n"]
)
def test_a_listing_is_its_bytes(text: str) -> None:
    """A listing comes back as it is, also in a list and in a quotation."""
    block = nodes.literal_block("", text, language="python")
    item = nodes.bullet_list("", nodes.list_item("", block.deepcopy()))
    for around in (block, item, nodes.note("", block.deepcopy())):
        found = [t for t in tokens(written(document(around))) if t.type == "fence"]
        assert [("python", text)] == [(t.info, t.content) for t in found]


RST = """
Page
====

.. _named:

Section & more
--------------

* one
* two

  .. note:: Mind *this*.

1. first
2. second

Term
   What it is.

.. list-table::
   :header-rows: 1

   * - a|b
     - ``c|d``
   * - x
     - two

       paragraphs

Somebody said:

    A quotation.

| line one
| line two

To `there <https://example.org/a(b)>`_, to https://example.org/ and to named_.

>>> 1 + 1
2

.. raw:: html

   <details>

.. comment
"""


def test_a_page_has_all_that_it_had() -> None:
    """Titles, lists, tables, boxes, links and sessions are what they were."""
    doctree = publish_doctree(RST, settings_overrides={"doctitle_xform": False})
    text = written(doctree)
    result = tokens(text)
    kinds = {token.tag for token in result if token.nesting == 1}
    assert {"h1", "h2", "ul", "ol", "li", "table", "th", "td", "blockquote"} <= kinds
    assert ["pycon"] == [token.info for token in result if token.type == "fence"]
    assert '<a id="section-more"></a><a id="named"></a>' in text
    assert "<details>" not in text
    assert "comment" not in text
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert ["| a\\|b | `c\\|d` |", "| --- | --- |", "| x | two<br>paragraphs |"] == rows
    links = [
        child.attrs["href"]
        for token in result
        for child in token.children or []
        if child.type == "link_open"
    ]
    addresses = ["https://example.org/a%28b%29", "https://example.org/", "#named"]
    assert addresses == links
    for words in ("Mind *this*.", "> A quotation.", "line one\\\nline two", "**Term**"):
        assert words in text
