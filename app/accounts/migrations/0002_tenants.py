import uuid

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import app.accounts.models
import app.lib.ids

# The organisations that are there get this plan with their new column; the others come after the migrations
# (app/accounts/plans.py).
PLAN = "INSERT INTO accounts_plan (name, title, soft_percent) VALUES ('unlimited', 'Unlimited', 80)"
NO_PLAN = "DELETE FROM accounts_plan WHERE name = 'unlimited'"

# No key has taken another's place yet, so that each is the first of its family.
FAMILIES = "UPDATE accounts_apikey SET family = id"

# For every role, the owner too: grants alone do not hold for the one who made the tables. TRUNCATE is left to the
# owner, since a trigger would also keep tests from emptying their database.
GUARD = """
CREATE FUNCTION refdesk_audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'accounts_auditdetail' THEN
    IF NEW.entry_id = OLD.entry_id AND NEW.organisation_id IS NOT DISTINCT FROM OLD.organisation_id
        AND NEW.content->'erased' = 'true'::jsonb AND NEW.content - 'erased' - 'seal' = '{}'::jsonb THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_guard BEFORE UPDATE OR DELETE ON accounts_auditentry
  FOR EACH ROW EXECUTE FUNCTION refdesk_audit_guard();
CREATE TRIGGER audit_guard BEFORE UPDATE OR DELETE ON accounts_auditdetail
  FOR EACH ROW EXECUTE FUNCTION refdesk_audit_guard();
CREATE TRIGGER audit_guard BEFORE DELETE ON accounts_audithead
  FOR EACH ROW EXECUTE FUNCTION refdesk_audit_guard();
"""
UNGUARD = """
DROP TRIGGER audit_guard ON accounts_audithead;
DROP TRIGGER audit_guard ON accounts_auditdetail;
DROP TRIGGER audit_guard ON accounts_auditentry;
DROP FUNCTION refdesk_audit_guard();
"""

SCOPES = [
    ("chat", "Ask bots"),
    ("search", "Search passages"),
    ("conversations", "Read and change its own conversations"),
    ("documents:read", "Read documents and sources"),
    ("documents:write", "Upload, change and delete documents and sources"),
    ("bots:read", "Read bots and their revisions"),
    ("bots:write", "Change bots"),
    ("admin", "Keys, usage, audit trail, exports and erasures"),
]
ROLES = [("owner", "Owner"), ("admin", "Admin"), ("editor", "Editor"), ("viewer", "Viewer")]


def id_field():
    return models.UUIDField(default=app.lib.ids.new_id, editable=False, primary_key=True, serialize=False)


def limit_field(*validators):
    return models.PositiveIntegerField(blank=True, null=True, validators=list(validators))


def outlived_organisation():
    return models.ForeignKey(
        blank=True,
        db_constraint=False,
        null=True,
        on_delete=django.db.models.deletion.DO_NOTHING,
        related_name="+",
        to="accounts.organisation",
    )


# Changes of the tables that are there come first: Django makes each model and those near it anew at every one of them,
# which takes longer the more there are.
COLUMNS = [
    migrations.CreateModel(
        name="Plan",
        fields=[
            ("name", models.SlugField(primary_key=True, serialize=False)),
            ("title", models.CharField(max_length=200)),
            ("requests_per_minute", limit_field(django.core.validators.MinValueValidator(1))),
            ("tokens_per_minute", limit_field(django.core.validators.MinValueValidator(1))),
            ("person_requests_per_minute", limit_field(django.core.validators.MinValueValidator(1))),
            ("requests_per_month", models.PositiveBigIntegerField(blank=True, null=True)),
            ("tokens_per_month", models.PositiveBigIntegerField(blank=True, null=True)),
            (
                "soft_percent",
                models.PositiveSmallIntegerField(
                    default=80,
                    validators=[
                        django.core.validators.MinValueValidator(1),
                        django.core.validators.MaxValueValidator(100),
                    ],
                ),
            ),
        ],
        options={"ordering": ["name"]},
    ),
    migrations.RunSQL(PLAN, NO_PLAN),
    migrations.AddField(
        model_name="organisation",
        name="plan",
        field=models.ForeignKey(
            default="unlimited",
            on_delete=django.db.models.deletion.PROTECT,
            related_name="organisations",
            to="accounts.plan",
        ),
    ),
    migrations.AddField(
        model_name="organisation",
        name="suspended",
        field=models.DateTimeField(blank=True, null=True),
    ),
    migrations.AddField(
        model_name="organisation",
        name="retention_days",
        field=limit_field(
            django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(36500)
        ),
    ),
    migrations.AddField(
        model_name="organisation",
        name="accent",
        field=models.CharField(
            blank=True,
            max_length=7,
            validators=[django.core.validators.RegexValidator("^#[0-9a-fA-F]{6}\\Z", "Write a colour as #0d6a4b.")],
        ),
    ),
    migrations.AddField(
        model_name="organisation",
        name="scheme",
        field=models.CharField(
            choices=[("auto", "As the reader's device says"), ("light", "Light"), ("dark", "Dark")],
            default="auto",
            max_length=5,
        ),
    ),
    migrations.AddField(
        model_name="organisation",
        name="welcome",
        field=models.CharField(blank=True, max_length=300),
    ),
    migrations.AddField(
        model_name="membership",
        name="by_rule",
        field=models.BooleanField(default=False, editable=False),
    ),
    migrations.AddField(
        model_name="apikey",
        name="scopes",
        field=django.contrib.postgres.fields.ArrayField(
            base_field=models.CharField(choices=SCOPES, max_length=30),
            default=app.accounts.models.scopes_all,
            size=None,
        ),
    ),
    migrations.AddField(
        model_name="apikey",
        name="plan",
        field=models.ForeignKey(
            blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.plan"
        ),
    ),
    migrations.AddField(
        model_name="apikey",
        name="replaced_by",
        field=models.OneToOneField(
            blank=True,
            editable=False,
            null=True,
            on_delete=django.db.models.deletion.SET_NULL,
            related_name="replaces",
            to="accounts.apikey",
        ),
    ),
    migrations.AddField(
        model_name="apikey",
        name="family",
        field=models.UUIDField(db_index=True, default=uuid.UUID(int=0), editable=False),
        preserve_default=False,
    ),
    migrations.RunSQL(FAMILIES, migrations.RunSQL.noop),
]

