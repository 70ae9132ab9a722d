//! Commands about customers: register, rename, change the e-mail address.
//! Never tells a caller whether an address is known already.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{NewName, id};
use crate::{
    domain::{
        command::Command,
        customer::{Customer, CustomerCommand},
        value::{Email, Name, fresh},
    },
    http::{
        answer::{CommandResult, changed, created},
        call::{CommandRequest, PathId},
        endpoint::EndpointDoc,
        problem::ProblemKind,
    },
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Registration {
    /// Name of the customer.
    #[serde(deserialize_with = "fresh")]
    name: Name,
    /// E-mail address.
    #[serde(deserialize_with = "fresh")]
    email: Email,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewEmail {
    /// The new address.
    #[serde(deserialize_with = "fresh")]
    email: Email,
}

fn example(version: i64) -> Value {
    json!({ "id": "0198c9c1-0000-7000-8000-000000000001", "version": version, "name": "Ada Lovelace", "email": "ada@example.org" })
}

pub(in crate::http) fn register_doc() -> EndpointDoc {
    EndpointDoc::new::<Customer>("Register a customer", example(1))
        .body::<Registration>(json!({ "name": "Ada Lovelace", "email": "ada@example.org" }))
        .status(201)
        .detail("Customers register themselves, under the token's `oid`; staff register a customer under a new id.")
        .errors(&[ProblemKind::CustomerExists])
}

pub(in crate::http) async fn register(
    CommandRequest { call, body }: CommandRequest<Registration>,
) -> CommandResult {
    let id = call.caller.scope.only().unwrap_or_else(Uuid::now_v7);
    let Registration { name, email } = body;
    let command = Command::Customer(id, CustomerCommand::Register { name, email });
    Ok(created(&call.execute(command).await?))
}

pub(in crate::http) fn rename_doc() -> EndpointDoc {
    EndpointDoc::new::<Customer>("Give a customer another name", example(2))
        .body::<NewName>(json!({ "name": "Ada Lovelace" }))
        .detail("Orders keep the name that they were placed under.")
        .errors(&[ProblemKind::UnknownCustomer])
}

pub(in crate::http) async fn rename(
    PathId(customer): PathId,
    CommandRequest {
        call,
        body: NewName { name },
    }: CommandRequest<NewName>,
) -> CommandResult {
    let id = id(&customer, ProblemKind::UnknownCustomer)?;
    let command = Command::Customer(id, CustomerCommand::Rename { name });
    Ok(changed(&call.execute(command).await?))
}

pub(in crate::http) fn change_email_doc() -> EndpointDoc {
    EndpointDoc::new::<Customer>("Give a customer another e-mail address", example(2))
        .body::<NewEmail>(json!({ "email": "ada@example.org" }))
        .errors(&[ProblemKind::UnknownCustomer])
}

pub(in crate::http) async fn change_email(
    PathId(customer): PathId,
    CommandRequest {
        call,
        body: NewEmail { email },
    }: CommandRequest<NewEmail>,
) -> CommandResult {
    let id = id(&customer, ProblemKind::UnknownCustomer)?;
    let command = Command::Customer(id, CustomerCommand::ChangeEmail { email });
    Ok(changed(&call.execute(command).await?))
}
