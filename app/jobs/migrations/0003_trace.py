from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0002_tenant'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='trace_id',
            field=models.CharField(blank=True, db_default='', default='', max_length=32),
        ),
    ]
