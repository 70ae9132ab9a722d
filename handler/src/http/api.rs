//! Every call of the API on one page: function, path, who may make it, what serves it, how it is described.
//! Never a rule beyond that: what a call does is where it is served.

use super::{
    access::Who::{Anybody, OwnerOrStaff, SignedIn, Staff},
    commands::{customers, orders, products},
    endpoint::Endpoint,
    openapi, operations, queries,
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
        E::get("Health", "/health", Anybody, operations::health, operations::health_doc()),
        E::get("GetOpenApi", "/openapi.json", Anybody, openapi::get, openapi::get_doc()),
        E::get("GetDocs", "/docs", Anybody, openapi::docs, openapi::docs_doc()),
    ]
}
