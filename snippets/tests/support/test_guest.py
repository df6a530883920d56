"""The guest: what a command in it gets, and how it ends where it does not by itself.

One guest costs two seconds, so what can share one does.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from support import guest, guest_modules, on_guest, requirements
from support.requirements import ROOT

pytestmark = pytest.mark.linux
SOON = 60.0  # seconds until a guest must be off

Inner = Callable[..., pytest.RunResult]

# What the command does in the guest, where each line that it prints is looked at.
INSIDE = """
import os, platform, socket, sys
from support import guest, on_guest
print(guest.is_here(), on_guest.has_af_alg(), os.getuid())
print(os.environ["WORD"], sys.argv[1:], os.getcwd())
print(sorted(name for _, name in socket.if_nameindex()))
with socket.create_server(("127.0.0.1", 0)) as listener:
    socket.create_connection(listener.getsockname()).close()
print("connected")
open(sys.argv[1], "w").write("written")
sys.exit(3)
"""


@pytest.fixture
def needs_guest() -> None:
    """Skip where there is no guest, and say how to get it."""
    lack = guest.missing()
    if lack:
        pytest.skip(lack)


def own_processes() -> set[int]:
    """Return the guests' processes that this test has started."""
    found = set()
    for process in psutil.process_iter(["name", "status", "pid"]):
        is_alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if process.info["name"] == guest.PROGRAM and is_alive:
            found.add(process.info["pid"])
    return found


@pytest.mark.usefixtures("needs_guest")
def test_what_a_command_gets(tmp_path: Path) -> None:
    """It gets AF_ALG, loopback, our files, environment and arguments."""
    target = tmp_path / "a file"
    arguments = [str(target), "two words", "it's"]
    ended = guest.run(
        [sys.executable, "-c", INSIDE, *arguments],
        cwd=ROOT / "snippets",
        environment={
            **os.environ,
            "WORD": "a 'quoted' $word",
            "PYTHONPATH": str(ROOT / "snippets" / "tests"),
        },
        deadline=SOON,
    )
    expected = [
        "True True 0",
        f"a 'quoted' $word {arguments} {ROOT / 'snippets'}",
        "['lo']",
        "connected",
    ]
    assert (3, expected) == (ended.status, ended.output.splitlines())
    assert "written" == target.read_text()
    assert os.geteuid() == target.stat().st_uid


@pytest.mark.usefixtures("needs_guest")
def test_a_guest_that_hangs_is_ended() -> None:
    """At its deadline it is ended with all its processes, and its console is shown."""
    before = own_processes()
    with pytest.raises(guest.GuestError, match=r"(?s)no end.*Linux.*after 4 s"):
        guest.run(["sleep", "1000"], cwd=ROOT, environment={}, deadline=4)
    deadline = time.monotonic() + SOON
    while own_processes() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert set() == own_processes() - before


@pytest.mark.usefixtures("needs_guest")
def test_a_guest_that_panics_is_shown() -> None:
    """A panic ends it at once, and the console says where."""
    crash = ["sh", "-c", "echo going; echo c >/proc/sysrq-trigger"]
    with pytest.raises(guest.GuestError, match=r"(?s)Kernel panic.*going"):
        guest.run(crash, cwd=ROOT, environment={}, deadline=SOON)


def test_a_missing_guest_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without linux.uml the message names the package and what installs it."""
    monkeypatch.setattr(requirements, "usable", lambda _: False)
    monkeypatch.setattr(guest, "PROGRAM", "no-such-program")
    monkeypatch.setitem(requirements.packages(), "no-such-program", "user-mode-linux")
    with pytest.raises(guest.GuestError) as caught:
        guest.run(["true"], cwd=ROOT, environment={}, deadline=1)
    assert "nox -s deps (Debian package user-mode-linux)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary folder with a blank in its name is refused in one line."""
    (tmp_path / "a b").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "a b"))
    monkeypatch.setattr(guest, "PROGRAM", "true")
    with pytest.raises(guest.GuestError, match="set TMPDIR"):
        guest.run(["true"], cwd=ROOT, environment={}, deadline=1)


