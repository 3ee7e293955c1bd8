import pytest

from app.retrieval.fusion import Candidates, Scored, candidates_fuse


def scored(**scores: float) -> list[Scored]:
    return [Scored(name, score) for name, score in scores.items()]


def test_a_passage_that_both_searches_like_comes_first() -> None:
    hits = Candidates(scored(a=0.6, b=0.58, c=0.2), scored(b=12, d=11))
    assert [hit.id for hit in candidates_fuse(hits, limit=10)] == ["b", "a", "d", "c"]


def test_a_hit_carries_the_score_of_each_stage() -> None:
    [best, other] = candidates_fuse(Candidates(scored(a=0.7), scored(a=3.0, b=1.5)), limit=2)
    assert (best.id, best.dense, best.words) == ("a", 0.7, 3.0)
    assert (other.id, other.dense, other.words) == ("b", None, 1.5)
    assert (best.score, other.score) == pytest.approx((0.4, 0.2))


def test_words_decide_where_the_model_cannot_tell_passages_apart() -> None:
    hits = Candidates(scored(a=0.31, b=0.30, c=0.30), scored(c=20, b=5))
    assert [hit.id for hit in candidates_fuse(hits, limit=3)] == ["c", "b", "a"]


def test_a_clear_meaning_outweighs_words() -> None:
    hits = Candidates(scored(a=0.9, b=0.3), scored(b=20))
    assert [hit.id for hit in candidates_fuse(hits, limit=2)] == ["a", "b"]


def test_a_model_that_puts_everything_near_is_spread_out() -> None:
    hits = Candidates(scored(a=0.90, b=0.76), scored(b=20))
    assert [hit.id for hit in candidates_fuse(hits, limit=2)] == ["b", "a"]
    assert [hit.id for hit in candidates_fuse(hits, limit=2, unrelated=0.75)] == ["a", "b"]


def test_one_search_alone_and_none_are_enough() -> None:
    assert [hit.id for hit in candidates_fuse(Candidates(scored(a=0.4, b=0.3), []), limit=5)] == ["a", "b"]
    assert [hit.id for hit in candidates_fuse(Candidates([], scored(a=4, b=3)), limit=5)] == ["a", "b"]
    assert candidates_fuse(Candidates([], []), limit=5) == []


def test_the_order_of_equals_does_not_depend_on_their_order_in_the_lists() -> None:
    one = candidates_fuse(Candidates(scored(a=0.5, b=0.5), scored(d=1, c=1)), limit=4)
    other = candidates_fuse(Candidates(scored(b=0.5, a=0.5), scored(c=1, d=1)), limit=4)
    assert one == other
