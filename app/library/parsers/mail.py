"""Parser of e-mail messages: headers as people read them, the best body, and attachments as files of their own.

Also of mailboxes of Unix, whose messages are members.
"""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import decode, one_line, wide_encoding
from app.library.parsers.limits import Limits
from app.library.parsers.mail_body import Body, body_add, headers_add, part_text
from app.library.parsers.mail_headers import header_text
from app.library.parsers.mailbox import is_begin, is_mailbox, mailbox_messages
from app.library.parsers.media import EML
from app.library.parsers.members import Member, Names, bytes_of, size_text
from app.library.parsers.outline import Outline

# Signatures, keys and reports about delivery say nothing that a reader asks for.
_NO_MEMBERS = frozenset(
    {
        "application/pgp-signature",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-keys",
    }
    | {"application/pgp-encrypted", "text/x-vcard", "message/disposition-notification", "text/rfc822-headers"}
)
# Smaller pictures inside a body are logos, icons and counters of readers.
_DECORATION_BYTES = 16 * 1024
_SUFFIXES = {
    "application/pdf": ".pdf",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/csv": ".csv",
    "text/calendar": ".ics",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "application/zip": ".zip",
}
_NAME_END = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")
_NESTED_AT_MOST = 50


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: empty_file, no_text, encrypted_file, file_too_complex."""
    if is_mailbox(path):
        return _mailbox(path, limits)
    message = _message(path)
    outline = Outline(limits)
    subject = headers_add(message, outline)
    body = Body()
    _collect(message, body, 0)
    body_add(body, outline)
    if body.encrypted and not body.texts and not body.attachments:
        raise ParseError("encrypted_file", "an encrypted message")
    if not outline.blocks:
        raise ParseError("no_text", "a message without text")
    attached = list(_attached(body))
    for name, part in attached:
        outline.add("list_item", f"Attachment: {name} ({size_text(_size(part))})", level=1)
    warnings = ("encrypted_part",) if body.encrypted else ()
    return Parsed(tuple(outline.blocks), EML, title=subject or None, warnings=warnings, members=len(attached))


def members(path: Path, limits: Limits) -> Iterator[Member]:
    """Yield the attachments of a message, or the messages of a mailbox."""
    if is_mailbox(path):
        names = Names()
        for data in mailbox_messages(path):
            subject = header_text(message_from_bytes(data[:65536], policy=policy.compat32), "subject")
            yield Member(names.unique(f"{_as_name(subject)}.eml"), lambda data=data: bytes_of(data), EML)  # type: ignore[misc]
        return
    body = Body()
    _collect(_message(path), body, 0)
    for name, part in _attached(body):
        yield Member(name, lambda part=part: bytes_of(_content(part)), part.get_content_type())  # type: ignore[misc]


def _message(path: Path) -> Message:
    data = path.read_bytes()
    if wide_encoding(data[:4096]) or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = decode(data).encode()
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    if is_begin(data[:1000]):
        data = data.partition(b"\n")[2]
    # The older policy keeps what is broken as it stands, and parses no header before it is asked for.
    try:
        return message_from_bytes(data, policy=policy.compat32)
    except RecursionError as error:
        raise ParseError("file_too_complex", "parts nested too far") from error


def _mailbox(path: Path, limits: Limits) -> Parsed:
    outline = Outline(limits)
    count = 0
    for data in mailbox_messages(path):
        count += 1
        if count <= limits.members:
            message = message_from_bytes(data[:65536], policy=policy.compat32)
            shown = (header_text(message, name) for name in ("date", "from", "subject"))
            outline.add("list_item", "; ".join(filter(None, shown)) or "A message without headers", level=1)
    outline.add("paragraph", f"{count:,} messages")
    return Parsed(tuple(outline.blocks), EML, members=count)


def _collect(part: Message, body: Body, depth: int) -> None:
    """Sort the parts of a message into its body and its attachments, without those of messages inside it."""
    if depth > _NESTED_AT_MOST:
        raise ParseError("file_too_complex", "parts nested too far")
    kind = part.get_content_type()
    if kind == "multipart/encrypted" or (
        kind in ("application/pkcs7-mime", "application/x-pkcs7-mime") and part.get_param("smime-type") != "signed-data"
    ):
        body.encrypted = True
    elif kind.startswith("multipart/"):
        _collect_parts(part, kind, body, depth)
    elif kind == "message/rfc822" or (part.is_multipart() and kind.startswith("message/")):
        _collect_message(part, kind, body)
    elif _is_body(part, kind):
        body.texts.append([part])
    elif kind not in _NO_MEMBERS:
        body.attachments.append(part)


def _collect_parts(part: Message, kind: str, body: Body, depth: int) -> None:
    parts = part.get_payload() if part.is_multipart() else []
    if isinstance(parts, str) or not parts:
        # Its boundary is missing: the text stands there in one piece.
        if not part.is_multipart() and part.get_payload():
            body.texts.append([part])
        return
    inner = [each for each in parts if isinstance(each, Message)]
    if kind == "multipart/alternative":
        _collect_alternatives(inner, body, depth)
        return
    for each in inner:
        _collect(each, body, depth + 1)


def _collect_alternatives(parts: list[Message], body: Body, depth: int) -> None:
    """Take the alternatives as one text of which one form is shown, with what belongs to each form."""
    forms: list[Message] = []
    for each in parts:
        own = Body()
        _collect(each, own, depth + 1)
        forms += [form for text in own.texts for form in text]
        body.attachments += own.attachments
        body.events += own.events
        body.encrypted = body.encrypted or own.encrypted
    events = [form for form in forms if form.get_content_type() == "text/calendar"]
    body.events += events
    shown = [form for form in forms if form not in events]
    if shown:
        body.texts.append(shown)


def _collect_message(part: Message, kind: str, body: Body) -> None:
    inner = part.get_payload()
    if kind == "message/rfc822" and isinstance(inner, list) and inner:
        body.attachments.append(part)
    elif kind == "message/delivery-status" and isinstance(inner, list):
        body.reports += [each for each in inner if isinstance(each, Message)]


def _is_body(part: Message, kind: str) -> bool:
    if part.get_content_disposition() == "attachment":
        return False
    if kind == "text/calendar":
        return True
    if kind not in ("text/plain", "text/html", "text/enriched", "text/richtext"):
        return False
    # A text with a name is a file, unless it is said to be shown inside the message.
    return not part.get_filename() or (part.get_content_disposition() == "inline" and not _file_suffix(part))


def _file_suffix(part: Message) -> bool:
    return bool(_NAME_END.search(one_line(part.get_filename() or "")))


def _attached(body: Body) -> Iterator[tuple[str, Message]]:
    """Yield the attachments with their names, without the pictures that decorate the body."""
    names = Names()
    for part in body.attachments:
        decorates = part.get_content_maintype() == "image" and bool(part.get("content-id"))
        if not decorates or _size(part) > _DECORATION_BYTES:
            yield names.unique(_name(part)), part


def _name(part: Message) -> str:
    kind = part.get_content_type()
    if kind == "message/rfc822":
        inner = part.get_payload()
        assert isinstance(inner, list)
        message = inner[0]
        assert isinstance(message, Message)
        return f"{_as_name(header_text(message, 'subject'))}.eml"
    name = one_line(header_text(part, "filename")).replace("\\", "/").rpartition("/")[2]
    if not name:
        name = {"image": "picture", "audio": "sound", "video": "video"}.get(part.get_content_maintype(), "attachment")
    return name if _NAME_END.search(name) else name + _SUFFIXES.get(kind, "")


def _as_name(subject: str) -> str:
    return one_line(subject).replace("/", "-").replace("\\", "-")[:100] or "message"


def _content(part: Message) -> bytes:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        assert isinstance(inner, list)
        message = inner[0]
        assert isinstance(message, Message)
        return message.as_bytes(unixfrom=False)
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else part_text(part).encode()


def _size(part: Message) -> int:
    return len(_content(part))
