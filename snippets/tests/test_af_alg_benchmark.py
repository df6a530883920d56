"""af_alg_benchmark: what it measures and says, on sides that are not AF_ALG."""

import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import af_alg_benchmark
from contracts import af_alg

TestAfAlg = af_alg.benchmark("af_alg_benchmark")
CHECKS = TestAfAlg()
NUMBER = r"\d+\.\d"
ROW = rf"(\d+) bytes: AF_ALG {NUMBER} us, cryptography {NUMBER} us, ratio {NUMBER}"
EMULATED = " (kernel emulated: not the speed of AF_ALG)"

RoundTrip = Callable[[bytes, bytes], bytes]


class Clock:
    """A time that only goes by where a side works."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def perf_counter(self) -> float:
        """Return the time."""
        return self.now


class Anything:
    """A ``with`` block, in place of a socket."""

    def __enter__(self) -> "Anything":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put sides that take 3 s and 1 s in the place of both; return who was called.

    In its third turn each takes much longer.
    """
    calls: list[str] = []
    clock = Clock()

    def side(name: str, seconds: float) -> Callable[[object], RoundTrip]:
        def work(nonce: bytes, plaintext: bytes) -> bytes:
            assert 12 == len(nonce)
            calls.append(name)
            third_turn = calls.count(name) % 10 in (5, 6)
            clock.now += 100 if third_turn else seconds
            return plaintext

        return lambda _: work

    monkeypatch.setattr(af_alg_benchmark, "time", clock)
    monkeypatch.setattr(af_alg_benchmark, "create_operation", lambda _: Anything())
    monkeypatch.setattr(af_alg_benchmark, "in_kernel", side("kernel", 3))
    monkeypatch.setattr(af_alg_benchmark, "in_library", side("library", 1))
    return calls


def test_medians_are_of_turns(sides: list[str]) -> None:
    """The sides take turns, and a turn that took much longer changes nothing."""
    rows = list(af_alg_benchmark.measure(2, 1e9))
    assert [(size, 3.0, 1.0) for size in af_alg_benchmark.SIZES] == rows
    turns = ["kernel", "kernel", "library", "library"] * af_alg_benchmark.REPEATS
    assert turns * len(rows) == sides


def test_sizes_go_from_64_bytes_to_64_kib() -> None:
    """The shortest message has 64 bytes, and the longest 65,536."""
    assert (64, 65_536) == (af_alg_benchmark.SIZES[0], af_alg_benchmark.SIZES[-1])


def test_a_line_for_each_size(
    sides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is printed are both medians in microseconds, and their ratio."""
    monkeypatch.setattr(af_alg_benchmark, "remark", lambda: " (remark)")
    ended = CHECKS.main("--count", "2", "--limit", "86400")
    line = "64 bytes: AF_ALG 3000000.0 us, cryptography 1000000.0 us, ratio 3.0"
    assert (0, "") == (ended.status, ended.stderr)
    assert f"{line} (remark)" == ended.stdout.splitlines()[0]
    assert len(af_alg_benchmark.SIZES) == len(ended.stdout.splitlines())
    assert 2 * 2 * 5 * 6 == len(sides)


@pytest.mark.usefixtures("sides")
def test_the_limit_ends_it() -> None:
    """When the time is over that is one line after what is there, and exit status 1."""
    ended = CHECKS.main("--count", "2", "--limit", "500")
    expected = "cannot compare: it takes too long: lower --count or raise --limit\n"
    assert (1, expected) == (ended.status, ended.stderr)
    assert ended.stdout.startswith("64 bytes: ")
    assert 1 == ended.stdout.count("\n")


def test_a_wrong_result_is_one_line(
    sides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A side that decrypts to something else is not measured."""
    monkeypatch.setattr(af_alg_benchmark, "in_library", lambda _: lambda *_: b"else")
    ended = CHECKS.main("--count", "1", "--limit", "86400")
    expected = "cannot compare: what was decrypted is not what was encrypted\n"
    assert (1, "", expected) == (ended.status, ended.stdout, ended.stderr)
    assert ["kernel"] == sides


def test_without_cryptography_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is missing that is one line that names it."""
    monkeypatch.setattr(af_alg_benchmark, "create_operation", lambda _: Anything())
    module = "cryptography.hazmat.primitives.ciphers.aead"
    monkeypatch.setitem(sys.modules, module, None)
    ended = CHECKS.main("--count", "1")
    assert (1, "", 1) == (ended.status, ended.stdout, ended.stderr.count("\n"))
    assert ended.stderr.startswith("cannot compare: ")
    assert "cryptography" in ended.stderr


@pytest.mark.parametrize(
    ("vendor", "expected"),
    [("GenuineIntel", ""), ("User Mode Linux", EMULATED)],
)
def test_an_emulated_kernel_is_told(
    vendor: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In User Mode Linux each line says that it is emulated, and elsewhere none."""
    text = f"processor\t: 0\nvendor_id\t: {vendor}\n"
    monkeypatch.setattr(Path, "read_text", lambda _: text)
    assert expected == af_alg_benchmark.remark()


def test_the_docstring_says_what_is_recognised() -> None:
    """The reader is told that other emulators are not."""
    assert "on others, such as QEMU" in str(af_alg_benchmark.__doc__)


@pytest.mark.af_alg
def test_a_buffer_that_is_too_small_is_told() -> None:
    """Where the kernel does not take all of a message, that is what the error says."""
    with af_alg_benchmark.create_operation(bytes(32)) as op:
        sealed = af_alg_benchmark.encrypt(op, bytes(12), bytes(65_536))
        op.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768 // 2)
        with pytest.raises(OSError, match=r"took only 32,768 of 65,552 bytes"):
            af_alg_benchmark.decrypt(op, bytes(12), sealed)


@pytest.mark.af_alg
def test_it_runs() -> None:
    """With the real sides there is a line for each size, and it says on what."""
    ended = CHECKS.main("--count", "2")
    emulated = "User Mode Linux" in Path("/proc/cpuinfo").read_text()
    row = ROW + re.escape(EMULATED if emulated else "")
    assert (0, "") == (ended.status, ended.stderr)
    matches = [re.fullmatch(row, line) for line in ended.stdout.splitlines()]
    found = [match and int(match[1]) for match in matches]
    assert list(af_alg_benchmark.SIZES) == found


@pytest.mark.parametrize(
    "arguments",
    [
        ["--count", "0"],
        ["--count", "x"],
        ["--limit", "0"],
        ["--limit", "nan"],
        ["--limit", "inf"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments: list[str]) -> None:
    """Wrong usage is exit status 2 and names the option."""
    ended = CHECKS.main(*arguments)
    assert 2 == ended.status
    assert arguments[0] in ended.stderr.splitlines()[-1]
