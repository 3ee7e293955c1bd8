from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0002_turns")]
    operations = [
        migrations.AddField(
            model_name="message",
            name="finish_reason",
            field=models.CharField(db_default="", default="", max_length=20),
        ),
    ]
