"""Draws what was measured, by matplotlib: lines with their spread, or bars.

A drawing is SVG with a handful of colours, for which ``dark`` has others. Whoever sees
none of them tells the lines apart by their marks and by their names at the ends. The
same data give the same bytes.
"""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

if TYPE_CHECKING:  # loaded when there is something to draw, for it takes its time
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1b1b1b"
SOFT = "#5a5c63"  # of what is read second: the numbers at the axes
RULE = "#d8dade"  # of the lines behind
PAPER = "#ffffff"
# Each has 4.5:1 on white, and no two next to each other look alike to the colour-blind.
PALETTE = ("#0a5eb8", "#b3410e", "#00704f", "#8a3a80", "#7a5a00", "#4d5560")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (6, 1.5, 1.5, 1.5))

DARK = {
    INK: "#e8e8ea",
    SOFT: "#a9abb3",
    RULE: "#3a3d44",
    PAPER: "#131416",  # furo's
    **dict(
        zip(
            PALETTE,
            ("#6cb2ff", "#ff9a66", "#4fcf9f", "#e595d8", "#e0b84c", "#b4bcc8"),
            strict=True,
        )
    ),
}

WIDE, NARROW = 600, 360  # units, each a pixel where there is the room
LINES_HEIGHT = 330
BAR_HEIGHT = 27
TEXT = 12.5
FONTS = "Helvetica,Arial,'Liberation Sans',sans-serif"  # narrow ones first
NAME_WIDTH = 24  # characters; a longer label is named by what follows its last dot
NAME_GAP = 15  # units between two names at the ends of lines

Point = tuple[float, float, float]  # the median, the least, the most


@dataclass(frozen=True)
class Lines:
    """Lines over *ticks*, of which each has a point or None; *styles* orders them."""

    lines: Mapping[str, Sequence[Point | None]]
    ticks: Sequence[str]
    styles: Sequence[str]
    x: str
    y: str
    log: bool = False


@dataclass(frozen=True)
class Bars:
    """Bars, with what is written at the end of each; the first is what it is about."""

    bars: Mapping[str, Point]
    ends: Sequence[str]
    x: str


def dark(drawing: str) -> str:
    """Return *drawing* in the colours for a dark screen.

    >>> dark("<path style='stroke:#ffffff'/>")
    "<path style='stroke:#131416'/>"
    """
    return re.sub("|".join(DARK), lambda colour: DARK[colour[0]], drawing)


def draw(what: Lines | Bars, width: int = WIDE) -> str:
    """Return the drawing as SVG, so many units wide."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.fonttype": "none",  # text stays text
        "text.parse_math": False,
        "svg.hashsalt": "measured",  # or names within it would differ each time
        "font.size": TEXT,
        "text.color": INK,
        "axes.unicode_minus": False,
        "path.simplify": False,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width / 72, height(what) / 72))
        if isinstance(what, Lines):
            draw_lines(figure, what)
        else:
            draw_bars(figure, what)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return slim(file.getvalue())


def height(what: Lines | Bars) -> int:
    """Return how many units high the drawing is."""
    if isinstance(what, Lines):
        return LINES_HEIGHT
    return len(what.bars) * BAR_HEIGHT + 26


def style(label: str, styles: Sequence[str]) -> tuple[str, str, tuple[float, ...]]:
    """Return the colour, the mark and the dashes of a label, everywhere the same."""
    number = styles.index(label)
    return (
        PALETTE[number % len(PALETTE)],
        MARKS[number % len(MARKS)],
        DASHES[number % len(DASHES)],
    )


def axes_in(
    figure: "Figure", left: float, right: float, top: float, bottom: float
) -> "Axes":
    """Return axes with these margins, in units, and nothing around them."""
    width, height = figure.get_size_inches() * 72
    figure.patch.set_facecolor(PAPER)
    axes = figure.add_axes(
        (
            left / width,
            bottom / height,
            (width - left - right) / width,
            (height - top - bottom) / height,
        )
    )
    axes.patch.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=5, colors=SOFT, labelsize=TEXT)
    return axes


def draw_lines(figure: "Figure", what: Lines) -> None:
    """Draw a line for each label, with its name at its end."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes = axes_in(figure, left=58, right=172, top=30, bottom=44)
    shown = [p for line in what.lines.values() for p in line if p is not None]
    top = max(most for _, _, most in shown)
    axes.set_xlim(-0.15, len(what.ticks) - 0.9)
    if what.log:
        least = min(least for _, least, _ in shown)
        axes.set_yscale("log")
        axes.set_ylim(least / 1.25, top * 1.15)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_minor_locator(LogLocator(subs=()))
    else:
        axes.set_ylim(0, top * 1.04)
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.set_xticks(range(len(what.ticks)), what.ticks)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(what.x, color=SOFT, loc="left", labelpad=5)
    for rule in axes.get_ygridlines():
        rule.set_clip_on(False)
    title(figure, what.y)
    for label, line in reversed(
        list(what.lines.items())
    ):  # so that the first is on top
        draw_line(axes, label, line, what)
    name_lines(axes, what)


