from django.db import migrations

# Conversations of a rotated key belong to the first key of its chain from now on.
MOVE = """
UPDATE chat_conversation c SET api_key_id = k.family FROM accounts_apikey k
WHERE k.id = c.api_key_id AND k.family <> k.id
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_key_family"), ("chat", "0003_answer_by_day")]
    operations = [migrations.RunSQL(MOVE, migrations.RunSQL.noop)]
