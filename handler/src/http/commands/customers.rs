//! Customers: registered, renamed, reached elsewhere.
//! Never tells a caller whether an address is known already.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{NewName, id};
use crate::{
    domain::{
        customer::Customer,
        value::{Email, Name, fresh},
    },
    http::{
        answer::{Answer, changed, created},
        call::{Given, Named},
        endpoint::Doc,
        problem::Kind,
    },
    write::Command,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Registration {
    /// Name of the customer.
    #[serde(deserialize_with = "fresh")]
    name: Name,
    /// Where to write to.
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

pub(in crate::http) fn register_doc() -> Doc {
    Doc::new::<Customer>("Register a customer", example(1))
        .takes::<Registration>(json!({ "name": "Ada Lovelace", "email": "ada@example.org" }))
        .creates()
        .detail("A customer registers himself or herself, under the token's `oid`; staff register somebody under a new id.")
        .refuses(&[Kind::CustomerExists])
}

pub(in crate::http) async fn register(Given { call, body }: Given<Registration>) -> Answer {
    let command = Command::RegisterCustomer {
        id: call.caller.scope.only().unwrap_or_else(Uuid::now_v7),
        name: body.name,
        email: body.email,
    };
    Ok(created(&call.execute(command).await?))
}

pub(in crate::http) fn rename_doc() -> Doc {
    Doc::new::<Customer>("Give a customer another name", example(2))
        .takes::<NewName>(json!({ "name": "Ada Lovelace" }))
        .detail("Orders keep the name that they were placed under.")
        .refuses(&[Kind::UnknownCustomer])
}

pub(in crate::http) async fn rename(
    Named(customer): Named,
    Given {
        call,
        body: NewName { name },
    }: Given<NewName>,
) -> Answer {
    let id = id(&customer, Kind::UnknownCustomer)?;
    Ok(changed(
        &call.execute(Command::RenameCustomer { id, name }).await?,
    ))
}

pub(in crate::http) fn change_email_doc() -> Doc {
    Doc::new::<Customer>("Give a customer another e-mail address", example(2))
        .takes::<NewEmail>(json!({ "email": "ada@example.org" }))
        .refuses(&[Kind::UnknownCustomer])
}

pub(in crate::http) async fn change_email(
    Named(customer): Named,
    Given {
        call,
        body: NewEmail { email },
    }: Given<NewEmail>,
) -> Answer {
    let id = id(&customer, Kind::UnknownCustomer)?;
    Ok(changed(
        &call.execute(Command::ChangeCustomerEmail { id, email }).await?,
    ))
}
