"""Optional sets of packages: kept for later starts, planned when they are missing, removed when declined."""

import argparse
import sys
from pathlib import Path

import pytest

from app.embedded.__main__ import read_arguments, remember_options
from app.embedded.box import Box
from app.embedded.optional_sets import OPTIONAL_SETS, set_installed
from app.embedded.startup import plan_box


def start(box: Box, *options: str) -> list[str]:
    """Return the titles of what a start with these options fetches first."""
    arguments: argparse.Namespace = read_arguments(options)
    remember_options(box, arguments)
    return [step.title for step in plan_box(box).fetches]


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    """A box whose Python has none of the sets."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "python"))
    (tmp_path / "python").mkdir()
    return Box(tmp_path / "data")


def test_a_set_is_fetched_when_it_was_asked_for_once(bare: Box) -> None:
    bare.folder.mkdir()
    for key, one in OPTIONAL_SETS.items():
        fetch = f"Fetching what reads {one.title} ({one.download_mb} MB)"
        assert start(bare) == []
        assert start(bare, f"--with-{key}") == [fetch]
        assert start(bare) == [fetch]
        assert start(bare, f"--without-{key}") == []
        assert start(bare) == []


def test_an_installed_set_is_fetched_again_only_when_its_lock_files_changed(bare: Box) -> None:
    bare.folder.mkdir()
    one = OPTIONAL_SETS["speech"]
    stamp = Path(sys.prefix) / ".installed-speech"
    stamp.write_text("of other lock files")
    assert not set_installed(one)
    assert start(bare, "--with-speech") != []


def test_both_ways_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_arguments(["--with-speech", "--without-speech"])
    assert "not allowed with" in capsys.readouterr().err


def test_every_set_has_lock_files_and_says_its_size() -> None:
    for one in OPTIONAL_SETS.values():
        assert all(path.is_file() for path in one.paths)
        assert one.installed_mb > one.download_mb > 0
