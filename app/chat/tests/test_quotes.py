import pytest

from app.chat.quotes import quotes_exact, quotes_find

TABLE = """6 When something goes wrong

Code | Meaning | What to do
E-17 | Flow too low | Descale; then set the grind two steps coarser
E-19 | No heat. Rare. | Switch off for 15 minutes
E-21 | Leak found in the base | Pull the plug and call service at once

6.1 Coffee tastes wrong

Thin or sour coffee: choose a higher strength. Bitter coffee: lower the temperature by two degrees."""
LEAVE = (
    "Annual leave is 28 days. Up to five days may be carried over. They must be taken by 31 March. Ask your manager."
)
ERRORS = """Code: E-19; Meaning: No heat; What to do: Wait
Code: E-21; Meaning: Leak. Base; What to do: Pull the plug. Call service"""
ROWS = "Article: Cup 300 ml; Price: 57.60\nArticle: Seal set; Price: 14.20\nArticle: Strips; Price: 9.10"


def parts(claim: str, passage: str) -> list[str]:
    return [passage[start:end] for start, end in quotes_find(claim, passage)]


@pytest.mark.parametrize(
    ("claim", "passage", "quoted"),
    [
        ("“They must be taken by 31 March.” [1]", LEAVE, ["They must be taken by 31 March."]),
        ("Pull the plug.", ERRORS, ["Code: E-21; Meaning: Leak. Base; What to do: Pull the plug. Call service"]),
        ("“6.1 Coffee tastes wrong Thin or sour coffee: choose” [1]", TABLE,
         ["6.1 Coffee tastes wrong\n\nThin or sour coffee: choose"]),
        ("pull the plug and call service at once [1].", TABLE.replace("Pull", "pull"),
         ["E-21 | Leak found in the base | pull the plug and call service at once"]),
        ("E-19 | No heat. Rare. | Switch off for 15 minutes [2]", TABLE,
         ["E-19 | No heat. Rare. | Switch off for 15 minutes"]),
        ("Article: Seal set; Price: 14.20 [1]", ROWS, ["Article: Seal set; Price: 14.20"]),
    ],
)  # fmt: skip
def test_a_quotation_is_found_as_it_stands_and_a_row_as_a_whole(claim: str, passage: str, quoted: list[str]) -> None:
    assert parts(claim, passage) == quoted
    assert [passage[start:end] for start, end in quotes_exact(claim, passage) or []] == quoted


@pytest.mark.parametrize(
    ("claim", "passage", "quoted"),
    [
        ("When the machine shows E-21, unplug it and call the service immediately [1].", TABLE,
         ["E-21 | Leak found in the base | Pull the plug and call service at once"]),
        ("You may carry over up to five days of your leave, which you have to take by 31 March [1].", LEAVE,
         ["Up to five days may be carried over. They must be taken by 31 March."]),
        ("E-17 means that the flow is too low, E-21 that there is a leak in the base [1].", TABLE,
         ["E-17 | Flow too low | Descale; then set the grind two steps coarser",
          "E-21 | Leak found in the base | Pull the plug and call service at once"]),
        ("Der Fehler E-21 bedeutet, dass Wasser austritt [1].", TABLE,
         ["E-21 | Leak found in the base | Pull the plug and call service at once"]),
        ("The seal set costs £14.20 [1].", ROWS, ["Article: Seal set; Price: 14.20"]),
    ],
)  # fmt: skip
def test_other_words_are_matched_with_the_sentences_that_say_the_same(
    claim: str, passage: str, quoted: list[str]
) -> None:
    assert quotes_exact(claim, passage) is None
    assert parts(claim, passage) == quoted


@pytest.mark.parametrize("claim", ["It is a nice walk along the lake [1].", "[1]", "", "Yes [1].", "days"])
def test_nothing_is_marked_when_nothing_matches_well(claim: str) -> None:
    assert quotes_find(claim, TABLE) == []


def test_words_that_stand_there_twice_tell_no_place() -> None:
    assert quotes_exact("call service now [1]", "Leak: call service now. Smoke: call service now.") is None


def test_an_empty_passage_has_no_quotes() -> None:
    assert quotes_find("Anything at all [1].", "") == []
