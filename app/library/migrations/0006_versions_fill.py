from django.db import migrations

# Until now a document had the same bytes in all its versions, so each version gets those.
FILL = """
UPDATE library_documentversion v SET sha256 = d.sha256, bytes = d.bytes, fetched = d.created
FROM library_document d WHERE d.id = v.document_id
"""
EMPTY = """
UPDATE library_document d SET sha256 = v.sha256, bytes = v.bytes
FROM library_documentversion v WHERE v.document_id = d.id AND v.number = d.version
"""

# Two documents of a source may have the same name, since other bytes were another document. The oldest has the name for
# its id, the next one the first of "name (2)", "name (3)" … that is no other document's.
FIRST = """
UPDATE library_document d SET external_id = d.name
FROM (SELECT DISTINCT ON (source_id, name) id FROM library_document ORDER BY source_id, name, created, id) first
WHERE d.id = first.id
"""
OTHERS = "SELECT id, source_id, name FROM library_document WHERE external_id IS NULL ORDER BY created, id"
TAKEN = "SELECT 1 FROM library_document WHERE source_id = %s AND external_id = %s"
NAME = "UPDATE library_document SET external_id = %s WHERE id = %s"


def others_name(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(OTHERS)
        last = {}
        for document, source, name in cursor.fetchall():
            number = last.get((source, name), 1)
            while True:
                number += 1
                external_id = f"{name} ({number})"
                cursor.execute(TAKEN, [source, external_id])
                if cursor.fetchone() is None:
                    break
            cursor.execute(NAME, [external_id, document])
            last[source, name] = number


class Migration(migrations.Migration):
    """Gives every document its id within its source, and every version its bytes."""

    dependencies = [("library", "0005_versions_add")]

    operations = [
        migrations.RunSQL(FILL, EMPTY),
        migrations.RunSQL(FIRST, migrations.RunSQL.noop),
        migrations.RunPython(others_name, migrations.RunPython.noop),
    ]
