from django.db import migrations

MODELS = ("source", "document", "documentversion", "versiontext", "chunk", "embeddingcache", "job")


class Migration(migrations.Migration):
    """Names the tables after this app; they were made by the apps `sources` and `ingest`."""

    dependencies = [("library", "0002_passages")]
    operations = [migrations.AlterModelTable(name=model, table=None) for model in MODELS]
