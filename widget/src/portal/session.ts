import { Client } from "../chat/client";

/** The REST API as the signed-in person, with Django's CSRF token, which a form of the page carries. */
export function sessionClient(): Client {
  return new Client({ baseUrl: document.body.dataset.api ?? "/api/v1", headers: csrfHeader });
}

export function csrfHeader(): Record<string, string> {
  const field = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]");
  return { "X-CSRFToken": field?.value ?? "" };
}

export function localStore(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
