from django.contrib.admin.apps import AdminConfig


class RefdeskAdminConfig(AdminConfig):
    default = False
    default_site = "app.admin_site.site.RefdeskAdminSite"
