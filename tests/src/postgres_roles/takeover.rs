//! A database from before there were groups: everything belongs to whoever migrated it, and the app's role has rights of its own.
//! Never starts from a database that this release has made.

use std::fs;

use devstack::app_folder::workspace_root;

use super::cluster::{on_each, said, strangers_property, unique};

/// The last migration that releases before had.
const LAST_BEFORE: &str = "0007";

/// What they gave the app's role.
const GIVEN_BEFORE: &str = "
    grant usage on schema write_model, read_model to ROLE;
    grant select on all tables in schema write_model, read_model to ROLE;
    grant insert, update on write_model.customers, write_model.products, write_model.stock, write_model.orders to ROLE;
    grant insert, update, delete on write_model.order_lines to ROLE;
    grant insert on write_model.events to ROLE;
    grant insert, delete on write_model.idempotency_keys to ROLE;
    grant insert, update, delete on write_model.outbox to ROLE;
    grant insert, update on write_model.jobs to ROLE;
    grant execute on function write_model.refuse(), read_model.sum_up_sales(bigint) to ROLE;
    alter role ROLE in database DATABASE set statement_timeout = '2s';";

/// The migrations of releases before, in order.
fn before() -> Vec<(String, String)> {
    let folder = fs::read_dir(workspace_root().join("handler/migrations")).unwrap();
    let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    let files = files.iter().map(|file| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(file).unwrap())
    });
    files.take_while(|(name, _)| &name[..4] <= LAST_BEFORE).collect()
}

#[tokio::test]
async fn a_database_from_before_the_groups_is_taken_over_by_its_owner() {
    on_each(async |cluster| {
        let (owner, database) = (cluster.administrator().await, unique("old"));
        let role = cluster.login(&owner, "app").await;
        let server = cluster.client(&owner, "postgres").await;
        let create = format!("create database {database}");
        server.batch_execute(&create).await.unwrap();
        let old = cluster.client(&owner, &database).await;
        for (n, (name, sql)) in before().iter().enumerate() {
            let insert = format!(
                "insert into write_model.schema_version (version, name) values ({}, '{name}')",
                n + 1
            );
            old.batch_execute(&format!("begin; {sql}; {insert}; commit"))
                .await
                .unwrap();
        }
        let given = GIVEN_BEFORE.replace("ROLE", &role).replace("DATABASE", &database);
        old.batch_execute(&given).await.unwrap();
        let row = "insert into write_model.customers values (gen_random_uuid(), 1, 'Ada', 'ada@example.org')";
        old.batch_execute(row).await.unwrap();

        // Somebody else cannot take it away from its owner.
        let other = cluster.administrator().await;
        let output = cluster.try_migrate(&other, &database, &[]).await;
        assert!(!output.status.success());
        assert!(
            said(&output).contains("belongs to another role"),
            "{}",
            said(&output)
        );

        let argument = format!("--app-role={role}=query");
        cluster.migrate(&owner, &database, &[argument]).await;
        assert_eq!(strangers_property(&old).await, [""; 0]);
        let app = cluster.client(&role, &database).await;
        // Its rights of before are gone, and the views of the new owner show it what it may see.
        app.query("select from write_model.customers", &[])
            .await
            .unwrap_err();
        let seen = app.query("select from read_model.products", &[]).await.unwrap();
        assert!(seen.is_empty());
        cluster
            .migrate(&other, &database, &[format!("--app-role={role}")])
            .await;
        let seen = app.query("select from write_model.customers", &[]).await.unwrap();
        assert_eq!(seen.len(), 1);
    })
    .await;
}
