from django.db import migrations

# Whoever was at a job has stopped for the upgrade: it goes on at once, from the step whose work was kept.
MOVE = """
INSERT INTO jobs_job (id, kind, lane, organisation_id, subject, payload, unique_key, state, step, percent, attempt,
    deaths, lease_until, fence, not_before, waiting_since, sent, priority, weight, error_code, error_message, created,
    updated, started, ended)
SELECT id, CASE kind WHEN 'delete' THEN 'document_delete' ELSE 'ingest' END, 'cpu', organisation_id,
    coalesce(document_id::text, ''),
    CASE kind WHEN 'delete' THEN targets ELSE jsonb_build_object('version', version_id) END,
    CASE kind WHEN 'ingest' THEN document_id::text END,
    CASE state WHEN 'running' THEN 'queued' ELSE state END, coalesce(step, ''),
    CASE state WHEN 'done' THEN 100 ELSE 0 END, attempt, deaths, NULL, fence, not_before, waiting_since, NULL, 0,
    bytes, error_code, '', created, updated, NULL,
    CASE WHEN state NOT IN ('queued', 'running') THEN updated END
FROM library_job
"""


class Migration(migrations.Migration):
    """Moves the work on documents to the jobs of the whole box, open ones too."""

    dependencies = [("library", "0003_tables"), ("jobs", "0001_initial")]
    operations = [migrations.RunSQL(MOVE, migrations.RunSQL.noop), migrations.DeleteModel(name="Job")]
