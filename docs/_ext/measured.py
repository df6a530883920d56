"""The directive ``measured``: a figure of ``nox -s bench``, drawn, and its numbers.

For each machine that there is a file of in docs/benchmarks::

    .. measured:: echo-64
       :x: active connections
       :better: more

draws the figures of that plot as lines, or the one figure of that name as bars, with a
table of every number beside it, and where, when and how often it was measured. Options:
``x`` names the horizontal axis, ``better`` is ``more`` or ``less``, ``log`` gives the
vertical axis a scale on which equal ratios are equally far apart, and ``labels`` is
what is shown of a figure, divided by commas.

Where nothing was measured, the page says so.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

import kept
import measurements
import plots
from measurements import NOT_MEASURED, Report, line, ratio_text, significant

KEPT = "drawings"  # a folder beside what was read of the pages
ON_A_PHONE = "(max-width: 40em)"


class drawing(nodes.General, nodes.Element):  # as docutils names them
    """A drawing, wide and narrow, each light and dark; *alt* says what it shows."""


class Measured(SphinxDirective):
    """What was measured: the drawing, the numbers, and where they are from."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Callable[[str], Any]]] = {
        "x": directives.unchanged_required,
        "better": lambda word: directives.choice(word, ("more", "less")),
        "labels": lambda text: [label.strip() for label in text.split(",")],
        "log": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """Return a box for each machine."""
        [name] = self.arguments
        measurements.note(self.env, name)
        reports = measurements.reports(self.env)
        order = labels_of(reports)
        boxes: list[nodes.Node] = []
        for report in reports:
            points = self.points(report, name)
            if points:
                boxes.append(self.box(name, report, points, order))
        if not boxes:
            said = f"{name}: {NOT_MEASURED}."
            boxes.append(line(said, "not-measured"))
        return boxes

    def points(self, report: Report, name: str) -> list[Report]:
        """Return the figures of *name*, with the labels that are asked for."""
        wanted = self.options.get("labels")
        found = []
        for figure in measurements.figures(report, name):
            spread = {
                label: values
                for label, values in figure["spread"].items()
                if wanted is None or label in wanted
            }
            if spread:
                found.append({**figure, "spread": spread})
        return found

    def box(
        self, name: str, report: Report, points: list[Report], order: list[str]
    ) -> nodes.container:
        """Return what *report* says of *points*."""
        place = measurements.place(report)
        unit = points[0]["unit"]
        better = self.options.get("better")
        title = f"{unit} ({better} is better)" if better else unit
        number = measurements.reports(self.env).index(report)
        shown = drawing(alt=alt(points, unit, self.options.get("x", ""), place))
        shown["name"] = f"{name}-{number + 1}"
        what: plots.Lines | plots.Bars
        if points[0]["plot"] == name:
            what = lines(points, order, title, self.options)
            numbers = table_of_points(points, self.options.get("x", ""))
        else:
            what = bars(points[0], title)
            numbers = table_of_figure(points[0])
        shown["wide"] = self.drawn(what, plots.WIDE)
        shown["narrow"] = self.drawn(what, plots.NARROW)
        shown["height"] = plots.height(what)
        source = line(source_of(report, points), "source")
        return nodes.container("", shown, *numbers, source, classes=["measured"])

    def drawn(self, what: plots.Lines | plots.Bars, width: int) -> str:
        """Return the drawing: the one of an earlier build, if nothing has changed."""
        code = Path(plots.__file__).read_text(encoding="utf-8")
        folder = Path(self.env.doctreedir) / KEPT
        return kept.text(folder, (code, what, width), lambda: plots.draw(what, width))


def labels_of(reports: Sequence[Report]) -> list[str]:
    """Return all labels of plots: one's place tells its colour in each of them."""
    found: dict[str, None] = {}
    for report in reports:
        for figure in report["figures"]:
            if figure["plot"]:
                found.update(dict.fromkeys(figure["spread"]))
    return list(found)


def labels_in(points: Sequence[Report]) -> list[str]:
    """Return the labels of *points*, in their order."""
    return list(dict.fromkeys(label for each in points for label in each["spread"]))


def point(spread: Report) -> plots.Point:
    """Return what a drawing needs of *spread*."""
    return spread["median"], spread["least"], spread["most"]


def lines(
    points: list[Report], order: list[str], title: str, options: dict[str, Any]
) -> plots.Lines:
    """Return the lines through *points*."""
    return plots.Lines(
        lines={
            label: [
                point(each["spread"][label]) if label in each["spread"] else None
                for each in points
            ]
            for label in labels_in(points)
        },
        ticks=[f"{each['x']:,g}" for each in points],
        styles=order,
        x=options.get("x", ""),
        y=title,
        log="log" in options,
    )


def bars(figure: Report, title: str) -> plots.Bars:
    """Return the bars of *figure*."""
    return plots.Bars(
        bars={label: point(spread) for label, spread in figure["spread"].items()},
        ends=[significant(spread["median"]) for spread in figure["spread"].values()],
        x=title,
    )


def alt(points: list[Report], unit: str, x: str, place: str) -> str:
    """Return what the drawing shows, for who does not see it; the table says more."""
    last = points[-1]
    values = ", ".join(
        f"{label} {significant(spread['median'])}"
        for label, spread in last["spread"].items()
    )
    if len(points) == 1 and not last["plot"]:
        return f"Bars of {unit}, measured on {place}: {values}."
    ticks = ", ".join(f"{each['x']:,g}" for each in points)
    at = f"{last['x']:,g}"
    return (
        f"Lines of {unit} over {x or 'x'} ({ticks}), measured on {place}."
        f" At {at}: {values}."
    )


