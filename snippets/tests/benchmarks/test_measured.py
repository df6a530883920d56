"""The benchmarks work: each is run with little data, and no time is asserted."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import af_alg_benchmark
from benchmarks import _processes, af_alg, datagrams, local, sendfile, sniffers, tls
from benchmarks.frame import Figure
from benchmarks.programs.sniffing import LEAST, Trials
from support.sandbox import HOSTS, Sandbox, SandboxError

pytestmark = pytest.mark.linux

Measure = Callable[[bool], list[Figure]]
MEASURED: dict[Measure, tuple[set[str], set[str]]] = {
    datagrams.measure: ({"cc"}, {"datagrams-64", "datagrams-1400"}),
    local.measure: (
        {"cc"},
        {
            *("local-pingpong", "local-pingpong-cpu"),
            *("local-stream", "local-stream-cpu"),
        },
    ),
    sendfile.measure: ({"cc"}, {"sendfile-copy", "sendfile-tcp"}),
    tls.measure: ({"cc", "openssl"}, {"tls-bulk", "tls-handshake"}),
}


def check(figures: list[Figure]) -> set[str]:
    """Return the names of *figures*, of which each must have values that can be."""
    for figure in figures:
        assert len({len(values) for values in figure.series.values()}) == 1
        assert all(value > 0 for values in figure.series.values() for value in values)
    return {figure.name for figure in figures}


@pytest.mark.slow
@pytest.mark.parametrize(
    "measure", MEASURED, ids=[measure.__module__ for measure in MEASURED]
)
def test_it_measures(measure: Measure, capsys: pytest.CaptureFixture[str]) -> None:
    """All figures are there, or a line says which program is missing."""
    before = set(psutil.Process().children())
    programs, names = MEASURED[measure]
    there = all(map(shutil.which, programs))
    assert (names if there else set()) == check(measure(True))
    assert there != ("not measured: " in capsys.readouterr().out)
    assert set(psutil.Process().children()) <= before  # which pytest may have started


@pytest.mark.slow
def test_the_sniffers_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """The parser always, and the program where a sandbox can be made."""
    there = all(map(shutil.which, ("cc", "tcpdump")))
    try:
        with Sandbox(HOSTS[:1]):
            pass
    except SandboxError:
        there = False
    expected = {"tcp-sniffer-parse", "tcp-sniffer-live"}
    names = check(sniffers.measure(True))
    assert (expected if there else {"tcp-sniffer-parse"}) == names
    assert there != ("not measured: " in capsys.readouterr().out)


@pytest.mark.parametrize("measure", [*MEASURED, sniffers.measure])
def test_without_a_compiler_it_says_what_to_install(
    measure: Measure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What needs the compiler is not measured, and nothing else is started."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check(measure(True)) <= {"tcp-sniffer-parse"}
    said = capsys.readouterr().out
    assert said.startswith("not measured: ")
    assert said.endswith("cc is missing (Debian: gcc)\n")


@pytest.mark.af_alg
def test_af_alg_is_measured() -> None:
    """There is a figure for each size, where the kernel has AF_ALG."""
    expected = {f"af-alg-{size}" for size in af_alg_benchmark.SIZES}
    assert expected == check(af_alg.figures(True))


def test_af_alg_is_only_measured_natively(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without AF_ALG, and in an emulated kernel, there is a line and no figure."""

    def refuse(key: bytes) -> None:
        raise OSError(f"no gcm(aes) for {len(key)} bytes")

    with Path("/dev/null").open("rb") as anything:
        for create, why in (
            (refuse, "this kernel has no gcm(aes) for 32 bytes"),
            (lambda _: anything, "this kernel is emulated"),
        ):
            monkeypatch.setattr(af_alg_benchmark, "create_operation", create)
            monkeypatch.setattr(af_alg_benchmark, "remark", lambda: " (emulated)")
            assert [] == af_alg.measure(True)
            assert f"not measured: af-alg, {why}\n" == capsys.readouterr().out


@pytest.mark.parametrize("said", ["", "something else\n"])
def test_a_server_that_does_not_come_up_is_told(said: str, tmp_path: Path) -> None:
    """What it wrote is in the message, and it is gone."""
    before = set(psutil.Process().children())
    code = f"import sys; print('no', 'port', file=sys.stderr); print({said!r}, end='')"
    with (
        pytest.raises(RuntimeError, match=f"does not listen: {said}no port"),
        _processes.serving([sys.executable, "-c", code], tmp_path),
    ):
        pass
    assert set(psutil.Process().children()) <= before  # which pytest may have started


def test_a_server_is_gone_after_a_failure(tmp_path: Path) -> None:
    """It is killed and reaped, and this thread may run where it could before."""
    code = "print('listening on here:5', flush=True); input()"
    before = psutil.Process().cpu_affinity()
    process = None
    try:
        with _processes.serving([sys.executable, "-c", code], tmp_path) as server:
            process = psutil.Process(server.process.pid)
            assert [_processes.processors()[0]] == process.cpu_affinity()
            assert "5" == server.port
            assert server.cpu() > 0
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert process is not None
    assert not process.is_running()
    assert before == psutil.Process().cpu_affinity()


def test_two_values_are_taken_of_each_run() -> None:
    """Both series leave out the round that warms up."""
    numbers = iter(range(1, 100))

    def run() -> tuple[float, float]:
        number = next(numbers)
        return number, 10 * number

    firsts, others = _processes.interleaved_pairs({"a": run}, 2)
    assert ({"a": [2, 3]}, {"a": [20, 30]}) == (firsts, others)


class Sniffer(Trials):
    """One that misses nothing up to a rate, and a sender that can do no more."""

    def __init__(self, misses: float, most: float, steps: int) -> None:
        self.misses, self.most, self.steps = misses, most, steps
        self.factor = 2.0

    def trial(self, rate: float) -> float:
        """Return what is sent, or 0 where something is missed."""
        sent = min(rate, self.most)
        return sent if sent < self.misses else 0.0


def test_the_highest_rate_is_found() -> None:
    """The search closes in from below and above, and knows the sender's limit."""
    for start in (500.0, 16_000.0, 400_000.0):
        rate, is_senders = Sniffer(30_000, 1e6, 6).highest(start)
        assert 29_000 < rate < 30_000
        assert not is_senders
        assert (20_000, True) == Sniffer(30_000, 20_000, 6).highest(start)
    with pytest.raises(RuntimeError, match=f"packets are lost at {LEAST} a second"):
        Sniffer(0, 1e6, 6).highest(1_000)
