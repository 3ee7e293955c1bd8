"""Transcripts: paragraphs of sentences with the times of words, and containers that end before they should."""

from pathlib import Path

import numpy as np
import pytest

from app.library.parsers.blocks import Block, blocks_from_json, blocks_to_json
from app.library.speech.cut_short import is_cut_short, states_length
from app.library.speech.decoding import PIECE_S, quiet_place
from app.library.speech.judgement import is_speech
from app.library.speech.transcript import (
    Segment,
    Transcript,
    Word,
    transcript_from_blocks,
    transcript_parsed,
    transcript_to_blocks,
)
from app.library.tests.sounds import RATE


def said(text: str, start: float = 0.0, *, each: float = 0.5) -> Segment:
    """Return a segment whose words take half a second each."""
    words = [Word(f" {word}", start + n * each, start + (n + 1) * each) for n, word in enumerate(text.split())]
    return Segment("", start, words[-1].end_s, tuple(words))


def blocks_of(*segments: Segment) -> tuple[Block, ...]:
    return transcript_parsed(Transcript("m", segments=list(segments)), "audio/mpeg").blocks


def test_a_paragraph_ends_with_a_pause_or_with_the_sentence_after_half_a_minute() -> None:
    first, second = blocks_of(said("Hello all. We begin."), said("And now this.", 8))
    assert (first.text, first.time) == ("Hello all. We begin.", (0.0, 2.0))
    assert (second.text, second.time) == ("And now this.", (8.0, 9.5))
    long = blocks_of(said(" ".join(["One two three."] * 60)))
    assert [block.time[1] - block.time[0] <= 30 for block in long if block.time] == [True] * 3
    assert all(block.text.endswith(".") for block in long)


def test_speech_without_a_full_stop_is_cut_after_a_minute() -> None:
    assert [len(block.text.split()) for block in blocks_of(said(" ".join(["name"] * 300)))] == [120, 120, 60]


def test_words_keep_their_place_in_the_text_also_where_a_language_has_no_spaces() -> None:
    [block] = blocks_of(
        Segment(
            "", 0, 3, (Word("砸", 0.1, 0.4), Word("自己", 0.5, 1.0), Word("的脚。", 1.1, 2.0), Word(" 🎉 ok", 2.2, 3))
        )
    )
    assert block.text == "砸自己的脚。 🎉 ok"
    assert [(block.text[start:], second) for start, second in block.words][1:] == [
        ("自己的脚。 🎉 ok", 0.5),
        ("的脚。 🎉 ok", 1.1),
        ("🎉 ok", 2.2),
    ]
    parsed = transcript_parsed(Transcript("m", segments=[said("Hello all.", 3.25)]), "audio/mpeg")
    assert blocks_from_json(blocks_to_json(parsed)) == parsed


def test_a_server_that_tells_no_times_of_words_gives_sentences_with_those_of_their_segments() -> None:
    first, second = blocks_of(Segment("All of it. At once.", 0, 9), Segment("Later.", 20, 21))
    assert (first.text, first.time, first.words) == ("All of it. At once.", (0, 9), ((0, 0),))
    assert (second.text, second.time) == ("Later.", (20, 21))


def test_controls_and_times_that_go_back_do_not_reach_a_reader() -> None:
    [block] = blocks_of(
        Segment("", 0, 2, (Word(" a\u202eb\x00", 1.0, 1.5), Word("  \n ", 1.5, 1.6), Word(" c", 0.5, 0.2)))
    )
    assert (block.text, block.words) == ("ab c", ((0, 1.0), (3, 1.5)))


def test_an_unfinished_transcript_goes_on_from_its_stored_text() -> None:
    transcript = Transcript("m", 61.5, 120.0, "de", [], [said("Guten Tag. Es geht los.", 1.0), said("Ja!", 58)])
    again = transcript_from_blocks(transcript_to_blocks(transcript, "audio/mpeg"))
    assert again is not None
    assert (again.model, again.position_s, again.duration_s, again.language) == ("m", 61.5, 120.0, "de")
    assert transcript_parsed(again, "audio/mpeg") == transcript_parsed(transcript, "audio/mpeg")
    assert transcript_from_blocks(blocks_to_json(transcript_parsed(transcript, "audio/mpeg"))) is None


def test_what_is_only_a_guess_is_left_out() -> None:
    assert is_speech(logprob=-0.3, no_speech=0.9, compression=1.5)
    assert is_speech(logprob=None, no_speech=None, compression=None)
    assert not is_speech(logprob=-1.2, no_speech=0.1, compression=1.0)
    assert not is_speech(logprob=-0.7, no_speech=0.8, compression=1.0)
    assert not is_speech(logprob=-0.1, no_speech=0.0, compression=4.0)


def test_a_piece_ends_in_its_quietest_moment() -> None:
    piece = np.random.default_rng(3).normal(0, 0.2, PIECE_S * RATE).astype(np.float32)
    quiet_s = PIECE_S - 11
    piece[quiet_s * RATE : (quiet_s + 1) * RATE] = 0
    assert quiet_s <= quiet_place(piece) / RATE <= quiet_s + 1


def box(kind: bytes, size: int, stated: int | None = None) -> bytes:
    return (stated or size).to_bytes(4, "big") + kind + bytes(size - 8)


def ogg(flags: int) -> bytes:
    return b"OggS\x00" + bytes([flags]) + bytes(21)


EBML = b"\x1a\x45\xdf\xa3\x80"
CUT = [
    ("audio/wav", b"RIFF" + (100).to_bytes(4, "little") + bytes(100), False),
    ("audio/wav", b"RIFF" + (900).to_bytes(4, "little") + bytes(100), True),
    ("audio/wav", b"RIFF\xff\xff\xff\xff" + bytes(100), False),
    ("audio/aiff", b"FORM" + (900).to_bytes(4, "big") + bytes(100), True),
    ("video/mp4", box(b"ftyp", 16) + box(b"moov", 40) + box(b"mdat", 100), False),
    ("video/mp4", box(b"ftyp", 16) + box(b"moov", 40) + box(b"mdat", 100, 5000), True),
    ("video/mp4", box(b"ftyp", 16) + b"\x00\x00\x00\x00mdat" + bytes(50), False),
    ("video/webm", EBML + b"\x18\x53\x80\x67\x41\x00" + bytes(300), False),
    ("video/webm", EBML + b"\x18\x53\x80\x67\x4f\xff" + bytes(300), True),
    ("video/webm", EBML + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" + bytes(300), False),
    ("audio/ogg", ogg(2) + ogg(0) + ogg(4), False),
    ("audio/ogg", ogg(2) + ogg(0), True),
    ("audio/flac", b"fLaC", False),
]


def test_a_container_tells_that_its_end_is_missing(tmp_path: Path, subtests: pytest.Subtests) -> None:
    path = tmp_path / "file"
    for media_type, data, cut in CUT:
        with subtests.test(media_type=media_type, data=data[:24]):
            path.write_bytes(data)
            assert is_cut_short(path, media_type) is cut


def test_the_length_of_an_mp3_is_known_only_where_its_head_has_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x07\x76" + bytes(1014) + b"\xff\xfb\x90\x00" + bytes(32) + b"Xing")
    assert states_length(path, "audio/mpeg")
    path.write_bytes(b"\xff\xfb\x90\x00" + bytes(500))
    assert not states_length(path, "audio/mpeg")
