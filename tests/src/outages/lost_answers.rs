//! A command that is committed, and whose caller cannot be told: with the answer, the way to ask for it is lost, too.
//! Never guesses where that is: the wire stops at one thing that is sent after the other.

use std::sync::atomic::Ordering::Relaxed;

use devstack::wire::{Moment, Proxy};
use hyper::StatusCode;

use super::{Traffic, until};
use crate::support::{App, Database, calls};

/// The app's connections to the database of this test.
const CONNECTED: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and usename = 'orders_app'";

#[tokio::test]
async fn a_command_whose_answer_was_lost_is_found_done_when_sent_again() {
    let database = Database::create().await;
    let wire = Proxy::start(Database::server_address()).await.unwrap();
    let settings = database.settings(wire.address());
    let app = App::start_with(database, settings).await;
    let customer = app.seed(&[("MUG", 1_000)]).await;
    let order = calls::place(&customer, &[("MUG", 1)]);
    let traffic = Traffic::default();
    let mut orders = 0_usize;
    // At each thing that is sent, on a new connection: the server gets it, and then there is neither an answer nor a server.
    for piece in 1.. {
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
            wire.restore();
        };
        let placing = traffic.insist(&app, &order);
        tokio::pin!(placing);
        let done_before = tokio::select! {
            _ = &mut placing => true,
            () = losing => false,
        };
        orders += 1;
        if done_before {
            break;
        }
        placing.await;
    }
    let counted = app
        .database()
        .number("select count(*) from write_model.orders")
        .await;
    assert_eq!(counted, i64::try_from(orders).unwrap());
    assert_eq!(
        traffic.replayed.load(Relaxed),
        1,
        "the one that was committed, {}",
        traffic.seen()
    );
    println!(
        "PostgreSQL lost at each of {} things sent: {}",
        orders - 1,
        traffic.seen()
    );
}
