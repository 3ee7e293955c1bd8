"""Stopping several processes at once, each by its own ladder of signals."""

import time
from collections.abc import Sequence

from app.embedded.managed_process import Post
from app.embedded.signals import Wakeup


class _Leaving:
    def __init__(self, post: Post) -> None:
        self.post = post
        self.ladder = list(post.engine.stop_ladder)
        self.until = 0.0

    def next_rung(self) -> None:
        if self.ladder:
            number, seconds = self.ladder.pop(0)
            self.post.send(number)
            self.until = time.monotonic() + seconds


def posts_stop(posts: Sequence[Post], wakeup: Wakeup) -> list[str]:
    """Stop all of them together; the names of those that had to be killed or did not go.

    Another request to stop while this waits moves everyone to the next signal at once.
    """
    leaving = [_Leaving(post) for post in posts if not post.gone()]
    for one in leaving:
        one.next_rung()
    stops, slow = wakeup.stops, set()
    while waiting := [one for one in leaving if not one.post.gone()]:
        wakeup.wait(0.02)
        hurry, stops = wakeup.stops > stops, wakeup.stops
        for one in waiting:
            if hurry or time.monotonic() > one.until:
                slow.add(one.post.name)
                if not one.ladder:
                    leaving.remove(one)
                one.next_rung()
    for post in posts:
        post.reap()
    return sorted(slow)
