//! The faults of the bus as a client meets them: what it is told, and what has become of its messages.
//! Never waits for a fault: each comes with the frame it was turned on for.

use devstack::servicebus::{Counts, ServiceBusSwitches};
use fe2o3_amqp::link::Receiver;
use fe2o3_amqp::link::delivery::Delivery;
use fe2o3_amqp::types::messaging::{Data, Outcome};
use fe2o3_amqp::types::primitives::{Array, Uuid, Value};

use crate::client::*;

async fn start() -> (Client, ServiceBusSwitches) {
    let client = Client::new("PT1M").await;
    let switches = client.emulator.switches();
    (client, switches)
}

/// Sends on a connection that is to break over it.
async fn send_in_vain(client: &mut Client, body: &str) {
    let mut sender = client.sender().await;
    // The client library lets a send wait for ever whose connection breaks before the outcome.
    let broken = within(client.connection.on_close());
    tokio::select! {
        sent = sender.send(message(body)) => assert!(sent.is_err()),
        ended = broken => assert!(ended.is_err()),
    }
}

/// Takes the next message, which must have failed so often, and completes it.
async fn complete(client: &mut Client, body: &str, tries: u32) {
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    let delivery = next(&mut receiver).await;
    assert_eq!((text(&delivery).as_str(), failures(&delivery)), (body, tries));
    within(receiver.accept(&delivery)).await.unwrap();
    within(receiver.close()).await.unwrap();
}

/// Sends one message and takes it under a lock.
async fn locked(client: &mut Client) -> (Receiver, Delivery<Data>) {
    client.send("one").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    let delivery = next(&mut receiver).await;
    (receiver, delivery)
}

async fn ends(receiver: &mut Receiver) {
    within(receiver.recv::<Data>()).await.unwrap_err();
}

#[tokio::test]
async fn a_dropped_connection_ends_without_a_word_and_its_locks_stay() {
    let (mut client, switches) = start().await;
    let (mut receiver, _delivery) = locked(&mut client).await;
    switches.drop_connections();
    ends(&mut receiver).await;
    client.reconnect().await;
    client.send("two").await;
    complete(&mut client, "two", 0).await;
    switches.expire_locks();
    complete(&mut client, "one", 1).await;
}

#[tokio::test]
async fn a_bus_that_refuses_connections_keeps_those_it_has_until_they_are_dropped() {
    let (mut client, switches) = start().await;
    switches.refuse_connections(true);
    connect(&client.emulator).await.unwrap_err();
    client.send("one").await;
    switches.drop_connections();
    connect(&client.emulator).await.unwrap_err();
    switches.off();
    client.reconnect().await;
    complete(&mut client, "one", 0).await;
}

#[tokio::test]
async fn a_busy_bus_rejects_what_is_sent_and_stores_none_of_it() {
    let (mut client, switches) = start().await;
    switches.busy(2);
    let mut sender = client.sender().await;
    for _ in 0..2 {
        let Outcome::Rejected(rejected) = within(sender.send(message("one"))).await.unwrap() else {
            panic!("it is accepted")
        };
        let text = format!("{rejected:?}");
        assert!(text.contains("com.microsoft:server-busy"), "{text}");
    }
    assert_eq!(
        (switches.counts(), switches.rejected_as_busy()),
        (Counts::default(), 2)
    );
    let accepted = within(sender.send(message("one"))).await.unwrap();
    assert!(matches!(accepted, Outcome::Accepted(_)));
}

#[tokio::test]
async fn a_send_cut_after_storing_has_arrived_unknown_to_its_sender() {
    let (mut client, switches) = start().await;
    switches.cut_after_storing(1);
    send_in_vain(&mut client, "one").await;
    assert_eq!(switches.counts().accepted, 1);
    client.reconnect().await;
    complete(&mut client, "one", 0).await;
}

