// A worker: it takes orders from a queue, adds up each, and publishes the result.
// An order is acknowledged when its result is confirmed; otherwise it is requeued.
import { connect } from "amqplib";

export async function startWorker(url) {
  const connection = await connect(url, { clientProperties: { connection_name: "worker" } });
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange("results", "topic");
  await channel.assertQueue("results.all");
  await channel.bindQueue("results.all", "results", "#");
  await channel.assertQueue("orders");
  await channel.prefetch(1);
  await channel.consume("orders", (message) => message && work(channel, message));
  return connection;
}

async function work(channel, message) {
  const { id, prices } = JSON.parse(message.content);
  const total = prices.reduce((sum, price) => sum + price, 0);
  const result = Buffer.from(JSON.stringify({ id, total }));
  channel.publish("results", "order.added", result, { contentType: "application/json" });
  try {
    await channel.waitForConfirms();
    channel.ack(message);
  } catch {
    channel.nack(message);
  }
}
