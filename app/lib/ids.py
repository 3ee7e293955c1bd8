"""Identifiers: UUIDv7 for rows, so that ids rise with time and indexes stay compact."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    return uuid7()
