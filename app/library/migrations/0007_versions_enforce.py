import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """Identifies a document by its source and the id there, no longer by its bytes."""

    dependencies = [("library", "0006_versions_fill")]

    operations = [
        migrations.RemoveConstraint("document", "document_bytes_unique"),
        # Nullable first, so that the way back can add the columns to rows that are there.
        migrations.AlterField("document", "sha256", models.CharField(max_length=64, null=True)),
        migrations.AlterField("document", "bytes", models.BigIntegerField(null=True)),
        migrations.RemoveField("document", "sha256"),
        migrations.RemoveField("document", "bytes"),
        migrations.AlterField("document", "external_id", models.CharField(max_length=2000)),
        migrations.AlterField("documentversion", "sha256", models.CharField(max_length=64)),
        migrations.AlterField("documentversion", "bytes", models.BigIntegerField()),
        migrations.AlterField(
            "documentversion", "fetched", models.DateTimeField(default=django.utils.timezone.now)
        ),
        migrations.AddConstraint(
            "document", models.UniqueConstraint(fields=("source", "external_id"), name="document_identity_unique")
        ),
        migrations.AddIndex("documentversion", models.Index(fields=["storage_key"], name="version_by_object")),
    ]
