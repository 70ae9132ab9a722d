//! Duplicate detection as a sender and a receiver see it.
//! Never waits for a window to end: that is the broker's own test, on a clock of its own; here a switch ends it.

use serde_json::json;

use crate::client::*;

#[tokio::test]
async fn a_message_whose_id_was_seen_is_accepted_and_reaches_nobody() {
    let properties =
        json!({ "RequiresDuplicateDetection": true, "DuplicateDetectionHistoryTimeWindow": "PT10M" });
    let subscriptions = json!([{ "Name": "view" }]);
    let entities = namespace(
        json!([{ "Name": "events", "Properties": properties, "Subscriptions": subscriptions }]),
        json!([{ "Name": "work", "Properties": properties }]),
    );
    let mut client = Client::over(entities).await;
    for (address, source) in [(TOPIC, SUBSCRIPTION), ("work", "work")] {
        for id in ["m-1", "m-1", "m-2", "m-1", "m-3"] {
            client.send_to(address, marked(id, "none")).await;
        }
        let mut receiver = client.receiver(source).await;
        for id in ["m-1", "m-2", "m-3"] {
            assert_eq!(text(&next(&mut receiver).await), id);
        }
    }
    let switches = client.emulator.switches();
    let counts = switches.counts();
    assert_eq!((counts.accepted, counts.duplicates), (10, 4));

    switches.forget_ids();
    for address in [TOPIC, "work"] {
        client.send_to(address, marked("m-1", "none")).await;
        client.send_to(address, marked("m-1", "none")).await;
    }
    let counts = switches.counts();
    assert_eq!(
        (counts.accepted, counts.duplicates),
        (14, 6),
        "new once more, then known"
    );
}
