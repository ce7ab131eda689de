/**
 * The server's API as types, in the shape openapi-typescript writes. `npm run
 * api` renews this file from openapi.json, the document the server serves.
 */
export interface paths {
  "/v1/session": {
    get: { responses: Answer<200, components["schemas"]["Session"]> };
    delete: { responses: Empty };
  };
  "/v1/sessions": {
    post: {
      requestBody: Json<{ login_token?: string; email?: string; password?: string }>;
      responses: Answer<201, components["schemas"]["Session"]>;
    };
  };
  "/v1/session/password": {
    put: { requestBody: Json<{ password: string }>; responses: Empty };
  };
  "/v1/api-tokens": {
    get: { responses: Answer<200, { items: components["schemas"]["ApiToken"][] | null }> };
    post: {
      requestBody: Json<{ name: string }>;
      responses: Answer<201, components["schemas"]["NewApiToken"]>;
    };
  };
  "/v1/api-tokens/{id}": {
    delete: { parameters: ById; responses: Empty };
  };
  "/v1/media": {
    get: {
      parameters: { query?: { cursor?: string; limit?: number; q?: string } };
      responses: Answer<200, components["schemas"]["MediaPage"]>;
    };
  };
  "/v1/media/{id}": {
    get: { parameters: ById; responses: Answer<200, components["schemas"]["Media"]> };
    patch: {
      parameters: ById;
      requestBody: Json<{ name: string }>;
      responses: Answer<200, components["schemas"]["Media"]>;
    };
    delete: { parameters: ById; responses: Empty };
  };
  "/v1/media/{id}/retries": {
    post: { parameters: ById; responses: Answer<202, components["schemas"]["Media"]> };
  };
  "/v1/stats/overview": {
    get: { responses: Answer<200, components["schemas"]["Overview"]> };
  };
  "/v1/stats/media/{id}": {
    get: { parameters: ById; responses: Answer<200, components["schemas"]["MediaStats"]> };
  };
  "/v1/stats/media/{id}/engagement": {
    get: { parameters: ById; responses: Answer<200, components["schemas"]["Engagement"]> };
  };
  "/v1/stats/media/{id}/views": {
    get: {
      parameters: { path: { id: string }; query?: { cursor?: string; limit?: number } };
      responses: Answer<200, components["schemas"]["ViewPage"]>;
    };
  };
}

interface ById {
  path: { id: string };
}
interface Json<T> {
  content: { "application/json": T };
}
interface ProblemAnswer {
  content: { "application/problem+json": components["schemas"]["Problem"] };
}
type Answer<Code extends number, T> = { [code in Code]: Json<T> } & { default: ProblemAnswer };
interface Empty {
  204: { content?: never };
  default: ProblemAnswer;
}

export interface components {
  schemas: {
    /** RFC 9457 problem details. */
    Problem: {
      type?: string;
      title?: string;
      status?: number;
      detail?: string;
      instance?: string;
      errors?: { message?: string; location?: string }[] | null;
    };
    Session: {
      user: { id: string; email: string; role: string };
      account: { id: string; name: string };
      has_password: boolean;
    };
    ApiToken: { id: string; name: string; created_at: string; last_used_at?: string | null };
    /** The token itself is in this one answer only. */
    NewApiToken: { id: string; name: string; token: string; created_at?: string };
    Rendition: {
      name: string;
      kind: string;
      codecs?: string;
      width?: number;
      height?: number;
      frame_rate?: number;
      bandwidth_bps?: number;
      average_bandwidth_bps?: number;
      ready: boolean;
    };
    Media: {
      id: string;
      name: string;
      state: "uploading" | "probing" | "playable" | "ready" | "failed";
      failure: { code: string; reason: string; retryable: boolean } | null;
      /** Share of the upload or of the ladder that is done, 0 to 1. */
      progress: number;
      uploaded_bytes: number;
      size_bytes: number;
      duration_seconds: number;
      width: number;
      height: number;
      frame_rate: number;
      has_video: boolean;
      has_audio: boolean;
      renditions: components["schemas"]["Rendition"][] | null;
      poster_url?: string | null;
      storyboard_url?: string | null;
      watch_url: string;
      embed_url: string;
      hls_url: string;
      embed_code: string;
      iframe_code: string;
      analytics_url: string;
      created_at: string;
      updated_at: string;
      playable_at?: string | null;
      ready_at?: string | null;
    };
    MediaPage: { items: components["schemas"]["Media"][] | null; next_cursor?: string };
    Overview: {
      media: number;
      loads: number;
      plays: number;
      play_rate: number;
      hours_watched: number;
      average_engagement: number;
    };
    MediaStats: {
      media_id: string;
      duration_seconds: number;
      loads: number;
      visitors: number;
      plays: number;
      play_rate: number;
      views: number;
      average_engagement: number;
      hours_watched: number;
      finished: number;
      /** The formula of each figure, by its name. */
      definitions?: { [figure: string]: string };
    };
    Engagement: {
      cell_seconds: number;
      /** Per cell, the views that watched it for the first time. */
      engagement: number[] | null;
      /** Per cell, the times it was watched again. */
      rewatches: number[] | null;
    };
    View: {
      view_id: string;
      visitor: string;
      started_at: string;
      last_seen_at: string;
      /** Share of the media watched at least once, 0 to 1. */
      percent_watched: number;
      watched_seconds: number;
      rewatched_seconds: number;
      page_url?: string;
      referrer?: string;
      country?: string;
      device?: string;
      browser?: string;
      os?: string;
      live: boolean;
      /** Run-length pairs [level 0 to 5, cells]. */
      strip: number[][] | null;
    };
    ViewPage: { items: components["schemas"]["View"][] | null; next_cursor?: string };
  };
}
