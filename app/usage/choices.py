from django.db import models


class UsageKind(models.TextChoices):
    """What was used."""

    TURN = "turn", "Question"
    SEARCH = "search", "Search"
    INGEST = "ingest", "Reading a document"


class UsageStep(models.TextChoices):
    RESERVE = "reserve", "Reserved"  # before a turn, what it may use at most
    SETTLE = "settle", "Settled"  # after it, the difference to what it used
    CHARGE = "charge", "Charged"  # at once, where the use is known


class Cap(models.TextChoices):
    """What of a month's cap is used up, and whose."""

    REQUESTS = "requests", "requests"
    TOKENS = "tokens", "model tokens"
