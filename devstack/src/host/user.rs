//! A user as the host plays one: an object id, and the app roles of the token.
//! It never says what a role may do: that is the handler's to decide.

use std::{collections::BTreeSet, fmt, str::FromStr};

use uuid::Uuid;

/// The name for a user without any role.
const CUSTOMER: &str = "customer";

/// An app role, as the token's `roles` claim names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Runs the shop.
    Staff,
    /// Runs the system.
    Operator,
}

impl Role {
    /// The value of the `roles` claim.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Operator => "operator",
        }
    }
}

/// A user who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The token's `oid`.
    pub id: Uuid,
    /// The app roles; a user without any is a customer, as all are who sign up.
    pub roles: BTreeSet<Role>,
}

impl User {
    /// A new user with these roles, a customer when there are none.
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Self {
        Self {
            id: Uuid::new_v4(),
            roles: roles.into_iter().collect(),
        }
    }

    /// True when the user has no role at all.
    #[must_use]
    pub fn is_customer(&self) -> bool {
        self.roles.is_empty()
    }
}

impl fmt::Display for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.roles.iter().map(|role| role.name()).collect();
        let names = if names.is_empty() {
            CUSTOMER.to_owned()
        } else {
            names.join(", ")
        };
        write!(formatter, "{names}  oid {}", self.id)
    }
}

/// A text that names no user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUser {
    /// A word that is no role.
    #[error("'{0}' is no role; write customer, staff, operator or staff,operator")]
    Role(String),
    /// Something other than a UUID behind the colon.
    #[error("'{0}' is no object id; write a UUID behind the colon, or leave both out for a random one")]
    Id(String),
    /// `customer` beside a role.
    #[error("a customer is a user without a role, so customer stands alone")]
    CustomerWithRole,
}

/// `ROLE[,ROLE][:OID]`, with a random id where there is none.
impl FromStr for User {
    type Err = InvalidUser;

    fn from_str(text: &str) -> Result<Self, InvalidUser> {
        let (names, id) = match text.split_once(':') {
            None => (text, Uuid::new_v4()),
            Some((names, id)) => {
                let parsed = Uuid::parse_str(id).map_err(|_| InvalidUser::Id(id.to_owned()))?;
                (names, parsed)
            }
        };
        let (mut roles, mut customer) = (BTreeSet::new(), false);
        for name in names.split(',') {
            match name {
                CUSTOMER => customer = true,
                "staff" => _ = roles.insert(Role::Staff),
                "operator" => _ = roles.insert(Role::Operator),
                other => return Err(InvalidUser::Role(other.to_owned())),
            }
        }
        if customer && !roles.is_empty() {
            return Err(InvalidUser::CustomerWithRole);
        }
        Ok(Self { id, roles })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5b5450db-eb26-4c1a-981c-ba1d25f0483d";

    #[test]
    fn roles_and_an_id_are_read_and_a_customer_has_no_role() {
        let both: User = format!("operator,staff:{ID}").parse().expect("a user");
        assert_eq!(both.id.to_string(), ID);
        assert_eq!(both.roles, [Role::Staff, Role::Operator].into());
        assert_eq!(both.to_string(), format!("staff, operator  oid {ID}"));
        let customer: User = format!("customer:{ID}").parse().expect("a user");
        assert!(customer.is_customer());
        assert_eq!(customer.to_string(), format!("customer  oid {ID}"));
    }

    #[test]
    fn an_id_that_is_left_out_is_another_one_each_time() {
        let user = || "staff".parse::<User>().expect("a user");
        assert_ne!(user().id, user().id);
    }

    #[test]
    fn what_names_no_user_is_refused_with_the_word_at_fault() {
        let error = |text: &str| text.parse::<User>().expect_err("no user").to_string();
        assert!(error("boss").contains("'boss' is no role"));
        assert!(error("").contains("'' is no role"));
        assert!(error("staff,").contains("'' is no role"));
        assert!(error("staff:7").contains("'7' is no object id"));
        assert!(error("customer,staff").contains("stands alone"));
    }
}
