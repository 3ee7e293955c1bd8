from django.http import HttpRequest, HttpResponseBase

from app.errors import RefdeskError
from app.lib.file_response import stored_file_response
from app.lib.storage import ObjectMissing, exports_storage
from app.privacy.exports.services import export_check_ready
from app.privacy.models import Export


def export_answer(request: HttpRequest, export: Export) -> HttpResponseBase:
    """Return the file of an export.

    Raises:
        RefdeskError: export_not_ready, export_expired, file_missing, storage_unavailable.
    """
    export_check_ready(export)
    name = f"refdesk-{export.kind}-{export.created:%Y-%m-%d}.zip"
    try:
        return stored_file_response(
            request, exports_storage(), export.storage_key, name=name, media_type="application/zip", size=export.bytes
        )
    except ObjectMissing as error:
        raise RefdeskError("file_missing", "The export's file is gone. Make a new one.") from error
