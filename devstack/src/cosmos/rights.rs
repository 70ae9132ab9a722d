//! What an identity may do in the account, by its roles: the data plane's role-based access control
//! (<https://learn.microsoft.com/azure/cosmos-db/nosql/reference-data-plane-security>).
//! It never lets a token make or change a database, container or offer: Azure leaves that to its control plane.

use axum::http::StatusCode;
use uuid::Uuid;

use super::refusal::Refusal;
use super::request::AccountRequest;
use crate::identity::{Claim, Directory};

/// The last word of an action's name, what it takes, and the path that it is done to.
type Action = (&'static str, Claim, String);

/// Passes what one of the identity's roles allows.
pub(super) fn check(directory: &Directory, principal: Uuid, asked: &AccountRequest) -> Result<(), Refusal> {
    let parts = asked.segments();
    let Some((action, claim, path)) = action(asked, &parts) else {
        let message = format!(
            "Request blocked by Auth devstack : The given request [{} /{}] cannot be authorized by AAD token in data plane. \
             Learn more: https://aka.ms/cosmos-native-rbac.",
            asked.method,
            parts.join("/")
        );
        return Err(forbidden(5300, message));
    };
    // Whoever has a role somewhere in the account may learn of its regions.
    let is_account = parts.is_empty() && directory.is_known_to_cosmos(principal);
    if is_account || directory.may(principal, claim, &path) {
        return Ok(());
    }
    let message = format!(
        "Request blocked by Auth devstack : Request is blocked because principal [{principal}] does not have required RBAC \
         permissions to perform action [Microsoft.DocumentDB/databaseAccounts/{action}] on resource [/{path}]. Learn more: \
         https://aka.ms/cosmos-native-rbac."
    );
    let substatus = if claim == Claim::ReadMetadata { 5301 } else { 5302 };
    Err(forbidden(substatus, message))
}

fn action(asked: &AccountRequest, parts: &[String]) -> Option<Action> {
    const READ_FEED: &str = "sqlDatabases/containers/readChangeFeed";
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let metadata = |path: String| Some(("readMetadata", Claim::ReadMetadata, path));
    let container = |database: &str, name: &str| format!("dbs/{database}/colls/{name}");
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", [] | ["dbs"]) => metadata(String::new()),
        ("GET", ["dbs", database] | ["dbs", database, "colls"]) => metadata(format!("dbs/{database}")),
        ("GET", ["dbs", database, "colls", name] | ["dbs", database, "colls", name, "pkranges"]) => {
            metadata(container(database, name))
        }
        ("GET", ["dbs", database, "colls", name, "docs"]) => {
            Some((READ_FEED, Claim::ReadItems, container(database, name)))
        }
        (method, ["dbs", database, "colls", name, "docs", ..]) => {
            let (action, claim) = on_items(method, asked);
            Some((action, claim, container(database, name)))
        }
        _ => None,
    }
}

fn on_items(method: &str, asked: &AccountRequest) -> (&'static str, Claim) {
    let asks = [
        "x-ms-documentdb-isquery",
        "x-ms-documentdb-query",
        "x-ms-cosmos-is-query-plan-request",
    ];
    let write = |action| (action, Claim::WriteItems);
    match method {
        "GET" => ("sqlDatabases/containers/items/read", Claim::ReadItems),
        "POST" if asks.iter().any(|header| asked.says(header)) => {
            ("sqlDatabases/containers/executeQuery", Claim::ReadItems)
        }
        "POST" if asked.says("x-ms-documentdb-is-upsert") => write("sqlDatabases/containers/items/upsert"),
        "POST" => write("sqlDatabases/containers/items/create"),
        "DELETE" => write("sqlDatabases/containers/items/delete"),
        _ => write("sqlDatabases/containers/items/replace"),
    }
}

fn forbidden(substatus: u16, message: String) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "Forbidden", message).with_substatus(substatus)
}