def test_a_guest_without_a_status_came_to_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the guest early, a full disk for one, is told as such."""
    fake = tmp_path / guest.PROGRAM
    fake.write_text('#!/bin/sh\n: >"$HOME/status"\necho last words\n')
    fake.chmod(0o755)
    monkeypatch.setattr(requirements, "PATH", str(tmp_path))
    with pytest.raises(guest.GuestError, match=r"(?s)no end.*last words"):
        guest.run(["true"], cwd=ROOT, environment={}, deadline=SOON)


def test_what_is_no_utf_8_is_passed_on(tmp_path: Path) -> None:
    """Names and variables may be any bytes."""
    odd = os.fsdecode(b"\xff")
    guest.furnish(tmp_path, ["echo", odd], ROOT, {"WORD": odd}, 1)
    assert 2 == (tmp_path / "command").read_bytes().count(b"\xff")


def test_memory_is_not_taken_where_nothing_may_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where /dev/shm is noexec, or too small, it is a file in a temporary folder."""
    for room, flags, is_taken in ((10**6, 0, True), (1, 0, False), (10**6, 8, False)):
        here = SimpleNamespace(f_bavail=room, f_frsize=4_096, f_flag=flags)
        monkeypatch.setattr(os, "statvfs", lambda _, here=here: here)
        assert is_taken == (guest.memory_folder() == "/dev/shm")  # noqa: S108


def test_a_stand_in_that_ends_is_noticed(inner: Inner) -> None:
    """Where what waits for the guest ends without an answer, nobody waits for it."""
    result = inner(change="sys.exit(7)")
    assert {"failed": 3} == result.parseoutcomes()
    result.stdout.fnmatch_lines(["*on_guest.py ended with exit status 7*"])


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    """Each file comes once, what it depends on before it; built in is no file."""
    (tmp_path / "modules.dep").write_text(
        "a/top.ko: a/middle.ko a/low.ko\na/middle.ko: a/low.ko\na/low.ko:\n"
        "a/other-one.ko.xz:\n"
    )
    found = guest_modules.to_load(tmp_path, ["top", "other-one", "middle", "builtin"])
    expected = ["a/low.ko", "a/middle.ko", "a/top.ko", "a/other-one.ko.xz"]
    assert expected == [str(path.relative_to(tmp_path)) for path in found]


TESTS = """
import pytest

pytestmark = pytest.mark.af_alg


def test_good():
    pass


def test_bad():
    assert 1 == 2


def test_left_out():
    pytest.skip("no reason")
"""

# What stands in for the guest: main() as it is, but pytest runs on this kernel, or
# what the function "run" does instead.
STAND_IN = """
import subprocess, sys
from support import guest, on_guest

def run(argv, cwd, environment, deadline):
    both = {{'stdout': subprocess.PIPE, 'stderr': subprocess.STDOUT}}
    done = subprocess.run(argv, cwd=cwd, env=environment, **both)
    return guest.Ended(done.returncode, done.stdout.decode())

{change}
guest.run = run
on_guest.main()
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    """Return what runs tests that need a kernel which this one is taken not to be."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("CI", "")
    monkeypatch.setattr(on_guest, "has_af_alg", lambda: False)
    monkeypatch.setattr(guest, "missing", lambda: None)
    pytester.makepyfile(TESTS)
    pytester.makeini("[pytest]\naddopts = -p support.strict -p support.on_guest\n")

    def run(*arguments: str, change: str = "") -> pytest.RunResult:
        code = STAND_IN.format(change=change)
        monkeypatch.setattr(on_guest, "COMMAND", (sys.executable, "-c", code))
        return pytester.runpytest_inprocess(*arguments)

    return run


def test_reports_of_the_guest_are_ours(inner: Inner) -> None:
    """What passes, fails and is skipped there does so here, with its reasons."""
    result = inner("-rs")
    assert {"passed": 1, "failed": 1, "skipped": 1} == result.parseoutcomes()
    result.stdout.fnmatch_lines(["*assert 1 == 2*", "*no reason*"])


