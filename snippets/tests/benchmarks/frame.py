"""What every benchmark shares: what a figure is, how it is taken and written down.

>>> figure = Figure("sum", "s", {"loop": [2.0, 4.0, 3.0], "sum()": [1.0, 1.0, 2.0]})
>>> ratios(figure)
{'sum()': Spread(median=2.0, deviation=0.5, least=1.5, most=4.0)}

What is compared is run in turn, again and again, so that a load from outside meets all
of it; each repeat gives a ratio, and the median of the ratios is what counts. pyperf
sums up and describes the machine; its runner is not used, for it measures one thing
after the other.
"""

import importlib
import json
import os
import pkgutil
import platform
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pyperf

import benchmarks

ROOT = Path(__file__).resolve().parents[3]
DEADLINE = 120.0  # seconds for any one process
DETAILS = ("aslr", "cpu_config", "cpu_freq", "python_cflags", "python_compiler")
QUIET_LOAD = 0.5  # more than that before, and the report says so
QUIET_LOOP = 1.1  # so many times its best time a loop may take in the middle
QUIET_STOLEN = 0.02  # of the processors' time
TOOLS = {  # programs that are compared with, or that make them, and what to ask
    "cp": "--version",
    "cc": "--version",
    "openssl": "version",
    "tcpdump": "--version",
}


@dataclass(frozen=True)
class Figure:
    """What was measured: for each label one value a repeat, taken in turn.

    The first label is what the figure is about, the others what it is compared with.
    Figures of one *plot* are its points, at *x* of what its axis counts. *note* is what
    else a reader must know to judge it.
    """

    name: str
    unit: str
    series: dict[str, list[float]]
    plot: str = ""
    x: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Spread:
    """The middle of some values, and how far they lie apart.

    Half of them are within *deviation* of the median.
    """

    median: float
    deviation: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """Return the median of *values*, which are above 0, and how they lie about it."""
    run = pyperf.Run(values, metadata={"name": "values"}, collect_metadata=False)
    found = pyperf.Benchmark([run])
    least, most = min(values), max(values)
    return Spread(found.median(), found.median_abs_dev(), least, most)


def ratios(figure: Figure) -> dict[str, Spread]:
    """Return the ratios of the first series to each of the others.

    Each is of two values of the same repeat.
    """
    (_, first), *others = figure.series.items()
    return {
        label: spread([a / b for a, b in zip(first, other, strict=True)])
        for label, other in others
    }


def interleaved(
    runs: Mapping[str, Callable[[], float]], repeats: int
) -> dict[str, list[float]]:
    """Return what each of *runs* gives, *repeats* times, taken in turn.

    Every other round goes backwards, and a first round warms up and is not kept.
    """
    series: dict[str, list[float]] = {label: [] for label in runs}
    for run in runs.values():
        run()
    for number in range(repeats):
        labels = list(runs)
        for label in labels if number % 2 == 0 else reversed(labels):
            series[label].append(runs[label]())
    return series


def wait(process: subprocess.Popen[Any], deadline: float = DEADLINE) -> None:
    """Wait until *process* ends; raise CalledProcessError where it fails or is late.

    ``Popen.wait`` with a time-out looks up to 50 ms apart whether the process has
    ended, and so adds as much to what is measured. This one adds nothing.
    """
    alarm = threading.Timer(deadline, process.kill)
    alarm.start()
    try:
        status = process.wait()
    finally:
        alarm.cancel()
    if status:
        raise subprocess.CalledProcessError(status, process.args)


def modules() -> list[ModuleType]:
    """Return the benchmarks: the modules of this package that have ``measure``."""
    names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    found = [
        importlib.import_module(f"benchmarks.{name}")
        for name in names
        if not name.startswith(("_", "test_"))
    ]
    return [module for module in found if hasattr(module, "measure")]


