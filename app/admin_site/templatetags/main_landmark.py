from django import template
from django.utils.safestring import SafeString

register = template.Library()
CONTENT = '<div id="content"'


@register.filter
def main_landmark(page: SafeString) -> SafeString:
    """Mark Unfold's content as the page's main part, which screen readers jump to; its template has no block there."""
    return SafeString(page.replace(CONTENT, f'{CONTENT} role="main"', 1))
