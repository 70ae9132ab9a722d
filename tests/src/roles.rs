//! Who may do what: every call with every role, and nobody touches what is somebody else's.
//! Never asks the handler who may call: the table here is the shop's own word.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use devstack::host::{Role, User, sign_in::TENANT};
use hyper::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    support::{Answer, App, Client, Database},
    system::System,
};

/// The calls that each role may make, besides those that need nobody to be signed in.
const TABLE: [(&str, &[&str]); 3] = [
    (
        "customer",
        &[
            "PlaceOrder",
            "ChangeOrderLines",
            "CancelOrder",
            "RegisterCustomer",
            "RenameCustomer",
            "ChangeCustomerEmail",
            "GetOrder",
            "GetOrderHistory",
            "GetCustomer",
            "ListCustomerOrders",
            "GetProduct",
            "ListProducts",
        ],
    ),
    (
        "staff",
        &[
            "PlaceOrder",
            "ChangeOrderLines",
            "CancelOrder",
            "PayOrder",
            "ShipOrder",
            "DeliverOrder",
            "RegisterCustomer",
            "RenameCustomer",
            "ChangeCustomerEmail",
            "AddProduct",
            "RenameProduct",
            "ChangeProductPrice",
            "RestockProduct",
            "GetOrder",
            "GetOrderHistory",
            "ListOrders",
            "GetCustomer",
            "ListCustomerOrders",
            "GetProduct",
            "ListProducts",
            "GetSales",
        ],
    ),
    (
        "operator",
        &[
            "GetProduct",
            "ListProducts",
            "ListOperations",
            "GetOperation",
            "SteerOperation",
            "PlanReplay",
            "PlanProjection",
            "RebuildReadModel",
            "RollBackReadModel",
            "RetireReadModel",
            "VerifyReadModel",
            "ListDeadLetters",
            "GetDeadLetter",
            "ResubmitDeadLetters",
            "DeleteDeadLetters",
            "TraceOrder",
            "GetStatus",
        ],
    ),
];
pub(crate) const OPEN: [&str; 5] = ["Health", "GetOpenApi", "GetDocs", "HealthLive", "HealthReady"];

/// `X-MS-CLIENT-PRINCIPAL` of somebody with these roles.
fn principal(oid: &str, roles: &[&str]) -> String {
    STANDARD.encode(signed_in(oid, roles).to_string())
}

/// The same before it is encoded.
pub(crate) fn signed_in(oid: &str, roles: &[&str]) -> Value {
    let claim = |typ: &str, val: &str| json!({ "typ": typ, "val": val });
    let mut claims = vec![
        claim(
            "http://schemas.microsoft.com/identity/claims/objectidentifier",
            oid,
        ),
        claim("http://schemas.microsoft.com/identity/claims/tenantid", TENANT),
    ];
    claims.extend(roles.iter().map(|role| claim("roles", role)));
    json!({ "auth_typ": "aad", "name_typ": "name", "role_typ": "roles", "claims": claims })
}

/// A handler that believes the platform's header.
pub(crate) async fn start() -> App {
    let database = Database::create().await;
    let mut settings = database.settings(Database::server_address());
    settings.remove("AUTH");
    settings.insert("AUTH_TENANTS".to_owned(), TENANT.to_owned());
    settings.insert("AUTH_ENFORCED_BY_PLATFORM".to_owned(), "true".to_owned());
    App::start_with(database, settings).await
}

/// Sends as this principal.
pub(crate) async fn send(client: &Client, who: &str, method: &str, path: &str, body: Value) -> Answer {
    let headers = [
        ("content-type", "application/json"),
        ("x-ms-client-principal", who),
    ];
    client.send(method, path, body.to_string(), &headers).await
}

