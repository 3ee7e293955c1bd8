import re

from django import template
from django.utils.safestring import SafeString

register = template.Library()
# Quotes in names are escaped, so that this can only be the attribute.
LABEL = re.compile(r'(?<=data-label=")\w')
EMPTY = re.compile(r"<td(?=[^>]*>\s*-\s*</td>)")


@register.filter
def capital_labels(table: SafeString) -> SafeString:
    """Capitalise the labels that replace column heads on a phone, as Unfold capitalises the heads.

    Cells without a value are marked, so that a card on a phone leaves them out.
    """
    return SafeString(EMPTY.sub("<td data-empty", LABEL.sub(lambda letter: letter[0].upper(), table)))
