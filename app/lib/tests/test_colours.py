import random
import re
from pathlib import Path

import pytest

from app.lib.colours import DARK_GROUNDS, LIGHT_GROUNDS, accent_css, colour_read, contrast, tones

HARD = ["#ffffff", "#000000", "#ffff00", "#00ff00", "#808080", "#0000ff", "#ff0000", "#fbfaf7", "#151613", "#7f7f7f"]
DRAWN = [f"#{random.Random(seed).randrange(1 << 24):06x}" for seed in range(300)]


def test_every_colour_becomes_readable_on_every_ground() -> None:
    unreadable = [
        f"{accent} as {tone.ink} on {ground}"
        for accent in HARD + DRAWN
        for tone, grounds in zip(tones(accent), (LIGHT_GROUNDS, DARK_GROUNDS), strict=True)
        for ground in (*grounds, tone.wash)
        if contrast(colour_read(tone.ink), colour_read(ground)) < 4.5
    ]
    assert unreadable == []


def test_a_colour_that_is_readable_stays_as_it_was_chosen() -> None:
    assert tones("#0d6a4b")[0].ink == "#0d6a4b"
    assert tones("#5fc79b")[1].ink == "#5fc79b"


def test_contrast_is_wcag_s() -> None:
    assert contrast((0, 0, 0), (1, 1, 1)) == pytest.approx(21)
    assert contrast(colour_read("#777777"), (1, 1, 1)) == pytest.approx(4.48, abs=0.01)


def test_the_grounds_are_those_of_the_pages() -> None:
    tokens = (Path(__file__).parents[2] / "static" / "refdesk" / "tokens.css").read_text()
    found = [re.search(rf"--{name}: light-dark\((#\w+), (#\w+)\)", tokens) for name in ("paper", "sheet")]
    assert [each and each.groups() for each in found] == list(zip(LIGHT_GROUNDS, DARK_GROUNDS, strict=True))


def test_the_stylesheet_holds_nothing_but_the_two_tokens() -> None:
    assert re.fullmatch(
        r":root\{--lamp:light-dark\(#\w{6},#\w{6}\);--lampwash:light-dark\(#\w{6},#\w{6}\)\}\n", accent_css("#aa3300")
    )
