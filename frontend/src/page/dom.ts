/** Elements are made by these functions only: no string ever becomes HTML, so nothing in a text can run. */

export type Child = Node | string | null | undefined;
type Listener = (event: never) => void;

export interface Props {
  class?: string | null;
  on?: Record<string, Listener>;
  [attribute: string]: string | number | boolean | null | undefined | Record<string, Listener>;
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value as Record<string, Listener>)) {
        element.addEventListener(event, listener as EventListener);
      }
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
  append(element, children);
  return element;
}

export function append(parent: Node, children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined) continue;
    parent.appendChild(typeof child === "string" ? document.createTextNode(child) : child);
  }
}

/** The element with this id, or an error that names it: a page and its script are one unit. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`this page has no #${id}`);
  return element as T;
}

/** Data that the server put into the page with json_script. */
export function pageData<T>(id: string): T {
  return JSON.parse(byId(id).textContent ?? "null") as T;
}
