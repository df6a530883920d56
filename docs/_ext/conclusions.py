"""The directive ``conclusion``: a sentence that stands as long as the data allow it.

Its conditions are about what ``nox -s bench`` wrote to docs/benchmarks, divided by
semicolons::

    .. conclusion:: idle-at-5000 / idle-at-0 of epoll_server.py <= 1.10

       What ``epoll_server.py`` does for a message costs the same however many are idle.

A condition names a figure, one of its labels, a comparison (``<``, ``<=``, ``>``,
``>=``) and a number. What is compared is

- ``FIGURE of LABEL``: a median;
- ``FIGURE / FIGURE of LABEL``: the median of the ratios in each repeat of one label in
  two figures that were taken in turn;
- ``FIGURE of LABEL / LABEL``: the same of two labels in one figure.

The ratio of the medians, which a drawing shows, must allow a sentence as well.

The sentence is shown, and below it what it rests on, if the data of every machine that
measured it allow it. If they contradict it, the build warns in one line, and again in
each build until the sentence is changed. If no machine measured it, the sentence is
left out, and the page says what was not measured.

It is the median that decides. Where the least or the most would decide otherwise, the
page says so below the sentence: not in every repeat.
"""

import dataclasses
import operator
import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

import measurements
from measurements import NOT_MEASURED, Report, line, ratio_text, significant

CONDITION = re.compile(
    r"(?P<figure>\S+)(?: / (?P<base>\S+))? of (?P<label>.+?)(?: / (?P<other>.+?))?"
    r" (?P<sign><=|>=|<|>) (?P<limit>[\d.]+)"
)
SIGNS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "<=": (operator.le, "at most"),
    ">=": (operator.ge, "at least"),
    "<": (operator.lt, "less than"),
    ">": (operator.gt, "more than"),
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Value:
    """What was measured: the median, the least, the most, and in which unit."""

    median: float
    least: float
    most: float
    unit: str = ""
    of_medians: float | None = None  # of a ratio, that of the medians

    def __str__(self) -> str:
        """Return it as it is shown."""
        if self.unit:
            middle, least, most = map(significant, (self.median, self.least, self.most))
            return f"{middle} {self.unit} ({least} to {most})"
        middle, least, most = map(ratio_text, (self.median, self.least, self.most))
        return f"{middle} ({least} to {most})"


@dataclass(frozen=True)
class Condition:
    """What must hold for a sentence; without *base* and *other*, of a median."""

    figure: str
    base: str | None
    label: str
    other: str | None
    sign: str
    limit: float

    def __str__(self) -> str:
        """Return what is compared."""
        figures = f"{self.figure} / {self.base}" if self.base else self.figure
        labels = f"{self.label} / {self.other}" if self.other else self.label
        return f"{figures} of {labels}"

    @property
    def asked(self) -> str:
        """What is asked of it, in words."""
        return f"{SIGNS[self.sign][1]} {self.limit:,g}"

    def allows(self, value: float) -> bool:
        """Tell whether *value* is on the right side of the limit."""
        return SIGNS[self.sign][0](value, self.limit)

    def value(self, report: Report) -> Value | None:
        """Return what *report* says of it, or None where it was not measured."""
        figure = named(report, self.figure)
        if figure is None or self.label not in figure["series"]:
            return None
        values = figure["series"][self.label]
        if self.other is not None:
            if self.other not in figure["series"]:
                return None
            return ratio_of(values, figure["series"][self.other])
        if self.base is None:
            return value_of(values, figure["unit"])
        base = named(report, self.base)
        if base is None or self.label not in base["series"]:
            return None
        return ratio_of(values, base["series"][self.label])


