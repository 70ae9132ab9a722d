//! What a database in trouble means for the connections that serve no command and no query: the relay's, the timer's and those of
//! jobs. Never restarts the handler, and never cuts a connection to mend it: those that met the trouble must go by
//! themselves.

use std::collections::BTreeSet;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::until;
use crate::{
    dead_letters::{Bench, entities},
    support::{Answer, App, Client, Database, admin_url, connect},
};

/// A handler that relays to a bus, over a database role of its own, and has nobody who calls its timer.
struct Shop {
    app: App,
    bench: Bench,
    customer: String,
}

impl Shop {
    async fn open() -> Self {
        let database = Database::create().await;
        let (name, owner) = (&database.name, connect(&admin_url(&database.name)).await);
        let role = format!("create role {name} login password 'app' in role orders_app");
        owner.batch_execute(&role).await.unwrap();
        let bench = Bench::start_with(entities("PT1M")).await;
        let mut settings = database.settings(Database::server_address());
        for (setting, value) in [
            ("PGUSER", name.as_str()),
            ("ServiceBusConnection", &bench.bus.connection_string()),
            ("ServiceBusTopic", "order-events"),
        ] {
            settings.insert(setting.into(), value.into());
        }
        let app = App::start_whole(database, settings).await;
        let customer = app.seed(&[("MUG", 100)]).await;
        let shop = Self { app, bench, customer };
        shop.tick_until(StatusCode::OK).await;
        shop
    }

    /// Done by the superuser, and no connection notices.
    async fn change(&self, sql: &str) {
        let owner = connect(&admin_url(&self.app.database().name)).await;
        owner.batch_execute(sql).await.unwrap();
    }

    /// Calls both timers as the host does; the status of the first that fails, else 200.
    async fn tick(&self) -> StatusCode {
        let relayed = self.app.post("/RelayOutbox", json!({})).await.status;
        let worked = self.app.post("/RunJobs", json!({})).await.status;
        [relayed, worked]
            .into_iter()
            .find(|status| *status != StatusCode::OK)
            .unwrap_or(StatusCode::OK)
    }

    async fn tick_until(&self, status: StatusCode) {
        until("the timer answers so", async || self.tick().await == status).await;
    }

    /// Asks for a replay that would go to a subscription.
    async fn ask(&self) -> Answer {
        let body = json!({ "subscription": "mail", "events": { "all": true } });
        self.app.post("/api/jobs/replays", body).await
    }

    /// An event waits in the outbox, though no command may have written it.
    async fn has_mail(&self) {
        self.change(
            "insert into write_model.outbox (position) select min(position) from write_model.events
             on conflict do nothing",
        )
        .await;
    }

    async fn waiting(&self) -> i64 {
        let count = "select count(*) from write_model.outbox";
        self.app.database().number(count).await
    }

