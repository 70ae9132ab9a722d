//! Customers: registered, renamed, reached elsewhere.
//! Never tells one customer about another.

use axum::{
    Router,
    extract::Path,
    routing::{post, put},
};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{Answer, Call, NewName, Reach, created, id, ok};
use crate::{
    domain::value::{Email, Name},
    http::body::Strict,
    write::Command,
};

pub(super) fn routes() -> Router<Reach> {
    Router::new()
        .route("/api/customers", post(register_customer))
        .route("/api/customers/{id}/name", put(rename_customer))
        .route("/api/customers/{id}/email", put(change_customer_email))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    name: Name,
    email: Email,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEmail {
    email: Email,
}

async fn register_customer(call: Call, Strict(body, sent): Strict<Registration>) -> Answer {
    let command = Command::RegisterCustomer {
        id: Uuid::now_v7(),
        name: body.name,
        email: body.email,
    };
    let done = call.execute(sent, command).await?;
    let answer = json!({ "id": done.subject, "version": done.version });
    Ok(created(&done, "customers", answer))
}

async fn rename_customer(
    call: Call,
    Path(customer): Path<String>,
    Strict(NewName { name }, sent): Strict<NewName>,
) -> Answer {
    let id = id(&customer, "customer")?;
    let done = call.execute(sent, Command::RenameCustomer { id, name }).await?;
    Ok(ok(&done, done.state.clone()))
}

async fn change_customer_email(
    call: Call,
    Path(customer): Path<String>,
    Strict(NewEmail { email }, sent): Strict<NewEmail>,
) -> Answer {
    let id = id(&customer, "customer")?;
    let done = call
        .execute(sent, Command::ChangeCustomerEmail { id, email })
        .await?;
    Ok(ok(&done, done.state.clone()))
}
