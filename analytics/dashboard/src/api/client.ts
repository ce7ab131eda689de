import createClient, { type Middleware } from "openapi-fetch";

import type { components, paths } from "./schema";

type Schemas = components["schemas"];
export type Access = Schemas["Access"];
export type Action = Schemas["Action"];
export type ApiToken = Schemas["Token"];
export type BreakdownItem = Schemas["BreakdownItem"];
export type Captions = Schemas["Captions"];
export type Chapter = Schemas["Chapter"];
export type Delivery = Schemas["Delivery"];
export type Engagement = Schemas["Engagement"];
/** Media is the server's media. */
export type Media = Schemas["Media"];
export type LedgerHour = Schemas["LedgerHour"];
export type Experiment = Schemas["Experiment"];
export type Live = Schemas["Live"];
export type MediaStats = Schemas["MediaStats"];
export type NewApiToken = Schemas["CreateTokenOutputBody"];
export type NewPlaybackKey = Schemas["NewKey"];
export type NewWebhook = Schemas["NewWebhook"];
export type Overview = Schemas["Overview"];
export type PlayerAction = Schemas["PlayerAction"];
export type Quality = Schemas["Quality"];
export type Rendition = Schemas["Rendition"];
export type Session = Schemas["Session"];
export type ShareLink = Schemas["ShareLink"];
export type Side = Schemas["Side"];
export type TrendPoint = Schemas["TrendPoint"];
export type View = Schemas["View"];
export type Webhook = Schemas["Webhook"];
type Problem = Partial<Schemas["Problem"]>;

/** ApiError is an answer that is not a success, worded for a person. */
export class ApiError extends Error {
  /** status is the HTTP status, or 0 when no answer came. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

const fallback: Record<number, string> = {
  0: "The server did not answer. Check that Vitascope is running and that you are connected.",
  401: "You are signed out. Sign in again to go on.",
  403: "Your account is not allowed to do this.",
  404: "There is nothing here under this address. It may have been deleted.",
  409: "Something changed in the meantime. Reload and try again.",
  413: "This is larger than the server accepts.",
  429: "Too many requests at once. Wait a moment and try again.",
  503: "The server is starting or short of something it needs. Try again in a moment.",
};

/** describe turns a problem document into one sentence. */
export function describe(status: number, problem?: Problem | null): string {
  const field = problem?.errors?.find((e) => e.message)?.message;
  const text = problem?.detail || field || fallback[status] || problem?.title;
  const sentence = text || `The server answered with an error (${status}).`;
  const first = sentence.charAt(0).toUpperCase() + sentence.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** onSignedOut is called when the server says that there is no session. */
let onSignedOut: () => void = () => {};

/** whenSignedOut registers the one listener for a session that ended. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

const watchSession: Middleware = {
  onResponse({ response, schemaPath }) {
    if (response.status === 401 && !schemaPath.startsWith("/v1/session")) onSignedOut();
  },
};

/** api calls the server with the session's cookie. */
export const api = createClient<paths>({ baseUrl: globalThis.location?.origin ?? "" });
api.use(watchSession);

/** unwrap returns the data of an answer, or throws an ApiError. */
export async function unwrap<T>(
  call: Promise<{ data?: T; error?: Problem; response: Response }>,
): Promise<T> {
  let answer;
  try {
    answer = await call;
  } catch {
    throw new ApiError(0, describe(0));
  }
  const { data, error, response } = answer;
  if (!response.ok) throw new ApiError(response.status, describe(response.status, error));
  return data as T;
}

/** message words any thrown value. */
export function message(error: unknown): string {
  return error instanceof ApiError ? error.message : "Something went wrong in the page. Reload it.";
}
