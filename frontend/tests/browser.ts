/** What jsdom lacks of a browser and the component uses. */
Object.defineProperty(window, "matchMedia", {
  value: (query: string) => ({ matches: false, media: query, addEventListener() {}, removeEventListener() {} }),
  writable: true,
});
Element.prototype.scrollIntoView ??= function scrollIntoView() {};
