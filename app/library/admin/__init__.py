"""Import the admin's modules: Django finds an app's pages by importing this package."""

from app.library.admin import documents as documents
from app.library.admin import embedding_change as embedding_change
from app.library.admin import sources as sources
