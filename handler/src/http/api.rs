//! Every call of the API on one page: part, function, path, access rule, handler and description; and the other functions' parts.
//! Never a rule beyond that: a call's work is in its handler.

use super::{
    access::AccessRule::{Anybody, Operator, OwnerOrStaff, SignedIn, Staff},
    commands::{customers, orders, products},
    endpoint::Endpoint,
    health, inspection, jobs, openapi, queries,
};
use crate::{
    config::Part,
    jobs::{Deletion, Rebuild, Replay, Reprojection, Resubmission, Retirement, Rollback, Verification},
};
use Endpoint as E;

/// The functions that the host calls by itself, each with the part that serves it.
pub const TRIGGERS: [(&str, Part); 3] = [
    ("RelayOutbox", Part::Command),
    ("ProjectEvent", Part::Projector),
    ("RunJobs", Part::Operator),
];

/// Every function with the part that serves it, but for the catch-all; `None`: each part does.
#[must_use]
pub fn functions() -> Vec<(&'static str, Option<Part>)> {
    let triggers = TRIGGERS.map(|(name, part)| (name, Some(part)));
    let calls = endpoints().into_iter().map(|call| (call.name, call.part));
    calls.chain(triggers).collect()
}

/// All calls.
#[must_use]
pub fn endpoints() -> Vec<Endpoint> {
    let of = |part: Part, calls: Vec<Endpoint>| calls.into_iter().map(move |call| call.served_by(part));
    of(Part::Command, commands())
        .chain(of(Part::Query, queries()))
        .chain(of(Part::Operator, operations()))
        .chain(for_all())
        .collect()
}

#[rustfmt::skip]
fn commands() -> Vec<Endpoint> {
    vec![
        E::post("PlaceOrder", "/orders", OwnerOrStaff, orders::place, orders::place_doc()),
        E::put("ChangeOrderLines", "/orders/{id}/lines", OwnerOrStaff, orders::change_lines, orders::change_lines_doc()),
        E::post("CancelOrder", "/orders/{id}/cancellation", OwnerOrStaff, orders::cancel, orders::cancel_doc()),
        E::post("PayOrder", "/orders/{id}/payment", Staff, orders::pay, orders::pay_doc()),
        E::post("ShipOrder", "/orders/{id}/shipment", Staff, orders::ship, orders::ship_doc()),
        E::post("DeliverOrder", "/orders/{id}/delivery", Staff, orders::deliver, orders::deliver_doc()),
        E::post("RegisterCustomer", "/customers", OwnerOrStaff, customers::register, customers::register_doc()),
        E::put("RenameCustomer", "/customers/{id}/name", OwnerOrStaff, customers::rename, customers::rename_doc()),
        E::put("ChangeCustomerEmail", "/customers/{id}/email", OwnerOrStaff, customers::change_email, customers::change_email_doc()),
        E::post("AddProduct", "/products", Staff, products::add, products::add_doc()),
        E::put("RenameProduct", "/products/{sku}/name", Staff, products::rename, products::rename_doc()),
        E::put("ChangeProductPrice", "/products/{sku}/price", Staff, products::change_price, products::change_price_doc()),
        E::post("RestockProduct", "/products/{sku}/stock", Staff, products::restock, products::restock_doc()),
    ]
}

#[rustfmt::skip]
fn queries() -> Vec<Endpoint> {
    vec![
        E::get("GetOrder", "/orders/{id}", OwnerOrStaff, queries::orders::get, queries::orders::get_doc()),
        E::get("GetOrderHistory", "/orders/{id}/history", OwnerOrStaff, queries::orders::history, queries::orders::history_doc()),
        E::get("ListOrders", "/orders", Staff, queries::orders::list, queries::orders::list_doc()),
        E::get("GetCustomer", "/customers/{id}", OwnerOrStaff, queries::customers::get, queries::customers::get_doc()),
        E::get("ListCustomerOrders", "/customers/{id}/orders", OwnerOrStaff, queries::customers::orders, queries::customers::orders_doc()),
        E::get("GetProduct", "/products/{sku}", SignedIn, queries::products::get, queries::products::get_doc()),
        E::get("ListProducts", "/products", SignedIn, queries::products::list, queries::products::list_doc()),
        E::get("GetSales", "/sales", Staff, queries::sales::get, queries::sales::get_doc()),
    ]
}

#[rustfmt::skip]
fn operations() -> Vec<Endpoint> {
    vec![
        E::get("ListJobs", "/jobs", Operator, jobs::list, jobs::list_doc()),
        E::get("GetJob", "/jobs/{id}", Operator, jobs::get, jobs::get_doc()),
        E::put("SetJobState", "/jobs/{id}/state", Operator, jobs::set_state, jobs::set_state_doc()),
        E::post("RebuildReadModel", "/jobs/rebuilds", Operator, jobs::start::<Rebuild>, jobs::start_doc::<Rebuild>()),
        E::post("RollBackReadModel", "/jobs/rollbacks", Operator, jobs::start::<Rollback>, jobs::start_doc::<Rollback>()),
        E::post("RetireGeneration", "/jobs/retirements", Operator, jobs::start::<Retirement>, jobs::start_doc::<Retirement>()),
        E::post("VerifyReadModel", "/jobs/verifications", Operator, jobs::start::<Verification>, jobs::start_doc::<Verification>()),
        E::post("ReplayEvents", "/jobs/replays", Operator, jobs::start::<Replay>, jobs::start_doc::<Replay>()),
        E::post("ReprojectEvents", "/jobs/reprojections", Operator, jobs::start::<Reprojection>, jobs::start_doc::<Reprojection>()),
        E::post("ResubmitDeadLetters", "/jobs/resubmissions", Operator, jobs::start::<Resubmission>, jobs::start_doc::<Resubmission>()),
        E::post("DeleteDeadLetters", "/jobs/deletions", Operator, jobs::start::<Deletion>, jobs::start_doc::<Deletion>()),
        E::get("ListDeadLetters", "/operations/dead-letters", Operator, inspection::list_dead_letters, inspection::list_dead_letters_doc()),
        E::get("GetDeadLetter", "/operations/dead-letters/{sequence}", Operator, inspection::get_dead_letter, inspection::get_dead_letter_doc()),
        E::get("ExplainOrder", "/operations/orders/{id}/explanation", Operator, inspection::explain, inspection::explain_doc()),
        E::get("GetStatus", "/operations/status", Operator, inspection::status, inspection::status_doc()),
    ]
}

/// What each process serves, whatever its part.
#[rustfmt::skip]
fn for_all() -> Vec<Endpoint> {
    vec![
        E::get("Health", "/health", Anybody, health::health, health::health_doc()),
        E::get("HealthLive", "/health/live", Anybody, health::live, health::live_doc()),
        E::get("HealthReady", "/health/ready", Anybody, health::ready, health::ready_doc()),
        E::get("GetOpenApi", "/openapi.json", Anybody, openapi::get, openapi::get_doc()),
        E::get("GetDocs", "/docs", Anybody, openapi::docs, openapi::docs_doc()),
    ]
}
