import asyncio

import pytest

from app.errors import Upstream
from app.llm.queue import FairQueue, Ticket, queue_of


def test_free_slots_are_taken_at_once() -> None:
    queue = FairQueue(2)
    assert [queue.enter("a").position, queue.enter("a").position, queue.enter("a").position] == [0, 0, 1]


async def test_free_slots_go_to_the_organisations_in_turn() -> None:
    queue = FairQueue(1)
    running = queue.enter("first")
    queue.mean_hold_s = 0.001
    waiting = {name: queue.enter(name[0]) for name in ("a1", "a2", "a3", "b1", "c1", "b2")}
    assert {name: ticket.position for name, ticket in waiting.items()} == {
        "a1": 1, "b1": 2, "c1": 3, "a2": 4, "b2": 5, "a3": 6,
    }  # fmt: skip
    served: list[str] = []

    async def wait(name: str, ticket: Ticket) -> None:
        with ticket:
            while ticket.position:
                await ticket.changed()
            served.append(name)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(wait(name, ticket)) for name, ticket in waiting.items()]
    await asyncio.sleep(0)
    running.leave()
    await asyncio.gather(*tasks)
    assert served == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert (queue.running, queue.waiting) == (0, 0)


async def test_one_who_leaves_the_line_moves_the_others_up() -> None:
    queue = FairQueue(1)
    queue.enter("a")
    second, third = queue.enter("a"), queue.enter("a")
    moved = asyncio.create_task(third.changed())
    await asyncio.sleep(0)
    second.leave()
    second.leave()
    await asyncio.wait_for(moved, 30)
    assert third.position == 1


def test_a_wait_beyond_thirty_seconds_is_refused_with_the_time_to_come_back() -> None:
    queue = FairQueue(1)
    queue.mean_hold_s = 12
    for _ in range(3):
        queue.enter("a")
    with pytest.raises(Upstream) as caught:
        queue.enter("a")
    assert caught.value.code == "model_busy"
    assert caught.value.retry_after_s == pytest.approx(36)
    assert queue.waiting == 2
    # Another organisation's turn comes sooner.
    assert queue.enter("b").position == 2


async def test_a_server_has_one_queue_whose_slots_follow_it() -> None:
    assert queue_of("http://a", 1) is queue_of("http://a", 2)
    assert queue_of("http://a", 2).slots == 2
    assert queue_of("http://b", 2) is not queue_of("http://a", 2)
