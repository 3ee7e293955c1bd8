"""Pages of Django admin. Django finds an app's pages by importing this package, so it names each module."""

from app.accounts.admin import keys as keys
from app.accounts.admin import organisations as organisations
from app.accounts.admin import people as people
