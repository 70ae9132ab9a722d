"""Runs Microsoft's Service Bus SDK, as published, against the emulator.

Never imports anything of this repository: the connection string is all it is given.
"""

import datetime
import sys

from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.servicebus.exceptions import MessageSizeExceededError, MessagingEntityNotFoundError, ServiceBusError

TOPIC, SUBSCRIPTION = "order-events", "read-model"
steps = 0


def step(text, holds):
    global steps
    if not holds:
        sys.exit(f"FAILED {text}")
    steps += 1
    print(f"{steps:2} {text}", flush=True)


def event(body, message_id=None, replay="none"):
    """A message that the subscription's rules let through, unless it is a replay for somebody else."""
    properties = {"kind": "OrderPlaced", "replay": replay}
    return ServiceBusMessage(body, message_id=message_id, subject="order", application_properties=properties)


def main(connection_string):
    with ServiceBusClient.from_connection_string(connection_string) as client:
        send(client)
        receive(client)
        duplicates(client)
        rules(client)
        dead_letters(client)
        refusals(client)
    print(f"ok {steps} steps")


def send(client):
    with client.get_topic_sender(TOPIC) as sender:
        sender.send_messages(event("one", "m-1"))
        step("sends a message", True)
        batch = sender.create_message_batch()
        for number in range(2, 5):
            batch.add_message(event(f"body {number}", f"m-{number}"))
        sender.send_messages(batch)
        step("sends a batch", len(batch) == 3)
        sender.send_messages(event(b"x" * 200_000))
        step("sends a message of many frames", True)


def receive(client):
    with client.get_subscription_receiver(TOPIC, SUBSCRIPTION, max_wait_time=10) as receiver:
        peeked = receiver.peek_messages(10)
        step("peeks at all of them", [m.message_id for m in peeked][:4] == ["m-1", "m-2", "m-3", "m-4"])
        first = receiver.receive_messages(1)[0]
        step("receives the first", str(first) == "one" and first.application_properties[b"kind"] == b"OrderPlaced")
        before = first.locked_until_utc
        step("renews its lock", receiver.renew_message_lock(first) >= before)
        receiver.complete_message(first)
        step("completes it", True)
        second = receiver.receive_messages(1)[0]
        receiver.abandon_message(second)
        again = receiver.receive_messages(1)[0]
        step("abandons and is given it again", again.message_id == "m-2" and again.delivery_count == 1)
        receiver.dead_letter_message(again, reason="broken", error_description="it cannot be read")
        step("dead-letters it with a reason", True)
        rest = []
        while len(rest) < 3:
            rest += receiver.receive_messages(3 - len(rest))
        step("receives the rest in order", [m.message_id for m in rest][:2] == ["m-3", "m-4"])
        step("keeps a large body", b"".join(rest[2].body) == b"x" * 200_000)
        for message in rest:
            receiver.complete_message(message)
        step("finds nothing more", receiver.receive_messages(1, max_wait_time=1) == [])


def duplicates(client):
    with client.get_topic_sender(TOPIC) as sender:
        sender.send_messages(event("again", "m-1"))
        sender.send_messages([event("new", "m-5"), event("twice", "m-5"), event("newer", "m-6")])
    with client.get_subscription_receiver(TOPIC, SUBSCRIPTION, max_wait_time=10) as receiver:
        step("is not given a message whose id was seen", body(receiver) == "new")
        step("nor one whose id is in the batch already", body(receiver) == "newer")


def rules(client):
    with client.get_topic_sender(TOPIC) as sender:
        sender.send_messages(ServiceBusMessage("unmarked"))
        sender.send_messages(event("for another", replay="another"))
        sender.send_messages(event("replayed", replay=SUBSCRIPTION))
    with client.get_subscription_receiver(TOPIC, SUBSCRIPTION, max_wait_time=10) as receiver:
        step("is given only what its rules let through", body(receiver) == "replayed")
        # The SDK lists rules over HTTP only, so its management link is used without a method of its own.
        page = {"top": {"TYPE": "INT", "VALUE": 100}, "skip": {"TYPE": "INT", "VALUE": 0}}
        answer = receiver._mgmt_request_response_with_retry(b"com.microsoft:enumerate-rules", page, rules_of)
        step("asks for the rules", answer == {b"live": b"none", b"replay": SUBSCRIPTION.encode()})


