"""JUnit files become results, or are refused as a whole."""

from collections.abc import Callable
from pathlib import Path

import pytest

import results

Report = Callable[..., Path]


def read(project: Path) -> results.Results:
    """Return what the project's results say."""
    return results.read(project / "build" / "results", project)


def test_no_folder_says_nothing(project: Path) -> None:
    """Without a folder of results there are none, and no complaint."""
    assert results.Results() == read(project)


@pytest.mark.parametrize(
    ("outcome", "reason", "expected"),
    [
        ("passed", "", ""),
        ("failed", "assert 1 == 2\nmore of it", "assert 1 == 2"),
        ("skipped", "nc is missing: run nox -s deps", "nc is missing: run nox -s deps"),
        ("failed", "", "no reason given"),
        ("failed", "x" * 1000, "x" * 300 + " ..."),
    ],
)
def test_outcome_and_reason(
    project: Path, report: Report, outcome: str, reason: str, expected: str
) -> None:
    """A test passed, failed or was skipped, and the first line says why."""
    report("a.xml", {"outcome": outcome, "reason": reason})
    [result] = read(project).of_snippets
    assert (outcome, expected) == (result.outcome, result.reason)


def test_all_properties_are_kept(project: Path, report: Report) -> None:
    """A result says what was checked, where, when and by what means."""
    report(
        "a.xml",
        {
            "kind": "contract",
            "contract": "stream",
            "check": "It echoes.",
            "checks": "2",
            "emulated": "kqueue on Linux",
            "name": "test_it[fe80::1%lo]",
        },
    )
    assert (
        results.Result(
            snippet="echo_trial",
            kind="contract",
            contract="stream",
            check="It echoes.",
            test="tests.test_x::test_it[fe80::1%lo]",
            environment=results.Environment(
                "CPython 3.13.0", "Linux 6.1", "OpenSSL 3.0"
            ),
            outcome="passed",
            reason="",
            emulated="kqueue on Linux",
            date="2026-11-21",
            changed=(),
            checks=2,
            run="a",
        ),
    ) == read(project).of_snippets


def test_a_changed_file_is_named(project: Path, report: Report) -> None:
    """A result of another version of a file says which file has changed since."""
    report("a.xml", {})
    path = project / "snippets" / "echo_trial.py"
    path.write_text('"""Echo, differently."""\n', encoding="utf-8")
    [result] = read(project).of_snippets
    assert ("snippets/echo_trial.py",) == result.changed


def test_a_removed_file_has_changed(project: Path, report: Report) -> None:
    """A result of a file that is no longer there does not count either."""
    report("a.xml", {})
    (project / "snippets" / "echo_trial.py").unlink()
    [result] = read(project).of_snippets
    assert ("snippets/echo_trial.py",) == result.changed


def test_each_source_counts(project: Path, report: Report) -> None:
    """A result whose test was changed or removed does not count, and says which."""
    names = ["snippets/echo_trial.py", "snippets/tests/test_echo_trial.py"]
    test = project / names[1]
    test.parent.mkdir()
    test.write_text("def test_it(): pass\n", encoding="utf-8")
    path = report("a.xml", {})
    first, second = (
        f"{name} sha256:{results.digest(project / name)}" for name in names
    )
    one = f'<property name="source" value="{first}" />'
    text = path.read_text(encoding="utf-8")
    assert one in text
    path.write_text(text.replace(one, one + one.replace(first, second)), "utf-8")
    assert [()] == [result.changed for result in read(project).of_snippets]
    test.write_text("", encoding="utf-8")
    assert [(names[1],)] == [result.changed for result in read(project).of_snippets]
    test.unlink()
    assert [(names[1],)] == [result.changed for result in read(project).of_snippets]


def test_other_tests_matter_only_if_they_fail(project: Path, report: Report) -> None:
    """A test that is about no snippet is kept if it failed, with its reason."""
    report(
        "a.xml",
        {"kind": "", "name": "test_good"},
        {"kind": "", "name": "test_bad", "outcome": "failed", "reason": "broken"},
    )
    found = read(project)
    assert () == found.of_snippets
    assert (("tests.test_x::test_bad", "broken"),) == found.other_failures


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("</testsuite></testsuites>", "", "not XML"),
        ("testsuites", "html", "not a JUnit file"),
        ('timestamp="2026-', 'timestamp="', "is not a time"),
        ('value="case"', 'value="joke"', "unknown kind, joke"),
        ('name="kernel"', 'name="core"', "has no property kernel"),
        ('name="source"', 'name="sauce"', "has no property source"),
        (" sha256:", " md5:", "does not name a file and its hash"),
        ('value="case"', 'value="contract"', "has no property contract"),
        ('name="environment"', 'name="checks"', "checks as below, which is no number"),
    ],
)
def test_a_damaged_file_says_nothing(
    project: Path, report: Report, before: str, after: str, reason: str
) -> None:
    """Of a damaged file not one result is used; the others are."""
    path = report("bad.xml", {"name": "test_fine"}, {"name": "test_last"})
    text = path.read_text(encoding="utf-8")
    head, found, tail = text.rpartition(before)
    assert before == found
    new = text.replace(before, after) if "test" in before else head + after + tail
    path.write_text(new, encoding="utf-8")
    report("good.xml", {"name": "test_good"})
    got = read(project)
    assert ["tests.test_x::test_good"] == [result.test for result in got.of_snippets]
    [damage] = got.damaged
    assert path == damage.path
    assert reason in damage.reason


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"<testsuites>"])
def test_a_file_that_is_no_xml(project: Path, content: bytes) -> None:
    """An empty file, bytes that are no text and half a file are damaged."""
    path = project / "build" / "results" / "a.xml"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    [damage] = read(project).damaged
    assert "it is not XML, or only a part of it" in damage.reason
