//! Login roles of principals: made by their object ids, once, and never given to another principal of the same name.
//! Never reaches Microsoft Entra: a stand-in has the same functions, and refuses what Azure refuses.

use tokio_postgres::Client;
use uuid::Uuid;

use super::cluster::{Cluster, on_each, said, unique};

const CREATE: &str = "select pgaadauth_create_principal_with_oid($1::text, $2::text, $3::text, false, false)";

async fn create(client: &Client, name: &str, oid: &str, kind: &str) -> Result<String, String> {
    let made = client.query_one(CREATE, &[&name, &oid, &kind]).await;
    made.map(|row| row.get(0)).map_err(|error| {
        error
            .as_db_error()
            .map_or(error.to_string(), |said| said.message().to_owned())
    })
}

#[tokio::test]
async fn the_stand_in_refuses_a_second_role_an_unknown_type_and_another_database() {
    on_each(async |cluster| {
        let client = cluster.client(&cluster.administrator().await, "postgres").await;
        let (oid, name) = (Uuid::now_v7().to_string(), unique("id"));
        let made = create(&client, &name, &oid, "service").await;
        assert_eq!(made, Ok(format!("Created role for {name}")));
        for (name, oid, kind, why) in [
            (unique("id"), oid.clone(), "service", "isn't supported"),
            (name.clone(), oid.clone(), "service", "isn't supported"),
            (name.clone(), Uuid::now_v7().to_string(), "service", "already exists"),
            (unique("id"), Uuid::now_v7().to_string(), "app", "incorrect object type"),
            (unique("id"), "no-oid".to_owned(), "user", "uuid"),
        ] {
            let refused = create(&client, &name, &oid, kind).await.unwrap_err();
            assert!(refused.contains(why), "{name} {oid} {kind}: {refused}");
        }
        let listed = "select principaltype, objectid, isadmin from pgaadauth_list_principals(false) where rolname = $1::text::name";
        let row = client.query_one(listed, &[&name]).await.unwrap();
        assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1), row.get::<_, i32>(2)), ("service", &*oid, 0));
        // There is no such function in any other database, and none for others than administrators.
        let shop = cluster.shop().await;
        let admin = shop.client(&shop.administrator).await;
        let refused = create(&admin, "id", &oid, "service").await.unwrap_err();
        assert!(refused.contains("does not exist"), "{refused}");
        let login = cluster.client(&shop.logins[0].1, "postgres").await;
        let refused = create(&login, "id", &oid, "service").await.unwrap_err();
        assert!(refused.contains("permission denied"), "{refused}");
    })
    .await;
}

/// Runs it for this principal; what was said when it failed.
async fn migrate(cluster: &Cluster, who: &str, database: &str, principal: &str) -> Result<(), String> {
    let name = principal.split('=').next().unwrap();
    let arguments = [format!("--entra-role={principal}"), format!("--app-role={name}")];
    let output = cluster.try_migrate(who, database, &arguments).await;
    if output.status.success() {
        Ok(())
    } else {
        Err(said(&output))
    }
}

#[tokio::test]
async fn an_entra_role_belongs_to_one_object_and_a_namesake_is_an_error() {
    on_each(async |cluster| {
        let (administrator, database) = (cluster.administrator().await, unique("shop"));
        let (name, oid) = (unique("id-orders"), Uuid::now_v7());
        let go = async |principal: &str| migrate(cluster, &administrator, &database, principal).await;
        for _ in 0..2 {
            go(&format!("{name}={oid}:service")).await.unwrap();
        }
        // Another administrator may do the same.
        let next = cluster.administrator().await;
        migrate(cluster, &next, &database, &format!("{name}={oid}:service"))
            .await
            .unwrap();
        let plain = cluster.login(&administrator, "plain").await;
        for (principal, advice) in [
            (format!("{name}={}:service", Uuid::now_v7()), "drop role"),
            (format!("{}={oid}:service", unique("other")), "has one only"),
            (format!("{name}={oid}:group"), "is of the type service"),
            (format!("{plain}={}:user", Uuid::now_v7()), "is no principal's"),
            (format!("{name}={oid}"), "NAME=OID:TYPE"),
        ] {
            let refused = go(&principal).await.unwrap_err();
            assert!(refused.contains(advice), "{principal}: {refused}");
        }
        let made = "select count(*) from pgaadauth_list_principals(false) where objectid = $1::text";
        let superuser = cluster.superuser("postgres").await;
        let made: i64 = superuser
            .query_one(made, &[&oid.to_string()])
            .await
            .unwrap()
            .get(0);
        assert_eq!(made, 1);
    })
    .await;
}

#[tokio::test]
async fn without_azures_functions_an_entra_role_is_refused_in_words() {
    let Some(cluster) = Cluster::start_bare(15).await else {
        return;
    };
    let administrator = cluster.administrator().await;
    let principal = format!("id={}:service", Uuid::now_v7());
    let refused = migrate(&cluster, &administrator, "shop", &principal)
        .await
        .unwrap_err();
    assert!(refused.contains("--entra-role is for Azure"), "{refused}");
}
