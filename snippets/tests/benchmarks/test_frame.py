"""The frame of the benchmarks takes, sums up and writes down; no time is asserted."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import frame
from benchmarks.frame import Figure, Spread
from support.requirements import ROOT

FIGURE = Figure("copy", "s", {"ours": [1.0, 4.0, 3.0], "theirs": [2.0, 2.0, 2.0]})


def test_the_ratio_is_of_values_of_one_repeat() -> None:
    """The median is that of the ratios, not the ratio of the medians."""
    figure = Figure("x", "s", {"a": [1.0, 10.0, 100.0], "b": [10.0, 1.0, 50.0]})
    assert {"b": Spread(2.0, 1.9, 0.1, 10.0)} == frame.ratios(figure)
    assert {} == frame.ratios(Figure("x", "1/s", {"a": [1.0]}))
    with pytest.raises(ValueError, match="zip"):
        frame.ratios(Figure("x", "s", {"a": [1.0], "b": [1.0, 2.0]}))


def test_what_is_compared_is_run_in_turn() -> None:
    """A round that is not kept, then each in turn, every other round backwards."""
    order: list[str] = []

    def run(name: str) -> float:
        order.append(name)
        return float(len(order))

    series = frame.interleaved({"a": lambda: run("a"), "b": lambda: run("b")}, 3)
    assert "ab" + "ab" + "ba" + "ab" == "".join(order)
    assert {"a": [3.0, 6.0, 7.0], "b": [4.0, 5.0, 8.0]} == series


def test_every_module_that_measures_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark is found by its file; two figures of one name are refused."""
    names = {path.stem for path in Path(frame.__file__).parent.glob("*.py")}
    expected = {
        f"benchmarks.{name}"
        for name in names - {"frame"}
        if not name.startswith(("_", "test_"))
    }
    modules = frame.modules()
    assert expected == {module.__name__ for module in modules}
    monkeypatch.setattr(frame, "modules", lambda: modules[:1])
    for count in (0, 1, 2):
        figures = [FIGURE] * count
        monkeypatch.setattr(modules[0], "measure", lambda quick, f=figures: f * quick)
        if count < 2:
            assert figures == frame.measure_all(True, frame.Noise())
        else:
            with pytest.raises(ValueError, match="the same name: copy, copy"):
                frame.measure_all(True, frame.Noise())


def test_a_report_can_be_judged(tmp_path: Path) -> None:
    """Machine, versions, commit, date, each value, repeats and spread are written."""
    here = frame.machine()
    path = tmp_path / "new" / frame.file_name(here)
    noise = frame.Noise()
    noise.sample()
    frame.write(path, frame.report([FIGURE], here, quick=True, noise=noise))
    report = json.loads(path.read_text(encoding="utf-8"))
    for name in ("cpu", "cpus", "kernel", "python", "openssl"):
        assert report["machine"][name]
    assert {"commit", "date", "quick", "noise"} < set(report)
    [figure] = report["figures"]
    assert FIGURE.series == figure["series"]
    ratios = {"theirs": {"median": 1.5, "deviation": 0.5, "least": 0.5, "most": 2.0}}
    assert (3, ratios) == (figure["repeats"], figure["ratios"])
    ours = {"median": 3.0, "deviation": 1.0, "least": 1.0, "most": 4.0}
    assert ours == figure["spread"]["ours"]


def test_a_noisy_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load, a loop that is slow in the middle and stolen time are a line each."""
    noise = frame.Noise()
    noise.load, noise.loops = 0.0, [1.0, 1.05, 1.05]
    assert [] == noise.seen()["says"]
    noise.load, noise.loops = 2.0, [1.0, 1.5, 3.0]
    seconds = frame.stolen() + 1000.0
    monkeypatch.setattr(frame, "stolen", lambda: seconds)
    monkeypatch.setattr(noise, "begin", time.monotonic() - 1000.0)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert [
        "the load was 2.00 before it began",
        "one loop took 1.50 times its best time in the middle",
        "the host took 25% of the processors' time",
    ] == noise.seen()["says"]


def test_a_process_that_is_late_or_fails_is_told() -> None:
    """``wait`` ends a process at its deadline, and tells of a failure."""
    for code, deadline in (("input()", 0.01), ("raise SystemExit(3)", 30.0)):
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", code], stdin=subprocess.PIPE
        )
        with process, pytest.raises(subprocess.CalledProcessError) as caught:
            frame.wait(process, deadline)
        assert caught.value.returncode in (-9, 3)


def test_a_file_is_named_for_its_machine() -> None:
    """The name is made of the processor alone, so that a later run replaces it."""
    here = {"cpu": "Fast(R)  CPU @ 2 GHz", "cpus": 4, "architecture": "x86_64"}
    assert "fast-r-cpu-2-ghz-4-cpus-x86-64.json" == frame.file_name(here)


def test_the_command(tmp_path: Path) -> None:
    """``python -m benchmarks`` runs what is there and writes one file where it is told.

    What is there measures nothing here, to be quick.
    """
    code = (
        "import sys, runpy; from benchmarks import frame;"
        "frame.modules = lambda: [];"
        "runpy.run_module('benchmarks', run_name='__main__')"
    )
    folders = [ROOT / "snippets", ROOT / "snippets" / "tests"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "--output", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    [path] = tmp_path.iterdir()
    assert (0, "") == (done.returncode, done.stderr)
    assert f"written: {path}" == done.stdout.splitlines()[-1]  # "noisy: ..." before it
    assert [] == json.loads(path.read_text(encoding="utf-8"))["figures"]
