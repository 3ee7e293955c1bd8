from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_others_of_an_erased_entry")]
    operations = [
        migrations.AlterModelOptions(
            name="auditentry",
            options={"ordering": ["-number"], "verbose_name_plural": "audit trail"},
        )
    ]
