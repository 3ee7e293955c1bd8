"""Mails: headers as people read them, the best body once, and what is attached."""

import time
from email.message import EmailMessage
from pathlib import Path

import pytest

from app.library.parsers import parse
from app.library.parsers.blocks import Parsed, ParseError, blocks_from_json, blocks_to_json
from app.library.parsers.detect import detect_media_type
from app.library.parsers.limits import DEFAULT
from app.library.parsers.media import EML
from app.library.parsers.members import members
from app.library.parsers.msg_rtf import rtf_html, rtf_text
from app.library.tests.mails import mail

HEAD = "From: a@example.org\nMessage-ID: <1@example.org>\nTo: b@example.org\n"


def read(folder: Path, data: bytes | str | EmailMessage, name: str = "a.eml") -> Parsed:
    path = folder / name
    raw = data.as_bytes() if isinstance(data, EmailMessage) else data.encode() if isinstance(data, str) else data
    path.write_bytes(raw)
    assert detect_media_type(path, name) == EML
    parsed = parse(path, EML)
    assert blocks_from_json(blocks_to_json(parsed)) == parsed
    return parsed


def texts(parsed: Parsed) -> list[str]:
    return [block.text for block in parsed.blocks]


def inside(folder: Path, name: str = "a.eml") -> dict[str, bytes]:
    return {each.path: b"".join(each.pieces()) for each in members(folder / name, EML, DEFAULT)}


def test_headers_are_those_that_people_read(tmp_path: Path) -> None:
    data = (
        "Received: from x by y; Mon, 5 May 2025 12:03:00 +0000\nMIME-Version: 1.0\n"
        "From: =?utf-8?q?K=C3=A4the?= =?utf-8?q?_B=C3=B6hme?= <kb@example.org>\n"
        "To: Harbour\n office <office@example.org>,\n bo@example.org\nCc: Ada <ada@example.org>\n"
        "Date: Mon, 05 May 2025 14:03:00 +0200\nSubject: =?iso-8859-1?Q?B=FCro_drei?=\n\nGuten Tag\n"
    )
    parsed = read(tmp_path, data)
    assert texts(parsed) == [
        "Büro drei",
        "From: Käthe Böhme <kb@example.org>\nTo: Harbour office <office@example.org>, bo@example.org\n"
        "Cc: Ada <ada@example.org>\nDate: Mon, 05 May 2025 14:03:00 +0200",
        "Guten Tag",
    ]
    assert parsed.title == "Büro drei"


def test_the_form_that_holds_more_is_read_and_only_it(tmp_path: Path) -> None:
    table = "<table><tr><th>Berth</th><th>Price</th></tr><tr><td>Pier C</td><td>417</td></tr></table>"
    both = read(tmp_path, mail("Prices", "Berth Price\n\nPier C 417", html=f"<h1>Prices</h1>{table}"))
    assert texts(both)[2:] == ["Prices", "Berth | Price", "Berth: Pier C; Price: 417"]
    # Headings of the body are below the subject.
    assert both.blocks[2].heading == ("Prices", "Prices")
    stub = read(tmp_path, mail("Prices", "The berth at Pier C costs 417 crowns a month.", html="<p>View online</p>"))
    assert texts(stub)[2:] == ["The berth at Pier C costs 417 crowns a month."]


def test_quoted_history_is_there_once(tmp_path: Path) -> None:
    said = "The key of the boathouse hangs behind the blue door since Monday."
    parsed = read(tmp_path, f"{HEAD}\nThanks!\n\n> {said}\n>\n>> When is it open?\n>> {said}\n> {said}\n")
    shown = "\n".join(texts(parsed))
    assert shown.count(said) == 2  # the second is part of another paragraph
    assert "> " + said in texts(parsed)
    assert "Thanks!" in texts(parsed)


