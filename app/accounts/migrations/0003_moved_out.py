import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Gives up the models whose tables the apps `audit` and `plans` have taken over; changes no table."""

    dependencies = [("accounts", "0002_tenants"), ("audit", "0001_initial"), ("plans", "0002_plan")]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="organisation",
                    name="plan",
                    field=models.ForeignKey(
                        default="unlimited",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="organisations",
                        to="plans.plan",
                    ),
                ),
                migrations.AlterField(
                    model_name="apikey",
                    name="plan",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="plans.plan",
                    ),
                ),
                migrations.DeleteModel(name="Plan"),
                migrations.DeleteModel(name="AuditDetail"),
                migrations.DeleteModel(name="AuditHead"),
                migrations.DeleteModel(name="AuditEntry"),
            ]
        )
    ]
