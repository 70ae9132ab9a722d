//! Who may migrate: administrators without a superuser's power, one after the other and at once.
//! Never one who happens to own everything: what the first has made the second must be able to change.

use futures_util::future::join_all;

use super::cluster::{Cluster, PASSWORD, VERSIONS, on_each, said, unique};

#[tokio::test]
async fn two_administrators_who_are_no_superusers_migrate_one_after_the_other() {
    on_each(async |cluster| {
        let shop = cluster.shop().await;
        assert_eq!(shop.strangers_property().await, [""; 0]);
        let next = cluster.administrator().await;
        // As if the last migrations had not been: the next one makes them, and changes what the first has made.
        let back = "
            drop view read_model.schema_version, read_model.history;
            delete from write_model.schema_version where version >= 8";
        cluster.execute(&shop.database, back).await;
        let login = cluster.login(&next, "late").await;
        let arguments = [
            format!("--app-role={login}=operator"),
            "--read-model=cosmos".to_owned(),
        ];
        cluster.migrate(&next, &shop.database, &arguments).await;
        assert_eq!(shop.strangers_property().await, [""; 0]);
        let client = shop.client(&login).await;
        client.query("select from write_model.jobs", &[]).await.unwrap();
        // And the first again.
        cluster.migrate(&shop.administrator, &shop.database, &[]).await;
    })
    .await;
}

#[tokio::test]
async fn many_new_databases_migrated_at_once_share_the_groups_and_a_login_role() {
    for version in VERSIONS {
        // Nothing is there yet: neither the groups nor a database.
        let Some(cluster) = Cluster::start(version).await else {
            continue;
        };
        let administrators = [cluster.administrator().await, cluster.administrator().await];
        let login = cluster.login(&administrators[0], "app").await;
        let (cluster, login) = (&cluster, &login);
        let runs = (0..8).map(|n| {
            let (administrator, database) = (&administrators[n % 2], format!("shop_{}", n / 2));
            // One role for all of them, whose settings only the one who has made it may set: that is no failure.
            let argument = format!("--app-role={login}");
            async move { cluster.try_migrate(administrator, &database, &[argument]).await }
        });
        for output in join_all(runs).await {
            assert!(output.status.success(), "{version}: {}", said(&output));
        }
        let client = cluster.client(login, "shop_3").await;
        client.query("select from write_model.orders", &[]).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_lacks_the_right_to_migrate_is_told_what_to_do() {
    for version in VERSIONS {
        let Some(cluster) = Cluster::start_bare(version).await else {
            continue;
        };
        let nobody = unique("nobody");
        let create = format!("create role {nobody} login password '{PASSWORD}'");
        cluster.execute("postgres", &create).await;
        let output = cluster.try_migrate(&nobody, "shop", &[]).await;
        assert!(!output.status.success());
        assert!(
            said(&output).contains("as an administrator (CREATEROLE)"),
            "{}",
            said(&output)
        );
        let (first, second) = (cluster.administrator().await, cluster.administrator().await);
        cluster.migrate(&first, "shop", &[]).await;
        let output = cluster.try_migrate(&second, "shop", &[]).await;
        // Before 16 an administrator can make himself a member of everything.
        assert_eq!(output.status.success(), version < 16, "{}", said(&output));
        if !output.status.success() {
            assert!(
                said(&output).contains("grant orders_migrator to"),
                "{}",
                said(&output)
            );
            let hint = format!("grant orders_migrator to {second} with admin option");
            let client = cluster.client(&first, "postgres").await;
            client.batch_execute(&hint).await.unwrap();
            cluster.migrate(&second, "shop", &[]).await;
        }
        // A member of the group is enough for the schema, where everything else is there.
        let grant = format!("grant orders_migrator to {nobody}");
        cluster.execute("postgres", &grant).await;
        cluster.migrate(&nobody, "shop", &[]).await;
    }
}
