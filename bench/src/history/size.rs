//! How large a shop is.
//! Never how long its history takes.

/// Customers who order again and again; every fourth order is one of theirs.
pub(super) const REGULARS: usize = 4;

/// The size of a shop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) customers: usize,
    pub(crate) products: usize,
    pub(crate) orders: usize,
}
