from django.http import HttpResponseBase

from app.errors import RefdeskError
from app.lib.file_answer import file_answer
from app.lib.storage import ObjectMissing, exports_storage
from app.privacy.models import Export
from app.privacy.services import export_check_ready


def export_answer(export: Export) -> HttpResponseBase:
    """Raises RefdeskError: export_not_ready, export_expired, file_missing."""
    export_check_ready(export)
    try:
        file = exports_storage().open(export.storage_key)
    except ObjectMissing as error:
        raise RefdeskError("file_missing", "The export's file is gone. Make a new one.") from error
    name = f"refdesk-{export.kind}-{export.created:%Y-%m-%d}.zip"
    return file_answer(file, name=name, media_type="application/zip", size=export.bytes)
