from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator, validate_slug
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.functional import cached_property

from app.accounts.choices import Role, Scheme, Scope, TokenPurpose
from app.lib.ids import new_id
from app.lib.tenancy import everything_visible


class Organisation(models.Model):
    """A tenant: all data that people own belongs to exactly one."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.CharField(max_length=50, unique=True, validators=[validate_slug])
    name = models.CharField(max_length=200)
    # In tokens of the embedding model; a chunk is never longer than the model's limit.
    chunk_tokens = models.PositiveIntegerField(default=500, validators=[MinValueValidator(50), MaxValueValidator(4000)])
    chunk_overlap = models.PositiveIntegerField(default=50, validators=[MaxValueValidator(1000)])
    plan = models.ForeignKey("plans.Plan", models.PROTECT, default="unlimited", related_name="organisations")
    # A suspended organisation's people and keys are refused; its data stays.
    suspended = models.DateTimeField(null=True, blank=True)
    # Conversations are removed this many days after their last turn; None keeps them.
    retention_days = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(36500)]
    )
    accent = models.CharField(
        max_length=7, blank=True, validators=[RegexValidator(r"^#[0-9a-fA-F]{6}\Z", "Write a colour as #0d6a4b.")]
    )
    scheme = models.CharField(max_length=5, choices=Scheme.choices, default=Scheme.AUTO)
    welcome = models.CharField(max_length=300, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["slug"]

    def __str__(self) -> str:
        return self.name


class Users(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person, whose memberships give their rights; an operator runs the box and sees every organisation."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField("e-mail address", max_length=254, unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField("may sign in", default=True)
    is_operator = models.BooleanField("runs this box", default=False)
    created = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Users] = Users()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar = []

    class Meta:
        verbose_name = "account"
        constraints: ClassVar = [models.UniqueConstraint(Lower("email"), name="user_email_unique")]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        self.email = self.email.strip().lower()

    @cached_property
    def admin_roles(self) -> dict[UUID, Role]:
        """Return the organisations whose admin pages the person may use. Cached for a request."""
        with everything_visible():
            rows = self.memberships.filter(role__in=[Role.OWNER, Role.ADMIN], organisation__suspended=None)
            return {organisation: Role(role) for organisation, role in rows.values_list("organisation_id", "role")}

    # Django admin reads this: owners and admins of any organisation may enter; each page is limited to theirs.
    @property
    def is_staff(self) -> bool:
        return self.is_operator or bool(self.admin_roles)

    @property
    def is_superuser(self) -> bool:
        return self.is_operator

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return self.is_active and self.is_staff

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_staff


class Membership(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    # Granted by a claim rule at sign-in, and revoked by the first sign-in without that claim.
    by_rule = models.BooleanField(default=False, editable=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "member"
        constraints: ClassVar = [models.UniqueConstraint(fields=["organisation", "user"], name="membership_unique")]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class Invitation(models.Model):
    """A link that makes one person a member once. The token is shown once and kept as a SHA-256."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="invitations")
    email = models.EmailField("e-mail address", max_length=254)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    expires = models.DateTimeField()
    accepted = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    # The salt of a new invitation's token. Stored nowhere but in the payload of its mail.
    token_salt: str = ""

    def __str__(self) -> str:
        return f"{self.email} ({self.role})"


# Enough time to install a new key before the old one expires.
KEY_EXPIRING = timedelta(days=7)


def scopes_all() -> list[str]:
    return list(Scope.values)


class ApiKey(models.Model):
    """A program's key (`rk_…`), shown once; stored as a SHA-256, which is enough for 256 random bits."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=12, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.ADMIN)
    scopes = ArrayField(models.CharField(max_length=30, choices=Scope.choices), default=scopes_all)
    # Replaces the organisation's plan; the organisation's own limits also apply.
    plan = models.ForeignKey("plans.Plan", models.PROTECT, null=True, blank=True, related_name="+")
    # The key that replaced this one; both are valid until this one expires.
    replaced_by = models.OneToOneField(
        "self", models.SET_NULL, null=True, blank=True, related_name="replaces", editable=False
    )
    # The id of the first key of the chain made by rotation: conversations and the month's cap belong to the chain.
    family = models.UUIDField(editable=False, db_index=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    expires = models.DateTimeField(null=True, blank=True)
    revoked = models.DateTimeField(null=True, blank=True)
    last_used = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.family = self.family or self.pk
        super().save(*args, **kwargs)

    @property
    def is_valid(self) -> bool:
        return self.revoked is None and (self.expires is None or self.expires > timezone.now())

    @property
    def state(self) -> str:
        """Return valid, expiring (within seven days), expired or revoked."""
        if self.revoked is not None:
            return "revoked"
        if self.expires is None:
            return "valid"
        remaining = self.expires - timezone.now()
        return "expired" if remaining <= timedelta(0) else "expiring" if remaining <= KEY_EXPIRING else "valid"


class Identity(models.Model):
    """A person at an OIDC provider. The key is (issuer, subject): never an e-mail address, which may change."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    last_used = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["issuer", "subject"], name="identity_unique")]
        verbose_name_plural = "identities"

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class ClaimRule(models.Model):
    """A rule: people whose OIDC sign-in has this value in this claim become members with this role."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="claim_rules")
    # A path of names with dots: `groups`, `realm_access.roles`.
    claim = models.CharField(max_length=200, default="groups")
    value = models.CharField(max_length=200)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "sign-in rule"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organisation", "claim", "value"], name="claim_rule_unique")
        ]

    def __str__(self) -> str:
        return f"{self.claim} = {self.value}: {self.role}"


class OneTimeToken(models.Model):
    """A link for one purpose, usable once, for one person. The token is shown or sent once and stored as a SHA-256."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    purpose = models.CharField(max_length=20, choices=TokenPurpose.choices)
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="+")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.purpose} {self.id}"


class SignIn(models.Model):
    """A session of a person, so that it can be listed and ended, by them, an admin or the OIDC provider."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True, editable=False)
    # The provider that authenticated the person, for its single sign-out; blank for a local password.
    issuer = models.CharField(max_length=500, blank=True)
    provider_session = models.CharField(max_length=255, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    agent = models.CharField(max_length=300, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created"]
        indexes: ClassVar = [models.Index(fields=["issuer", "provider_session"], name="sign_in_at_provider")]

    def __str__(self) -> str:
        return f"{self.user_id} since {self.created:%Y-%m-%d %H:%M}"
