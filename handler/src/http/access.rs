//! Who may call what: the roles, and what each kind of call asks of them. Which call is of which kind stands in `api`.
//! Never looks at what is called for: whether an order is the caller's own is asked where the order is read.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::problem::{Kind, Problem};

/// What a signed-in caller may be, as app roles of the same names say it. Who has no app role at all is a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Buys: sees and changes what is his own.
    Customer,
    /// Runs the shop.
    Staff,
    /// Runs the system.
    Operator,
}

/// Who is calling.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The token's `oid`.
    pub id: String,
    /// At least one.
    pub roles: BTreeSet<Role>,
}

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody, signed in or not.
    Anybody,
    /// Whoever is signed in, in any role.
    SignedIn,
    /// A customer for what is his own, staff for everything.
    OwnerOrStaff,
    /// Staff.
    Staff,
    /// Staff, and who runs the system.
    StaffOrOperator,
    /// Who runs the system.
    Operator,
}

/// How far a caller's call reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everything there is.
    All,
    /// What belongs to this customer; anything else is not there.
    Only(Uuid),
}

impl Role {
    /// The app role's name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "customer" => Some(Self::Customer),
            "staff" => Some(Self::Staff),
            "operator" => Some(Self::Operator),
            _ => None,
        }
    }
}

impl Scope {
    /// The only customer whose things are there, if there is one.
    #[must_use]
    pub fn only(self) -> Option<Uuid> {
        match self {
            Self::All => None,
            Self::Only(customer) => Some(customer),
        }
    }
}

impl Who {
    /// How far this caller's call reaches.
    ///
    /// # Errors
    /// A [`Problem`] (403) when it does not reach anything.
    pub fn admit(self, caller: &Principal) -> Result<Scope, Problem> {
        let has = |role| caller.roles.contains(&role);
        match self {
            Self::Anybody | Self::SignedIn => Ok(Scope::All),
            Self::OwnerOrStaff | Self::Staff | Self::StaffOrOperator if has(Role::Staff) => Ok(Scope::All),
            Self::StaffOrOperator | Self::Operator if has(Role::Operator) => Ok(Scope::All),
            // A customer's id is the token's `oid`; one that is no UUID can belong to no customer.
            Self::OwnerOrStaff if has(Role::Customer) => match caller.id.parse() {
                Ok(customer) => Ok(Scope::Only(customer)),
                Err(_) => Err(forbidden()),
            },
            Self::OwnerOrStaff | Self::Staff | Self::StaffOrOperator | Self::Operator => Err(forbidden()),
        }
    }

    /// In words, for the documentation.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Anybody => "Anybody, signed in or not.",
            Self::SignedIn => "Whoever is signed in.",
            Self::OwnerOrStaff => "A customer for what is his or her own; staff for everything.",
            Self::Staff => "Staff.",
            Self::StaffOrOperator => "Staff and operators.",
            Self::Operator => "Operators.",
        }
    }
}

fn forbidden() -> Problem {
    Problem::new(Kind::Forbidden, "this is not for your role")
}
