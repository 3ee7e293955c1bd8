"""Vacuum the space and text that removed rows left in PostgreSQL's files."""

import logging

import psycopg
from django.db import connection
from psycopg import sql

from app.privacy.erasure.rows import organisation_tables

log = logging.getLogger(__name__)

# VACUUM of a larger table takes too long here; autovacuum does it.
LARGEST_BYTES = 512 * 1024 * 1024
PEOPLE = ("accounts_user", "audit_auditdetail", "accounts_signin", "accounts_identity", "accounts_onetimetoken",
          "django_session", "privacy_erasure")  # fmt: skip


def tables_vacuum() -> int:
    """Return vACUUM the tables that an erasure touched, as their owner, and return how many. Autovacuum does the
    others.
    """
    tables, done = [*(model._meta.db_table for model in organisation_tables()), *PEOPLE], 0
    left_out = ("cursor_factory", "context", "assume_role", "options", "autocommit")
    own = {name: value for name, value in connection.get_connection_params().items() if name not in left_out}
    try:
        with psycopg.connect(**own, autocommit=True) as owner:
            for table in tables:
                size = owner.execute("SELECT pg_total_relation_size(%s::regclass)", [table]).fetchone()
                if size is not None and size[0] <= LARGEST_BYTES:
                    owner.execute(sql.SQL("VACUUM {}").format(sql.Identifier(table)))
                    done += 1
    except psycopg.Error as error:
        log.warning("vacuum after an erasure: %s", type(error).__name__)
    return done