PEOPLE = [
    migrations.CreateModel(
        name="ClaimRule",
        fields=[
            ("id", id_field()),
            ("claim", models.CharField(default="groups", max_length=200)),
            ("value", models.CharField(max_length=200)),
            ("role", models.CharField(choices=ROLES, default="viewer", max_length=10)),
            ("created", models.DateTimeField(auto_now_add=True)),
            (
                "organisation",
                models.ForeignKey(
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name="claim_rules",
                    to="accounts.organisation",
                ),
            ),
        ],
        options={
            "verbose_name": "sign-in rule",
            "constraints": [
                models.UniqueConstraint(fields=("organisation", "claim", "value"), name="claim_rule_unique")
            ],
        },
    ),
    migrations.CreateModel(
        name="Identity",
        fields=[
            ("id", id_field()),
            ("issuer", models.CharField(max_length=500)),
            ("subject", models.CharField(max_length=255)),
            ("last_used", models.DateTimeField(blank=True, null=True)),
            ("created", models.DateTimeField(auto_now_add=True)),
            (
                "user",
                models.ForeignKey(
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name="identities",
                    to=settings.AUTH_USER_MODEL,
                ),
            ),
        ],
        options={
            "verbose_name_plural": "identities",
            "constraints": [models.UniqueConstraint(fields=("issuer", "subject"), name="identity_unique")],
        },
    ),
    migrations.CreateModel(
        name="OneTimeToken",
        fields=[
            ("id", id_field()),
            (
                "purpose",
                models.CharField(
                    choices=[("first_admin", "First admin"), ("password_reset", "Password reset")], max_length=20
                ),
            ),
            ("token_hash", models.CharField(editable=False, max_length=64, unique=True)),
            ("expires", models.DateTimeField()),
            ("used", models.DateTimeField(blank=True, null=True)),
            ("created", models.DateTimeField(auto_now_add=True)),
            (
                "user",
                models.ForeignKey(
                    blank=True,
                    null=True,
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name="+",
                    to=settings.AUTH_USER_MODEL,
                ),
            ),
        ],
    ),
    migrations.CreateModel(
        name="SignIn",
        fields=[
            ("id", id_field()),
            ("session_key", models.CharField(editable=False, max_length=40, unique=True)),
            ("issuer", models.CharField(blank=True, max_length=500)),
            ("provider_session", models.CharField(blank=True, max_length=255)),
            ("address", models.GenericIPAddressField(blank=True, null=True)),
            ("agent", models.CharField(blank=True, max_length=300)),
            ("created", models.DateTimeField(auto_now_add=True)),
            (
                "user",
                models.ForeignKey(
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name="sign_ins",
                    to=settings.AUTH_USER_MODEL,
                ),
            ),
        ],
        options={
            "ordering": ["-created"],
            "indexes": [models.Index(fields=["issuer", "provider_session"], name="sign_in_at_provider")],
        },
    ),
]

AUDIT = [
    migrations.CreateModel(
        name="AuditEntry",
        fields=[
            ("id", id_field()),
            ("number", models.PositiveBigIntegerField()),
            ("at", models.DateTimeField()),
            ("action", models.CharField(max_length=60)),
            ("target_kind", models.CharField(blank=True, max_length=40)),
            ("target", models.CharField(blank=True, max_length=64)),
            ("actor_kind", models.CharField(max_length=12)),
            ("actor", models.UUIDField(blank=True, null=True)),
            ("detail_hash", models.CharField(max_length=64)),
            ("previous", models.CharField(blank=True, max_length=64)),
            ("hash", models.CharField(max_length=64)),
            ("organisation", outlived_organisation()),
        ],
        options={
            "verbose_name_plural": "audit entries",
            "ordering": ["-number"],
            "indexes": [models.Index(fields=["organisation", "-at"], name="audit_by_age")],
            "constraints": [
                models.UniqueConstraint(
                    fields=("organisation", "number"), name="audit_number_unique", nulls_distinct=False
                )
            ],
        },
    ),
    migrations.CreateModel(
        name="AuditDetail",
        fields=[
            (
                "entry",
                models.OneToOneField(
                    on_delete=django.db.models.deletion.CASCADE,
                    primary_key=True,
                    related_name="detail",
                    serialize=False,
                    to="accounts.auditentry",
                ),
            ),
            ("content", models.JSONField(default=dict)),
            ("organisation", outlived_organisation()),
        ],
    ),
    migrations.CreateModel(
        name="AuditHead",
        fields=[
            ("id", id_field()),
            ("number", models.PositiveBigIntegerField(default=0)),
            ("hash", models.CharField(blank=True, max_length=64)),
            ("seal", models.CharField(blank=True, max_length=64)),
            ("organisation", outlived_organisation()),
        ],
        options={
            "constraints": [
                models.UniqueConstraint(fields=("organisation",), name="audit_head_unique", nulls_distinct=False)
            ],
        },
    ),
    migrations.RunSQL(GUARD, UNGUARD),
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = COLUMNS + PEOPLE + AUDIT
