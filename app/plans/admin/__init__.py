"""Pages of Django admin. Django finds an app's pages by importing this package, so it names each module."""

from app.plans.admin import plans as plans
from app.plans.admin import usage as usage