def test_a_skip_in_the_guest_fails_where_ci_is_set(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In CI a skip is a failure in the guest, too."""
    monkeypatch.setenv("CI", "true")
    result = inner()
    assert {"passed": 1, "failed": 2} == result.parseoutcomes()
    result.stdout.fnmatch_lines(["*counts as a failure*no reason*"])


def test_a_guest_without_an_end_fails_each_test(inner: Inner) -> None:
    """Where the guest comes to grief its tests fail, and the console is shown."""
    panic = "def run(*_, **__): raise guest.GuestError('Kernel panic')"
    result = inner(change=panic)
    assert {"failed": 3} == result.parseoutcomes()
    result.stdout.fnmatch_lines(["*Kernel panic*"])


def test_a_test_that_the_guest_did_not_run_fails(inner: Inner) -> None:
    """A test without a report from the guest is not taken for one that passed."""
    part = "sys.argv = [name for name in sys.argv if 'bad' not in name]"
    result = inner(change=part)
    assert {"passed": 1, "failed": 1, "skipped": 1} == result.parseoutcomes()
    result.stdout.fnmatch_lines(["*the guest ran no such test*"])


def test_pytest_that_fails_in_the_guest_is_shown(inner: Inner) -> None:
    """Where pytest itself ends in an error there, that is the reason here."""
    result = inner(change="sys.argv = ['on_guest', 'no/such/file.py']")
    assert {"failed": 3} == result.parseoutcomes()
    result.stdout.fnmatch_lines(
        ["*pytest in the guest, status 4:", "*no/such/file.py*"]
    )


@pytest.mark.parametrize(
    ("ci", "expected"), [("", {"skipped": 3}), ("true", {"failed": 3})]
)
def test_without_a_guest(
    inner: Inner,
    monkeypatch: pytest.MonkeyPatch,
    ci: str,
    expected: dict[str, int],
) -> None:
    """Without linux.uml they are skipped at home, and fail in CI; both say why."""
    monkeypatch.setenv("CI", ci)
    why = "linux.uml is missing: run nox -s deps"
    monkeypatch.setattr(guest, "missing", lambda: why)
    result = inner("-rs", change=f"def run(*_, **__): raise guest.GuestError({why!r})")
    assert expected == result.parseoutcomes()
    result.stdout.fnmatch_lines([f"*{why}*"])


def test_nothing_is_started_to_list_tests(inner: Inner) -> None:
    """--collect-only boots no guest, and neither does a run without such tests."""
    for arguments in (("--collect-only",), ("-k", "no_such_test")):
        result = inner(*arguments, change="open('started', 'w')")
        assert not Path("started").exists()
        assert "failed" not in result.parseoutcomes()


def test_other_tests_come_first(inner: Inner, pytester: pytest.Pytester) -> None:
    """The guest's tests wait for its end, so they come behind all others."""
    pytester.makepyfile(test_zzz="def test_last(): pass")
    lines = inner("--collect-only", "-q").outlines
    assert "test_zzz.py::test_last" == lines[0]


def test_another_system_leaves_them_out(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there can be neither AF_ALG nor a guest the tests are no skips."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert {"deselected": 3} == inner().parseoutcomes()


def test_only_the_first_worker_starts_a_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait for the answer to what the first one asked."""
    started = []

    def popen(argv: object, **_: object) -> None:
        started.append(argv)

    monkeypatch.setattr(subprocess, "Popen", popen)
    item = SimpleNamespace(
        nodeid="x", user_properties=[], get_closest_marker=lambda _: "af_alg"
    )
    for name in ("gw0", "gw1", "gw2"):
        config: Any = SimpleNamespace(
            workerinput={"workerid": name},
            option=SimpleNamespace(collectonly=False),
            getoption=lambda *_, **__: False,
            rootpath=ROOT,
        )
        session: Any = SimpleNamespace(items=[item])
        on_guest.Elsewhere(config).pytest_collection_finish(session)
    assert [[*on_guest.COMMAND, "x"]] == started


def test_an_interrupt_ends_the_guest(tmp_path: Path) -> None:
    """SIGTERM to the process that waits for the guest ends both."""
    sleeper = tmp_path / guest.PROGRAM
    sleeper.write_text('#!/bin/sh\necho $$ >"$HOME/../pid"\nexec sleep 1000\n')
    sleeper.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    environment = {
        **os.environ,
        "PATH": path,
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": str(ROOT / "snippets" / "tests"),
        on_guest.ANSWER: str(tmp_path / "answer"),
    }
    with subprocess.Popen([*on_guest.COMMAND, "x"], env=environment) as process:
        pid, deadline = tmp_path / "pid", time.monotonic() + SOON
        while not (pid.exists() and pid.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert 128 + signal.SIGINT == process.wait(SOON)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert not (tmp_path / "answer").exists()