    /// The server's processes that serve the handler.
    async fn sessions(&self) -> BTreeSet<i32> {
        let name = &self.app.database().name;
        let sql = format!("select pid from pg_stat_activity where usename = '{name}'");
        let rows = connect(&admin_url(name)).await.query(&sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn reason(&self) -> Value {
        let status = self.app.send("GET", "/api/operations/status", "", &[]).await;
        status.body["stores"]["writeModel"]["reason"].clone()
    }

    /// Everything that has waited is done, and nobody has done anything to the handler.
    async fn is_well(&self, asked: &Answer) {
        self.tick_until(StatusCode::OK).await;
        until("the outbox is empty", async || {
            self.tick().await;
            self.waiting().await == 0
        })
        .await;
        let location = asked.headers["location"].to_str().unwrap();
        until("the replay is planned", async || {
            self.tick().await;
            let row = self.app.send("GET", location, "", &[]).await;
            row.body["state"] == "planned"
        })
        .await;
        assert_eq!(self.ask().await.status, StatusCode::ACCEPTED);
        until("health is ok", async || self.reason().await == Value::Null).await;
        let placed = Client::place(&self.app, &self.customer, &[("MUG", 1)]).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    }
}

/// Makes the statements fail with this SQLSTATE that only these pools run: deleting from the outbox, forgetting keys, and
/// whatever changes a job.
fn failing(code: &str) -> (String, &'static str) {
    let make = format!(
        "create or replace function public.fails() returns trigger language plpgsql as
            $$ begin raise exception 'as the test wants it' using errcode = '{code}'; end $$;
         create trigger fails before delete on write_model.outbox execute function public.fails();
         create trigger fails before delete on write_model.idempotency_keys execute function public.fails();
         create trigger fails before insert or update on write_model.jobs execute function public.fails();"
    );
    let mend = "drop trigger fails on write_model.outbox; drop trigger fails on write_model.idempotency_keys;
         drop trigger fails on write_model.jobs;";
    (make, mend)
}

/// The parts of the timer's work that met it, in the log.
const FAILED_PARTS: [&str; 3] = ["nothing_forgotten", "outbox_not_swept", "jobs_not_worked_on"];

#[tokio::test]
async fn a_read_only_role_stops_relay_timer_and_jobs_until_it_may_write_again() {
    let shop = Shop::open().await;
    let name = shop.app.database().name.clone();
    let asked = shop.ask().await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{asked:?}");
    // What is open stays as it was until it is cut; what is opened later may not write.
    let read_only = format!(
        "alter role {name} in database {name} set default_transaction_read_only = on;
         select pg_terminate_backend(pid) from pg_stat_activity where usename = '{name}'"
    );
    shop.change(&read_only).await;
    shop.has_mail().await;
    shop.tick_until(StatusCode::SERVICE_UNAVAILABLE).await;
    until("the store is said to be read-only", async || {
        assert_eq!(shop.tick().await, StatusCode::SERVICE_UNAVAILABLE);
        shop.reason().await == "read-only"
    })
    .await;
    for part in FAILED_PARTS {
        shop.app.logged(part).await;
    }
    let refused = shop.ask().await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
    // Looking writes nothing.
    let listed = shop.app.send("GET", "/api/jobs", "", &[]).await;
    assert_eq!(listed.status, StatusCode::OK, "{listed:?}");
    assert_eq!(shop.waiting().await, 1);

    let mended = format!("alter role {name} in database {name} reset default_transaction_read_only");
    shop.change(&mended).await;
    shop.is_well(&asked).await;
    drop(shop.bench);
}

#[tokio::test]
async fn a_database_sqlstate_costs_these_pools_their_connections_and_ours_does_not() {
    let shop = Shop::open().await;
    for (code, reason, status) in [
        ("53100", json!("full"), StatusCode::SERVICE_UNAVAILABLE),
        ("58030", json!("failing"), StatusCode::SERVICE_UNAVAILABLE),
        ("22023", Value::Null, StatusCode::INTERNAL_SERVER_ERROR),
        ("23514", Value::Null, StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let asked = shop.ask().await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{asked:?}");
        let (make, mend) = failing(code);
        shop.change(&make).await;
        shop.has_mail().await;
        let before = shop.sessions().await;
        for _ in 0..2 {
            assert_eq!(shop.tick().await, StatusCode::SERVICE_UNAVAILABLE, "{code}");
            let refused = shop.ask().await;
            assert_eq!(refused.status, status, "{code}: {refused:?}");
            assert_eq!(
                refused.headers.contains_key("retry-after"),
                status == StatusCode::SERVICE_UNAVAILABLE,
                "{code}: {refused:?}"
            );
        }
        // A tick that finds the relay at work meets nothing itself, and so it says nothing of the store.
        until("health says what the matter is", async || {
            shop.tick().await;
            shop.reason().await == reason
        })
        .await;
        // A drain that is broken off closes its transaction with its connection, whatever the reason is.
        let gone = async || before.difference(&shop.sessions().await).count();
        if reason.is_null() {
            assert!(gone().await <= 1, "{code}");
        } else {
            until("both pools have new connections", async || gone().await >= 2).await;
        }
        for part in FAILED_PARTS {
            shop.app.logged(part).await;
        }
        assert!(shop.waiting().await > 0, "{code}");
        shop.change(mend).await;
        shop.is_well(&asked).await;
    }
}
