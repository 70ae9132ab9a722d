//! A command that is committed, and whose caller cannot be told: with the answer, the way to ask for it is lost, too.
//! Never guesses where that is: the wire stops at one thing that is sent after the other.

use std::sync::atomic::Ordering::Relaxed;

use devstack::wire::{Moment, Proxy};
use hyper::StatusCode;

use super::{Traffic, until};
use crate::support::{App, Database, calls};

/// The app's connections to the database of this test.
const CONNECTED: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and usename like 'orders_app%'";
const ORDERS: &str = "select count(*) from write_model.orders";

#[tokio::test]
async fn a_command_whose_answer_was_lost_is_found_done_when_sent_again() {
    let database = Database::create().await;
    let wire = Proxy::start(Database::server_address()).await.unwrap();
    let settings = database.settings(wire.address());
    let app = App::start_with(database, settings).await;
    let customer = app.seed(&[("MUG", 1_000)]).await;
    let order = calls::place(&customer, &[("MUG", 1)]);
    let traffic = Traffic::default();
    let (mut orders, mut committed, mut piece) = (0, 0, 0);
    // At each thing that is sent, on a new connection: the server gets it, and then there is neither an answer nor a server.
    // What is sent at a time differs a little, so that a round may have met none that commits.
    loop {
        piece += 1;
        wire.cut();
        // Until it has noticed that its connections are gone.
        let refused = app.place(&customer, &[("MUG", 1)]).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
        wire.restore();
        wire.stop_at(piece, Moment::After);
        let losing = async {
            wire.stopped().await;
            let refused = traffic.refused.load(Relaxed);
            wire.cut();
            until("it is refused", async || traffic.refused.load(Relaxed) > refused).await;
            // Asked again any sooner, it could be done before the statement that was lost.
            until("the lost connections have ended", async || {
                app.database().number(CONNECTED).await == 0
            })
            .await;
            let is_done = app.database().number(ORDERS).await > orders;
            wire.restore();
            is_done
        };
        let placing = traffic.insist(&app, &order);
        tokio::pin!(placing);
        let lost = tokio::select! {
            _ = &mut placing => None,
            is_done = losing => Some(is_done),
        };
        if let Some(is_done) = lost {
            committed += usize::from(is_done);
            placing.await;
        }
        orders += 1;
        if lost.is_none() {
            if committed > 0 {
                break;
            }
            piece = 0;
        }
    }
    assert_eq!(app.database().number(ORDERS).await, orders);
    assert_eq!(
        traffic.replayed.load(Relaxed),
        committed,
        "those that were committed, {}",
        traffic.seen()
    );
    println!(
        "PostgreSQL lost at {} things sent: {}",
        orders - 1,
        traffic.seen()
    );
}
