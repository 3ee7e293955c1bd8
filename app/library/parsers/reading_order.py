"""Reading order of the pieces of a slide: the file's own order, unless the places plainly contradict it."""

from collections.abc import Sequence

# left, top, right, bottom; None for a piece without a place.
Area = tuple[float, float, float, float]
# Slides of more pieces are drawings; comparing all pairs would take too long.
_COMPARED = 200
# Two pieces stand below or beside each other when they share this much of the smaller one's width or height.
_SHARED = 0.5


def reading_order(areas: Sequence[Area | None], *, from_right: bool = False) -> list[int]:
    """Return the indices of pieces in the order in which they are read.

    A piece that stands above another, or before it on the same line, comes first; among the others the file's order
    holds, since programs that read slides aloud follow it. from_right: the text runs from right to left.
    """
    if len(areas) > _COMPARED:
        return list(range(len(areas)))
    before: list[set[int]] = [
        {other for other, area in enumerate(areas) if other != number and _is_before(area, own, from_right)}
        for number, own in enumerate(areas)
    ]
    order: list[int] = []
    rest = list(range(len(areas)))
    while rest:
        free = [number for number in rest if not before[number].intersection(rest)]
        # Pieces that lie across each other may have no first one.
        following = free[0] if free else min(rest, key=lambda number: (areas[number] or (0, 0))[1])
        rest.remove(following)
        order.append(following)
    return order


def _is_before(area: Area | None, other: Area | None, from_right: bool) -> bool:
    if area is None or other is None:
        return False
    if _share(area[0], area[2], other[0], other[2]) > _SHARED and _share(area[1], area[3], other[1], other[3]) <= 0.1:
        return area[1] < other[1]
    if _share(area[1], area[3], other[1], other[3]) > _SHARED and _share(area[0], area[2], other[0], other[2]) <= 0.1:
        return area[0] > other[0] if from_right else area[0] < other[0]
    return False


def _share(start: float, end: float, other_start: float, other_end: float) -> float:
    least = min(end - start, other_end - other_start)
    return max(0.0, min(end, other_end) - max(start, other_start)) / least if least > 0 else 0.0