def range_of(spread: Report, shown: Callable[[float], str]) -> str:
    """Return the least and the most."""
    return f"{shown(spread['least'])}\N{EN DASH}{shown(spread['most'])}"


def table_of_points(points: list[Report], x: str) -> list[nodes.Element]:
    """Return a row for each label and a column for each point."""
    first = next(iter(points[0]["series"]))
    head = [[x], *([f"{each['x']:,g}"] for each in points)]
    rows = []
    for label in labels_in(points):
        cells = [[label]]
        for each in points:
            spread = each["spread"].get(label)
            ratio = each["ratios"].get(label)
            cell = [NOT_MEASURED]
            if spread:
                cell = [significant(spread["median"]), range_of(spread, significant)]
            if ratio:
                cell.append(
                    f"{ratio_text(ratio['median'])}\N{MULTIPLICATION SIGN}"
                    f" {range_of(ratio, ratio_text)}"
                )
            cells.append(cell)
        rows.append(cells)
    unit = points[0]["unit"]
    said = f"{unit}, their least\N{EN DASH}most, and the ratio of {first} to it"
    return table(said, head, rows)


def table_of_figure(figure: Report) -> list[nodes.Element]:
    """Return a row for each label."""
    first = next(iter(figure["series"]))
    between = "least\N{EN DASH}most"
    head = [[""], ["median"], [between], ["ratio"], [between]]
    rows = []
    for label, spread in figure["spread"].items():
        ratio = figure["ratios"].get(label)
        cells = [significant(spread["median"]), range_of(spread, significant)]
        cells += (
            [ratio_text(ratio["median"]), range_of(ratio, ratio_text)]
            if ratio
            else ["", ""]
        )
        rows.append([[label], *([cell] for cell in cells)])
    return table(f"{figure['unit']}, and the ratio of {first} to it", head, rows)


def table(
    title: str, head: list[list[str]], rows: list[list[list[str]]]
) -> list[nodes.Element]:
    """Return a table of cells of lines, whose first column names the rows.

    Its title is a paragraph: that of a table would scroll away with it on a phone.
    """
    group = nodes.tgroup(cols=len(head))
    for column in range(len(head)):
        # the width, in characters, matters to the text builder alone
        group += nodes.colspec(colwidth=24, stub=int(column == 0))
    group += nodes.thead("", row_of(head))
    group += nodes.tbody("", *map(row_of, rows))
    return [
        line(f"{title}:", "numbers-title"),
        nodes.table("", group, classes=["numbers"]),
    ]


def row_of(cells: list[list[str]]) -> nodes.row:
    """Return a row; each line of a cell is a paragraph."""
    return nodes.row(
        "",
        *(nodes.entry("", *(line(text) for text in cell if text)) for cell in cells),
    )


def source_of(report: Report, points: list[Report]) -> str:
    """Return where, when and how often *points* were measured, and what to mind."""
    counts = sorted({each["repeats"] for each in points})
    repeats = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    changed = ", with changes" if report["uncommitted_changes"] else ""
    notes = dict.fromkeys(each["note"] for each in points if each["note"])
    noisy = [f"Noisy: {line}" for line in measurements.noise(report)]
    virtual = report["machine"].get("virtual")
    said = [
        measurements.place(report),
        *([f"virtual ({virtual})"] if virtual not in ("", "none", None) else []),
        f"commit {report['commit'][:7]}{changed}",
        f"{repeats} repeats",
    ]
    sentences = [", ".join(said), *notes, *noisy]
    return " ".join(f"{sentence.rstrip('.')}." for sentence in sentences)


def visit_html(self: HTML5Translator, node: drawing) -> None:
    """Write the files of the drawing and show them: in the EPUB the light one."""
    builder = self.builder
    folder = Path(builder.outdir) / "_images"
    folder.mkdir(parents=True, exist_ok=True)

    def source(kind: str, text: str) -> str:
        name = f"measured-{node['name']}-{kind}.svg"
        (folder / name).write_text(text, encoding="utf-8")
        return f"{builder.imgpath}/{name}"

    def image(address: str) -> str:
        return self.emptytag(
            nodes.image(),
            "img",
            "",
            src=address,
            alt=node["alt"],
            width=str(plots.WIDE),
            height=str(node["height"]),
            **lazy,
        )

    lazy: dict[str, str] = {}
    if builder.name == "epub":
        self.body.append(f"<p>{image(source('light', node['wide']))}</p>")
        raise nodes.SkipNode
    lazy["loading"] = "lazy"  # the one for the other theme is never loaded
    for theme in ("light", "dark"):
        texts = node["narrow"], node["wide"]
        if theme == "dark":
            texts = plots.dark(texts[0]), plots.dark(texts[1])
        narrow = source(f"{theme}-narrow", texts[0])
        wide = source(theme, texts[1])
        self.body.append(
            f'<picture class="only-{theme}">'
            f'<source media="{ON_A_PHONE}" srcset="{narrow}"'
            f' width="{plots.NARROW}" height="{node["height"]}" />'
            f"{image(wide).strip()}</picture>\n"
        )
    raise nodes.SkipNode


def leave_out(_self: object, _node: drawing) -> None:
    """Write nothing: the table says the same."""
    raise nodes.SkipNode


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive and what writes its drawings."""
    app.setup_extension("measurements")
    app.add_directive("measured", Measured)
    plain = (leave_out, None)
    app.add_node(
        drawing,
        html=(visit_html, None),
        text=plain,
        latex=plain,
        man=plain,
        texinfo=plain,
    )
    return {
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
