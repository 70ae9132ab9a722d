//! A login role of the app: the groups of the parts that it is for, and the settings of its sessions in this database.
//! Never makes one, and leaves it no right that it has not from a group.

use std::str::FromStr;

use tokio_postgres::{Client, error::SqlState};

use super::{error::MigrateError, identifier::quoted, races::settle};
use crate::{config::Part, postgres::SESSION_SETTINGS};

/// The groups of the parts that have a database.
const GROUPS: [(Part, &str); 3] = [
    (Part::Command, "orders_command"),
    (Part::Query, "orders_query"),
    (Part::Operator, "orders_operator"),
];

/// A login role, and the parts that it is for: the argument `NAME[=PART,…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRole {
    name: String,
    parts: Vec<Part>,
}

impl FromStr for AppRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = GROUPS.map(|(part, _)| part);
        let (name, parts) = match text.split_once('=') {
            None => (text, all.to_vec()),
            Some((name, words)) => {
                let part = |word: &str| {
                    let known = all.into_iter().find(|part| part.name() == word);
                    known.ok_or_else(|| format!("{word:?} is none of {}", all.map(Part::name).join(", ")))
                };
                (name, words.split(',').map(part).collect::<Result<_, _>>()?)
            }
        };
        if name.is_empty() {
            return Err("the role has no name".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            parts,
        })
    }
}

/// Puts the role into the groups of its parts and out of the others; its own rights in the two schemas are taken away. By
/// orders_migrator.
pub(super) async fn join_groups(client: &Client, role: &AppRole) -> Result<(), MigrateError> {
    const IS_MEMBER: &str = "
        select exists (select from pg_auth_members where roleid = $1::text::regrole and member = r.oid)
        from pg_roles r where r.rolname = $2::text";
    let name = quoted(&role.name);
    for (part, group) in GROUPS {
        settle(async || {
            let Some(row) = client.query_opt(IS_MEMBER, &[&group, &role.name]).await? else {
                return Ok(());
            };
            let statement = match (row.try_get(0)?, role.parts.contains(&part)) {
                (false, true) => format!("grant {group} to {name}"),
                (true, false) => format!("revoke {group} from {name}"),
                _ => return Ok(()),
            };
            client.batch_execute(&statement).await
        })
        .await?;
    }
    let revoke = format!(
        "revoke all on schema write_model, read_model from {name};
         revoke all on all tables in schema write_model, read_model from {name};
         revoke all on all functions in schema write_model, read_model from {name};"
    );
    client
        .batch_execute(&revoke)
        .await
        .map_err(|error| match error.code() {
            Some(&SqlState::UNDEFINED_OBJECT) => MigrateError::Role(format!(
                "there is no role {name}: make it first, in Azure by --entra-role"
            )),
            _ => error.into(),
        })
}

/// Sets what its sessions in this database begin with; where that is refused, the app does so for each connection. By an
/// administrator.
pub(super) async fn set_settings(client: &Client, role: &AppRole) -> Result<(), MigrateError> {
    // For this database only: a role that several databases share would be altered by several migrations at once.
    const HAS_THEM: &str = "
        select current_database(), exists (
            select from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase join pg_roles r on r.oid = s.setrole
            where d.datname = current_database() and r.rolname = $1::text and s.setconfig @> $2::text[])";
    let pairs: Vec<String> = SESSION_SETTINGS
        .map(|(name, value)| format!("{name}={value}"))
        .to_vec();
    let row = client.query_one(HAS_THEM, &[&role.name, &pairs]).await?;
    if row.try_get(1)? {
        return Ok(());
    }
    let (name, database) = (quoted(&role.name), quoted(row.try_get(0)?));
    let alter = SESSION_SETTINGS.map(|(setting, value)| {
        format!("alter role {name} in database {database} set {setting} = '{value}'")
    });
    match client.batch_execute(&alter.join("; ")).await {
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            tracing::warn!(role = role.name, "settings_are_made_for_each_connection");
            Ok(())
        }
        altered => Ok(altered?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_for_all_parts_or_for_those_that_are_named() {
        let role = |text: &str| text.parse::<AppRole>().map(|role| (role.name, role.parts));
        let all = vec![Part::Command, Part::Query, Part::Operator];
        assert_eq!(role("id-orders"), Ok(("id-orders".to_owned(), all)));
        let two = vec![Part::Command, Part::Operator];
        assert_eq!(role("a b=command,operator"), Ok(("a b".to_owned(), two)));
        for wrong in ["", "=command", "a=", "a=command,", "a=relay", "a=projector"] {
            role(wrong).unwrap_err();
        }
    }
}
