import pytest

from app.library.uploads import name_clean

NAMES = [
    ("report.pdf", "report.pdf"),
    ("../../etc/passwd", "passwd"),
    ("/abs/olute.txt", "olute.txt"),
    (r"C:\Users\me\report.docx", "report.docx"),
    (r"..\..\boot.ini", "boot.ini"),
    ("nul\x00byte.txt", "nulbyte.txt"),
    ("line\nbreak\r\t.txt", "linebreak.txt"),
    ("invoice\u202efdp.exe", "invoicefdp.exe"),
    ("zero\u200bwidth\ufeff.md", "zerowidth.md"),
    ("plan \U0001f469\u200d\U0001f4bb.txt", "plan \U0001f469\u200d\U0001f4bb.txt"),
    ("cafe\u0301.txt", "caf\u00e9.txt"),
    ("  spaced.txt  ", "spaced.txt"),
    ("CON", "CON"),
    ("", "file"),
    ("..", "file"),
    ("./", "file"),
    ("\x00\x01", "file"),
    ("half \ud800 surrogate.txt", "half  surrogate.txt"),
]


def test_a_name_is_made_harmless(subtests: pytest.Subtests) -> None:
    for sent, shown in NAMES:
        with subtests.test(sent=sent, shown=shown):
            assert name_clean(sent) == shown


def test_a_long_name_keeps_its_extension() -> None:
    shown = name_clean("ä" * 300 + ".html")
    assert len(shown) == 255
    assert shown.endswith("ä.html")


def test_a_long_name_that_only_has_a_dot_somewhere_is_cut_at_its_end() -> None:
    assert name_clean("a." + "b" * 300) == "a." + "b" * 253


@pytest.mark.parametrize("sent", ["x" * 255, "x" * 250 + ".text"])
def test_255_characters_are_not_cut(sent: str) -> None:
    assert name_clean(sent) == sent
