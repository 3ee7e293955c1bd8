"""Pages of Django admin. Django finds an app's pages by importing this package, so it imports each module."""

from app.analytics.admin import usage as usage
