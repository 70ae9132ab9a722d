//! A database that is there and does not serve: each is answered 503, named for operators, and over by itself.
//! Never restarts the handler: the very connections that met the trouble must not keep it.

use std::path::PathBuf;

use devstack::{postgres::Shutdown, stack::PostgresChoice};
use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::until;
use crate::{
    support::{App, Database, admin_url, connect},
    system::System,
};

/// A handler over a database with tables to read from, as a role of its own.
struct Shop {
    app: App,
    customer: String,
    order: String,
}

/// What is done to the database, what undoes it, and what is the matter with the write model and the read model meanwhile.
struct Trouble {
    make: String,
    mend: String,
    writes: Option<&'static str>,
    reads: Option<&'static str>,
}

impl Shop {
    async fn open() -> Self {
        let database = Database::create().await;
        database.keep_read_model().await;
        let (name, owner) = (&database.name, connect(&admin_url(&database.name)).await);
        let role = format!("create role {name} login password 'first' in role orders_app");
        owner.batch_execute(&role).await.unwrap();
        let mut settings = database.settings(Database::server_address());
        for (setting, value) in [
            ("PGUSER", name.as_str()),
            ("PGPASSWORD", "first"),
            ("READ_MODEL", "postgres"),
        ] {
            settings.insert(setting.into(), value.into());
        }
        let app = App::start_whole(database, settings).await;
        let customer = app.seed(&[("MUG", 1_000)]).await;
        let placed = app.place(&customer, &[("MUG", 1)]).await;
        let order = placed.id().to_owned();
        Self { app, customer, order }
    }

    /// Done by the superuser from another database, and everybody's connections cut.
    async fn change(&self, sql: &str) {
        let name = &self.app.database().name;
        let admin = connect(&admin_url("postgres")).await;
        let cut = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
        admin.batch_execute(&cut).await.unwrap();
        admin.batch_execute(sql).await.unwrap();
        admin.batch_execute(&cut).await.unwrap();
    }

    /// Done by the owner, and nobody notices.
    async fn within(&self, sql: &str) {
        let owner = connect(&admin_url(&self.app.database().name)).await;
        owner.batch_execute(sql).await.unwrap();
    }

    async fn write(&self) -> StatusCode {
        passing(&self.app.place(&self.customer, &[("MUG", 1)]).await)
    }

    async fn read(&self) -> StatusCode {
        let path = format!("/api/orders/{}", self.order);
        passing(&self.app.send("GET", &path, "", &[]).await)
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.app.send("GET", path, "", &[]).await;
        (answer.status, answer.body)
    }

