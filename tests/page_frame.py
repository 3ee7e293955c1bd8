"""Whether a page keeps its frame: expressions for a browser, which give a list of faults."""

from playwright.sync_api import Page

# What only screen readers meet lies inside a positioned ancestor of its own. Placed by the window instead, it lies
# where the scrolled content ends, and makes the page longer than what people see of it.
HIDDEN_FAULTS = """() => [...document.querySelectorAll("body *")].flatMap(element => {
  const style = getComputedStyle(element), box = element.getBoundingClientRect();
  if (style.position !== "absolute" || !element.getClientRects().length || box.width > 1 || box.height > 1) return [];
  const name = `${element.tagName} ${element.className}: ${element.textContent.trim().slice(0, 40)}`;
  const holder = element.offsetParent;
  if (!holder || holder === document.body) return [`nothing holds ${name}`];
  const around = holder.getBoundingClientRect();
  const inside = box.top >= around.top - 1 && box.bottom <= around.bottom + 1
    && box.left >= around.left - 1 && box.right <= around.right + 1;
  return inside ? [] : [`outside of what holds it: ${name}`];
})"""
# No page is wider than the window, and inside the portal's frame none is longer: its parts scroll, not the page.
FRAME_FAULTS = """() => {
  const root = document.documentElement, faults = [];
  if (root.scrollWidth > innerWidth) faults.push(`${root.scrollWidth} px wide`);
  if (document.querySelector(".shell") && root.scrollHeight > innerHeight) faults.push(`${root.scrollHeight} px long`);
  return faults;
}"""


def page_faults(page: Page) -> list[str]:
    """Return what is wrong with the frame of a page of the portal."""
    return [*page.evaluate(FRAME_FAULTS), *page.evaluate(HIDDEN_FAULTS)]
