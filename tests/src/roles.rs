//! Who may do what: every call with every role, and nobody touches what is somebody else's.
//! Never asks the handler who may call: the table here is the shop's own word.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use devstack::host::{Role, User, sign_in::TENANT};
use hyper::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    support::{Answer, App, Call, Client, Database, calls, claims, principal},
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
            "ListJobs",
            "GetJob",
            "SetJobState",
            "ReplayEvents",
            "ReprojectEvents",
            "RebuildReadModel",
            "RollBackReadModel",
            "RetireGeneration",
            "VerifyReadModel",
            "ListDeadLetters",
            "GetDeadLetter",
            "ResubmitDeadLetters",
            "DeleteDeadLetters",
            "ExplainOrder",
            "GetStatus",
        ],
    ),
];
pub(crate) const OPEN: [&str; 5] = ["Health", "GetOpenApi", "GetDocs", "HealthLive", "HealthReady"];

/// A handler that believes the platform's header.
pub(crate) async fn start() -> App {
    let database = Database::create().await;
    let mut settings = database.settings(Database::server_address());
    settings.remove("AUTH");
    settings.insert("AUTH_TENANTS".to_owned(), TENANT.to_owned());
    settings.insert("AUTH_ENFORCED_BY_PLATFORM".to_owned(), "true".to_owned());
    App::start_with(database, settings).await
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
                let call = Call::new(&method, &path, json!({}));
                let answer = app.as_role(role).call(&call).await;
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
async fn what_waits_is_told_to_operators_only() {
    let app = start().await;
    let nobody = app.send("GET", "/api/operations/status", "", &[]).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    for (role, status) in [("customer", 403), ("staff", 403), ("operator", 200)] {
        let client = app.as_role(role);
        let answer = client.get("/api/operations/status").await;
        assert_eq!(answer.status.as_u16(), status, "{role}");
        if status == 200 {
            assert_eq!(answer.body["outbox"], json!({ "waiting": 0, "parked": 0 }));
        }
        let short = client.get("/api/health").await;
        assert!(short.body.get("details").is_none(), "{short:?}");
    }
}

#[tokio::test]
async fn a_principal_that_cannot_be_read_is_nobody() {
    let app = start().await;
    let body = json!({ "name": "Ada", "email": "ada@example.org" }).to_string();
    let good = principal(&Uuid::now_v7().to_string(), &[]);
    let mut no_oid = claims("ada", &[]);
    no_oid["claims"].as_array_mut().unwrap().remove(0);
    let no_oid = STANDARD.encode(no_oid.to_string());
    let empty_oid = principal("", &["staff"]);
    let no_claims = STANDARD.encode("{}");
    let joined = format!("{good}, {good}");
    let headers: [&[&str]; 8] = [
        &[],
        &["%%%"],
        &["e30"],
        &[&no_claims],
        &[&no_oid],
        &[&empty_oid],
        &[&good, &good],
        &[&joined],
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

/// One line for every order.
const MUG: [(&str, i64); 1] = [("MUG", 1)];

/// Two customers who have registered themselves, and a member of the staff, who has filled the shelves.
struct People {
    ada: Client,
    ada_id: String,
    bob: Client,
    bob_id: String,
    staff: Client,
}

async fn people(client: &Client) -> People {
    let (ada_id, bob_id) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let ada = client.as_customer(&ada_id);
    let bob = client.as_principal(&principal(&bob_id, &["customer"]));
    let staff = client.as_role("staff");
    for (who, id, name) in [(&ada, &ada_id, "Ada"), (&bob, &bob_id, "Bob")] {
        let registered = who.register(name).await;
        assert_eq!(
            (
                registered.status,
                registered.id(),
                &registered.headers["location"]
            ),
            (
                StatusCode::CREATED,
                &**id,
                &format!("/api/customers/{id}").parse().unwrap()
            )
        );
    }
    staff.call(&calls::add_product("MUG", "Mug", 500)).await;
    staff.restock("MUG", 9).await;
    People {
        ada,
        ada_id,
        bob,
        bob_id,
        staff,
    }
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
    let placed = ada.place_own(&MUG).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let id = placed.id().to_owned();
    let absent = Uuid::now_v7().to_string();
    let mut missing = placed.clone();
    missing.body["id"] = json!(absent);
    for (foreign, missing) in [
        (
            bob.change_lines(&placed, &[("MUG", 2)]).await,
            bob.change_lines(&missing, &[("MUG", 2)]).await,
        ),
        (bob.cancel(&placed).await, bob.cancel(&missing).await),
    ] {
        let (status, mut body) = told(&foreign);
        assert_eq!(status, StatusCode::NOT_FOUND);
        body["detail"] = body["detail"].as_str().unwrap().replace(&id, &absent).into();
        assert_eq!((status, body), told(&missing));
    }
    for answer in [
        bob.rename_customer(&ada_id, "Eve").await,
        bob.change_email(&ada_id, "eve@example.org").await,
    ] {
        assert_eq!(
            answer.body["type"], "urn:problem:orders:unknown-customer",
            "{answer:?}"
        );
    }
    for someone_else in [&ada_id, &absent] {
        let answer = bob.place(someone_else, &MUG).await;
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
    let placed = ada.place_own(&MUG).await;
    assert_eq!(bob.place(&bob_id, &MUG).await.status, StatusCode::CREATED);
    assert_eq!(staff.place(&ada_id, &MUG).await.status, StatusCode::CREATED);
    let nobodys = staff.place_own(&MUG).await;
    assert_eq!(nobodys.body["errors"][0]["pointer"], "#/customerId");
    let cancelled = ada.cancel(&placed).await;
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
        let placed = who.with("idempotency-key", "1").place_own(&MUG).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
        ids.push(placed.body["id"].clone());
    }
    assert!(ids[0] != ids[1] && ids[0] == ids[2], "{ids:?}");
}

#[tokio::test]
async fn behind_the_host_only_the_signed_in_customer_sees_their_order() {
    let system = System::start_with(&[("AUTH", "easyauth")]).await;
    let (client, stack) = (&system.client, &system.stack);
    let (ada, bob) = (User::new([]), User::new([]));
    stack.sign_in(Some(User::new([Role::Staff])));
    client.seed(&[("MUG", 5)]).await;
    stack.sign_in(Some(ada.clone()));
    assert_eq!(client.register("Ada").await.body["id"], json!(ada.id));
    // Whom the client claims to be does not matter.
    let forged = principal(&bob.id.to_string(), &["staff"]);
    let placed = client.as_principal(&forged).place_own(&MUG).await;
    let shown = system.shown(&placed.body["id"], 1).await;
    assert_eq!(shown.body["customer"]["id"], json!(ada.id));
    let path = format!("/api/orders/{}", placed.id());
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
