"""Pages of Django admin. Django finds an app's pages by importing this package, so it names each module."""

from app.library.admin import documents as documents
from app.library.admin import sources as sources
