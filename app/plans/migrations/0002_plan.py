import django.core.validators
from django.db import migrations, models


def limit_field(*validators):
    return models.PositiveIntegerField(blank=True, null=True, validators=list(validators))


PLAN = [
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
]


class Migration(migrations.Migration):
    """Takes the plans over from the app `accounts`, and names the ledger's tables after this app."""

    dependencies = [("plans", "0001_initial"), ("accounts", "0002_tenants")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE accounts_plan RENAME TO plans_plan", "ALTER TABLE plans_plan RENAME TO accounts_plan"
                )
            ],
            state_operations=PLAN,
        ),
        migrations.AlterModelTable(name="usageentry", table=None),
        migrations.AlterModelTable(name="usagetotal", table=None),
    ]
