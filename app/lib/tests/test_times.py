from datetime import UTC, datetime

import pytest

from app.lib.times import time_text


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 21, 14, 8, 58, 470_300, tzinfo=UTC),
        "2026-11-21T14:08:58.4703+00:00",
        "2026-11-21T14:08:58.470300+00:00",
        "2026-11-21T15:08:58.47+01:00",
    ],
)
def test_the_same_time_is_said_in_the_same_way(moment: datetime | str) -> None:
    assert time_text(moment) == "2026-11-21T14:08:58.470Z"


def test_a_whole_second_has_milliseconds_too() -> None:
    assert time_text("2026-11-21T14:08:58+00:00") == "2026-11-21T14:08:58.000Z"
