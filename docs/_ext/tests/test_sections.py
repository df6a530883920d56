"""docs/sections.toml is read, or refused in one line."""

from pathlib import Path

import pytest

import sections
from sections import Section, SectionsError

ROW = '[[section]]\ntitle = "A"\npage = "tcp"\nsnippet = "a"\n'


def test_the_sheet_has_its_sections() -> None:
    """The project's own file is read, with at least the 35 of the old sheet."""
    found = sections.read(Path(__file__).resolve().parents[2] / "sections.toml")
    assert 35 <= len(found)


def test_a_section_has_the_address_of_the_old_sheet(tmp_path: Path) -> None:
    """Page and anchor come from the row, the anchor as Sphinx makes it."""
    path = tmp_path / "sections.toml"
    path.write_text(ROW.replace('"A"', '"Get & Set - this"'), encoding="utf-8")
    [section] = sections.read(path)
    assert Section("Get & Set - this", "tcp", "a") == section
    assert ("cheatsheet/tcp", "get-set-this") == (section.docname, section.anchor)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[section", "mend it"),
        ("", "write one for each section"),
        ("section = 3", "write one for each section"),
        ("section = [1]", "write one for each section"),
        ('[[section]]\ntitle = "A"\n', r"section 1 \(A\): page must be a string"),
        ('[[section]]\npage = "tcp"\n', r"section 1 \(no title\): title must be"),
        (ROW + "clients = 'nc'\n", "clients must be a list"),
        (ROW + "contract = [1]\n", "contract must be a list"),
        (ROW + "platform = 'Windows'\n", 'platform must be one of "everywhere", '),
        (ROW + "to_come = 'yes'\n", "to_come must be true or left out"),
        (ROW + "tocome = true\n", "no field is called tocome"),
        (ROW + ROW.replace('"A"', '"B"'), "a is there twice"),
        (ROW + ROW.replace('"a"', '"b"'), "a is there twice"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """What is wrong is named in one line, with the file and what to do."""
    path = tmp_path / "sections.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SectionsError, match=message) as caught:
        sections.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert 1 == len(str(caught.value).splitlines())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(SectionsError, match=r"sections\.toml"):
        sections.read(tmp_path / "sections.toml")
