from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the limits of an organisation's library."""

    dependencies = [("plans", "0002_plan")]

    operations = [
        migrations.AddField("plan", name, models.PositiveIntegerField(blank=True, null=True))
        for name in ("documents", "document_mb", "document_pages", "recording_minutes")
    ]
