// Reads an order in each status with openapi-fetch and the types that openapi-typescript has generated.
// Never casts an answer: what the types do not say is what this is to show.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Order = components["schemas"]["Order"];

const client = createClient<paths>({ baseUrl: process.argv[2] });
const sku = `TS-${randomUUID().slice(0, 8).toUpperCase()}`;
const total = { amount: 2598, currency: "EUR" };

/** The body of a success and its consistency token. */
const expect = async <T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<[T, string]> => {
  const { data, error, response } = await call;
  assert.ok(data !== undefined, JSON.stringify(error));
  return [data, response.headers.get("consistency-token") ?? ""];
};

const price = { amount: 1299, currency: "EUR" };
await expect(client.POST("/api/products", { body: { sku, name: "Mug", price } }));
await expect(client.POST("/api/products/{sku}/stock", { params: { path: { sku } }, body: { quantity: 100 } }));
const [customer] = await expect(client.POST("/api/customers", { body: { name: "Ada", email: "ada@example.org" } }));

const place = async (): Promise<[string, string]> => {
  const body = { customerId: customer.id, lines: [{ sku, quantity: 2 }], expectedTotal: total };
  const [order, token] = await expect(client.POST("/api/orders", { body }));
  return [order.id, token];
};

/** Reads an order, which must be in this status and have these parts and no others. */
const read = async (id: string, token: string, status: Order["status"], there: (keyof Order)[]) => {
  const header = { "Consistency-Token": token, Prefer: "wait=10" };
  const [order] = await expect(client.GET("/api/orders/{id}", { params: { path: { id }, header } }));
  assert.deepEqual([order.status, order.total, order.lines[0]?.quantity], [status, total, 2]);
  const parts: (keyof Order)[] = ["paidAt", "shippedAt", "shipment", "deliveredAt", "cancelledAt", "reason"];
  assert.deepEqual(parts.filter((part) => order[part] !== undefined), there);
  console.log(`read: ${status}, by openapi-typescript`);
};

const [id, placed] = await place();
const params = { path: { id } };
await read(id, placed, "placed", []);
const [, paid] = await expect(client.POST("/api/orders/{id}/payment", { params, body: { amount: total } }));
await read(id, paid, "paid", ["paidAt"]);
const parcel = { carrier: "Post", trackingNumber: "1Z" };
const [, shipped] = await expect(client.POST("/api/orders/{id}/shipment", { params, body: parcel }));
await read(id, shipped, "shipped", ["paidAt", "shippedAt", "shipment"]);
const [, delivered] = await expect(client.POST("/api/orders/{id}/delivery", { params, body: {} }));
await read(id, delivered, "delivered", ["paidAt", "shippedAt", "shipment", "deliveredAt"]);
const [other] = await place();
const [, cancelled] = await expect(
  client.POST("/api/orders/{id}/cancellation", { params: { path: { id: other } }, body: { reason: "too many mugs" } }),
);
await read(other, cancelled, "cancelled", ["cancelledAt", "reason"]);
