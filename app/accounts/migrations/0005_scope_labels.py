import django.contrib.postgres.fields
from django.db import migrations, models

import app.accounts.models


class Migration(migrations.Migration):
    """The scope `admin` is for keys too, and its label says so. Nothing changes in the database."""

    dependencies = [("accounts", "0004_person_limits")]
    operations = [
        migrations.AlterField(
            model_name="apikey",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("chat", "Ask bots"),
                        ("search", "Search passages"),
                        ("conversations", "Read and change its own conversations"),
                        ("documents:read", "Read documents and sources"),
                        ("documents:write", "Upload, change and delete documents and sources"),
                        ("bots:read", "Read bots and their revisions"),
                        ("bots:write", "Change bots"),
                        ("admin", "Keys, usage, audit trail, exports and erasures"),
                    ],
                    max_length=30,
                ),
                default=app.accounts.models.scopes_all,
                size=None,
            ),
        ),
    ]
