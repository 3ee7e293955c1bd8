import io
from typing import Any

from app.errors import Invalid
from app.library.choices import SourceKind
from app.library.connectors.protocol import BroughtConnector, Content, Item
from app.library.connectors.registry import register

# Limit of metadata as JSON: a few dozen fields, not a document of its own.
METADATA_BYTES = 16 * 1024


@register
class Push(BroughtConnector):
    """A connector of documents that a program sends under its own ids: texts or files."""

    kind = SourceKind.PUSH
    about = (
        "Documents that a program sends by the API under ids of its own, such as a wiki's pages or a shop's products."
    )


def text_content(text: str, media_type: str = "") -> Content:
    """Return the content of a pushed text."""
    return Content(io.BytesIO(text.encode()), media_type or "text/plain")


def pushed_item(*, external_id: str, name: str, url: str | None = None, metadata: dict[str, Any] | None = None) -> Item:
    """Return the item of a pushed document. Raises Invalid."""
    address = (url or "").strip()
    if address and not address.lower().startswith(("http://", "https://")):
        raise Invalid(message="url is an address that begins with http:// or https://.")
    return Item(external_id, name or external_id, address, metadata)
