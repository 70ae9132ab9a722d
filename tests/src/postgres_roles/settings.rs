//! The settings of sessions: on each login role, or made for each connection where nobody may set them on the role.
//! Never on a group: a member does not get them.

use handler::postgres::{ConnectionPool, NeededSchema, PoolerMode, PostgresTarget, SESSION_SETTINGS};
use uuid::Uuid;

use super::cluster::{Cluster, PASSWORD, on_each, said, unique};

/// As PostgreSQL comes.
const BARE: [&str; 5] = ["0", "0", "on", "auto", "4"];

/// What a session of this role shows by itself.
async fn shown(cluster: &Cluster, login: &str, database: &str) -> Vec<String> {
    let client = cluster.client(login, database).await;
    let mut shown = Vec::new();
    for (name, _) in SESSION_SETTINGS {
        let row = client.query_one(&format!("show {name}"), &[]).await.unwrap();
        shown.push(row.get(0));
    }
    shown
}

/// What a connection of the app shows.
async fn shown_to_the_app(cluster: &Cluster, login: &str, database: &str) -> Vec<String> {
    let config = cluster.config(login, database);
    let pool: ConnectionPool<()> = ConnectionPool::for_schema(
        NeededSchema::ReadModel(8),
        PostgresTarget::in_plain_text(config),
        1,
    )
    .through(PoolerMode::None);
    let mut connection = pool.acquire().await.unwrap();
    let mut shown = Vec::new();
    for (name, _) in SESSION_SETTINGS {
        let sql = format!("select current_setting('{name}')");
        shown.push(connection.query_one(&sql, &[]).await.unwrap().get(0));
    }
    shown
}

#[tokio::test]
async fn each_login_role_has_the_settings_of_its_sessions_in_its_database_alone() {
    on_each(async |cluster| {
        let shop = cluster.shop().await;
        for (part, login) in &shop.logins {
            let wanted = SESSION_SETTINGS.map(|(_, value)| value);
            assert_eq!(shown(cluster, login, &shop.database).await, wanted, "{part}");
            assert_eq!(shown(cluster, login, "postgres").await, BARE, "{part}");
        }
        assert_eq!(shown(cluster, &shop.administrator, &shop.database).await, BARE);
    })
    .await;
}

#[tokio::test]
async fn where_a_roles_settings_are_refused_each_connection_makes_its_own() {
    on_each(async |cluster| {
        let (administrator, database) = (cluster.administrator().await, unique("shop"));
        let login = unique("id_orders");
        let principal = format!("--entra-role={login}={}:service", Uuid::now_v7());
        let arguments = [principal, format!("--app-role={login}")];
        let output = cluster.try_migrate(&administrator, &database, &arguments).await;
        assert!(output.status.success(), "{}", said(&output));
        // From 16 on it takes ADMIN OPTION, which whoever asks Azure for the role may not have.
        let is_refused = cluster.version >= 16;
        let warns = said(&output).contains("settings_are_made_for_each_connection");
        assert_eq!(warns, is_refused, "{}", said(&output));
        let password = format!("alter role {login} password '{PASSWORD}'");
        cluster.execute("postgres", &password).await;
        let wanted = SESSION_SETTINGS.map(|(_, value)| value);
        let by_itself = if is_refused { BARE } else { wanted };
        assert_eq!(shown(cluster, &login, &database).await, by_itself);
        assert_eq!(shown_to_the_app(cluster, &login, &database).await, wanted);
        // A role that somebody has given other settings keeps them.
        let other = format!("alter role {login} in database {database} set statement_timeout = '7s'");
        cluster.execute("postgres", &other).await;
        assert_eq!(shown_to_the_app(cluster, &login, &database).await[0], "7s");
    })
    .await;
}
