import type { ErrorBody } from "./payloads";

/** The text of an error for a person: what happened and the next step. */
export function errorText(error: ErrorBody, retryAfterS: number | null = null): string {
  if (error.code === "not_signed_in" || error.code === "csrf_failed") {
    return "You are signed out, or this page is too old. Sign in in another tab, then try again here.";
  }
  if (error.code === "too_many_requests" && retryAfterS !== null) {
    return `${error.message} Try again in ${Math.ceil(retryAfterS)} s.`;
  }
  const hint = error.details.hint;
  return typeof hint === "string" && hint ? `${error.message} ${hint}` : error.message;
}
