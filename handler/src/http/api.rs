//! Every call of the API on one page: function, path, access rule, handler and description.
//! Never a rule beyond that: a call's work is in its handler.

use super::{
    access::AccessRule::{Anybody, Operator, OwnerOrStaff, SignedIn, Staff},
    commands::{customers, orders, products},
    endpoint::Endpoint,
    health, openapi,
    operations::{asking, looking},
    queries,
};

/// All calls.
#[must_use]
#[rustfmt::skip]
pub fn endpoints() -> Vec<Endpoint> {
    use Endpoint as E;
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
        E::get("GetOrder", "/orders/{id}", OwnerOrStaff, queries::orders::get, queries::orders::get_doc()),
        E::get("GetOrderHistory", "/orders/{id}/history", OwnerOrStaff, queries::orders::history, queries::orders::history_doc()),
        E::get("ListOrders", "/orders", Staff, queries::orders::list, queries::orders::list_doc()),
        E::get("GetCustomer", "/customers/{id}", OwnerOrStaff, queries::customers::get, queries::customers::get_doc()),
        E::get("ListCustomerOrders", "/customers/{id}/orders", OwnerOrStaff, queries::customers::orders, queries::customers::orders_doc()),
        E::get("GetProduct", "/products/{sku}", SignedIn, queries::products::get, queries::products::get_doc()),
        E::get("ListProducts", "/products", SignedIn, queries::products::list, queries::products::list_doc()),
        E::get("GetSales", "/sales", Staff, queries::sales::get, queries::sales::get_doc()),
        E::get("ListOperations", "/operations", Operator, looking::list, looking::list_doc()),
        E::get("GetOperation", "/operations/{id}", Operator, looking::get, looking::get_doc()),
        E::put("SteerOperation", "/operations/{id}/state", Operator, asking::steer, asking::steer_doc()),
        E::post("PlanReplay", "/operations/replays", Operator, asking::replay, asking::replay_doc()),
        E::post("PlanProjection", "/operations/projections", Operator, asking::project, asking::project_doc()),
        E::post("RebuildReadModel", "/operations/rebuilds", Operator, asking::rebuild, asking::rebuild_doc()),
        E::post("RollBackReadModel", "/operations/rollbacks", Operator, asking::roll_back, asking::roll_back_doc()),
        E::post("RetireReadModel", "/operations/removals", Operator, asking::retire, asking::retire_doc()),
        E::post("VerifyReadModel", "/operations/verifications", Operator, asking::verify, asking::verify_doc()),
        E::get("ListDeadLetters", "/operations/dead-letters", Operator, looking::letters, looking::letters_doc()),
        E::get("GetDeadLetter", "/operations/dead-letters/{sequence}", Operator, looking::letter, looking::letter_doc()),
        E::post("ResubmitDeadLetters", "/operations/resubmissions", Operator, asking::resubmit, asking::resubmit_doc()),
        E::post("DeleteDeadLetters", "/operations/deletions", Operator, asking::delete, asking::delete_doc()),
        E::get("TraceOrder", "/operations/orders/{id}", Operator, looking::trace, looking::trace_doc()),
        E::get("GetStatus", "/operations/status", Operator, looking::status, looking::status_doc()),
        E::get("Health", "/health", Anybody, health::health, health::health_doc()),
        E::get("HealthLive", "/health/live", Anybody, health::live, health::live_doc()),
        E::get("HealthReady", "/health/ready", Anybody, health::ready, health::ready_doc()),
        E::get("GetOpenApi", "/openapi.json", Anybody, openapi::get, openapi::get_doc()),
        E::get("GetDocs", "/docs", Anybody, openapi::docs, openapi::docs_doc()),
    ]
}
