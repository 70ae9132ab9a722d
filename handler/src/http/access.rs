//! Roles, and the rules by which they may make calls. `api` gives each call its rule.
//! Never reads the thing that is asked for: where an order is read, its owner is checked.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::problem::{Problem, ProblemKind};

/// A role of a signed-in caller, after the app role of the same name. A caller without any app role is a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Buys: sees and changes what is their own.
    Customer,
    /// Runs the shop.
    Staff,
    /// Runs the system.
    Operator,
}

/// A signed-in caller.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The token's `oid`.
    pub id: String,
    /// At least one.
    pub roles: BTreeSet<Role>,
}

/// Roles that may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessRule {
    /// Anybody, signed in or not.
    Anybody,
    /// Any signed-in caller, in any role.
    SignedIn,
    /// A customer for what is their own, staff for everything.
    OwnerOrStaff,
    /// Staff.
    Staff,
    /// Operators.
    Operator,
}

/// The things that a call may see and change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// The things of this customer; anything else is not there.
    Only(Uuid),
}

impl Role {
    /// The role of this app role's name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "customer" => Some(Self::Customer),
            "staff" => Some(Self::Staff),
            "operator" => Some(Self::Operator),
            _ => None,
        }
    }
}

impl Scope {
    /// The one customer whose things are there, if the call is limited to them.
    #[must_use]
    pub fn only(self) -> Option<Uuid> {
        match self {
            Self::All => None,
            Self::Only(customer) => Some(customer),
        }
    }
}

impl AccessRule {
    /// The scope of this caller's call.
    ///
    /// # Errors
    /// A [`Problem`] (403) when the caller may not make it.
    pub fn admit(self, caller: &Principal) -> Result<Scope, Problem> {
        let has = |role| caller.roles.contains(&role);
        match self {
            Self::Anybody | Self::SignedIn => Ok(Scope::All),
            Self::OwnerOrStaff | Self::Staff if has(Role::Staff) => Ok(Scope::All),
            Self::Operator if has(Role::Operator) => Ok(Scope::All),
            // A customer's id is the token's `oid`; one that is no UUID can belong to no customer.
            Self::OwnerOrStaff if has(Role::Customer) => match caller.id.parse() {
                Ok(customer) => Ok(Scope::Only(customer)),
                Err(_) => Err(forbidden()),
            },
            Self::OwnerOrStaff | Self::Staff | Self::Operator => Err(forbidden()),
        }
    }

    /// In words, for the documentation.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Anybody => "Anybody, signed in or not.",
            Self::SignedIn => "Anybody who is signed in.",
            Self::OwnerOrStaff => "A customer for what is their own; staff for everything.",
            Self::Staff => "Staff.",
            Self::Operator => "Operators.",
        }
    }
}

fn forbidden() -> Problem {
    Problem::new(ProblemKind::Forbidden, "this is not for your role")
}