def title(figure: "Figure", text: str) -> None:
    """Say what is measured, over the axis, where it need not be read sideways."""
    _, height = figure.get_size_inches() * 72
    figure.text(0.005, 1 - 11 / height, text, color=SOFT, va="center", ha="left")


def draw_line(
    axes: "Axes", label: str, line: Sequence[Point | None], what: Lines
) -> None:
    """Draw one line, with a stroke from the least to the most at each point."""
    colour, mark, dashes = style(label, what.styles)
    is_first = label == next(iter(what.lines))
    labels = list(what.lines)
    aside = (labels.index(label) - (len(labels) - 1) / 2) * 0.018  # not on each other
    points = [(x + aside, p) for x, p in enumerate(line) if p is not None]
    spread = [
        (at, value)
        for x, (_, least, most) in points
        for at, value in ((x, least), (x, most), (x, float("nan")))
    ]
    thin: dict[str, Any] = {"color": colour, "linewidth": 1.1, "clip_on": False}
    axes.plot(*zip(*spread, strict=True), **thin, solid_capstyle="butt")
    axes.plot(
        [x for x, _ in points],
        [median for _, (median, _, _) in points],
        color=colour,
        linewidth=2.6 if is_first else 1.3,
        dashes=(None, None) if is_first else dashes or (None, None),
        marker=mark,
        markersize=8 if is_first else 6.5,
        markeredgecolor=PAPER,
        markeredgewidth=0.8,
        clip_on=False,
    )


def name_lines(axes: "Axes", what: Lines) -> None:
    """Write the names beside the ends, apart from each other, and lead to them."""
    ends = {
        label: [(x, p[0]) for x, p in enumerate(line) if p is not None][-1]
        for label, line in what.lines.items()
    }
    to_units = axes.transData
    heights = {label: float(to_units.transform(end)[1]) for label, end in ends.items()}
    box = axes.get_window_extent()
    unit = axes.figure.dpi / 72
    places = apart(heights, NAME_GAP * unit, (box.y0, box.y1 + 8 * unit))
    for label, height in places.items():
        colour, mark, _ = style(label, what.styles)
        end_x, end_y = to_units.transform(ends[label])
        to_axes = axes.transAxes.inverted()
        begin = to_axes.transform((end_x + 6 * unit, end_y))
        middle = to_axes.transform((box.x1 + 2 * unit, heights[label]))
        end = to_axes.transform((box.x1 + 14 * unit, height))
        shared: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False}
        axes.plot(
            [begin[0], middle[0], end[0]],
            [begin[1], middle[1], end[1]],
            color=colour,
            linewidth=0.6,
            **shared,
        )
        at = to_axes.transform((box.x1 + 18 * unit, height))
        axes.plot([at[0]], [at[1]], color=colour, marker=mark, markersize=5.5, **shared)
        is_first = label == next(iter(what.lines))
        place = to_axes.transform((box.x1 + 25 * unit, height))
        axes.text(
            *(place[0], place[1]),
            short(label),
            color=INK,
            va="center_baseline",
            fontweight="bold" if is_first else "normal",
            **shared,
        )


def apart(
    wanted: Mapping[str, float], gap: float, bounds: tuple[float, float]
) -> dict[str, float]:
    """Return places as near to those *wanted* as a *gap* between each two allows.

    >>> apart({"a": 5.0, "b": 1.0, "c": 1.0}, 2, (0, 10))
    {'b': 0.0, 'c': 2.0, 'a': 5.0}
    """
    groups: list[tuple[float, list[str]]] = []  # the middle of each, and who is in it
    for label in sorted(wanted, key=lambda each: wanted[each]):
        groups.append((wanted[label], [label]))
        while len(groups) > 1 and overlap(groups[-2], groups[-1], gap):
            (below, lower), (above, upper) = groups[-2:]
            both = lower + upper
            middle = (below * len(lower) + above * len(upper)) / len(both)
            groups[-2:] = [(middle, both)]
    places = {
        label: middle + (number - (len(labels) - 1) / 2) * gap
        for middle, labels in groups
        for number, label in enumerate(labels)
    }
    return within(places, gap, bounds)


def overlap(
    lower: tuple[float, list[str]], upper: tuple[float, list[str]], gap: float
) -> bool:
    """Tell whether two groups are nearer to each other than their sizes allow."""
    return upper[0] - lower[0] < (len(lower[1]) + len(upper[1])) / 2 * gap


