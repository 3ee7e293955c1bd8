"""An erased detail may say which of its sides, actor or target, is somebody else; it holds no other text."""

from django.db import migrations

GUARD = """
CREATE OR REPLACE FUNCTION refdesk_audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'audit_auditdetail' THEN
    IF NEW.entry_id = OLD.entry_id AND NEW.organisation_id IS NOT DISTINCT FROM OLD.organisation_id
        AND NEW.content->'erased' = 'true'::jsonb AND NEW.content - 'erased' - 'seal' - 'others' = '{}'::jsonb
        AND COALESCE(NEW.content->'others', '[]'::jsonb) <@ '["actor", "target"]'::jsonb THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunSQL(GUARD, migrations.RunSQL.noop)]
