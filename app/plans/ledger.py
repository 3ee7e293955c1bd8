"""The ledger's SQL: parts for statements that charge an organisation and do their own work in one transaction.

A turn reserves its most possible use in the statement that writes its question (TOTALS_WITHIN_CAPS checks the month's
caps there) and settles the difference in the one that writes its answer. So a process cannot die between charge and
answer, and the ledger's sums equal those of the answers' rows.

Each part reads the rows of a CTE `charged`: organisation_id, api_key, day, requests, tokens_in, tokens_out. An entry
names the used key, a total its family (ApiKey.family): a key that replaces another goes on with its month. Statements
lock the rows of totals in one order everywhere (organisation, month, all before keys), so they cannot deadlock.
"""

COLUMNS = (
    'id, organisation_id, at, day, kind, step, subject, bot, api_key, "user", model, requests, tokens_in, tokens_out'
)
CHARGED = "RETURNING organisation_id, api_key, day, requests, tokens_in, tokens_out"
TODAY = "(now() AT TIME ZONE 'UTC')::date"

_SUMS = """
  SELECT x.organisation_id, x.api_key, date_trunc('month', x.day)::date AS month,
    sum(x.requests) AS requests, sum(x.tokens_in) AS tokens_in, sum(x.tokens_out) AS tokens_out
  FROM (
    SELECT organisation_id, NULL::uuid AS api_key, day, requests, tokens_in, tokens_out FROM charged
    UNION ALL
    SELECT c.organisation_id, COALESCE(k.family, c.api_key), c.day, c.requests, c.tokens_in, c.tokens_out
    FROM charged c LEFT JOIN accounts_apikey k ON k.id = c.api_key WHERE c.api_key IS NOT NULL
  ) x GROUP BY 1, 2, 3
"""
_ADD = """requests = t.requests + excluded.requests, tokens_in = t.tokens_in + excluded.tokens_in,
    tokens_out = t.tokens_out + excluded.tokens_out"""

# Charges the use regardless of the caps: it has happened.
TOTALS = f"""
usage_sum AS ({_SUMS}), usage_totals AS (
  INSERT INTO plans_usagetotal AS t (organisation_id, api_key, month, requests, tokens_in, tokens_out, within_cap)
  SELECT organisation_id, api_key, month, requests, tokens_in, tokens_out, true FROM usage_sum
  ORDER BY organisation_id, month, api_key NULLS FIRST
  ON CONFLICT (organisation_id, month, api_key) DO UPDATE SET {_ADD}
)
"""

# Fails the whole statement (constraint usage_within_cap) when a cap of the organisation's plan or of the key's own one
# has no room. The row's lock makes simultaneous turns wait for each other, and each sees the charge of the one before
# it. A request without model tokens is not refused for lack of them. Parameters: organisation, api_key.
TOTALS_WITHIN_CAPS = f"""
usage_cap AS (
  SELECT NULL::uuid AS api_key, p.requests_per_month AS requests, p.tokens_per_month AS tokens
  FROM accounts_organisation o JOIN plans_plan p ON p.name = o.plan_id WHERE o.id = %(organisation)s
  UNION ALL
  SELECT k.family, p.requests_per_month, p.tokens_per_month
  FROM accounts_apikey k JOIN plans_plan p ON p.name = k.plan_id
  WHERE k.id = %(api_key)s AND k.organisation_id = %(organisation)s
), usage_sum AS ({_SUMS}), usage_totals AS (
  INSERT INTO plans_usagetotal AS t (organisation_id, api_key, month, requests, tokens_in, tokens_out, within_cap)
  SELECT s.organisation_id, s.api_key, s.month, s.requests, s.tokens_in, s.tokens_out, COALESCE((
    SELECT (c.requests IS NULL OR s.requests <= c.requests)
      AND (c.tokens IS NULL OR s.tokens_in + s.tokens_out = 0 OR s.tokens_in + s.tokens_out <= c.tokens)
    FROM usage_cap c WHERE c.api_key IS NOT DISTINCT FROM s.api_key), true)
  FROM usage_sum s ORDER BY s.organisation_id, s.month, s.api_key NULLS FIRST
  ON CONFLICT (organisation_id, month, api_key) DO UPDATE SET {_ADD},
    within_cap = COALESCE((
      SELECT (c.requests IS NULL OR t.requests + excluded.requests <= c.requests)
        AND (c.tokens IS NULL OR excluded.tokens_in + excluded.tokens_out = 0
          OR t.tokens_in + t.tokens_out + excluded.tokens_in + excluded.tokens_out <= c.tokens)
      FROM usage_cap c WHERE c.api_key IS NOT DISTINCT FROM excluded.api_key), true)
)
"""
WITHIN_CAP = "usage_within_cap"

# A search, charged in the statement that reads its passages. Parameters: entry, organisation, bot, api_key, user.
SEARCH_CHARGED = f"""
charged AS (
  INSERT INTO plans_usageentry ({COLUMNS})
  VALUES (%(entry)s, %(organisation)s, now(), {TODAY}, 'search', 'charge', NULL, %(bot)s, %(api_key)s, %(user)s, '',
    1, 0, 0)
  {CHARGED}
), {TOTALS_WITHIN_CAPS}
"""
