from django.db import migrations, models

# Whoever was at one has stopped for the upgrade: it is done again from its beginning, as after a crash.
MOVE = """
INSERT INTO jobs_job (id, kind, lane, organisation_id, subject, payload, unique_key, state, step, percent, attempt,
    deaths, fence, not_before, priority, weight, error_code, error_message, created, updated)
SELECT gen_random_uuid(), '{kind}', 'slow', {organisation}, id::text, '{{}}', id::text, 'queued', '', 0, attempt, deaths,
    fence, not_before, 0, 0, error_code, '', created, updated
FROM privacy_{kind} WHERE state IN ('queued', 'running')
"""
QUEUE = "UPDATE privacy_{kind} SET state = 'queued' WHERE state = 'running'"
GONE = ("attempt", "deaths", "fence", "lease_until", "not_before")
STATES = [("queued", "Queued"), ("running", "Running"), ("done", "Done"), ("failed", "Failed")]


def _move(kind, organisation):
    return [
        migrations.RunSQL(MOVE.format(kind=kind, organisation=organisation), migrations.RunSQL.noop),
        migrations.RunSQL(QUEUE.format(kind=kind), migrations.RunSQL.noop),
    ]


class Migration(migrations.Migration):
    """Moves open exports and erasures to the jobs of the whole box; their rows stay as what people see."""

    dependencies = [("privacy", "0001_initial"), ("jobs", "0001_initial")]
    operations = [
        *_move("export", "organisation_id"),
        *_move("erasure", "NULL"),
        *[migrations.RemoveField(model_name=model, name=name) for model in ("export", "erasure") for name in GONE],
    ]
