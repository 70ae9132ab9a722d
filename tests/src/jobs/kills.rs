//! The handler killed at each thing that it sends to the database while a job is asked for under a key.
//! Never a list of points: the wire counts what passes, and each run goes one further until nothing is left to stop at.

use std::collections::BTreeMap;

use devstack::wire::{Moment, Proxy};
use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Log, rows::start, text};
use crate::support::{App, Database};

const REPLAYS: &str = "/api/jobs/replays";

/// What became of one request under a key of its own.
#[derive(Debug, PartialEq, Eq)]
enum Visit {
    /// It was answered before the wire came to that point.
    Answered,
    /// The handler was killed, and had not written the job down.
    KilledBefore,
    /// The handler was killed, and the job was there.
    KilledAfter,
}

/// A log, and a wire before its database.
struct Bench {
    log: Log,
    wire: Proxy,
    settings: BTreeMap<String, String>,
}

impl Bench {
    async fn start() -> Self {
        let log = Log::start(1).await;
        let wire = Proxy::start(Database::server_address()).await.unwrap();
        let mut settings = log.settings.clone();
        settings.insert("PGPORT".to_owned(), wire.address().port().to_string());
        Self { log, wire, settings }
    }

    async fn jobs_under(&self, key: &str) -> i64 {
        let jobs = format!("select count(*) from write_model.jobs where idempotency_key = '{key}'");
        self.log.app.database().number(&jobs).await
    }

    /// Asks for a job; whether the handler was killed over it.
    async fn ask(&self, body: &Value, key: &str, point: u64, moment: Moment) -> bool {
        let mut app = App::start_alone(self.settings.clone()).await;
        self.wire.stop_at(point, moment);
        let killed = tokio::select! {
            answer = start(&app, REPLAYS, body, key) => {
                assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
                false
            }
            () = self.wire.stopped() => true,
        };
        if killed {
            app.process.kill().await.unwrap();
        }
        self.wire.resume();
        killed
    }

    async fn visit(&self, point: u64, moment: Moment) -> Visit {
        let replay = json!({ "subscription": "mail", "events": { "all": true } });
        let other = json!({ "subscription": "mail", "events": { "all": true }, "rate": 7 });
        let key = format!("{moment:?}-{point}");
        let killed = self.ask(&replay, &key, point, moment).await;
        let visit = match (killed, self.jobs_under(&key).await) {
            (false, _) => Visit::Answered,
            (true, 0) => Visit::KilledBefore,
            (true, _) => Visit::KilledAfter,
        };
        let app = App::start_alone(self.settings.clone()).await;
        let told = format!("{point} {moment:?}");
        let mut ids = Vec::new();
        for _ in 0..2 {
            let again = start(&app, REPLAYS, &replay, &key).await;
            assert_eq!(again.status, StatusCode::ACCEPTED, "{told}: {again:?}");
            ids.push(text(&again.body["id"]));
        }
        assert_eq!(ids[0], ids[1], "{told}");
        let refused = start(&app, REPLAYS, &other, &key).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{told}: {refused:?}"
        );
        assert_eq!(self.jobs_under(&key).await, 1, "{told}");
        visit
    }
}

#[tokio::test]
async fn a_job_under_a_key_is_there_once_wherever_the_handler_is_killed() {
    let bench = Bench::start().await;
    let mut visits = Vec::new();
    for moment in [Moment::Before, Moment::After] {
        for point in 1.. {
            let visit = bench.visit(point, moment).await;
            if visit == Visit::Answered {
                break;
            }
            visits.push(visit);
        }
    }
    // On both sides of the commit.
    assert!(visits.contains(&Visit::KilledBefore), "{visits:?}");
    assert!(visits.contains(&Visit::KilledAfter), "{visits:?}");
    println!("{} kills while a job was asked for: {visits:?}", visits.len());
}
