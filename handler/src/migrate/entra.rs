//! Login roles of Microsoft Entra's principals, made by Azure's own functions in the database `postgres` (docs/adr/0021).
//! Never takes a principal for another one of the same name: they are told apart by their object ids.

use std::str::FromStr;

use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

use super::{error::MigrateError, identifier::quoted, races::settle};

/// By their places: the documentation and the server spell the columns' names differently.
const PRINCIPALS: &str = "
    select p.name::text, p.type::text, p.oid::text
    from pg_catalog.pgaadauth_list_principals(false) as p (name, type, oid, tenant, mfa, admin)";
const IS_ROLE: &str = "select exists (select from pg_roles where rolname = $1::text)";
const CREATE: &str =
    "select pg_catalog.pgaadauth_create_principal_with_oid($1::text, $2::text, $3::text, false, false)";

/// A role for a principal: the argument `NAME=OID:TYPE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntraRole {
    name: String,
    oid: Uuid,
    kind: &'static str,
}

impl FromStr for EntraRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .rsplit_once('=')
            .and_then(|(name, principal)| Some((name, principal.split_once(':')?)));
        let Some((name, (oid, kind))) = parts.filter(|(name, _)| !name.is_empty()) else {
            return Err("is not NAME=OID:TYPE".to_owned());
        };
        let known = ["service", "user", "group"]
            .into_iter()
            .find(|known| *known == kind);
        Ok(Self {
            name: name.to_owned(),
            oid: oid
                .parse()
                .map_err(|error| format!("{oid:?} is no object id: {error}"))?,
            kind: known.ok_or_else(|| format!("{kind:?} is none of service, user, group"))?,
        })
    }
}

/// Makes the role unless the principal has it already.
pub(super) async fn ensure(client: &Client, role: &EntraRole) -> Result<(), MigrateError> {
    let made = settle(async || {
        if let Some(found) = find(client, role).await? {
            return Ok(found);
        }
        let oid = role.oid.to_string();
        client.query_one(CREATE, &[&role.name, &oid, &role.kind]).await?;
        tracing::info!(role = role.name, %oid, "entra_role_made");
        Ok(Found::Right)
    });
    let found = made.await.map_err(|error| match error.code() {
        Some(&SqlState::UNDEFINED_FUNCTION) => MigrateError::Role(
            "--entra-role is for Azure: this server has no pgaadauth functions in the database postgres"
                .to_owned(),
        ),
        _ => error.into(),
    })?;
    match found {
        Found::Right => Ok(()),
        Found::Wrong(why) => Err(MigrateError::Role(why)),
    }
}

/// What is there under the name, or for the principal.
enum Found {
    Right,
    Wrong(String),
}

async fn find(client: &Client, role: &EntraRole) -> Result<Option<Found>, tokio_postgres::Error> {
    let EntraRole { name, oid, kind } = role;
    let role = quoted(name);
    for row in client.query(PRINCIPALS, &[]).await? {
        let (its_name, its_kind, its_oid): (&str, &str, &str) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (same_name, same_oid) = (its_name == name, its_oid.eq_ignore_ascii_case(&oid.to_string()));
        return Ok(Some(match (same_name, same_oid) {
            (true, true) if its_kind.eq_ignore_ascii_case(kind) => Found::Right,
            (true, true) => Found::Wrong(format!("the role {role} is of the type {its_kind}, not {kind}")),
            (true, false) => Found::Wrong(format!(
                "the role {role} belongs to the principal {its_oid}, not to {oid}: one that was made anew under its old name has \
                 another id. Say `drop role {role}` in the database postgres, and run this again"
            )),
            (false, true) => Found::Wrong(format!(
                "the principal {oid} has the role {} already, and has one only: use that, or drop it",
                quoted(its_name)
            )),
            (false, false) => continue,
        }));
    }
    let is_role: bool = client.query_one(IS_ROLE, &[name]).await?.try_get(0)?;
    Ok(is_role.then(|| {
        Found::Wrong(format!(
            "the role {role} is there, and is no principal's: drop or rename it"
        ))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_a_name_an_object_id_and_a_known_type() {
        let oid = "0198c9c1-0000-7000-8000-000000000001";
        let role: EntraRole = format!("id-orders={oid}:service").parse().unwrap();
        assert_eq!(
            (role.name.as_str(), role.oid.to_string(), role.kind),
            ("id-orders", oid.to_owned(), "service")
        );
        for wrong in [
            "",
            "a",
            "a=b",
            "a=b:service",
            &format!("a={oid}"),
            &format!("={oid}:user"),
            &format!("a={oid}:app"),
        ] {
            wrong.parse::<EntraRole>().unwrap_err();
        }
    }
}
