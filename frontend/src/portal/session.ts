import { Client } from "../chat/client";

/**
 * The REST API as the signed-in person, with Django's CSRF token, which a form of the page carries, and the page's
 * organisation: a person may have switched to another one in another tab.
 */
export function sessionClient(): Client {
  return new Client({ baseUrl: document.body.dataset.api ?? "/api/v1", headers: csrfHeader });
}

export function csrfHeader(): Record<string, string> {
  const field = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]");
  const organisation = document.body.dataset.organisation;
  return { "X-CSRFToken": field?.value ?? "", ...(organisation ? { "X-Organisation": organisation } : {}) };
}

export function localStore(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
