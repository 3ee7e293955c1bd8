from app.library.choices import SourceKind
from app.library.connectors.protocol import BroughtConnector, Item
from app.library.connectors.registry import register
from app.library.uploads import name_clean


@register
class Uploads(BroughtConnector):
    """A connector of files that people and programs upload. A file's name is its id unless the caller gives another."""

    kind = SourceKind.UPLOADS
    about = "Files that people drop on the Documents page or send by the API. A file's name is its id."


def file_item(name: str, external_id: str = "") -> Item:
    """Return the item of an uploaded file."""
    shown = name_clean(name)
    return Item(external_id or shown, shown)
