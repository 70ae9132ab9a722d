//! Tokens that are refused or run out, by the switches and by themselves.
//! Never asks for a link again on the session that lost one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fe2o3_amqp::link::Receiver;
use fe2o3_amqp::types::messaging::Data;

use crate::client::*;

/// The link must be taken away for want of a token.
async fn is_unauthorized(receiver: &mut Receiver) {
    let error = within(receiver.recv::<Data>()).await.unwrap_err();
    assert!(format!("{error:?}").contains("UnauthorizedAccess"), "{error:?}");
}

#[tokio::test]
async fn a_token_is_refused_as_often_as_it_was_asked_for() {
    let mut client = Client::anonymous(entities("PT1M")).await;
    let switches = client.emulator.switches();
    switches.refuse_tokens(1);
    let refused = client.put_token("SAS_KEY_VALUE", 4_000_000_000).await;
    assert!(refused.unwrap_err().contains("401"));
    client.authorize().await;
    client.send("one").await;
    switches.refuse_tokens(u64::MAX);
    for _ in 0..3 {
        client
            .put_token("SAS_KEY_VALUE", 4_000_000_000)
            .await
            .unwrap_err();
    }
    switches.off();
    client.authorize().await;
}

#[tokio::test]
async fn a_link_with_an_expired_token_is_detached_until_a_new_one_comes() {
    let mut client = Client::new("PT1M").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    client.emulator.switches().expire_tokens();
    is_unauthorized(&mut receiver).await;
    client.begin().await;
    client.authorize().await;
    client.send("one").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    assert_eq!(text(&next(&mut receiver).await), "one");
}

#[tokio::test]
async fn a_link_whose_token_runs_out_is_detached() {
    let mut client = Client::anonymous(entities("PT1M")).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let soon = (now + Duration::from_secs(2)).as_secs();
    client
        .put_token("SAS_KEY_VALUE", i64::try_from(soon).unwrap())
        .await
        .unwrap();
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    is_unauthorized(&mut receiver).await;
}
