"""What was made once is found again, by all that it is made of."""

from pathlib import Path

import kept


def test_made_once(tmp_path: Path) -> None:
    """It is made where it is not there, and taken from there after that."""
    made = []

    def make() -> str:
        made.append(1)
        return "text \N{EM DASH}"

    folder = tmp_path / "new" / "folder"
    assert "text \N{EM DASH}" == kept.text(folder, ("of", 1), make)
    assert "text \N{EM DASH}" == kept.text(folder, ("of", 1), make)
    assert [1] == made
    assert 1 == len(list(folder.iterdir()))


def test_of_other_things(tmp_path: Path) -> None:
    """What is made of something else is another text."""
    assert "a" == kept.text(tmp_path, ("of", 1), lambda: "a")
    assert "b" == kept.text(tmp_path, ("of", "1"), lambda: "b")
    assert "a" == kept.text(tmp_path, ("of", 1), lambda: "c")
