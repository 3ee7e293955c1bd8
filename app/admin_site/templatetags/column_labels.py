import re

from django import template
from django.utils.safestring import SafeString

register = template.Library()
# Quotes in names are escaped, so that this can only be the attribute.
LABEL = re.compile(r'(?<=data-label=")\w')


@register.filter
def capital_labels(table: SafeString) -> SafeString:
    """Capitalise the labels that replace column heads on a phone, as Unfold capitalises the heads."""
    return SafeString(LABEL.sub(lambda letter: letter[0].upper(), table))
