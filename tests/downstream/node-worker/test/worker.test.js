import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { connect } from "amqplib";
import { startWorker } from "../worker.js";
import { startBroker } from "../fake-broker.js";

let broker, worker, client, shop;

before(async () => {
  broker = await startBroker("--faults", "faults.toml", "--manual-clock");
});

beforeEach(async () => {
  worker = await startWorker(broker.url);
  client = await connect(broker.url);
  for (const connection of [worker, client]) connection.on("error", () => {}); // a test may cut it
  shop = await client.createChannel();
});

afterEach(async () => {
  await broker.post("reset"); // which cuts the connections as well
});

after(() => broker.stop());

const order = (id, ...prices) => shop.sendToQueue("orders", Buffer.from(JSON.stringify({ id, prices })));

test("an order whose result is refused is worked on again", async () => {
  order(1, 20, 5);
  order(2, 7);

  await broker.get("history?kind=acknowledged&queue_name=orders&wait=2");
  const { events } = await broker.get("history?kind=published&exchange_name=results");
  assert.deepEqual(
    events.map((event) => JSON.parse(event.body).total),
    [25, 7, 7],
  );
  assert.equal((await broker.delete("faults/1")).count, 1);
});

test("a result carries its content type", async () => {
  const { mark } = await broker.get("mark");

  order(3, 1, 2);

  const query = new URLSearchParams({ kind: "published", exchange_name: "results", since: mark, wait: 1 });
  const { events } = await broker.get(`history?${query}&json=${encodeURIComponent('{"id": 3, "total": 3}')}`);
  assert.equal(events[0].properties.content_type, "application/json");
});

test("a wait that is not met says what was there instead", async () => {
  order(4, 9);
  await broker.get("history?kind=acknowledged&queue_name=orders&wait=1");

  await assert.rejects(
    broker.get("history?kind=published&exchange_name=results&routing_key=order.paid&wait=1&timeout=0.1"),
    /routing_key.*'order\.added'/s,
  );
});

test("the worker's connection is lost", async () => {
  const lost = new Promise((resolve) => worker.once("close", resolve));

  const { connections } = await broker.post("cut");

  assert.equal(connections, 2);
  await lost;
});
