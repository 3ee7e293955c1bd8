from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("chat", "0003_finish_reason")]
    operations = [migrations.AlterModelOptions(name="citation", options={"ordering": ["end", "n"]})]
