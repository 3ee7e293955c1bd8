"""Check the room on the disk before an ingest writes."""

from django.conf import settings

from app.lib.storage.staging import disk_space_check


def disk_check(wanted: int = 0) -> None:
    """Check that the disk has room for the next writes. Raises RefdeskError: disk_full, and then the job waits.

    Vectors of a batch need less than the reserve's ten-thousandth.
    """
    disk_space_check(settings.DATA, wanted=wanted, reserve=settings.DISK_RESERVE_BYTES // 2)
