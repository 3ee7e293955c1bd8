import pytest

from app.chat.turn import codes_stand_in

MANUAL = ["Error codes\nE-17 | Flow too low. Clean the filter TV-4105.", "The Vale 3 weighs 18.4 kg."]


@pytest.mark.parametrize(
    ("question", "stands"),
    [
        ("What does error E-17 mean?", True),
        ("Does E-17 concern TV-4105?", True),
        ("What does error E-42 mean?", False),
        ("Does E-42 concern TV-4105?", False),
        ("What does the error mean?", False),
        ("How heavy is the Vale 3?", False),
    ],
)
def test_a_code_counts_where_it_stands(question: str, stands: bool) -> None:
    assert codes_stand_in(question, MANUAL) is stands
