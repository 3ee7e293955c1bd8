"""Mails and archives made for tests."""

import io
import zipfile
from email.message import EmailMessage
from email.policy import SMTP


def mail(subject: str, text: str, *attachments: tuple[str, bytes | EmailMessage], html: str = "") -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "Ada Lund <ada@example.org>", "office@example.org"
    message["Date"], message["Subject"] = "Mon, 05 May 2025 14:03:00 +0200", subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for name, content in attachments:
        if isinstance(content, EmailMessage):
            message.add_attachment(content)
        else:
            message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


def archive(**files: bytes) -> bytes:
    return archive_of(files)


def archive_of(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return file.getvalue()


def encrypted(data: bytes, name: str) -> bytes:
    """Return an archive with the mark of a password on one of its files."""
    changed = bytearray(data)
    for signature, flags, length, head in ((b"PK\x03\x04", 6, 26, 30), (b"PK\x01\x02", 8, 28, 46)):
        at = data.find(signature)
        while at >= 0:
            size = int.from_bytes(data[at + length : at + length + 2], "little")
            if data[at + head : at + head + size] == name.encode():
                changed[at + flags] |= 1
            at = data.find(signature, at + 4)
    return bytes(changed)