def rules_of(status, answer, _description, **_):
    """The property `replay` that each rule asks for, by the rule's name."""
    if status != 200:
        return status
    found = {}
    for rule in answer.value[b"rules"]:
        correlation, _action, name = rule[b"rule-description"]
        found[name] = correlation[8][b"replay"]
    return found


def body(receiver):
    """Takes the next message."""
    message = receiver.receive_messages(1)[0]
    receiver.complete_message(message)
    return str(message)


def dead_letters(client):
    with client.get_subscription_receiver(
        TOPIC, SUBSCRIPTION, sub_queue=ServiceBusSubQueue.DEAD_LETTER, max_wait_time=10
    ) as receiver:
        step("peeks at the dead letter", receiver.peek_messages(1)[0].message_id == "m-2")
        letter = receiver.receive_messages(1)[0]
        step("reads why it is there", letter.dead_letter_reason == "broken")
        step("and its description", letter.dead_letter_error_description == "it cannot be read")
        receiver.abandon_message(letter)
        again = receiver.receive_messages(1)[0]
        step("abandons it, counted, and keeps it", again.delivery_count == letter.delivery_count + 1)
        receiver.complete_message(again)
        step("completes it, and peeks at none", receiver.peek_messages(1) == [])
    with client.get_topic_sender(TOPIC) as sender:
        sender.send_messages(event("last"))
    with client.get_subscription_receiver(
        TOPIC, SUBSCRIPTION, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE, max_wait_time=10
    ) as receiver:
        step("receives and deletes", str(receiver.receive_messages(1)[0]) == "last")


def refusals(client):
    now = datetime.datetime.now(datetime.timezone.utc)
    minute = datetime.timedelta(minutes=1)
    with client.get_topic_sender(TOPIC) as sender:
        large = refused(MessageSizeExceededError, lambda: sender.send_messages(event(b"x" * 300_000)))
        step("is told that a message is too large", large)
        listed = ServiceBusMessage("x", application_properties={"replay": "none", "list": [1, 2]})
        step("is refused a list as a property", refused(ServiceBusError, lambda: sender.send_messages(listed)))
        later = event("later")
        later.scheduled_enqueue_time_utc = now + minute
        step("is refused what is due in a minute", refused(ServiceBusError, lambda: sender.send_messages(later)))
        late = event("late")
        late.scheduled_enqueue_time_utc = now - minute
        sender.send_messages(late)
        annotated = AmqpAnnotatedMessage(
            data_body=b"annotated", delivery_annotations={"hop": "one"}, application_properties={"replay": "none"}
        )
        sender.send_messages(annotated)
    with client.get_subscription_receiver(TOPIC, SUBSCRIPTION, max_wait_time=10) as receiver:
        step("is given what was due a minute ago", body(receiver) == "late")
        message = receiver.receive_messages(1)[0]
        hop = message.raw_amqp_message.delivery_annotations
        step("is given delivery annotations", str(message) == "annotated" and hop == {b"hop": b"one"})
        step("reads how long it lives: 14 days", message.time_to_live == datetime.timedelta(days=14))
        receiver.complete_message(message)
    step("is refused a session", refused(ServiceBusError, lambda: session(client)))
    step("is refused an unknown topic", refused(MessagingEntityNotFoundError, lambda: unknown(client)))


def session(client):
    with client.get_subscription_receiver(TOPIC, SUBSCRIPTION, session_id="s-1"):
        pass


def unknown(client):
    with client.get_topic_sender("no-such-topic") as sender:
        sender.send_messages(ServiceBusMessage("lost"))


def refused(kind, attempt):
    try:
        attempt()
    except kind:
        return True
    return False


if __name__ == "__main__":
    main(sys.argv[1])