class Noise:
    """How much else the machine does meanwhile, seen by a loop that does not change."""

    def __init__(self) -> None:
        self.load = os.getloadavg()[0]
        self.stolen = stolen()
        self.begin = time.monotonic()
        self.loops: list[float] = []

    def sample(self) -> None:
        """Run the loop a few times, each on whichever processor it comes."""
        for _ in range(5):
            begin = time.perf_counter()
            sum(range(1_000_000))
            self.loops.append(time.perf_counter() - begin)

    def seen(self) -> dict[str, object]:
        """Return the figures, and as ``says`` a line for each that is too high."""
        found = spread(self.loops)
        slower = found.median / found.least
        passed = (time.monotonic() - self.begin) * (os.cpu_count() or 1)
        stolen_share = (stolen() - self.stolen) / passed
        says = []
        if self.load > QUIET_LOAD:
            says.append(f"the load was {self.load:.2f} before it began")
        if slower > QUIET_LOOP:
            says.append(f"one loop took {slower:.2f} times its best time in the middle")
        if stolen_share > QUIET_STOLEN:
            says.append(f"the host took {stolen_share:.0%} of the processors' time")
        return {
            "load_before": self.load,
            "loop": asdict(found),
            "stolen_share": stolen_share,
            "says": says,
        }


def stolen() -> float:
    """Return the seconds that a host gave to others (``man 5 proc_stat``), or 0."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text(encoding="utf-8").split("\n", 1)[0].split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK")


def measure_all(quick: bool, noise: Noise) -> list[Figure]:
    """Run all benchmarks; raise ValueError where two figures have one name."""
    figures: list[Figure] = []
    noise.sample()
    for module in modules():
        print(f"measuring {module.__name__} ...", flush=True)
        begin = time.monotonic()
        figures += module.measure(quick)
        print(f"  took {time.monotonic() - begin:.0f} s", flush=True)
        noise.sample()
    names = [figure.name for figure in figures]
    if len(set(names)) < len(names):
        raise ValueError(f"two figures have the same name: {', '.join(sorted(names))}")
    return figures


def first_line(*command: str) -> str:
    """Return the first line that *command* prints; nothing if it is not there."""
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(
        command, capture_output=True, check=False, cwd=ROOT, text=True, timeout=60
    )
    return next(iter((done.stdout or done.stderr).splitlines()), "")


def machine() -> dict[str, object]:
    """Return on what the benchmarks run; no name of a host or a person."""
    seen = pyperf.Run([1.0], metadata={"name": "machine"}).get_metadata()
    return {
        "cpu": seen.get("cpu_model_name") or platform.processor() or "a processor",
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
        "virtual": first_line("systemd-detect-virt"),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: seen[name] for name in DETAILS if name in seen},
        "openssl": ssl.OPENSSL_VERSION,
        "tools": {tool: first_line(tool, ask) for tool, ask in TOOLS.items()},
    }


def file_name(here: Mapping[str, object]) -> str:
    """Return the name of the file for the machine *here*: a later run replaces it."""
    words = f"{here['cpu']} {here['cpus']} cpus {here['architecture']}"
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") + ".json"


def report(
    figures: Sequence[Figure],
    here: Mapping[str, object],
    *,
    quick: bool,
    noise: Noise,
) -> dict[str, Any]:
    """Return all that is needed to judge *figures*."""
    return {
        "machine": here,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": first_line("git", "rev-parse", "HEAD"),
        "uncommitted_changes": bool(
            # What is written here, and said of it, was not measured.
            first_line("git", "status", "--porcelain", "--", ".", ":!docs")
        ),
        "quick": quick,
        "noise": noise.seen(),
        "figures": [written(figure) for figure in figures],
    }


def written(figure: Figure) -> dict[str, object]:
    """Return *figure* as the file has it: each value, and what they come to."""
    return {
        **asdict(figure),
        "repeats": len(next(iter(figure.series.values()))),
        "spread": {label: asdict(spread(v)) for label, v in figure.series.items()},
        "ratios": {label: asdict(found) for label, found in ratios(figure).items()},
    }


def say(figure: Figure) -> None:
    """Print what *figure* comes to."""
    for label, values in figure.series.items():
        found = spread(values)
        range_ = f"{found.least:,.4g} to {found.most:,.4g}"
        print(f"{figure.name}: {label}: {found.median:,.4g} {figure.unit} ({range_})")
    first = next(iter(figure.series))
    for label, found in ratios(figure).items():
        range_ = f"{found.least:.2f} to {found.most:.2f}"
        print(f"{figure.name}: {first} / {label}: {found.median:.2f} ({range_})")


def write(path: Path, content: Mapping[str, object]) -> None:
    """Write *content* to *path*, with the folders that lead there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
