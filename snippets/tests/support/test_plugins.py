"""The pytest plugins label tests, refuse skips in CI and rewrite pages."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from xml.etree import ElementTree

import pytest

from contracts import stream
from support import labels, requirements
from support.pages import parse
from support.requirements import ROOT


@pytest.fixture(autouse=True)
def only_our_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load no plugin that is merely installed: each run here would load all anew."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


SKIPPING = """
    import pytest

    def test_at_run_time():
        pytest.skip("nc is missing: run nox -s deps")

    @pytest.mark.skip(reason="never run")
    def test_by_mark():
        pass

    def test_passes():
        pass
"""


@pytest.mark.parametrize(
    ("ci", "expected"),
    [
        ("", {"skipped": 2, "passed": 1}),
        ("true", {"failed": 1, "errors": 1, "passed": 1}),
    ],
)
def test_a_skip_fails_where_ci_is_set(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    ci: str,
    expected: dict[str, int],
) -> None:
    """At home a skip is a skip; where CI is set it is a failure that says why."""
    monkeypatch.setenv("CI", ci)
    pytester.makepyfile(SKIPPING)
    result = pytester.runpytest_inprocess("-p", "support.strict")
    assert expected == result.parseoutcomes()
    if ci:
        result.stdout.fnmatch_lines(["*counts as a failure*nc is missing*nox -s deps*"])


def test_signals_are_put_back(pytester: pytest.Pytester) -> None:
    """What one test does to a signal, the next one does not see."""
    pytester.makepyfile(
        """
        import signal

        def test_one():
            assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)

        test_two = test_one
        """
    )
    result = pytester.runpytest_inprocess("-p", "support.strict")
    assert {"passed": 2} == result.parseoutcomes()


def test_a_skipped_file_fails_where_ci_is_set(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that skips itself whole does not vanish from CI."""
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile("import pytest\npytest.importorskip('no_such_module')\n")
    result = pytester.runpytest_inprocess("-p", "support.strict")
    assert {"errors": 1} == result.parseoutcomes()


