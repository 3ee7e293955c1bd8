from pathlib import Path

from app.library.pipeline.sandbox import parse_and_chunk


def test_a_file_of_any_length_comes_back_from_the_child(tmp_path: Path) -> None:
    # The answer begins with its length: once, one length in 256 was taken for an error.
    path = tmp_path / "length.txt"
    for length in range(260):
        text = "a" * 60 + " " + "b" * length + "."
        path.write_text(text)
        assert parse_and_chunk(path, path.name, max_tokens=254).drafts[0].text == text
