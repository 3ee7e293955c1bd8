import re

from django import template
from django.utils.safestring import SafeString

register = template.Library()
# Quotes in names are escaped, so that this can only be the attribute.
LABEL = re.compile(r'(?<=data-label=")\w')


@register.filter
def capital_labels(table: SafeString) -> SafeString:
    """Unfold gives its heads a capital, but not the labels that stand for them on a phone."""
    return SafeString(LABEL.sub(lambda letter: letter[0].upper(), table))
