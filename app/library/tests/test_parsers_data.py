"""JSON, XML and subtitles: values with their names, records as tables, sentences with their seconds."""

import json
import time
from pathlib import Path

import pytest

from app.library.parsers import parse
from app.library.parsers.blocks import Parsed, ParseError, blocks_from_json, blocks_to_json
from app.library.parsers.detect import detect_media_type


def read(folder: Path, name: str, data: bytes | str) -> Parsed:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    parsed = parse(path, detect_media_type(path, name))
    assert blocks_from_json(blocks_to_json(parsed)) == parsed
    return parsed


def texts(parsed: Parsed) -> list[str]:
    return [block.text for block in parsed.blocks]


def test_objects_are_key_paths_and_lists_of_records_are_tables(tmp_path: Path) -> None:
    value = {
        "server": {"port": 8443, "tls": True},
        "names": ["Vik", "Alm"],
        "depots": [{"id": 1, "at": {"city": "Vikhamn"}}, {"id": 2, "at": {"city": "Berga"}, "tel": "555-0161"}],
        "grid": [["Berth", "Price"], ["Pier C", "417"]],
        "teams": [{"name": "North", "people": [{"n": "Ada"}, {"n": "Bo"}]}],
    }
    parsed = read(tmp_path, "a.json", json.dumps(value))
    assert texts(parsed) == [
        "server.port: 8443",
        "server.tls: true",
        "names: Vik, Alm",
        "depots",
        "id | at.city | tel (2 rows)",
        "id: 1; at.city: Vikhamn",
        "id: 2; at.city: Berga; tel: 555-0161",
        "grid",
        "Berth | Price",
        "Berth: Pier C; Price: 417",
        "teams",
        "North",
        "name: North",
        "people",
        "n (2 rows)",
        "n: Ada",
        "n: Bo",
    ]
    assert parsed.blocks[-1].heading == ("teams", "North", "people")


def test_lines_of_json_have_their_number_in_the_file(tmp_path: Path) -> None:
    parsed = read(tmp_path, "a.jsonl", '{"a": 1}\n\n{"a": 2, "b": "x"}\nno json\n')
    assert texts(parsed) == ["a: 1", "a: 2; b: x", "no json"]
    assert [block.rows for block in parsed.blocks] == [(1, 1), (3, 3), (4, 4)]
    assert parsed.warnings == ("lines_not_read:1",)
    # Lines in a file that is called otherwise.
    assert texts(read(tmp_path, "a.json", '{"a": 1}\n{"a": 2}\n')) == ["a (2 rows)", "a: 1", "a: 2"]


def test_json_that_is_not_quite_json_is_read_with_a_warning_or_without(tmp_path: Path) -> None:
    assert texts(read(tmp_path, "a.json", '{"a": NaN, /* note */ "b": "//", // end\n}')) == ["a: nan", "b: //"]
    cut = read(tmp_path, "a.json", '[{"a": 1}, {"a": 2}, {"a": ')
    assert (texts(cut), cut.warnings) == (["a (2 rows)", "a: 1", "a: 2"], ("not_valid:JSON",))
    text = read(tmp_path, "a.json", "The list is empty {")
    assert (texts(text), text.warnings) == (["The list is empty {"], ("not_valid:JSON",))


def test_elements_have_their_names_attributes_and_order(tmp_path: Path) -> None:
    data = """<?xml version="1.0"?><!DOCTYPE order [<!ENTITY firm "Vik &#38; Sons">]>
    <order id="A-17"><firm>&firm; &copy;</firm><line sku="GK-4471"><qty>3</qty></line>
    <line sku="SE-902"><qty>5</qty></line><note>Ring <b>twice</b>, please.</note>
    <line sku="ZZ-1"><qty>9</qty></line></order>"""
    assert texts(read(tmp_path, "a.xml", data)) == [
        "order",
        "id: A-17",
        "firm: Vik & Sons ©",
        "line",
        "sku | qty (2 rows)",
        "sku: GK-4471; qty: 3",
        "sku: SE-902; qty: 5",
        "note: Ring twice, please.",
        "line.sku: ZZ-1",
        "line.qty: 9",
    ]


def test_nothing_outside_the_file_is_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the crown jewels")
    data = f"""<?xml version="1.0"?><!DOCTYPE r SYSTEM "{secret}" [<!ENTITY x SYSTEM "{secret}"><!ENTITY a "aaaaaaaaaa">
    <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><r xmlns:xi="http://www.w3.org/2001/XInclude">
    <a>&x;</a><b>&b;</b><c>fine</c><xi:include href="{secret}" parse="text"/></r>"""
    shown = "\n".join(texts(read(tmp_path, "a.xml", data)))
    assert "jewels" not in shown
    assert "aaaa" not in shown
    assert "c: fine" in shown


