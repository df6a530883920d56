"""Keeps listings light: no markup or style that a reader would not see.

Pygments puts each name, dot and blank into an element of its own. Where the styles have
nothing to show for it, that is half of a page, to be loaded and laid out for nothing.
What it has marked up once it does not mark up again in the next build.
"""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pygments
import sphinx
from pygments import highlight
from pygments.filters import ErrorToken
from pygments.formatters import HtmlFormatter
from pygments.lexers import find_lexer_class_by_name
from pygments.style import StyleMeta
from pygments.token import (
    STANDARD_TYPES,
    Generic,
    Text,
    Whitespace,
    _TokenType,
)
from pygments.util import ClassNotFound
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.highlighting import PygmentsBridge
from sphinx.util.typing import ExtensionMetadata

import kept

KEPT = "listings"  # a folder beside what was read of the pages
MADE_BY = (
    *(pygments.__version__, sphinx.__version__),
    Path(__file__).read_text(encoding="utf-8"),
)
Token = tuple[_TokenType, str]


class Formatter(HtmlFormatter[str]):
    """Pygments' own, told that it is mere text where nothing else would be seen."""

    dark: StyleMeta | None = None  # what the theme has beside the style of the listing

    def format(self, tokensource: Iterable[Token], outfile: Any) -> None:
        """Write the tokens to *outfile*."""
        kinds = plain(self.style, self.dark or self.style)
        tokens = ((Text if kind in kinds else kind, text) for kind, text in tokensource)
        super().format(tokens, outfile)

    def get_token_style_defs(self, arg: Any = None) -> list[str]:
        """Return the rules of the style sheet, without their comments."""
        rules: list[str] = super().get_token_style_defs(arg)  # type: ignore[no-untyped-call]
        return [rule.partition(" /*")[0] for rule in rules]


@functools.cache
def plain(*styles: StyleMeta) -> frozenset[_TokenType]:
    """Return the types of tokens that look like text in each of *styles*.

    Blanks do, in any colour; what a console says does not, in our own style sheet.
    """
    return frozenset(
        kind
        for kind in STANDARD_TYPES
        if kind is Whitespace
        or (
            kind not in Generic  # type: ignore[comparison-overlap]
            and all(s.style_for_token(kind) == s.style_for_token(Text) for s in styles)
        )
    )


class Bridge(PygmentsBridge):
    """Does what *bridge* does, but takes from *folder* what an earlier build did."""

    def __init__(self, bridge: PygmentsBridge, folder: Path) -> None:
        super().__init__("html")
        self.formatter_args = bridge.formatter_args
        self.folder = folder

    def highlight_block(
        self,
        source: str,
        lang: str,
        opts: dict[str, Any] | None = None,
        force: bool = False,
        location: Any = None,
        **kwargs: Any,
    ) -> str:
        """Return the listing; nothing is kept of what Sphinx warns of."""

        def make() -> str:
            lexer = self.get_lexer(source, lang, opts)
            marked: str = highlight(source, lexer, self.get_formatter(**kwargs))
            return marked

        try:
            find_lexer_class_by_name(lang)
            style = self.formatter_args["style"]
            unseen = sorted(map(str, plain(style, Formatter.dark or style)))
            made_of = (MADE_BY, unseen, source, lang, opts, kwargs)
            return kept.text(self.folder, made_of, make)
        except (ClassNotFound, ErrorToken):
            return super().highlight_block(
                source, lang, opts, force, location, **kwargs
            )


def keep(app: Sphinx) -> None:
    """Let the builder find the listings of earlier builds."""
    builder = app.builder
    if isinstance(builder, StandaloneHTMLBuilder):
        builder.highlighter = Bridge(builder.highlighter, Path(app.doctreedir) / KEPT)


def find_dark(app: Sphinx) -> None:
    """Find out which style the theme has for a dark screen, if it has one."""
    name = getattr(app.config, "pygments_dark_style", None)
    if name:
        Formatter.dark = PygmentsBridge("html", name).formatter_args["style"]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Let Sphinx use this formatter for HTML, of which it must know at once."""
    PygmentsBridge.html_formatter = Formatter
    app.connect("builder-inited", find_dark)
    app.connect("builder-inited", keep, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