def within(
    places: dict[str, float], gap: float, bounds: tuple[float, float]
) -> dict[str, float]:
    """Return *places*, in their order, between *bounds* if there is the room."""
    labels = list(places)
    if not labels:
        return {}
    places[labels[-1]] = min(places[labels[-1]], bounds[1])
    for above, below in pairwise(reversed(labels)):
        places[below] = min(places[below], places[above] - gap)
    places[labels[0]] = max(places[labels[0]], bounds[0])
    for below, above in pairwise(labels):
        places[above] = max(places[above], places[below] + gap)
    return places


def short(label: str) -> str:
    """Return *label*, or its last part if it would not fit beside the lines.

    >>> short("socketserver.ThreadingTCPServer"), short("epoll_server.py")
    ('ThreadingTCPServer', 'epoll_server.py')
    """
    return label if len(label) <= NAME_WIDTH else label.rpartition(".")[2]


def draw_bars(figure: "Figure", what: Bars) -> None:
    """Draw a bar for each label, with a stroke from the least to the most."""
    number = len(what.bars)
    axes = axes_in(figure, left=166, right=58, top=24, bottom=2)
    axes.set_xlim(0, max(most for _, _, most in what.bars.values()))
    axes.set_ylim(number - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.plot([0, 0], [-0.45, number - 0.55], color=SOFT, linewidth=0.8, clip_on=False)
    title(figure, what.x)
    rows = zip(what.bars.items(), what.ends, strict=True)
    for row, ((label, (median, least, most)), end) in enumerate(rows):
        axes.barh(
            row,
            median,
            height=0.6,
            color=PALETTE[0] if row == 0 else RULE,
            edgecolor=PALETTE[0] if row == 0 else SOFT,
            linewidth=0.8,
            clip_on=False,
        )
        for colour, width in ((PAPER, 4), (INK, 1.3)):
            axes.plot(
                [least, most],
                [row, row],
                color=colour,
                linewidth=width,
                solid_capstyle="butt",
                clip_on=False,
            )
        weight = "bold" if row == 0 else "normal"
        shared: dict[str, Any] = {
            "textcoords": "offset points",
            "va": "center_baseline",
        }
        axes.annotate(
            short(label), (0, row), (-6, 0), ha="right", fontweight=weight, **shared
        )
        axes.annotate(
            end, (max(median, most), row), (6, 0), fontweight=weight, **shared
        )


SVG = "http://www.w3.org/2000/svg"
LINK = "{http://www.w3.org/1999/xlink}href"
NUMBER = re.compile(r"-?\d+\.\d+")
BETWEEN = re.compile(r"\s*([A-Za-z])\s*")
KEPT_STYLE = re.compile(
    r"(?:fill|stroke|stroke-width|stroke-dasharray|text-anchor|font-weight): [^;]+"
)


def slim(text: str) -> str:
    """Return what matplotlib wrote without what says nothing.

    Three quarters of it are names of groups, defaults, and decimals that nobody sees.
    """
    root = ET.fromstring(text)  # noqa: S314  # our own
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    used = {each.get(LINK, "")[1:] for each in root.iter()}
    for each in root.iter():
        if each.get("id") not in used:
            each.attrib.pop("id", None)
        if LINK in each.attrib:
            each.set("href", each.attrib.pop(LINK))
        if "style" in each.attrib:
            each.set("style", ";".join(KEPT_STYLE.findall(each.attrib["style"])))
        if each.get("transform", "").startswith("rotate(-0"):
            del each.attrib["transform"]
        for key, value in each.attrib.items():
            if key not in ("id", "href", "version"):
                each.set(key, NUMBER.sub(rounded, value).replace(": ", ":"))
        if "d" in each.attrib:
            each.set("d", BETWEEN.sub(r"\1", each.attrib["d"].strip()))
        each.tag = each.tag.removeprefix(f"{{{SVG}}}")
        each.tail = None
        if not (each.text or "").strip():
            each.text = None
    flatten(root)
    box = root.attrib["viewBox"]
    root.attrib.clear()
    font = {"font-family": FONTS, "font-size": str(TEXT)}
    root.attrib.update({"xmlns": SVG, "viewBox": box, **font})
    return ET.tostring(root, encoding="unicode")


def rounded(number: re.Match[str]) -> str:
    """Return a number with one decimal, which is a tenth of a pixel."""
    text = f"{float(number[0]):.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def flatten(element: ET.Element) -> None:
    """Put in place of each group that says nothing what is in it."""
    for child in list(element):
        flatten(child)
        if child.tag in ("g", "defs") and not child.attrib and not len(child):
            element.remove(child)
        elif child.tag == "g" and not child.attrib:
            place = list(element).index(child)
            element.remove(child)
            for number, inner in enumerate(child):
                element.insert(place + number, inner)
