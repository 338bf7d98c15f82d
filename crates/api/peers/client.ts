// Uses the types that openapi-typescript made. It must compile as strictly as tsc can, and what
// must not compile says so.

import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, operations, paths } from "./api.js";

type Schemas = components["schemas"];

const world = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as {
  nodes: { url: string; token: string }[];
};

const [host, payer, payee] = world.nodes.map(({ url, token }) =>
  createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${token}` } }),
);

// A choice by `type`: every kind is a whole object.
function amountOf(event: Schemas["Event"]): number {
  switch (event.type) {
    case "channel_opened":
    case "channel_resized":
      return event.capacity_msat;
    case "override_proposed":
      return event.our_balance_msat;
    case "invoice_paid":
      return event.received_msat;
    case "payment_sent":
      return event.amount_msat + event.fee_msat;
    default:
      return event.number >= 0 && event.time_ms >= 0 ? 0 : -1;
  }
}

const opened: Schemas["EventChannelOpened"] = {
  type: "channel_opened",
  number: 1,
  time_ms: 1,
  peer_id: "02",
  role: "host",
  capacity_msat: 5,
};
assert.equal(amountOf(opened), 5);

// Lists of different resources have types of their own.
type Page<Name extends keyof operations> = operations[Name] extends {
  responses: { 200: { content: { "application/json": infer Body } } };
}
  ? Body
  : never;
const empty: Page<"payments_list"> = { payments: [] };
assert.equal(empty.payments.length, 0);
// @ts-expect-error: a list of payments has no channels
void empty.channels;

const made = await payee!.POST("/v1/invoices", {
  body: { amount_msat: 8_000, description: "tea" },
});
assert(made.data?.bolt11, JSON.stringify(made.error));
const paid = await payer!.POST("/v1/payments", {
  body: { invoice: made.data.bolt11, wait_ms: 30_000 },
});
assert.equal(paid.data?.status, "complete");
assert.equal(paid.data?.amount_msat, 8_000);

const details = await payer!.GET("/v1/payments/{payment_hash}", {
  params: { path: { payment_hash: made.data.payment_hash }, query: { wait_ms: 0 } },
});
assert.equal(details.data?.parts.length, 1);

const refused = await payer!.POST("/v1/payments", { body: { invoice: "lnbc1" } });
const error: Schemas["Error"] = refused.error!;
assert.equal(refused.response.status, 422);
assert.equal(error.code, "bad_invoice");

const status = await host!.GET("/v1/status");
assert(status.data!.channels.active >= 1);

// @ts-expect-error: the amount is called amount_msat
const misnamed: Schemas["Pay"] = { invoice: "lnbc1", amount: 1 };
// @ts-expect-error: no invoice
const nothing: Schemas["Pay"] = {};
// @ts-expect-error: there is no such kind of event
const unheardOf: Schemas["Event"] = { type: "nothing", number: 1, time_ms: 1 };
void [misnamed, nothing, unheardOf];

console.log("ok: a payment, a list, an error and an event have types");
