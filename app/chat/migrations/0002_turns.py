from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0001_initial")]
    operations = [
        migrations.AddField(
            model_name="message",
            name="being_read",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("role", "assistant")),
                fields=["organisation", "created"],
                name="answer_by_day",
            ),
        ),
        # The organisation first served as well for the check, and badly for the turn, which looks a key up (models.py).
        migrations.RemoveConstraint(model_name="message", name="message_idempotent"),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                condition=models.Q(("idempotency_key", ""), _negated=True),
                fields=("idempotency_key", "organisation"),
                name="message_idempotent",
            ),
        ),
    ]
