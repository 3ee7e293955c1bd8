#!/usr/bin/env python
"""Refdesk's commands: `python manage.py help`."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from app.audit.actors import actor_set, command_actor
    from app.lib.tenancy import scope_enter_everything

    # Whoever has a shell on the box has the box.
    scope_enter_everything()
    actor_set(command_actor(sys.argv))
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"CommandError: {error}")