#[tokio::test]
async fn every_call_is_for_the_roles_of_the_table_and_for_nobody_else() {
    let app = start().await;
    let document = app.send("GET", "/api/openapi.json", "", &[]).await.body;
    let may: BTreeMap<&str, &[&str]> = TABLE.into();
    let mut seen = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{id}", &Uuid::nil().to_string())
            .replace("{sku}", "NONE")
            .replace("{sequence}", "1");
        for (method, operation) in methods.as_object().unwrap() {
            let (name, method) = (operation["operationId"].as_str().unwrap(), method.to_uppercase());
            let json = [("content-type", "application/json")];
            let nobody = app.send(&method, &path, "{}", &json).await;
            assert_eq!(
                nobody.status == StatusCode::UNAUTHORIZED,
                !OPEN.contains(&name),
                "{name} by nobody"
            );
            for (role, calls) in &may {
                let who = principal(&Uuid::now_v7().to_string(), &[role]);
                let answer = send(&app, &who, &method, &path, json!({})).await;
                let allowed = calls.contains(&name) || OPEN.contains(&name);
                assert_eq!(
                    answer.status != StatusCode::FORBIDDEN,
                    allowed,
                    "{name} by {role}: {answer:?}"
                );
                assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{name} by {role}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 24 * 3, "{seen}");
}

#[tokio::test]
async fn what_waits_is_told_to_staff_and_operators_only() {
    let app = start().await;
    let nobody = app.send("GET", "/api/health?details", "", &[]).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    for (role, status) in [("customer", 403), ("staff", 200), ("operator", 200)] {
        let who = principal(&Uuid::now_v7().to_string(), &[role]);
        let answer = send(&app, &who, "GET", "/api/health?details", json!(null)).await;
        assert_eq!(answer.status.as_u16(), status, "{role}");
        if status == 200 {
            assert_eq!(
                answer.body["details"]["outbox"],
                json!({ "waiting": 0, "parked": 0 })
            );
        }
        let short = send(&app, &who, "GET", "/api/health", json!(null)).await;
        assert!(short.body.get("details").is_none(), "{short:?}");
    }
}

#[tokio::test]
async fn a_principal_that_cannot_be_read_is_nobody() {
    let app = start().await;
    let body = json!({ "name": "Ada", "email": "ada@example.org" }).to_string();
    let good = principal(&Uuid::now_v7().to_string(), &[]);
    let mut no_oid = signed_in("ada", &[]);
    no_oid["claims"].as_array_mut().unwrap().remove(0);
    let no_oid = STANDARD.encode(no_oid.to_string());
    let empty_oid = principal("", &["staff"]);
    let no_claims = STANDARD.encode("{}");
    let headers: [&[&str]; 7] = [
        &[],
        &["%%%"],
        &["e30"],
        &[&no_claims],
        &[&no_oid],
        &[&empty_oid],
        &[&good, &good],
    ];
    for values in headers {
        let mut sent = vec![("content-type", "application/json")];
        sent.extend(values.iter().map(|value| ("x-ms-client-principal", *value)));
        let answer = app.send("POST", "/api/customers", body.clone(), &sent).await;
        assert_eq!(
            (answer.status, &answer.body["type"]),
            (
                StatusCode::UNAUTHORIZED,
                &json!("urn:problem:orders:unauthenticated")
            ),
            "{values:?}"
        );
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    let forwarded = [
        ("content-type", "application/json"),
        ("x-ms-client-principal-id", "ada"),
        ("x-forwarded-user", "ada"),
    ];
    assert_eq!(
        app.send("POST", "/api/customers", body, &forwarded).await.status,
        StatusCode::UNAUTHORIZED
    );
}

/// Two customers who have registered themselves, and somebody of the staff, who has filled the shelves.
struct People {
    ada: String,
    ada_id: String,
    bob: String,
    bob_id: String,
    staff: String,
}

async fn people(client: &Client) -> People {
    let (ada_id, bob_id) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let (ada, bob) = (principal(&ada_id, &[]), principal(&bob_id, &["customer"]));
    let staff = principal(&Uuid::now_v7().to_string(), &["staff"]);
    for (who, id, name) in [(&ada, &ada_id, "Ada"), (&bob, &bob_id, "Bob")] {
        let body = json!({ "name": name, "email": "x@example.org" });
        let registered = send(client, who, "POST", "/api/customers", body).await;
        assert_eq!(
            (
                registered.status,
                &registered.body["id"],
                &registered.headers["location"]
            ),
            (
                StatusCode::CREATED,
                &json!(id),
                &format!("/api/customers/{id}").parse().unwrap()
            )
        );
    }
    let price = json!({ "amount": 500, "currency": "EUR" });
    send(
        client,
        &staff,
        "POST",
        "/api/products",
        json!({ "sku": "MUG", "name": "Mug", "price": price }),
    )
    .await;
    send(
        client,
        &staff,
        "POST",
        "/api/products/MUG/stock",
        json!({ "quantity": 9 }),
    )
    .await;
    People {
        ada,
        ada_id,
        bob,
        bob_id,
        staff,
    }
}

fn order(customer: Option<&str>) -> Value {
    let mut order = json!({ "lines": [{ "sku": "MUG", "quantity": 1 }] });
    if let Some(customer) = customer {
        order["customerId"] = json!(customer);
    }
    order
}

/// The answer without what is new each time.
fn told(answer: &Answer) -> (StatusCode, Value) {
    let mut body = answer.body.clone();
    body["traceId"] = Value::Null;
    (answer.status, body)
}

#[tokio::test]
async fn what_is_somebody_elses_is_answered_as_what_is_not_there() {
    let app = start().await;
    let People { ada, ada_id, bob, .. } = people(&app).await;
    let placed = send(&app, &ada, "POST", "/api/orders", order(None)).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let id = placed.body["id"].as_str().unwrap().to_owned();
    let absent = Uuid::now_v7().to_string();
    for (method, step, body) in [
        (
            "PUT",
            "lines",
            json!({ "lines": [{ "sku": "MUG", "quantity": 2 }] }),
        ),
        ("POST", "cancellation", json!({ "reason": "mine now" })),
    ] {
        let [foreign, missing] = [&id, &absent].map(|id| format!("/api/orders/{id}/{step}"));
        let foreign = send(&app, &bob, method, &foreign, body.clone()).await;
        let missing = send(&app, &bob, method, &missing, body.clone()).await;
        let (status, mut body) = told(&foreign);
        assert_eq!(status, StatusCode::NOT_FOUND);
        body["detail"] = body["detail"].as_str().unwrap().replace(&id, &absent).into();
        assert_eq!((status, body), told(&missing), "{step}");
    }
    for (path, body) in [
        ("name", json!({ "name": "Eve" })),
        ("email", json!({ "email": "eve@example.org" })),
    ] {
        let answer = send(
            &app,
            &bob,
            "PUT",
            &format!("/api/customers/{ada_id}/{path}"),
            body,
        )
        .await;
        assert_eq!(
            answer.body["type"], "urn:problem:orders:unknown-customer",
            "{answer:?}"
        );
    }
    for someone_else in [&ada_id, &absent] {
        let answer = send(&app, &bob, "POST", "/api/orders", order(Some(someone_else))).await;
        assert_eq!(
            answer.body["type"], "urn:problem:orders:unregistered-customer",
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn everybody_orders_for_himself_and_staff_for_whom_they_name() {
    let app = start().await;
    let People {
        ada,
        ada_id,
        bob,
        bob_id,
        staff,
    } = people(&app).await;
    let placed = send(&app, &ada, "POST", "/api/orders", order(None)).await;
    let id = placed.body["id"].as_str().unwrap().to_owned();
    assert_eq!(
        send(&app, &bob, "POST", "/api/orders", order(Some(&bob_id)))
            .await
            .status,
        StatusCode::CREATED
    );
    assert_eq!(
        send(&app, &staff, "POST", "/api/orders", order(Some(&ada_id)))
            .await
            .status,
        StatusCode::CREATED
    );
    let nobodys = send(&app, &staff, "POST", "/api/orders", order(None)).await;
    assert_eq!(nobodys.body["errors"][0]["pointer"], "#/customerId");
    let called_off = json!({ "reason": "changed my mind" });
    let cancelled = send(
        &app,
        &ada,
        "POST",
        &format!("/api/orders/{id}/cancellation"),
        called_off,
    )
    .await;
    assert_eq!(
        (cancelled.status, &cancelled.body["status"]),
        (StatusCode::OK, &json!("cancelled"))
    );
    let held = app
        .database()
        .number("select count(*) from write_model.orders where version = 1")
        .await;
    assert_eq!(held, 2);
}

#[tokio::test]
async fn a_key_is_its_callers_own() {
    let app = start().await;
    let People { ada, bob, .. } = people(&app).await;
    let mut ids = Vec::new();
    for who in [&ada, &bob, &ada] {
        let headers = [
            ("content-type", "application/json"),
            ("x-ms-client-principal", who),
            ("idempotency-key", "1"),
        ];
        let placed = app
            .send("POST", "/api/orders", order(None).to_string(), &headers)
            .await;
        assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
        ids.push(placed.body["id"].clone());
    }
    assert!(ids[0] != ids[1] && ids[0] == ids[2], "{ids:?}");
}

#[tokio::test]
async fn behind_the_host_the_one_who_is_signed_in_sees_his_own_order_and_nobody_else_does() {
    let system = System::start_with(&[("AUTH", "easyauth")]).await;
    let (client, stack) = (&system.client, &system.stack);
    let (ada, bob) = (User::new([]), User::new([]));
    stack.sign_in(Some(User::new([Role::Staff])));
    client.seed(&[("MUG", 5)]).await;
    stack.sign_in(Some(ada.clone()));
    let registration = json!({ "name": "Ada", "email": "ada@example.org" });
    assert_eq!(
        client.post("/api/customers", registration).await.body["id"],
        json!(ada.id)
    );
    // Whom the client claims to be does not matter.
    let forged = principal(&bob.id.to_string(), &["staff"]);
    let placed = send(client, &forged, "POST", "/api/orders", order(None)).await;
    let shown = system.shown(&placed.body["id"], 1).await;
    assert_eq!(shown.body["customer"]["id"], json!(ada.id));
    let path = format!("/api/orders/{}", placed.body["id"].as_str().unwrap());
    for (who, status) in [
        (Some(bob), StatusCode::NOT_FOUND),
        (Some(User::new([Role::Operator])), StatusCode::FORBIDDEN),
        (Some(User::new([Role::Staff])), StatusCode::OK),
        (None, StatusCode::UNAUTHORIZED),
    ] {
        stack.sign_in(who.clone());
        assert_eq!(client.send("GET", &path, "", &[]).await.status, status, "{who:?}");
    }
}
