from django.db import models


class Role(models.TextChoices):
    """The role of a member in one organisation; each role includes the permissions of the roles after it."""

    OWNER = "owner", "Owner"  # everything, and cannot be removed by an admin
    ADMIN = "admin", "Admin"  # members, keys, bots, settings
    EDITOR = "editor", "Editor"  # documents and sources
    VIEWER = "viewer", "Viewer"  # ask and read

    def covers(self, needed: "Role") -> bool:
        order = list(Role)
        return order.index(self) <= order.index(needed)


class Scope(models.TextChoices):
    """A permission of a key in addition to its role: a request needs both. A person has all scopes."""

    CHAT = "chat", "Ask bots"
    SEARCH = "search", "Search passages"
    CONVERSATIONS = "conversations", "Read and change its own conversations"
    DOCUMENTS_READ = "documents:read", "Read documents and sources"
    DOCUMENTS_WRITE = "documents:write", "Upload, change and delete documents and sources"
    BOTS_READ = "bots:read", "Read bots and their revisions"
    BOTS_WRITE = "bots:write", "Change bots"
    ADMIN = "admin", "Keys, usage, audit trail, exports and erasures"


class InvitationState(models.TextChoices):
    OPEN = "open", "Open"
    ACCEPTED = "accepted", "Accepted"
    EXPIRED = "expired", "Expired"
    VOID = "void", "No longer valid"  # its maker may no longer invite to that role


class Scheme(models.TextChoices):
    """The colour scheme that the portal opens with."""

    AUTO = "auto", "As the reader's device says"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


class TokenPurpose(models.TextChoices):
    FIRST_ADMIN = "first_admin", "First admin"
    PASSWORD_RESET = "password_reset", "Password reset"
