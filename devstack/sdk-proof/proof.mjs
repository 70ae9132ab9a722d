// Runs Microsoft's Service Bus SDK for JavaScript, as published, against the emulator.
// Never imports anything of this repository: the connection string is all it is given.

import { ServiceBusClient, isServiceBusError } from "@azure/service-bus";

const [TOPIC, SUBSCRIPTION] = ["order-events", "read-model"];
// A refusal that is not understood is tried again for minutes; here it must come at once.
const client = new ServiceBusClient(process.argv[2], { retryOptions: { maxRetries: 0, timeoutInMs: 10_000 } });
let steps = 0;

function step(text, holds) {
  if (!holds) throw new Error(`FAILED ${text}`);
  steps += 1;
  console.log(`${String(steps).padStart(2)} ${text}`);
}

/** A message that the subscription's rules let through, unless it is a replay for somebody else. */
function event(body, messageId, replay = "none", more = {}) {
  const applicationProperties = { kind: "OrderPlaced", replay };
  return { body, messageId, subject: "order", applicationProperties, ...more };
}

/** The code of the error that the work must end with. */
async function refused(work) {
  try {
    await work();
  } catch (error) {
    return isServiceBusError(error) ? error.code : error.name;
  }
  return undefined;
}

const receive = async (receiver) => (await receiver.receiveMessages(1, { maxWaitTimeInMs: 10_000 }))[0];

async function send(sender) {
  await sender.sendMessages(event("one", "js-1"));
  step("sends a message", true);
  const batch = await sender.createMessageBatch();
  for (let number = 2; number < 5; number += 1) batch.tryAddMessage(event(`body ${number}`, `js-${number}`));
  await sender.sendMessages(batch);
  step("sends a batch", batch.count === 3);
  await sender.sendMessages(event("x".repeat(200_000), "js-5"));
  step("sends a message of many frames", true);
}

async function settle(receiver, dead) {
  const peeked = await receiver.peekMessages(10);
  step("peeks at all of them", peeked.map((m) => m.messageId).join() === "js-1,js-2,js-3,js-4,js-5");
  const first = await receive(receiver);
  step("receives the first", first.body === "one" && first.applicationProperties.kind === "OrderPlaced");
  step("reads how long it lives: 14 days", first.timeToLive === 14 * 86_400_000);
  step("renews its lock", (await receiver.renewMessageLock(first)) >= first.lockedUntilUtc - 1_000);
  await receiver.completeMessage(first);
  const second = await receive(receiver);
  await receiver.abandonMessage(second);
  const again = await receive(receiver);
  step("abandons and is given it again", again.messageId === "js-2" && again.deliveryCount === 1);
  await receiver.deadLetterMessage(again, { deadLetterReason: "broken", deadLetterErrorDescription: "unreadable" });
  const letter = await receive(dead);
  step("reads why a dead letter is one", letter.deadLetterReason === "broken" && letter.deadLetterErrorDescription === "unreadable");
  await dead.completeMessage(letter);
  const rest = [await receive(receiver), await receive(receiver), await receive(receiver)];
  step("keeps order and a large body", rest[0].messageId === "js-3" && rest[2].body.length === 200_000);
  for (const message of rest) await receiver.completeMessage(message);
  step("finds nothing more", (await receiver.receiveMessages(1, { maxWaitTimeInMs: 500 })).length === 0);
}

async function peekPages(sender, receiver) {
  for (let number = 0; number < 60; number += 1) await sender.sendMessages(event("y".repeat(6_000), `page-${number}`));
  const page = await receiver.peekMessages(60);
  step("peeks at as many as an answer holds", page.length > 30 && page.length < 60);
  const last = page[page.length - 1].sequenceNumber;
  const rest = await receiver.peekMessages(60, { fromSequenceNumber: last.add(1) });
  step("peeks at the rest", page.length + rest.length === 60);
  const pump = { taken: 0 };
  const all = new Promise((resolve, reject) => {
    const processMessage = async () => {
      pump.taken += 1;
      if (pump.taken === 60) resolve();
    };
    pump.subscription = receiver.subscribe({ processMessage, processError: async ({ error }) => reject(error) }, { maxConcurrentCalls: 16 });
  });
  await all;
  await pump.subscription.close();
  step("is given all of them by a subscription", pump.taken === 60);
}

async function refusals(sender) {
  step("is told that a message is too large", (await refused(() => sender.sendMessages(event("x".repeat(300_000))))) === "MessageSizeExceeded");
  step("and sends the next one on the same link", (await refused(() => sender.sendMessages(event("fits", "js-6")))) === undefined);
  const past = event("late", "js-7", "none", { scheduledEnqueueTimeUtc: new Date(Date.now() - 60_000) });
  step("sends what was due a minute ago", (await refused(() => sender.sendMessages(past))) === undefined);
  const later = event("later", "js-8", "none", { scheduledEnqueueTimeUtc: new Date(Date.now() + 60_000) });
  step("is refused what is due in a minute", (await refused(() => sender.sendMessages(later))) !== undefined);
  const unknown = client.createSender("no-such-topic");
  step("is refused an unknown topic", (await refused(() => unknown.sendMessages({ body: "lost" }))) === "MessagingEntityNotFound");
  step("is refused a session", (await refused(() => client.acceptSession(TOPIC, SUBSCRIPTION, "s-1"))) !== undefined);
}

const sender = client.createSender(TOPIC);
const receiver = client.createReceiver(TOPIC, SUBSCRIPTION);
const dead = client.createReceiver(TOPIC, SUBSCRIPTION, { subQueueType: "deadLetter" });
try {
  await send(sender);
  await settle(receiver, dead);
  await peekPages(sender, client.createReceiver(TOPIC, SUBSCRIPTION));
  await refusals(sender);
  console.log(`ok ${steps} steps`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await client.close();
}
