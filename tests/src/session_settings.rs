//! Settings of the database's sessions - time zone, styles of dates and numbers, locale, search path - that differ for the app's
//! role: none of them is ever in the data. Directly, and through a pooler.
//! Never looks only at what the API says: the log is read as it lies there.

use std::process::Command;

use hyper::StatusCode;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    pgbouncer::{self, PgBouncer},
    projections::{account, deliver, messages},
    queries::get,
    rebuild::{VERIFY, told},
    support::{App, Client, Database, admin_url, app_roles, calls, connect},
};

const HOSTILE: [&str; 8] = [
    "timezone = 'America/New_York'",
    "DateStyle = 'SQL, DMY'",
    "IntervalStyle = 'sql_standard'",
    "extra_float_digits = -15",
    "bytea_output = 'escape'",
    "search_path = 'nowhere'",
    "standard_conforming_strings = off",
    "escape_string_warning = off",
];
/// The locale settings that a role can have; those for text are of the whole database.
const LOCALE: [&str; 4] = ["lc_messages", "lc_monetary", "lc_numeric", "lc_time"];

/// Locales to try: first those with a comma in numbers and names of their own for days. `C.utf8` is on every Debian and Ubuntu.
const LOCALES: [&str; 9] = [
    "de_DE.utf8",
    "de_DE.UTF-8",
    "fr_FR.utf8",
    "fr_FR.UTF-8",
    "en_US.utf8",
    "en_US.UTF-8",
    "C.utf8",
    "C.UTF-8",
    "POSIX",
];

/// The first of them that this machine, and so its PostgreSQL, has.
fn locale() -> &'static str {
    let installed = Command::new("locale").arg("-a").output().unwrap().stdout;
    let installed = String::from_utf8_lossy(&installed);
    let is_there = |locale: &&&str| installed.lines().any(|line| line == **locale);
    LOCALES.iter().find(is_there).expect("POSIX is everywhere")
}

async fn hostile(database: &Database) {
    let admin = connect(&admin_url(&database.name)).await;
    let locale = locale();
    eprintln!("{} are {locale}", LOCALE.join(", "));
    let locales = LOCALE.map(|setting| format!("{setting} = '{locale}'"));
    let settings = HOSTILE.into_iter().chain(locales.iter().map(String::as_str));
    for setting in settings {
        for role in app_roles() {
            let alter = format!("alter role {role} in database {} set {setting}", database.name);
            admin.batch_execute(&alter).await.unwrap();
        }
    }
    // The server takes a name that it does not know without a word, and a role's session would then keep its own.
    let as_app = database.as_app().await;
    for setting in LOCALE {
        let show = format!("show {setting}");
        let shown: String = as_app.query_one(&show, &[]).await.unwrap().get(0);
        assert_eq!(shown, locale, "{setting}");
    }
}

/// An order through all its steps, another one cancelled after its payment, and a request under a key twice.
async fn shop(app: &Client) -> Vec<String> {
    let customer = app.seed(&[("MUG", 50)]).await;
    let mut orders = Vec::new();
    for delivered in [true, false] {
        let placed = app.place(&customer, &[("MUG", 2)]).await;
        let mut shipment = calls::ship(&placed);
        shipment.body["trackingNumber"] = json!("JD\\0146");
        let steps = if delivered {
            vec![calls::pay(&placed), shipment, calls::deliver(&placed)]
        } else {
            vec![calls::pay(&placed), calls::cancel(&placed)]
        };
        for step in steps {
            let client = app.with("idempotency-key", &step.path);
            for _ in 0..2 {
                let done = client.call(&step).await;
                assert_eq!(done.status, StatusCode::OK, "{step:?}: {done:?}");
            }
        }
        orders.push(format!("/api/orders/{}", placed.id()));
    }
    orders
}

/// Every time below is one in UTC, and there is one.
fn assert_utc(json: &Value) {
    assert!(utc_times(json) > 0, "no time in {json}");
}

/// How many times there are below; each must be in UTC.
fn utc_times(json: &Value) -> usize {
    match json {
        Value::Array(items) => items.iter().map(utc_times).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| is_time(name, value)).sum(),
        _ => 0,
    }
}

