import type { IncomingMessage, ServerResponse } from "node:http";
import { sendJson, type Problem } from "../producers/problem.ts";
import { readBody } from "../producers/read-body.ts";
import { type Html, html } from "./html.ts";
import { type Frame, layout, type PageParts } from "./layout.ts";

/** What a request is answered with. */
export type Answer =
  | { readonly kind: "page"; readonly status: number; readonly page: PageParts; readonly headers?: Headers }
  | { readonly kind: "json"; readonly value: unknown }
  /** After a change: the browser asks for this page, and going back or reloading changes nothing again. */
  | { readonly kind: "see"; readonly to: string }
  | { readonly kind: "moved"; readonly to: string };

type Headers = Readonly<Record<string, string>>;

/** A page of its own for whatever went wrong. */
export function problemAnswer(
  { status, detail, headers }: Problem,
  title: string,
  more?: Partial<PageParts>,
): Answer {
  const body: Html = html`<h1>${title}</h1><p>${detail}</p><p><a href="/">Overview</a></p>`;
  return { kind: "page", status, page: { title, body, ...more }, ...(headers && { headers }) };
}

/** Sends it. */
export function sendAnswer(res: ServerResponse, frame: Frame, answer: Answer): void {
  // The asker may be gone, or a time limit has already answered.
  if (res.headersSent || res.destroyed) return;
  switch (answer.kind) {
    case "json":
      return sendJson(res, 200, answer.value);
    case "see":
    case "moved":
      res.writeHead(answer.kind === "see" ? 303 : 302, {
        location: answer.to,
        "content-length": 0,
      });
      res.end();
      return;
    case "page":
      return sendText(
        res,
        answer.status,
        "text/html; charset=utf-8",
        layout(frame, answer.page),
        answer.headers,
      );
  }
}

/** Sends a text; `headers` take the place of those that every page has. */
export function sendText(
  res: ServerResponse,
  status: number,
  type: string,
  text: string,
  headers: Headers = {},
): void {
  const length = Buffer.byteLength(text);
  res.writeHead(status, { ...headers, "content-type": type, "content-length": length });
  res.end(text);
}

/** A form is short; its longest field has 1,000 characters. */
const FORM_BYTES = 16_384;

/** The fields of a form that was sent; undefined when it is too long, or its sender went away. */
export function readForm(req: IncomingMessage): Promise<URLSearchParams | undefined> {
  return new Promise((done) => {
    readBody(req, FORM_BYTES, (body) =>
      done(typeof body === "string" ? undefined : new URLSearchParams(body.toString("utf8"))),
    );
  });
}
