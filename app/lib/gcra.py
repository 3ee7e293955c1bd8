"""Limits per minute by GCRA (generic cell rate algorithm): one script in Valkey for all limits of a request.

A limit of N a minute admits N at once and then one more every 60/N seconds, so within any time t it never admits more
than N + N·t/60 s. A call takes from all its limits or from none. Valkey's clock is used, so clocks of web processes do
not matter.

Without Valkey each process counts by itself (it fails open, but never without any limit): stopping the service because
its counter is unavailable would be worse than a limit multiplied by the number of processes.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from redis.exceptions import NoScriptError, RedisError

from app.lib.valkey import valkey, valkey_in_threads

log = logging.getLogger(__name__)

WINDOW_S = 60
Send = Callable[..., Any]  # the client's own method has no types
PAUSE_S = 5.0  # without Valkey, the time until the next attempt
_LOCAL_SIZE = 10_000

# KEYS: limits. ARGV: whether to charge without a check, then for each key the limit a minute and the cost.
# A key holds the theoretical arrival time (TAT) in µs: until then the admitted requests have not yet drained.
# Returns: admitted, number of the tightest limit, its remainder, µs until it is full again, µs to wait.
# 100 µs of tolerance: TATs are whole µs, and N roundings must not cost the N-th request. A TAT more than two
# windows ahead comes from a clock that was set back.
_SCRIPT = """
local window, slack, time = 60000000, 100, redis.call('TIME')
local now, forced = time[1] * 1000000 + time[2], ARGV[1] == '1'
local admitted, tightest, left, reset, wait, tats = 1, 0, math.huge, 0, 0, {}
for i, key in ipairs(KEYS) do
  local most, cost = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local step, known = window / most, tonumber(redis.call('GET', key) or now)
  local tat = math.min(math.max(known, now), now + 2 * window)
  local new = math.max(tat + cost * step, now)
  local over = new - now - window
  if over > slack and not forced then
    admitted = 0
    if over > wait then
      tightest, left, reset, wait = i, 0, tat - now, over
    end
  elseif admitted == 1 then
    local rest = math.min(most, math.max(0, math.floor((window - (new - now) + slack) / step)))
    if rest < left then
      tightest, left, reset = i, rest, new - now
    end
  end
  tats[i] = new
end
if admitted == 1 then
  for i, key in ipairs(KEYS) do
    local ms = math.ceil((tats[i] - now) / 1000)
    if ms > 0 then
      redis.call('SET', key, string.format('%.0f', tats[i]), 'PX', ms)
    else
      redis.call('DEL', key)
    end
  end
end
return {admitted, tightest, left, math.ceil(reset), math.ceil(wait)}
"""
_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit: its name for people, its key in Valkey, and the maximum a minute."""

    name: str
    key: str
    most: int


@dataclass(frozen=True, slots=True)
class RateLimitResult:
    """The result of a call; `limit` is the one with the least remaining, `retry_s` the wait if it is refused."""

    admitted: bool
    limit: Limit
    remaining: int
    reset_s: float
    retry_s: float


_paused_until = 0.0


async def limits_take(limits: Sequence[Limit], *, cost: int = 1, force: bool = False) -> RateLimitResult:
    """Take `cost` from every limit, or from none when one has too little left.

    force: take without a check; a negative `cost` gives back.
    """
    if time.monotonic() >= _paused_until:
        keys, arguments = _call(limits, cost, force)
        send: Send = valkey().execute_command
        try:
            try:
                reply = await send("EVALSHA", _SHA, len(limits), *keys, *arguments)
            except NoScriptError:
                reply = await send("EVAL", _SCRIPT, len(limits), *keys, *arguments)
            return _read(limits, reply)
        except (RedisError, OSError, TimeoutError) as error:
            _pause(error)
    return _take_local(limits, cost, force)


def limits_take_in_thread(limits: Sequence[Limit], *, cost: int = 1, force: bool = False) -> RateLimitResult:
    """Take from limits as `limits_take` does, in code that runs in threads."""
    if time.monotonic() >= _paused_until:
        keys, arguments = _call(limits, cost, force)
        send: Send = valkey_in_threads().execute_command
        try:
            try:
                reply = send("EVALSHA", _SHA, len(limits), *keys, *arguments)
            except NoScriptError:
                reply = send("EVAL", _SCRIPT, len(limits), *keys, *arguments)
            return _read(limits, reply)
        except (RedisError, OSError, TimeoutError) as error:
            _pause(error)
    return _take_local(limits, cost, force)


def _call(limits: Sequence[Limit], cost: int, force: bool) -> tuple[list[str], list[int]]:
    arguments = [int(force)]
    for limit in limits:
        # A cost above the whole limit could never be admitted, so the whole limit is taken.
        arguments += (limit.most, min(cost, limit.most) if not force else cost)
    return [limit.key for limit in limits], arguments


def _read(limits: Sequence[Limit], reply: Any) -> RateLimitResult:
    admitted, tightest, left, reset, wait = reply
    return RateLimitResult(bool(admitted), limits[tightest - 1], left, reset / 1e6, wait / 1e6)


def _pause(error: Exception) -> None:
    global _paused_until
    _paused_until = time.monotonic() + PAUSE_S
    log.warning(
        "Valkey does not answer (%s): limits are counted by each process for itself for %s s",
        type(error).__name__,
        PAUSE_S,
    )


_tats: dict[str, float] = {}
_lock = Lock()


def _take_local(limits: Sequence[Limit], cost: int, force: bool) -> RateLimitResult:
    """Take from limits counted by this process, in seconds of its monotonic clock."""
    now = time.monotonic()
    with _lock:
        if len(_tats) > _LOCAL_SIZE:
            _tats.clear()
        results: list[tuple[float, RateLimitResult]] = []
        for limit in limits:
            step = WINDOW_S / limit.most
            tat = max(_tats.get(limit.key, now), now)
            new = max(now, tat + (cost if force else min(cost, limit.most)) * step)
            over = new - now - WINDOW_S
            admitted = force or over <= 1e-4
            rest = min(limit.most, max(0, int((WINDOW_S - (new - now) + 1e-4) / step))) if admitted else 0
            results.append(
                (new, RateLimitResult(admitted, limit, rest, (new if admitted else tat) - now, max(0.0, over)))
            )
        refused = [result for _, result in results if not result.admitted]
        if refused:
            return max(refused, key=lambda result: result.retry_s)
        _tats.update({limit.key: new for limit, (new, _) in zip(limits, results, strict=True)})
    return min((result for _, result in results), key=lambda result: result.remaining)