#[tokio::test]
async fn a_send_that_is_cut_before_storing_has_not_arrived() {
    let (mut client, switches) = start().await;
    switches.cut_before_storing(2);
    for _ in 0..2 {
        send_in_vain(&mut client, "lost").await;
        client.reconnect().await;
    }
    assert_eq!(switches.counts().accepted, 0);
    client.send("one").await;
    complete(&mut client, "one", 0).await;
}

#[tokio::test]
async fn locks_that_are_made_to_run_out_give_their_messages_back_counted() {
    let (mut client, switches) = start().await;
    let (mut receiver, first) = locked(&mut client).await;
    switches.expire_locks();
    let second = next(&mut receiver).await;
    assert_eq!((text(&second).as_str(), failures(&second)), ("one", 1));
    let renew = "com.microsoft:renew-lock";
    let mut status = Vec::new();
    for delivery in [&first, &second] {
        let body = tokens(lock(delivery));
        status.push(manage(&mut client, SUBSCRIPTION, renew, body).await.0);
    }
    assert_eq!(status, [410, 200]);
}

#[tokio::test]
async fn an_outcome_that_is_cut_before_it_is_settled_has_no_effect() {
    let (mut client, switches) = start().await;
    let (mut receiver, delivery) = locked(&mut client).await;
    switches.cut_before_settling(1);
    within(receiver.accept(&delivery)).await.unwrap();
    ends(&mut receiver).await;
    assert_eq!(switches.counts().settlements, 0);
    switches.expire_locks();
    client.reconnect().await;
    complete(&mut client, "one", 1).await;
}

#[tokio::test]
async fn an_outcome_that_is_cut_after_it_is_settled_has_its_effect() {
    let (mut client, switches) = start().await;
    let (mut receiver, delivery) = locked(&mut client).await;
    switches.cut_after_settling(1);
    within(receiver.accept(&delivery)).await.unwrap();
    ends(&mut receiver).await;
    assert_eq!(switches.counts().settlements, 1);
    switches.expire_locks();
    client.reconnect().await;
    client.send("two").await;
    complete(&mut client, "two", 0).await;
}

#[tokio::test]
async fn an_outcome_that_goes_to_the_management_node_is_cut_as_any_other() {
    for after in [false, true] {
        let (mut client, switches) = start().await;
        let (_receiver, delivery) = locked(&mut client).await;
        if after {
            switches.cut_after_settling(1);
        } else {
            switches.cut_before_settling(1);
        }
        let lock_token = Value::Array(Array(vec![Value::Uuid(Uuid::from(lock(&delivery)))]));
        let status = Value::String("completed".into());
        let body = map([("disposition-status", status), ("lock-tokens", lock_token)]);
        let update = "com.microsoft:update-disposition";
        let broken = within(client.connection.on_close());
        tokio::select! {
            (status, _) = manage_on(&mut client.session, SUBSCRIPTION, update, body) => panic!("{status}"),
            ended = broken => assert!(ended.is_err()),
        }
        assert_eq!(switches.counts().settlements, u64::from(after));
    }
}

#[tokio::test]
async fn the_bus_counts_what_it_takes_drops_gives_and_settles() {
    let (mut client, switches) = start().await;
    let (mut receiver, delivery) = locked(&mut client).await;
    assert_eq!(switches.held(SUBSCRIPTION), Some(1));
    within(receiver.modify(&delivery, failed())).await.unwrap();
    let again = next(&mut receiver).await;
    within(receiver.accept(&again)).await.unwrap();
    within(receiver.close()).await.unwrap();
    let dead = format!("{SUBSCRIPTION}/$DeadLetterQueue");
    assert_eq!(
        [SUBSCRIPTION, &dead, "nowhere"].map(|path| switches.held(path)),
        [Some(0), Some(0), None]
    );
    let counts = Counts {
        accepted: 1,
        duplicates: 0,
        deliveries: 2,
        settlements: 2,
        dead_letters: 0,
    };
    assert_eq!(switches.counts(), counts);
}
