"""AES-GCM by AF_ALG against the package cryptography, as af_alg_benchmark.py does it.

Only in a kernel that has AF_ALG itself: in an emulated one the figures say nothing.
"""

import contextlib
import itertools
import os
import time
from functools import partial

import af_alg_benchmark as snippet
from benchmarks.frame import DEADLINE, Figure, interleaved


def measure(quick: bool) -> list[Figure]:
    """Return the microseconds for a message, encrypted and decrypted."""
    why = lack()
    if why:
        print(f"not measured: af-alg, {why}")
        return []
    return figures(quick)


def lack() -> str:
    """Return why it cannot be measured here; nothing where it can."""
    try:
        snippet.create_operation(bytes(32)).close()
        snippet.in_library(bytes(32))
    except OSError as error:
        return f"this kernel has {error}"
    except ImportError:
        return "the Python package cryptography is missing"
    return "this kernel is emulated" if snippet.remark() else ""


def figures(quick: bool) -> list[Figure]:
    """Measure; raise OSError where this kernel lacks AF_ALG."""
    count, repeats = (2, 2) if quick else (200, 11)  # messages a turn, rounds
    fresh = (number.to_bytes(12, "big") for number in itertools.count())
    end = time.perf_counter() + DEADLINE
    found = []
    with contextlib.closing(snippet.create_operation(os.urandom(32))) as op:
        sides = {
            "AF_ALG": snippet.in_kernel(op),
            "cryptography": snippet.in_library(os.urandom(32)),
        }

        def microseconds(label: str, messages: list[bytes]) -> float:
            return 1e6 * snippet.seconds_each(sides[label], messages, fresh, end)

        for size in snippet.SIZES:
            messages = [os.urandom(size)] * count
            runs = {label: partial(microseconds, label, messages) for label in sides}
            series = interleaved(runs, repeats)
            found.append(Figure(f"af-alg-{size}", "µs", series, "af-alg", size))
    return found
