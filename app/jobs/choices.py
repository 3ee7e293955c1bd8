from django.db import models


class JobState(models.TextChoices):
    QUEUED = "queued", "Queued"  # free for a worker from `not_before` on
    RUNNING = "running", "Running"  # leased until `lease_until`; an expired lease is free again
    DONE = "done", "Done"
    FAILED = "failed", "Failed"  # `error_code` has the reason
    CANCELLED = "cancelled", "Cancelled"  # by a person; a worker that still has the lease is fenced out


OPEN = (JobState.QUEUED, JobState.RUNNING)


class Lane(models.TextChoices):
    """The resource that a kind mostly uses. Each lane has its own queue at the broker."""

    INTERACTIVE = "interactive", "Interactive"  # a person waits for the result; takes seconds at most
    CPU = "cpu", "Processor"  # parses and embeds
    NETWORK = "network", "Network"  # waits for external servers, for minutes
    SLOW = "slow", "Slow"  # takes long, and nobody waits for it at the screen

    @property
    def queue(self) -> str:
        return f"jobs.{self.value}"