def test_attachments_are_listed_and_inner_mails_stay_whole(tmp_path: Path) -> None:
    inner = mail("Question / Pier C", "Is the key right?", ("note.txt", b"hook 31"))
    parsed = read(tmp_path, mail("Offer", "See below.", ("a.csv", b"x,1"), ("a.csv", b"y,2"), ("", inner)))
    assert parsed.members == 3
    assert texts(parsed)[-3:-1] == ["Attachment: a.csv (3 bytes)", "Attachment: a (2).csv (3 bytes)"]
    assert "hook 31" not in "".join(texts(parsed))
    found = inside(tmp_path)
    assert list(found) == ["a.csv", "a (2).csv", "Question - Pier C.eml"]
    assert found["a (2).csv"] == b"y,2"
    read(tmp_path, found["Question - Pier C.eml"], "inner.eml")
    assert inside(tmp_path, "inner.eml") == {"note.txt": b"hook 31"}


def test_invitations_encodings_and_broken_parts(tmp_path: Path) -> None:
    event = (
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Launch of the ferry\\, part 2\n"
        "DTSTART;TZID=Europe/Oslo:20250506T083000\n"
        "LOCATION:Slip 4\nORGANIZER;CN=Ada Lund:mailto:ada@example.org\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    parsed = read(tmp_path, f"{HEAD}Content-Type: text/calendar; method=REQUEST\n\n{event}")
    assert texts(parsed)[-1] == (
        "Event: Launch of the ferry, part 2\nStart: 6 May 2025, 08:30 (Europe/Oslo)\nLocation: Slip 4\n"
        "Organizer: Ada Lund <ada@example.org>"
    )
    latin = f"{HEAD}Content-Type: text/plain; charset=iso-8859-1\n\nLösch hütet die Taue".encode("latin-1")
    assert texts(read(tmp_path, latin))[-1] == "Lösch hütet die Taue"
    unknown = f"{HEAD}Content-Type: text/plain; charset=no-such\nContent-Transfer-Encoding: base64\n\nTMO2c2No\n"
    assert texts(read(tmp_path, unknown))[-1] == "Lösch"
    broken = f'{HEAD}Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\nGate 12 is open'
    assert texts(read(tmp_path, broken))[-1] == "Gate 12 is open"


def test_a_mailbox_is_a_list_of_its_messages(tmp_path: Path) -> None:
    one = (
        "From a@b Mon Jan  1 10:00:00 2024\nFrom: a@b\nTo: c@d\nDate: 1 Jan 2024\nSubject: {}\n\n{}\n>From here on\n\n"
    )
    parsed = read(tmp_path, one.format("First", "One") + one.format("Second", "Two"), "box.mbox")
    assert texts(parsed) == ["1 Jan 2024; a@b; First", "1 Jan 2024; a@b; Second", "2 messages"]
    found = inside(tmp_path, "box.mbox")
    assert list(found) == ["First.eml", "Second.eml"]
    assert found["Second.eml"].endswith(b"Two\nFrom here on\n\n")


def test_rtf_bodies_give_their_html_or_their_text() -> None:
    wrapped = r"{\rtf1\ansi\ansicpg1252\fromhtml1 {\*\htmltag64 <p>}"
    wrapped += r"\htmlrtf {\htmlrtf0 Gate \'fc {\*\htmltag72 </p>}\htmlrtf }\htmlrtf0}"
    assert rtf_html(wrapped) == "<p>Gate ü </p>"
    plain = r"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\pard Pier \u937? costs\par 417{\*\generator X;}}"
    assert rtf_text(plain) == "Pier Ω costs\n417"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (HEAD + 'Content-Type: multipart/encrypted; boundary="b"\n\n--b\n\nx\n--b--\n', "encrypted_file"),
        (
            "From: a\nTo: b\n"
            + "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(2000)),
            "file_too_complex",
        ),
    ],
)
def test_mails_that_cannot_be_read_say_why(tmp_path: Path, data: str, code: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(tmp_path, data)
    assert caught.value.code == code


def test_hostile_headers_cost_no_time(tmp_path: Path) -> None:
    begun = time.process_time()
    read(tmp_path, f"{HEAD}Subject: {'=?utf-8?q?a?= ' * 20_000}\nCc: {'(' * 100_000}\n\nhi")
    read(tmp_path, f"{HEAD}Content-Type: text/calendar\n\nBEGIN:VEVENT\nSUMMARY{';' * 50_000}\nEND:VEVENT\n")
    read(tmp_path, f"{HEAD}\n{'>' * 200_000}")
    assert time.process_time() - begun < 2
