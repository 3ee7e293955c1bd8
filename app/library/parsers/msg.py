"""Parser of Outlook messages (.msg): an OLE file of MAPI properties, read as an e-mail message is."""

from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import one_line
from app.library.parsers.limits import Limits
from app.library.parsers.mail_body import best_add, subject_add
from app.library.parsers.media import MSG
from app.library.parsers.members import Member, Names, bytes_of, size_text
from app.library.parsers.msg_properties import Attachment, Storage, open_message
from app.library.parsers.outline import Outline

# Attachments of calendar copies and encrypted mail are parts of the mail itself.
_ENCRYPTED = ("ipm.note.smime", "ipm.note.rpmsg")
_SIGNED = "multipartsigned"
# Smaller pictures inside a body are logos and icons.
_DECORATION_BYTES = 16 * 1024
# Messages in messages become files of their own down to this depth.
_NESTED_AT_MOST = 10


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: broken_file, no_text, encrypted_file, file_too_complex."""
    with open_message(path, limits) as message:
        kind = message.text("001A").lower()
        if kind.startswith(_ENCRYPTED) and not kind.endswith(_SIGNED) and not message.text("1000").strip():
            raise ParseError("encrypted_file", "an encrypted message")
        outline = Outline(limits)
        subject = subject_add(one_line(message.text("0037")), message.headers(), outline)
        best_add(message.text("1000"), message.html(), outline)
        if not outline.blocks:
            raise ParseError("no_text", "a message without text")
        attached = list(_attached(message))
        if (
            attached[:1]
            and attached[0][0].lower().endswith((".pgp-encrypted", ".p7m"))
            and not message.text("1000").strip()
        ):
            raise ParseError("encrypted_file", "an encrypted message")
        for name, attachment in attached:
            size = f" ({size_text(attachment.size)})" if attachment.size else ""
            outline.add("list_item", f"Attachment: {name}{size}", level=1)
    return Parsed(tuple(outline.blocks), MSG, title=subject or None, members=len(attached))


def members(path: Path, limits: Limits) -> Iterator[Member]:
    """Yield the attachments of a message; a message inside it as an e-mail message."""
    with open_message(path, limits) as message:
        for name, attachment in _attached(message):
            yield Member(name, lambda attachment=attachment: bytes_of(_content(attachment)))  # type: ignore[misc]


def _attached(message: Storage) -> Iterator[tuple[str, Attachment]]:
    names = Names()
    for attachment in message.attachments():
        if attachment.inside is None and attachment.decorates and attachment.size <= _DECORATION_BYTES:
            continue
        yield names.unique(attachment.name), attachment


def _content(attachment: Attachment) -> bytes:
    if attachment.inside is None:
        return attachment.data()
    return _as_mail(attachment.inside, 0).as_bytes()


def _as_mail(message: Storage, depth: int) -> EmailMessage:
    """Return a message inside another one in the standard form, since it is no file of its own there."""
    if depth > _NESTED_AT_MOST:
        raise ParseError("file_too_complex", "messages nested too far")
    mail = EmailMessage(policy=SMTP)
    for name, value in {"Subject": one_line(message.text("0037")), **message.headers()}.items():
        # Addresses as Outlook shows them need not be those of the standard.
        mail[name if name in ("Subject", "Date") else f"{name}"] = value
    plain, html = message.text("1000"), message.html()
    mail.set_content(plain)
    if html:
        mail.add_alternative(html, subtype="html")
    for name, attachment in _attached(message):
        if attachment.inside is not None:
            mail.add_attachment(_as_mail(attachment.inside, depth + 1))
        else:
            mail.add_attachment(attachment.data(), maintype="application", subtype="octet-stream", filename=name)
    return mail