fn is_time(name: &str, value: &Value) -> usize {
    // Whatever their form is: a style of the session could be another one.
    if !name.ends_with("At") && !["time", "at"].contains(&name) || !value.is_string() {
        return utc_times(value);
    }
    let time = OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339);
    assert!(
        time.is_ok() && value.as_str().unwrap().ends_with('Z'),
        "{name}: {value}"
    );
    1
}

async fn log(database: &Database) -> Vec<Value> {
    let rows = connect(&admin_url(&database.name))
        .await
        .query(
            "select jsonb_build_object('data', data, 'state', state) from write_model.events order by position",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn settings_of_the_session_are_never_in_what_is_stored_answered_or_sent() {
    for pooled in [false, true] {
        let database = Database::create().await;
        database.keep_read_model().await;
        hostile(&database).await;
        let mut settings = database.settings(Database::server_address());
        settings.insert("READ_MODEL".to_owned(), "postgres".to_owned());
        let mut pooler = None;
        if pooled && pgbouncer::is_missing() {
            return;
        }
        if pooled {
            let bouncer = PgBouncer::start(Database::server_address(), &settings, 2).await;
            settings = bouncer.settings(settings);
            pooler = Some(bouncer);
        }
        let app = App::start_with(database, settings).await;
        for path in shop(&app).await {
            let order = get(&app, &path, &[]).await;
            assert_eq!(order.status, StatusCode::OK, "{order:?}");
            assert_utc(&order.body);
            assert_utc(&get(&app, &format!("{path}/history"), &[]).await.body);
        }
        assert_utc(&get(&app, "/api/orders", &[]).await.body);
        let stored = log(app.database()).await;
        assert_eq!(stored.len(), 10, "{stored:?}");
        // Each event of an order says when it was placed.
        assert!(stored.iter().map(utc_times).sum::<usize>() >= 7, "{stored:?}");
        drop(pooler);
    }
}

#[tokio::test]
async fn a_log_with_offsets_reads_in_utc_and_verifies_after_a_rebuild() {
    let app = App::start().await;
    let orders = shop(&app).await;
    // As an earlier release has left it in a session with a time zone: in the states, and in what happened.
    let admin = connect(&admin_url(&app.database().name)).await;
    for column in ["data", "state"] {
        let zoned = format!(
            r#"update write_model.events set {column} = regexp_replace({column}::text,
                '"(\d\d\d\d-\d\d-\d\d)T(\d\d):(\d\d):(\d\d[.\d]*)Z"', '"\1T\2:\3:\4+00:00"', 'g')::jsonb"#
        );
        admin.batch_execute(&zoned).await.unwrap();
        let shifted = format!(
            r#"update write_model.events set {column} = jsonb_set({column}, '{{placedAt}}',
                to_jsonb(to_char((({column}->>'placedAt')::timestamptz - interval '5 hours') at time zone 'UTC',
                    'YYYY-MM-DD"T"HH24:MI:SS.US') || '-05:00')) where {column} ? 'placedAt'"#
        );
        admin.batch_execute(&shifted).await.unwrap();
    }
    let (_cosmos, account) = account().await;
    let mut settings = account;
    let database = app.database().settings(Database::server_address());
    settings.extend(database.into_iter().filter(|(name, _)| name.starts_with("PG")));
    let reader = App::start_alone(settings.clone()).await;
    // The projector gets them as they were sent then.
    for message in messages(&app).await {
        deliver(&message, std::slice::from_ref::<Client>(&reader), 0).await;
    }
    told(&settings, &VERIFY, 0).await;
    let report = told(&settings, &["rebuild", "run", "--json"], 0).await;
    assert_eq!(report["different"], 0, "{report}");
    let report = told(&settings, &VERIFY, 0).await;
    assert_eq!(report["different"], 0, "{report}");
    for path in &orders {
        let id = path.rsplit('/').next().unwrap();
        let trail = told(&settings, &["explain", id, "--json"], 3).await;
        // No bus has been told of any event here; the documents are right.
        assert_eq!(trail["differences"], json!([]), "{trail}");
    }
    for path in orders {
        assert_utc(&get(&reader, &path, &[]).await.body);
        assert_utc(&get(&reader, &format!("{path}/history"), &[]).await.body);
    }
}
