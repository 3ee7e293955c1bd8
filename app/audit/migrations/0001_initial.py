import django.db.models.deletion
from django.db import migrations, models

import app.lib.ids

RENAME = """
ALTER TABLE accounts_auditentry RENAME TO audit_auditentry;
ALTER TABLE accounts_auditdetail RENAME TO audit_auditdetail;
ALTER TABLE accounts_audithead RENAME TO audit_audithead;
"""
RENAME_BACK = """
ALTER TABLE audit_audithead RENAME TO accounts_audithead;
ALTER TABLE audit_auditdetail RENAME TO accounts_auditdetail;
ALTER TABLE audit_auditentry RENAME TO accounts_auditentry;
"""
# Erasing a person empties a detail, which is the one change that the guard lets through: it knows the table by name.
GUARD = """
CREATE OR REPLACE FUNCTION refdesk_audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = '{detail}' THEN
    IF NEW.entry_id = OLD.entry_id AND NEW.organisation_id IS NOT DISTINCT FROM OLD.organisation_id
        AND NEW.content->'erased' = 'true'::jsonb AND NEW.content - 'erased' - 'seal' = '{{}}'::jsonb THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
"""


def id_field():
    return models.UUIDField(default=app.lib.ids.new_id, editable=False, primary_key=True, serialize=False)


def outlived_organisation():
    return models.ForeignKey(
        blank=True,
        db_constraint=False,
        null=True,
        on_delete=django.db.models.deletion.DO_NOTHING,
        related_name="+",
        to="accounts.organisation",
    )


MODELS = [
    migrations.CreateModel(
        name="AuditEntry",
        fields=[
            ("id", id_field()),
            ("number", models.PositiveBigIntegerField()),
            ("at", models.DateTimeField()),
            ("action", models.CharField(max_length=60)),
            ("target_kind", models.CharField(blank=True, max_length=40)),
            ("target", models.CharField(blank=True, max_length=64)),
            ("actor_kind", models.CharField(max_length=12)),
            ("actor", models.UUIDField(blank=True, null=True)),
            ("detail_hash", models.CharField(max_length=64)),
            ("previous", models.CharField(blank=True, max_length=64)),
            ("hash", models.CharField(max_length=64)),
            ("organisation", outlived_organisation()),
        ],
        options={
            "verbose_name_plural": "audit entries",
            "ordering": ["-number"],
            "indexes": [models.Index(fields=["organisation", "-at"], name="audit_by_age")],
            "constraints": [
                models.UniqueConstraint(
                    fields=("organisation", "number"), name="audit_number_unique", nulls_distinct=False
                )
            ],
        },
    ),
    migrations.CreateModel(
        name="AuditDetail",
        fields=[
            (
                "entry",
                models.OneToOneField(
                    on_delete=django.db.models.deletion.CASCADE,
                    primary_key=True,
                    related_name="detail",
                    serialize=False,
                    to="audit.auditentry",
                ),
            ),
            ("content", models.JSONField(default=dict)),
            ("organisation", outlived_organisation()),
        ],
    ),
    migrations.CreateModel(
        name="AuditHead",
        fields=[
            ("id", id_field()),
            ("number", models.PositiveBigIntegerField(default=0)),
            ("hash", models.CharField(blank=True, max_length=64)),
            ("seal", models.CharField(blank=True, max_length=64)),
            ("organisation", outlived_organisation()),
        ],
        options={
            "constraints": [
                models.UniqueConstraint(fields=("organisation",), name="audit_head_unique", nulls_distinct=False)
            ],
        },
    ),
]


class Migration(migrations.Migration):
    """Takes the trail's tables over from the app `accounts`, with every entry in them."""

    initial = True

    dependencies = [("accounts", "0002_tenants")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(RENAME, RENAME_BACK),
                migrations.RunSQL(GUARD.format(detail="audit_auditdetail"), GUARD.format(detail="accounts_auditdetail")),
            ],
            state_operations=MODELS,
        )
    ]
