//! What each login role may do, tried on every table there is, and what none of them may do at all.
//! Never by asking for rights: each statement is sent.

use std::collections::BTreeMap;

use tokio_postgres::{Client, error::SqlState};

use super::cluster::{Shop, on_each};

/// Statements on a table, and the letters that stand for them below.
const STATEMENTS: [(char, &str); 5] = [
    ('s', "select * from TABLE where false"),
    ('i', "insert into TABLE default values"),
    ('u', "update TABLE set COLUMN = default where false"),
    ('d', "delete from TABLE where false"),
    ('t', "truncate TABLE"),
];

/// All that a part may do with whole tables. Nobody else may do anything, and nobody anything else.
const ALLOWED: [(&str, &[(&str, &str)]); 3] = [
    (
        "command",
        &[
            ("write_model.schema_version", "s"),
            ("read_model.schema_version", "s"),
            ("write_model.customers", "siu"),
            ("write_model.products", "siu"),
            ("write_model.stock", "siu"),
            ("write_model.orders", "siu"),
            ("write_model.order_lines", "siud"),
            ("write_model.outbox", "siud"),
            ("write_model.events", "si"),
            ("write_model.idempotency_keys", "sid"),
        ],
    ),
    (
        "query",
        &[
            ("read_model.schema_version", "s"),
            ("read_model.history", "s"),
            ("read_model.products", "s"),
            ("read_model.customers", "s"),
            ("read_model.order_summary", "s"),
            ("read_model.sales", "s"),
            ("read_model.sales_unsummed", "s"),
            ("read_model.filled", "s"),
        ],
    ),
    (
        "operator",
        &[
            ("write_model.schema_version", "s"),
            ("read_model.schema_version", "s"),
            ("read_model.filled", "s"),
            ("write_model.events", "s"),
            ("write_model.stock", "s"),
            ("write_model.outbox", "s"),
            ("write_model.jobs", "siu"),
        ],
    ),
];

/// What nobody may do; ME is the role itself, OTHER that of another part, ADMIN who has migrated.
const FORBIDDEN: [&str; 29] = [
    "create table write_model.mine ()",
    "create table read_model.mine ()",
    "create table public.mine ()",
    "create temporary table mine ()",
    "create schema mine",
    "create function public.mine() returns int language sql return 1",
    "create or replace function write_model.refuse() returns boolean language sql as 'select true'",
    "create trigger mine after insert on write_model.events for each row execute function read_model.keep_orders()",
    "alter table write_model.events disable trigger keep_orders",
    "alter table write_model.events add column mine int",
    "alter table write_model.orders owner to ME",
    "drop trigger keep_orders on write_model.events",
    "drop table write_model.events",
    "drop view read_model.history",
    "drop schema write_model cascade",
    "lock table write_model.events in access exclusive mode",
    "reindex table write_model.events",
    "comment on table write_model.events is 'mine'",
    "grant orders_operator to ME",
    "alter role ME createrole",
    "alter role OTHER password 'known'",
    "create role mine",
    "drop role OTHER",
    "set role orders_migrator",
    "set role OTHER",
    "set role ADMIN",
    "set role postgres",
    "select pg_read_file('postgresql.conf')",
    "copy (select 1) to program 'true'",
];

/// What is said to it; in a transaction of which nothing stays.
async fn answer(client: &Client, sql: &str) -> Result<(), SqlState> {
    client.batch_execute("begin").await.unwrap();
    let answer = client.batch_execute(sql).await;
    client.batch_execute("rollback").await.unwrap();
    answer.map_err(|error| error.code().unwrap_or_else(|| panic!("{sql}: {error}")).clone())
}

/// True when the right is missing; a view that nobody can write to, or truncate, says so first.
fn is_refused(answer: &Result<(), SqlState>) -> bool {
    let codes = [
        SqlState::INSUFFICIENT_PRIVILEGE,
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        SqlState::WRONG_OBJECT_TYPE,
    ];
    answer.as_ref().is_err_and(|code| codes.contains(code))
}

