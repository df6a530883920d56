"""Runs all benchmarks and writes one JSON file for this machine."""

import argparse
from pathlib import Path

from benchmarks.frame import (
    ROOT,
    Noise,
    file_name,
    machine,
    measure_all,
    report,
    say,
    write,
)


def main() -> None:
    """Read the command line, measure, print a summary and write the file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="only see whether it works: little data, few repeats",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="default: docs/benchmarks, with --quick build/benchmarks",
    )
    args = parser.parse_args()
    folder = args.output or ROOT / ("build" if args.quick else "docs") / "benchmarks"
    noise = Noise()
    figures = measure_all(args.quick, noise)
    for figure in figures:
        say(figure)
    here = machine()
    path = folder / file_name(here)
    content = report(figures, here, quick=args.quick, noise=noise)
    for line in content["noise"]["says"]:
        print(f"noisy: {line}")
    write(path, content)
    print(f"written: {path}")


if __name__ == "__main__":
    main()