    /// Both halves answer as they must while this is the matter, again and again, and everybody is told what he may know.
    async fn is_in(&self, trouble: &Trouble) {
        let answered = |trouble: Option<&str>, well| {
            if trouble.is_some() {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                well
            }
        };
        for _ in 0..3 {
            assert_eq!(
                self.write().await,
                answered(trouble.writes, StatusCode::CREATED),
                "{}",
                trouble.make
            );
            assert_eq!(
                self.read().await,
                answered(trouble.reads, StatusCode::OK),
                "{}",
                trouble.make
            );
        }
        let word = |trouble: Option<&str>| trouble.map_or("ok", |_| "degraded");
        let (write_model, read_model) = (word(trouble.writes), word(trouble.reads));
        let components = json!({ "writeModel": write_model, "bus": "off", "readModel": read_model });
        let expected = json!({ "status": "degraded", "components": components });
        until("health is degraded", async || {
            self.write().await;
            self.read().await;
            self.get("/api/health").await == (StatusCode::OK, expected.clone())
        })
        .await;
        assert_eq!(
            self.get("/api/health/ready").await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(
            self.get("/api/health/live").await,
            (StatusCode::OK, json!({ "status": "ok" }))
        );
        let (_, status) = self.get("/api/operations/status").await;
        for (store, reason) in [("writeModel", trouble.writes), ("readModel", trouble.reads)] {
            assert_eq!(status["stores"][store]["reason"].as_str(), reason, "{status}");
            if let Some(reason) = reason {
                self.app
                    .logged(&format!("store=\"{store}\" reason=\"{reason}\""))
                    .await;
            }
        }
    }

    /// It is over, and nobody has done anything to the handler.
    async fn is_well(&self) {
        until("commands are taken", async || {
            self.write().await == StatusCode::CREATED
        })
        .await;
        until("queries are answered", async || {
            self.read().await == StatusCode::OK
        })
        .await;
        until("health is ok", async || {
            self.get("/api/health").await.1["status"] == "ok"
        })
        .await;
        assert_eq!(
            self.get("/api/health/ready").await,
            (StatusCode::OK, json!({ "status": "ok" }))
        );
    }
}

/// The status, of which 500 is none that may be seen.
fn passing(answer: &crate::support::Answer) -> StatusCode {
    assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{answer:?}");
    let asks_back = answer.headers.contains_key("retry-after");
    assert_eq!(
        answer.status == StatusCode::SERVICE_UNAVAILABLE,
        asks_back,
        "{answer:?}"
    );
    answer.status
}

/// Makes everything fail with this SQLSTATE that writes an event, or that reads an order.
fn failing(code: &str) -> (String, String) {
    let make = format!(
        "create or replace function public.fails() returns boolean language plpgsql as
            $$ begin raise exception 'as the test wants it' using errcode = '{code}'; end $$;
         create or replace function public.fails_too() returns trigger language plpgsql as
            $$ begin raise exception 'as the test wants it' using errcode = '{code}'; end $$;
         create trigger fails before insert on write_model.events for each row execute function public.fails_too();
         alter table read_model.order_summary enable row level security;
         create policy fails on read_model.order_summary using (public.fails());"
    );
    let mend = "drop trigger fails on write_model.events; drop policy fails on read_model.order_summary;
         alter table read_model.order_summary disable row level security;";
    (make, mend.to_owned())
}

#[tokio::test]
async fn a_condition_of_the_whole_database_is_503_until_it_ends() {
    let shop = Shop::open().await;
    let name = shop.app.database().name.clone();
    for trouble in [
        Trouble {
            make: format!("alter role {name} in database {name} set default_transaction_read_only = on"),
            mend: format!("alter role {name} in database {name} reset default_transaction_read_only"),
            writes: Some("read-only"),
            reads: None,
        },
        Trouble {
            make: format!("alter role {name} password 'second'"),
            mend: format!("alter role {name} password 'first'"),
            writes: Some("credentials"),
            reads: Some("credentials"),
        },
        Trouble {
            make: format!("alter role {name} nologin"),
            mend: format!("alter role {name} login"),
            writes: Some("credentials"),
            reads: Some("credentials"),
        },
        Trouble {
            make: format!("alter database {name} rename to {name}_away"),
            mend: format!("alter database {name}_away rename to {name}"),
            writes: Some("missing"),
            reads: Some("missing"),
        },
        Trouble {
            make: format!("alter database {name} allow_connections off"),
            mend: format!("alter database {name} allow_connections on"),
            writes: Some("failing"),
            reads: Some("failing"),
        },
    ] {
        shop.change(&trouble.make).await;
        shop.is_in(&trouble).await;
        shop.change(&trouble.mend).await;
        shop.is_well().await;
    }
}

#[tokio::test]
async fn a_revoked_right_is_503_and_named_until_it_is_granted_again() {
    let shop = Shop::open().await;
    for (right, table, group, writes, reads) in [
        (
            "insert",
            "write_model.events",
            "orders_command",
            Some("rights"),
            None,
        ),
        (
            "update",
            "write_model.stock",
            "orders_command",
            Some("rights"),
            None,
        ),
        (
            "select",
            "read_model.order_summary",
            "orders_query",
            None,
            Some("rights"),
        ),
    ] {
        let trouble = Trouble {
            make: format!("revoke {right} on {table} from {group}"),
            mend: format!("grant {right} on {table} to {group}"),
            writes,
            reads,
        };
        shop.within(&trouble.make).await;
        shop.is_in(&trouble).await;
        shop.app.logged("missing_right").await;
        shop.within(&trouble.mend).await;
        shop.is_well().await;
    }
}

#[tokio::test]
async fn an_unknown_sqlstate_is_transient_like_those_of_a_database_in_trouble() {
    let shop = Shop::open().await;
    for (code, reason) in [
        ("ZZ001", "failing"),
        ("XX000", "failing"),
        ("58030", "failing"),
        ("53100", "full"),
        ("53200", "full"),
        ("53400", "full"),
        ("25006", "read-only"),
    ] {
        let (make, mend) = failing(code);
        let trouble = Trouble {
            make,
            mend,
            writes: Some(reason),
            reads: Some(reason),
        };
        shop.within(&trouble.make).await;
        shop.is_in(&trouble).await;
        shop.within(&trouble.mend).await;
        shop.is_well().await;
    }
}

#[tokio::test]
async fn a_fault_of_our_own_statements_is_500() {
    let shop = Shop::open().await;
    for code in ["22023", "3F000", "42P01", "0A000", "26000"] {
        let (make, mend) = failing(code);
        shop.within(&make).await;
        for _ in 0..3 {
            let written = shop.app.place(&shop.customer, &[("MUG", 1)]).await;
            assert_eq!(
                written.status,
                StatusCode::INTERNAL_SERVER_ERROR,
                "{code}: {written:?}"
            );
            let (read, _) = shop.get(&format!("/api/orders/{}", shop.order)).await;
            assert_eq!(read, StatusCode::INTERNAL_SERVER_ERROR, "{code}");
        }
        shop.within(&mend).await;
        shop.is_well().await;
    }
}

#[tokio::test]
async fn what_fails_for_one_command_does_not_fail_for_those_that_wait_beside_it() {
    let shop = Shop::open().await;
    shop.within(
        "create function public.fails() returns trigger language plpgsql as $$ begin
            if new.state->>'name' = 'Bad' then raise exception 'bad' using errcode = 'ZZ001'; end if;
            return new; end $$;
         create trigger fails before insert on write_model.events for each row execute function public.fails()",
    )
    .await;
    let names = [["Ada"; 8].as_slice(), &["Bad"], &["Bob"; 8]].concat();
    let register = async |name: &str| {
        let body = json!({ "name": name, "email": "somebody@example.org" });
        (
            name.to_owned(),
            passing(&shop.app.post("/api/customers", body).await),
        )
    };
    for (name, status) in join_all(names.into_iter().map(register)).await {
        let expected = if name == "Bad" {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::CREATED
        };
        assert_eq!(status, expected, "{name}");
    }
}

#[tokio::test]
async fn a_standby_reached_after_a_failover_serves_no_command_until_it_leads() {
    let folder = tempfile::tempdir().unwrap();
    let data: PathBuf = folder.path().join("data");
    let kept = data.clone();
    let system = System::start_changed(|options, _| {
        options.postgres = PostgresChoice::Kept(kept);
        options.read_model = devstack::stack::ReadModel::Postgres;
    })
    .await;
    let customer = system.client.seed(&[("MUG", 10)]).await;
    let handlers = system.stack.handler_pids();

    system.stack.stop_postgres(Shutdown::Fast).await.unwrap();
    std::fs::write(data.join("standby.signal"), "").unwrap();
    system.stack.start_postgres().await.unwrap();
    for _ in 0..3 {
        let refused = system.client.place(&customer, &[("MUG", 1)]).await;
        assert_eq!(passing(&refused), StatusCode::SERVICE_UNAVAILABLE);
        // What it shows may be older than what somebody has been answered.
        let read = system.client.send("GET", "/api/products", "", &[]).await;
        assert_eq!(passing(&read), StatusCode::SERVICE_UNAVAILABLE);
    }
    until("operators are told", async || {
        let status = system.client.send("GET", "/api/operations/status", "", &[]).await;
        status.body["stores"]["writeModel"]["reason"] == "read-only"
    })
    .await;

    system.rows("select pg_promote()").await;
    until("it leads", async || {
        system.client.place(&customer, &[("MUG", 1)]).await.status == StatusCode::CREATED
    })
    .await;
    until("health is ok", async || {
        system.client.send("GET", "/api/health", "", &[]).await.body["status"] == "ok"
    })
    .await;
    assert_eq!(system.stack.handler_pids(), handlers, "it was never restarted");
}