def test_feeds_books_and_articles_are_what_they_are(tmp_path: Path) -> None:
    feed = """<rss version="2.0"><channel><title>Harbour news</title><item><title>Dredging</title>
    <link>https://harbour.example/1</link><pubDate>5 May 2025</pubDate>
    <description>&lt;p&gt;Pier C is closed.&lt;/p&gt;</description></item></channel></rss>"""
    assert texts(read(tmp_path, "a.xml", feed)) == [
        "Harbour news",
        "Dredging",
        "Date: 5 May 2025\nLink: https://harbour.example/1",
        "Pier C is closed.",
    ]
    book = """<?xml version="1.0"?><article><title>Manual</title><section><title>Start</title><para>Press
    <emphasis>green</emphasis>.</para><orderedlist><listitem><para>Wait</para></listitem></orderedlist>
    <table><tgroup cols="2"><thead><row><entry>Code</entry><entry>Help</entry></row></thead><tbody><row>
    <entry>P-33</entry><entry>oil</entry></row></tbody></tgroup></table></section></article>"""
    parsed = read(tmp_path, "b.xml", book)
    assert texts(parsed) == ["Manual", "Start", "Press green.", "1. Wait", "Code | Help", "Code: P-33; Help: oil"]
    assert parsed.title == "Manual"


def test_cues_become_sentences_with_their_seconds_and_speakers(tmp_path: Path) -> None:
    subtitles = """1
00:01:05,200 --> 00:01:07,000
<i>The lock has</i>

2
00:01:07,000 --> 00:01:09,500
{\\an8}nine digits.

3
01:02:05,000 --> 01:02:06,000
- Which?
- These.
"""
    parsed = read(tmp_path, "a.srt", subtitles)
    assert [(block.text, block.time) for block in parsed.blocks] == [
        ("The lock has nine digits.", (65.2, 69.5)),
        ("- Which?", (3725.0, 3726.0)),
        ("- These.", (3725.0, 3726.0)),
    ]
    spoken = "WEBVTT\n\nNOTE no words\n\n00:01.000 --> 00:02.000\n<v Ada Lund>Ring &amp; wait</v>\n\n"
    spoken += "00:02.000 --> 00:03.000\n<v Ada Lund>twice.</v>\n\n00:03.000 --> 00:04.000\n<v.loud Bo>No.</v>\n"
    assert texts(read(tmp_path, "a.vtt", spoken)) == ["Ada Lund: Ring & wait twice.", "Bo: No."]


def test_rolling_captions_are_said_once_and_repeated_answers_twice(tmp_path: Path) -> None:
    cues = ["we sail at noon\n", "we sail at noon\nfrom the old pier", "from the old pier\nand come back."]
    rolling = "WEBVTT\n\n" + "".join(f"00:0{n}.000 --> 00:0{n + 1}.000\n{cue}\n\n" for n, cue in enumerate(cues))
    assert texts(read(tmp_path, "a.vtt", rolling)) == ["we sail at noon from the old pier and come back."]
    twice = "WEBVTT\n\n00:01.000 --> 00:02.000\nNo.\n\n00:02.000 --> 00:03.000\nNo.\n\n"
    twice += "00:03.000 --> 00:04.000\nI do not know.\n\n00:09.000 --> 00:10.000\nI do not know.\n"
    assert texts(read(tmp_path, "a.vtt", twice)) == ["No.", "No.", "I do not know.", "I do not know."]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("deep.json", b"[" * 100_000, "file_too_complex"),
        ("deep.xml", b"<?xml version='1.0'?>" + b"<a>" * 5_000, "file_too_complex"),
        ("empty.xml", b"<?xml version='1.0'?><a><b/></a>", "no_text"),
        ("empty.json", b"{}", "empty_file"),
        ("empty.vtt", b"WEBVTT\n", "no_text"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, data: bytes, code: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(tmp_path, name, data)
    assert caught.value.code == code


def test_patterns_do_not_run_away(tmp_path: Path) -> None:
    begun = time.process_time()
    read(tmp_path, "a.json", b"/*" * 20_000)
    read(tmp_path, "a.xml", b"<!DOCTYPE a[]>" * 4000 + b"%")
    read(tmp_path, "a.html", b"<!-- -->" * 8000 + b"%")
    read(tmp_path, "a.srt", b"1\n00:00:01,000 --> 00:00:02,000\n" + b"<a" * 50_000 + b"\n")
    assert time.process_time() - begun < 2
