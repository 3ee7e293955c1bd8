from django.db import migrations, models

# Each key's family is the first key of its chain of `replaced_by`.
FILL = """
WITH RECURSIVE chain AS (
  SELECT k.id, k.id AS family, k.replaced_by_id FROM accounts_apikey k
  WHERE NOT EXISTS (SELECT FROM accounts_apikey o WHERE o.replaced_by_id = k.id)
  UNION ALL
  SELECT n.id, c.family, n.replaced_by_id FROM chain c JOIN accounts_apikey n ON n.id = c.replaced_by_id
)
UPDATE accounts_apikey k SET family = chain.family FROM chain WHERE chain.id = k.id
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_scope_labels")]
    operations = [
        migrations.AddField("apikey", "family", models.UUIDField(null=True, editable=False)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField("apikey", "family", models.UUIDField(editable=False, db_index=True)),
    ]
