from django.db import models


class Role(models.TextChoices):
    """What a member may do in one organisation; each role may do all that the ones after it may."""

    OWNER = "owner", "Owner"  # everything, and cannot be removed by an admin
    ADMIN = "admin", "Admin"  # members, keys, bots, settings
    EDITOR = "editor", "Editor"  # documents and sources
    VIEWER = "viewer", "Viewer"  # ask and read

    def covers(self, needed: "Role") -> bool:
        order = list(Role)
        return order.index(self) <= order.index(needed)
