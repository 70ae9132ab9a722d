//! Dead-letter queues: that of a subscription and that of a queue are worked through alike.
//! Never sends to one: only the broker does.

use crate::client::*;
use crate::peeks::peek;

/// What is sent to, what is received from, and where its dead letters go.
const PLACES: [[&str; 3]; 2] = [
    [TOPIC, SUBSCRIPTION, DEAD],
    ["work", "work", "work/$DeadLetterQueue"],
];

/// Lets a message fail as often as it may.
async fn kill(client: &mut Client, to: &str, from: &str, body: &str) {
    client.send_to(to, message(body)).await;
    let mut receiver = client.receiver(from).await;
    for _ in 0..2 {
        let delivery = next(&mut receiver).await;
        within(receiver.modify(&delivery, failed())).await.unwrap();
    }
    within(receiver.close()).await.unwrap();
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn dead_letters_are_peeked_at_with_their_reason_and_stay() {
    for [to, from, dead] in PLACES {
        let mut client = Client::new("PT1M").await;
        for body in ["one", "two"] {
            kill(&mut client, to, from, body).await;
        }
        for _ in 0..2 {
            let (status, letters) = peek(&mut client, dead).await;
            assert_eq!((status, letters.len()), (200, 2));
            for (letter, body) in letters.iter().zip(["one", "two"]) {
                assert!(contains(letter, body) && contains(letter, "MaxDeliveryCountExceeded"));
            }
        }
    }
}

#[tokio::test]
async fn an_abandoned_dead_letter_stays_one_however_often_and_its_tries_are_counted() {
    for [to, from, dead] in PLACES {
        let mut client = Client::new("PT1M").await;
        kill(&mut client, to, from, "one").await;
        let mut receiver = client.receiver(dead).await;
        for tries in 2..5 {
            let letter = next(&mut receiver).await;
            assert_eq!((text(&letter).as_str(), failures(&letter)), ("one", tries));
            assert_eq!(
                property(&letter, "DeadLetterReason").as_deref(),
                Some("MaxDeliveryCountExceeded")
            );
            within(receiver.modify(&letter, failed())).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_dead_letter_is_locked_renewed_and_completed_and_then_gone() {
    for [to, from, dead] in PLACES {
        let mut client = Client::new("PT1M").await;
        kill(&mut client, to, from, "one").await;
        kill(&mut client, to, from, "two").await;
        let mut receiver = client.receiver(dead).await;
        let letter = next(&mut receiver).await;
        let renewed = manage(
            &mut client,
            dead,
            "com.microsoft:renew-lock",
            tokens(lock(&letter)),
        )
        .await;
        assert_eq!(renewed.0, 200);
        within(receiver.accept(&letter)).await.unwrap();
        let second = next(&mut receiver).await;
        assert_eq!(text(&second), "two");
        within(receiver.accept(&second)).await.unwrap();
        assert_eq!(peek(&mut client, dead).await, (204, Vec::new()));
    }
}

#[tokio::test]
async fn a_dead_letter_whose_lock_runs_out_comes_back_counted() {
    for [to, from, dead] in PLACES {
        let mut client = Client::new("PT0.3S").await;
        kill(&mut client, to, from, "one").await;
        let mut receiver = client.receiver(dead).await;
        for tries in 2..4 {
            let letter = next(&mut receiver).await;
            assert_eq!((text(&letter).as_str(), failures(&letter)), ("one", tries));
        }
    }
}
