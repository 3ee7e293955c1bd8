from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "app.plans"
    label = "usage"
    default_auto_field = "django.db.models.BigAutoField"