def run_here(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run the project's own tests, with its own configuration."""
    return pytester.runpytest_inprocess(
        *(f"--rootdir={ROOT}", f"-c{ROOT / 'pyproject.toml'}", "-pno:cacheprovider"),
        # none inside the deadline of the test that runs this
        *("-ppytest_doctestplus.plugin", "-ppytest_timeout", "--timeout=0"),
        *arguments,
    )


@pytest.mark.linux
def test_pytest_collects_every_transcript(pytester: pytest.Pytester) -> None:
    """A run of the pages has an item for each section that has console blocks."""
    docs = ROOT / "docs"
    listing = run_here(pytester, "--collect-only", "-q", str(docs)).outlines
    expected = [
        f"{page.relative_to(ROOT).as_posix()}::transcript[{section.anchor}]"
        for page in docs.rglob("*.rst")
        for section in parse(page)
        if section.blocks
    ]
    assert sorted(expected) == sorted(x for x in listing if "::transcript[" in x)


def test_a_module_without_doctests_is_left_alone(pytester: pytest.Pytester) -> None:
    """A module is imported for its tests or its doctests, else not."""
    pytester.makepyfile(test_it="def test_it(): pass", plain="1 / 0")
    pytester.makepyfile(shown="'''\n>>> 1\n1\n'''")
    plugins = ("-ppytest_doctestplus.plugin", "-psupport.doctests", "--doctest-plus")
    result = pytester.runpytest_inprocess(*plugins)
    assert {"passed": 2} == result.parseoutcomes()


def test_results_say_what_was_tested(pytester: pytest.Pytester) -> None:
    """A JUnit file names kind, snippet, version of the file, and environment."""
    junit = pytester.path / "junit.xml"
    target = "snippets/byte_order.py"
    result = run_here(
        pytester,
        f"--junitxml={junit}",
        str(ROOT / target),
        str(ROOT / "snippets/tests/test_byte_order.py"),
    )
    assert {"passed"} == set(result.parseoutcomes())
    cases = [
        [(p.get("name"), p.get("value")) for p in case.iter("property")]
        for case in ElementTree.parse(junit).iter("testcase")  # noqa: S314
    ]
    digest = hashlib.sha256((ROOT / target).read_bytes()).hexdigest()[:16]
    test = "snippets/tests/test_byte_order.py"
    test_digest = hashlib.sha256((ROOT / test).read_bytes()).hexdigest()[:16]
    module = ("source", f"{test} sha256:{test_digest}")
    assert cases
    assert {"doctest", "case"} == {dict(case)["kind"] for case in cases}
    for case in cases:
        assert ("snippet", "byte_order") in case
        assert ("source", f"{target} sha256:{digest}") in case
        assert (dict(case)["kind"] == "case") == (module in case)
        assert dict(case)["environment"] == ", ".join(
            str(dict(case)[key]) for key in ("python", "kernel", "openssl")
        )


def test_a_check_names_the_module_of_its_contract() -> None:
    """A check's result rests on the snippet, on its test and on what defines it."""
    contract = stream.sequential("tcp_echo_server")
    item = SimpleNamespace(
        path=ROOT / "snippets/tests/test_tcp_echo_server.py",
        name="test_half_close",
        cls=contract,
        obj=contract.test_half_close,
        get_closest_marker=lambda _: None,
    )
    found = list(labels.labels(cast("pytest.Item", item)))
    assert [
        "snippets/tcp_echo_server.py",
        "snippets/tests/contracts/program.py",
        "snippets/tests/contracts/stream.py",
        "snippets/tests/test_tcp_echo_server.py",
    ] == sorted(text.split()[0] for name, text in found if name == "source")
    checks = sum(name.startswith("test") for name in dir(contract))
    assert str(checks) == dict(found)["checks"]


def test_a_check_that_may_be_left_out_is_not_counted() -> None:
    """Neither a slow check nor one that the contract takes back must be run."""

    def check() -> None:
        """Be slow."""

    check.pytestmark = [SimpleNamespace(name="slow")]  # type: ignore[attr-defined]
    usual = {"test_a": lambda _: None, "test_b": None, "client": lambda _: None}
    cls = type("Contract", (), {**usual, "test_slow": check})
    item = cast("pytest.Item", SimpleNamespace(cls=cls))
    assert 1 == labels.number_of_checks(item)


def test_a_missing_client_names_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing, and how to get it, is one line."""
    monkeypatch.setattr(requirements, "PATH", str(tmp_path))
    requirements.usable.cache_clear()
    try:
        told = requirements.missing(
            requirements.clients_in(["echo x | nc -N localhost 1"])
        )
    finally:
        requirements.usable.cache_clear()
    assert told == (
        "the client nc is missing: run nox -s deps (Debian package netcat-openbsd)"
    )


def test_another_nc_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program called nc that is not OpenBSD's counts as missing."""
    fake = tmp_path / "nc"
    fake.write_text("#!/bin/sh\necho 'GNU netcat 0.7.1'\n")
    fake.chmod(0o755)
    monkeypatch.setattr(requirements, "PATH", str(tmp_path))
    requirements.usable.cache_clear()
    try:
        assert not requirements.usable("nc")
    finally:
        requirements.usable.cache_clear()


PAGE = """\
Title
=====

Section
-------

.. code-block:: console

   $ echo truth
   lie

End.
"""


def inner(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run the items plugin on PAGE in its own small project."""
    docs = pytester.mkdir("docs")
    (docs / "page.rst").write_text(PAGE)
    pytester.makeconftest(
        """
        from pathlib import Path
        from support import items
        items.SectionNames.should_parse = lambda self, path: path.suffix == ".rst"
        pytest_plugins = ["support.items"]
        """
    )
    return pytester.runpytest_inprocess(*options, str(docs))


@pytest.mark.linux
@pytest.mark.usefixtures("needs_sandbox")
def test_an_untrue_page_is_a_failed_item(pytester: pytest.Pytester) -> None:
    """A page that lies fails, and the report shows the difference."""
    result = inner(pytester)
    result.stdout.fnmatch_lines(["*page.rst:7: *the output differs", "-lie", "+truth"])
    assert 1 == result.parseoutcomes().get("failed")


@pytest.mark.linux
@pytest.mark.usefixtures("needs_sandbox")
def test_rewriting_makes_the_page_true(pytester: pytest.Pytester) -> None:
    """The option writes what happened into the page; then the page passes."""
    result = inner(pytester, "--rewrite-transcripts")
    assert {"passed": 1} == result.parseoutcomes()
    text = (pytester.path / "docs" / "page.rst").read_text()
    assert PAGE.replace("lie", "truth") == text


def test_rewriting_refuses_to_run_in_parallel(pytester: pytest.Pytester) -> None:
    """Two sections of one file would be written over each other."""
    result = inner(pytester, "--rewrite-transcripts", "-pxdist.plugin", "-n2")
    result.stderr.fnmatch_lines(["*leave out -n*"])


def test_a_malformed_page_is_one_clear_line(pytester: pytest.Pytester) -> None:
    """A page that cannot be parsed fails the collection without a traceback."""
    docs = pytester.mkdir("docs2")
    (docs / "page.rst").write_text("T\n-\n\n.. code-block:: console\n\n   $ true\n")
    pytester.makeconftest(
        """
        from support import items
        items.SectionNames.should_parse = lambda self, path: path.suffix == ".rst"
        pytest_plugins = ["support.items"]
        """
    )
    result = pytester.runpytest_inprocess(str(docs))
    result.stdout.fnmatch_lines(["*page.rst:4: this directive stands in no section*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert {"errors": 1} == result.parseoutcomes()