/// Every table and view of ours, each with a column.
async fn tables(shop: &Shop<'_>) -> Vec<(String, String)> {
    let sql = "
        select format('%I.%I', table_schema, table_name), column_name::text from information_schema.columns
        where table_schema in ('write_model', 'read_model') and ordinal_position = 1";
    let superuser = shop.cluster.superuser(&shop.database).await;
    let rows = superuser.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_login_role_has_its_parts_rights_on_every_table_and_no_others() {
    on_each(async |cluster| {
        let shop = cluster.shop().await;
        let tables = tables(&shop).await;
        assert_eq!(tables.len(), 19, "{tables:?}");
        for ((part, allowed), (_, login)) in ALLOWED.iter().zip(&shop.logins) {
            let client = shop.client(login).await;
            let allowed: BTreeMap<&str, &str> = allowed.iter().copied().collect();
            let (mut refused, mut done) = (0, 0);
            for (table, column) in &tables {
                for (letter, statement) in STATEMENTS {
                    let sql = statement.replace("TABLE", table).replace("COLUMN", column);
                    let answer = answer(&client, &sql).await;
                    let may = allowed
                        .get(table.as_str())
                        .is_some_and(|letters| letters.contains(letter));
                    assert_eq!(is_refused(&answer), !may, "{part}: {sql}: {answer:?}");
                    if may { done += 1 } else { refused += 1 }
                }
            }
            let letters: usize = allowed.values().map(|letters| letters.len()).sum();
            assert_eq!((done, done + refused), (letters, tables.len() * STATEMENTS.len()));
            eprintln!("{part}: {refused} refused, {done} done");
        }
    })
    .await;
}

#[tokio::test]
async fn no_login_role_changes_the_schema_or_becomes_somebody_else() {
    on_each(async |cluster| {
        let shop = cluster.shop().await;
        for (at, (part, login)) in shop.logins.iter().enumerate() {
            let other = &shop.logins[(at + 1) % shop.logins.len()].1;
            let client = shop.client(login).await;
            for forbidden in FORBIDDEN {
                let sql = forbidden
                    .replace("ME", login)
                    .replace("OTHER", other)
                    .replace("ADMIN", &shop.administrator);
                let answer = answer(&client, &sql).await;
                assert_eq!(answer, Err(SqlState::INSUFFICIENT_PRIVILEGE), "{part}: {sql}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn functions_and_columns_are_for_those_parts_alone_that_need_them() {
    on_each(async |cluster| {
        let shop = cluster.shop().await;
        for (sql, may) in [
            ("select read_model.sum_up_sales(1)", vec!["command"]),
            ("select read_model.sale(e) from write_model.events e", vec![]),
            ("select read_model.keep_orders()", vec![]),
            (
                "update write_model.outbox set parked_at = null, reason = null",
                vec!["command", "operator"],
            ),
            ("update write_model.outbox set position = 1", vec!["command"]),
            (
                "select key, event_id, at from write_model.idempotency_keys",
                vec!["command", "operator"],
            ),
            (
                "select caller, fingerprint from write_model.idempotency_keys",
                vec!["command"],
            ),
        ] {
            for (part, login) in &shop.logins {
                let answer = answer(&shop.client(login).await, sql).await;
                assert_eq!(
                    is_refused(&answer),
                    !may.contains(part),
                    "{part}: {sql}: {answer:?}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_part_that_is_not_named_any_more_is_taken_away() {
    on_each(async |cluster| {
        let shop = cluster.shop().await;
        let (all, name) = (
            shop.cluster.login(&shop.administrator, "all").await,
            "write_model.jobs",
        );
        let (read, client) = (format!("select from {name}"), shop.client(&all).await);
        assert!(is_refused(&answer(&client, &read).await));
        let migrate = async |parts: &str| {
            let argument = format!("--app-role={all}{parts}");
            cluster
                .migrate(&shop.administrator, &shop.database, &[argument])
                .await;
        };
        migrate("").await;
        // A right of its own goes, too.
        let superuser = cluster.superuser(&shop.database).await;
        let own = format!("set role orders_migrator; grant select on {name} to {all}");
        superuser.batch_execute(&own).await.unwrap();
        assert_eq!(answer(&client, &read).await, Ok(()));
        migrate("=command,query").await;
        assert!(is_refused(&answer(&client, &read).await));
        assert_eq!(answer(&client, "select from write_model.orders").await, Ok(()));
        let nobody = format!("--app-role={all}_nobody");
        let output = cluster
            .try_migrate(&shop.administrator, &shop.database, &[nobody])
            .await;
        let said = super::cluster::said(&output);
        assert!(
            !output.status.success() && said.contains("there is no role"),
            "{said}"
        );
    })
    .await;
}
