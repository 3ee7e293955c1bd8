"""Files that people and programs upload. Their names are their ids, unless the caller gives others."""

from app.library.connectors.protocol import Item
from app.library.uploads import name_clean


def file_item(name: str, external_id: str = "") -> Item:
    """Return the item of an uploaded file."""
    shown = name_clean(name)
    return Item(external_id or shown, shown)
