from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds what identifies a document within its source, and what a version knows of its bytes."""

    dependencies = [("library", "0004_jobs")]

    operations = [
        migrations.AddField("document", "external_id", models.CharField(max_length=2000, null=True)),
        migrations.AddField("document", "url", models.CharField(blank=True, max_length=2000)),
        migrations.AddField("document", "metadata", models.JSONField(blank=True, default=dict)),
        migrations.AddField("documentversion", "sha256", models.CharField(max_length=64, null=True)),
        migrations.AddField("documentversion", "bytes", models.BigIntegerField(null=True)),
        migrations.AddField("documentversion", "fetched", models.DateTimeField(null=True)),
        migrations.AddField("documentversion", "etag", models.CharField(blank=True, max_length=500)),
        migrations.AddField("documentversion", "last_modified", models.CharField(blank=True, max_length=500)),
        migrations.AddField("documentversion", "retired", models.DateTimeField(blank=True, null=True)),
    ]
