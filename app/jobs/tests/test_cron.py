from datetime import UTC, datetime

import pytest

from app.errors import Invalid
from app.jobs.cron import cron_next


def times(cron: str, after: datetime, count: int, zone: str = "UTC") -> list[str]:
    found = []
    for _ in range(count):
        after = cron_next(cron=cron, time_zone=zone, after=after)
        found.append(after.astimezone(UTC).strftime("%Y-%m-%d %H:%M"))
    return found


# A Monday.
MONDAY = datetime(2027, 3, 1, 10, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("* * * * *", ["2027-03-01 10:18", "2027-03-01 10:19"]),
        ("*/20 * * * *", ["2027-03-01 10:20", "2027-03-01 10:40"]),
        ("5/25 * * * *", ["2027-03-01 10:30", "2027-03-01 10:55"]),
        ("0 9-17/4 * * *", ["2027-03-01 13:00", "2027-03-01 17:00"]),
        ("17 10 * * *", ["2027-03-02 10:17", "2027-03-03 10:17"]),
        ("0 4 * * 0", ["2027-03-07 04:00", "2027-03-14 04:00"]),
        ("0 4 * * 7", ["2027-03-07 04:00", "2027-03-14 04:00"]),
        ("0 4 * * MON-Wed", ["2027-03-02 04:00", "2027-03-03 04:00"]),
        ("0 4 1,15 * *", ["2027-03-15 04:00", "2027-04-01 04:00"]),
        ("0 4 31 * *", ["2027-03-31 04:00", "2027-05-31 04:00"]),
        ("0 4 1 jan,jul *", ["2027-07-01 04:00", "2028-01-01 04:00"]),
        # Either day matches when both are given, both days when one begins with a star.
        ("0 4 10 * 5", ["2027-03-05 04:00", "2027-03-10 04:00"]),
        ("0 4 */2 * 5", ["2027-03-05 04:00", "2027-03-19 04:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
    ],
)
def test_an_expression_comes_when_crontab_says(cron: str, expected: list[str]) -> None:
    assert times(cron, MONDAY, 2) == expected


def test_the_day_that_has_no_29th_for_eight_years_is_waited_for() -> None:
    assert times("0 0 29 2 *", datetime(2096, 3, 1, tzinfo=UTC), 1) == ["2104-02-29 00:00"]


def test_an_expression_goes_by_the_clock_of_its_zone() -> None:
    assert times("30 4 * * *", MONDAY, 1, "Europe/Berlin") == ["2027-03-02 03:30"]
    assert times("30 4 * * *", MONDAY, 1, "America/New_York") == ["2027-03-02 09:30"]


def test_a_time_that_summer_time_leaves_out_comes_when_the_gap_is_over() -> None:
    # The night of 28 March 2027, when two o'clock becomes three in Berlin.
    saturday = datetime(2027, 3, 27, 12, tzinfo=UTC)
    assert times("30 2 * * *", saturday, 2, "Europe/Berlin") == ["2027-03-28 01:30", "2027-03-29 00:30"]
    every_20 = times("*/20 * * * *", datetime(2027, 3, 28, 0, 30, tzinfo=UTC), 4, "Europe/Berlin")
    assert every_20 == ["2027-03-28 00:40", "2027-03-28 01:00", "2027-03-28 01:20", "2027-03-28 01:40"]


def test_a_time_that_comes_twice_counts_once() -> None:
    # The night of 31 October 2027, when three o'clock becomes two in Berlin.
    saturday = datetime(2027, 10, 30, 12, tzinfo=UTC)
    assert times("30 2 * * *", saturday, 2, "Europe/Berlin") == ["2027-10-31 00:30", "2027-11-01 01:30"]


@pytest.mark.parametrize(
    ("cron", "zone"),
    [
        *((cron, "UTC") for cron in ("", "* * * *", "* * * * * *", "61 * * * *", "* 24 * * *", "* * 0 * *")),
        *(
            (cron, "UTC")
            for cron in ("* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "a * * * *", "-1 * * * *")
        ),
        *((cron, "UTC") for cron in ("0 0 30 2 *", "1, * * * *", "@daily", "1.5 * * * *", "٣ * * * x")),
        *(("0 4 * * *", zone) for zone in ("Mars/Olympus", "../etc/passwd", "", "/etc/localtime")),
    ],
)
def test_what_cannot_be_used_is_refused(cron: str, zone: str) -> None:
    with pytest.raises(Invalid):
        cron_next(cron=cron, time_zone=zone, after=MONDAY)
