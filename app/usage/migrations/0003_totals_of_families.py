from django.db import migrations

# The totals of keys that took each other's place become one row, that of the first key.
MERGE = """
WITH gone AS (
  DELETE FROM usage_usagetotal t USING accounts_apikey k WHERE k.id = t.api_key AND k.family <> k.id
  RETURNING t.organisation_id, k.family, t.month, t.requests, t.tokens_in, t.tokens_out
)
INSERT INTO usage_usagetotal AS t (organisation_id, api_key, month, requests, tokens_in, tokens_out, within_cap)
SELECT organisation_id, family, month, sum(requests), sum(tokens_in), sum(tokens_out), true FROM gone GROUP BY 1, 2, 3
ON CONFLICT (organisation_id, month, api_key) DO UPDATE SET requests = t.requests + excluded.requests,
  tokens_in = t.tokens_in + excluded.tokens_in, tokens_out = t.tokens_out + excluded.tokens_out
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_key_family"), ("usage", "0002_tokens_embedded")]
    operations = [migrations.RunSQL(MERGE, migrations.RunSQL.noop)]