def parse(text: str) -> list[Condition]:
    """Return the conditions of *text*; raise ValueError where it has none.

    >>> [condition] = parse("echo of ours / theirs >= 1.5")
    >>> print(condition, "is", condition.asked)
    echo of ours / theirs is at least 1.5
    """
    found = []
    for part in text.split(";"):
        words = " ".join(part.split())
        match = CONDITION.fullmatch(words)
        if match is None or (match["base"] and match["other"]):
            raise ValueError(f"not FIGURE of LABEL <= NUMBER, or the like: {words!r}")
        found.append(
            Condition(
                *(match["figure"], match["base"], match["label"], match["other"]),
                *(match["sign"], float(match["limit"])),
            )
        )
    return found


def named(report: Report, name: str) -> Report | None:
    """Return the figure *name* of *report*."""
    return next((each for each in report["figures"] if name == each["name"]), None)


def value_of(values: list[float], unit: str = "") -> Value:
    """Return the median of *values*, their least and their most."""
    return Value(statistics.median(values), min(values), max(values), unit)


def ratio_of(above: list[float], below: list[float]) -> Value:
    """Return the ratios of the values of each repeat."""
    found = value_of([a / b for a, b in zip(above, below, strict=True)])
    of_medians = statistics.median(above) / statistics.median(below)
    return dataclasses.replace(found, of_medians=of_medians)


class Conclusion(SphinxDirective):
    """The content, if the data allow it, and what it rests on."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the content and a line below it, or what was not measured."""
        self.assert_has_content()
        try:
            conditions = parse(self.arguments[0])
        except ValueError as error:
            raise self.error(str(error)) from None
        names = [name for each in conditions for name in (each.figure, each.base)]
        measurements.note(self.env, *(name for name in names if name))
        said: dict[str, list[str]] = {}  # by what was measured, what was asked of it
        lacking = []
        allowed = True
        for each in conditions:
            found = self.of_all_machines(each)
            allowed &= self.contradictions(each, found) == 0
            for place, value in found.items():
                where = f" on {place}" if place else ""
                said.setdefault(f"{each}: {value}{where}", []).append(
                    asked(each, value)
                )
            if not found:
                lacking.append(str(each))
        if not allowed:
            measurements.read_again(self.env)
            return []
        if lacking:
            text = f"{NOT_MEASURED.capitalize()}: {'; '.join(dict.fromkeys(lacking))}."
            return [line(text, "not-measured")]
        facts = [f"{fact}, {' and '.join(limits)}" for fact, limits in said.items()]
        evidence = line(f"{'; '.join(facts)}.", "evidence")
        return [*self.parse_content_to_nodes(), evidence]

    def of_all_machines(self, condition: Condition) -> dict[str, Value]:
        """Return what was measured, by where; nowhere in words if it is one machine."""
        reports = measurements.reports(self.env)
        found = {}
        for report in reports:
            value = condition.value(report)
            if value is not None:
                found[measurements.place(report) if len(reports) > 1 else ""] = value
        return found

    def contradictions(self, condition: Condition, found: dict[str, Value]) -> int:
        """Warn of each machine whose data do not allow the sentence; count them."""
        wrong = {
            place: value
            for place, value in found.items()
            if not condition.allows(value.median)
            or not condition.allows(value.of_medians or value.median)
        }
        for place, value in wrong.items():
            logger.warning(
                "the data do not allow this sentence: %s is %s%s%s, not %s:"
                " change what it says, or its condition",
                *(condition, value, f" on {place}" if place else ""),
                *(of_medians(value), condition.asked),
                location=self.get_location(),
                type="conclusion",
            )
        return len(wrong)


def of_medians(value: Value) -> str:
    """Return in words what the ratio of the medians is, if *value* is of ratios."""
    return f", of the medians {value.of_medians:.2f}" if value.of_medians else ""


def asked(condition: Condition, value: Value) -> str:
    """Return what was asked of *value*, and whether every repeat had it."""
    always = all(map(condition.allows, (value.least, value.most)))
    return condition.asked + ("" if always else ", though not in every repeat")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.setup_extension("measurements")
    app.add_directive("conclusion", Conclusion)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
