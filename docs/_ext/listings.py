"""Keeps listings light: no markup or style that a reader would not see.

Pygments puts each name, dot and blank into an element of its own. Where the styles have
nothing to show for it, that is half of a page, to be loaded and laid out for nothing.
"""

import functools
from collections.abc import Iterable
from typing import Any

from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.style import StyleMeta  # type: ignore[import-untyped]
from pygments.token import (  # type: ignore[import-untyped]
    STANDARD_TYPES,
    Generic,
    Text,
    Whitespace,
    _TokenType,
)
from sphinx.application import Sphinx
from sphinx.highlighting import PygmentsBridge
from sphinx.util.typing import ExtensionMetadata

Token = tuple[_TokenType, str]


class Formatter(HtmlFormatter):  # type: ignore[misc]  # Pygments is not typed
    """Pygments' own, told that it is mere text where nothing else would be seen."""

    dark: StyleMeta | None = None  # what the theme has beside the style of the listing

    def format(self, tokensource: Iterable[Token], outfile: Any) -> None:
        """Write the tokens to *outfile*."""
        kinds = plain(self.style, self.dark or self.style)
        tokens = ((Text if kind in kinds else kind, text) for kind, text in tokensource)
        super().format(tokens, outfile)

    def get_token_style_defs(self, arg: Any = None) -> list[str]:
        """Return the rules of the style sheet, without their comments."""
        rules: list[str] = super().get_token_style_defs(arg)
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
            kind not in Generic
            and all(s.style_for_token(kind) == s.style_for_token(Text) for s in styles)
        )
    )


def find_dark(app: Sphinx) -> None:
    """Find out which style the theme has for a dark screen, if it has one."""
    name = getattr(app.config, "pygments_dark_style", None)
    if name:
        Formatter.dark = PygmentsBridge("html", name).formatter_args["style"]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Let Sphinx use this formatter for HTML, of which it must know at once."""
    PygmentsBridge.html_formatter = Formatter
    app.connect("builder-inited", find_dark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
