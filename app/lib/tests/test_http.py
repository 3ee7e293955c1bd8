from app.lib.http import wait_s


def test_waits_double_are_bounded_and_follow_what_the_server_asks_for() -> None:
    assert [wait_s(attempt, None, backoff_s=0.5) for attempt in range(3)] == [0.5, 1.0, 2.0]
    assert wait_s(0, "7", backoff_s=0.5) == 7
    assert wait_s(0, "86400", backoff_s=0.5) == wait_s(20, None, backoff_s=0.5) == 20
    assert wait_s(0, "Wed, 21 Oct 2026 07:28:00 GMT", backoff_s=0.5) == 0.5
