//! The HTTP contract of commands: headers of every answer, versions, and values at the edge of what is allowed.
//! The same behind a host that proxies and behind one that forwards. Never a 500, and never an answer that says less than the
//! next request needs.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{
    support::{Answer, App, Client},
    system::{System, in_both_modes},
};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
/// The largest amount of money.
const MOST: i64 = (1 << 53) - 1;

fn kind(answer: &Answer) -> &str {
    let uri = answer.body["type"].as_str().unwrap_or_default();
    uri.strip_prefix("urn:problem:orders:").unwrap_or(uri)
}

#[tokio::test]
async fn every_accepted_command_says_its_version_and_hands_out_a_token_for_readers() {
    in_both_modes(versions_and_tokens).await;
}

async fn versions_and_tokens(system: System) {
    let app = &system.client;
    let customer = app.seed(&[("MUG", 9)]).await;
    let placed = app.place(&customer, &[("MUG", 1)]).await;
    let paid = app.pay(&placed).await;
    let renamed = app.rename_product("MUG", "Mug").await;
    for (answer, kind) in [(&placed, "order"), (&paid, "order"), (&renamed, "product")] {
        let version = answer.body["version"].as_i64().unwrap();
        assert_eq!(answer.headers["etag"], format!("\"{version}\""));
        let token = URL_SAFE_NO_PAD
            .decode(answer.headers["consistency-token"].as_bytes())
            .unwrap();
        let token: Value = serde_json::from_slice(&token).unwrap();
        assert_eq!((&token["k"], &token["v"]), (&json!(kind), &json!(version)));
        // The day is there when the event counts in its sales.
        let day = token["d"].as_str().unwrap_or_default();
        assert_eq!(day.is_empty(), answer.body["status"] != "paid", "{token}");
        let event = format!(
            "select count(*) from write_model.events where event_id = '{}' and stream = '{}'
            and ('{day}' = '' or occurred_at::date = nullif('{day}', '')::date)",
            token["e"].as_str().unwrap(),
            token["i"].as_str().unwrap(),
        );
        assert_eq!(system.number(&event).await, 1, "{token}");
    }
    let keyed = app.with("idempotency-key", "k");
    let first = keyed.rename_product("MUG", "Big mug").await;
    let again = keyed.rename_product("MUG", "Big mug").await;
    for header in ["etag", "consistency-token"] {
        assert_eq!(first.headers[header], again.headers[header], "{header}");
    }
    assert_eq!(again.headers["idempotent-replayed"], "true");
}

#[tokio::test]
async fn an_order_that_costs_something_else_than_the_caller_believes_is_not_placed() {
    in_both_modes(expected_totals).await;
}

async fn expected_totals(system: System) {
    let app = &system.client;
    let customer = app.seed(&[("MUG", 9)]).await;
    let order = |total: Value| json!({ "customerId": customer, "lines": [{ "sku": "MUG", "quantity": 2 }], "expectedTotal": total });
    let eur = |amount: i64| json!({ "amount": amount, "currency": "EUR" });
    assert_eq!(
        app.post("/api/orders", order(eur(1000))).await.status,
        StatusCode::CREATED
    );
    // Another process changes the price; this one remembers the old one.
    let mut settings = system.settings();
    settings.retain(|name, _| !name.starts_with("ServiceBus"));
    let other = App::start_alone(settings).await;
    other.change_price("MUG", 600).await;
    let refused = app.post("/api/orders", order(eur(1000))).await;
    assert_eq!(
        (refused.status, kind(&refused)),
        (StatusCode::CONFLICT, "price-changed"),
        "{refused:?}"
    );
    assert_eq!(refused.body["errors"][0]["pointer"], "#/expectedTotal");
    assert!(
        refused.body["errors"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("1200"),
        "{refused:?}"
    );
    let placed = app.post("/api/orders", order(Value::Null)).await;
    assert_eq!(
        placed.body["total"],
        eur(1200),
        "the price of today, not the remembered one"
    );
}

#[tokio::test]
async fn if_match_holds_for_the_present_version_only() {
    in_both_modes(if_match).await;
}

async fn if_match(system: System) {
    let app = &system.client;
    let customer = app.seed(&[("MUG", 9)]).await;
    for (tag, status) in [
        ("\"2\"", StatusCode::PRECONDITION_FAILED),
        ("W/\"1\"", StatusCode::PRECONDITION_FAILED),
        ("1", StatusCode::PRECONDITION_FAILED),
        ("\"+1\"", StatusCode::PRECONDITION_FAILED),
        ("\"01\"", StatusCode::PRECONDITION_FAILED),
        ("\"9\", \"1\"", StatusCode::OK),
        ("\"1\"", StatusCode::PRECONDITION_FAILED),
        ("*", StatusCode::OK),
    ] {
        let answer = app
            .with("if-match", tag)
            .rename_customer(&customer, "Countess")
            .await;
        assert_eq!(answer.status, status, "{tag}: {answer:?}");
    }
    let created = app.with("if-match", "*").place(&customer, &[("MUG", 1)]).await;
    assert_eq!(kind(&created), "stale-version", "what is new has no version yet");
}

/// Adds a product with this name and price, and says how that was answered.
async fn add(app: &Client, sku: &str, name: &str, amount: Value, currency: &str) -> Answer {
    let price = json!({ "amount": amount, "currency": currency });
    app.post(
        "/api/products",
        json!({ "sku": sku, "name": name, "price": price }),
    )
    .await
}

#[tokio::test]
async fn names_are_taken_to_their_edges_and_not_beyond() {
    in_both_modes(names).await;
}

async fn names(system: System) {
    let app = &system.client;
    let longest = "🫖".repeat(200);
    for (sku, name) in [
        ("A", "茶碗 ☕"),
        ("B", longest.as_str()),
        ("C", "\u{202e}odd but printable"),
    ] {
        let added = add(app, sku, name, json!(1), "EUR").await;
        assert_eq!(
            (added.status, &added.body["name"]),
            (StatusCode::CREATED, &json!(name)),
            "{added:?}"
        );
    }
    for name in [
        "",
        "   ",
        "\u{feff}",
        "\u{200b}",
        "\u{3164}",
        "a\u{0}b",
        "a\nb",
        &"ß".repeat(201),
    ] {
        assert_eq!(
            kind(&add(app, "X", name, json!(1), "EUR").await),
            "invalid-content",
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn prices_and_quantities_are_taken_to_their_edges_and_not_beyond() {
    in_both_modes(prices_and_quantities).await;
}

async fn prices_and_quantities(system: System) {
    let app = &system.client;
    for (amount, currency) in [
        (json!(-1), "EUR"),
        (json!(1.5), "EUR"),
        (json!("1"), "EUR"),
        (json!(MOST + 1), "EUR"),
        (json!(null), "EUR"),
        (json!(1), "eur"),
        (json!(1), "EURO"),
        (json!(1), ""),
        (json!(1), "€"),
    ] {
        let refused = add(app, "X", "X", amount.clone(), currency).await;
        assert_eq!(kind(&refused), "invalid-content", "{amount} {currency}");
    }
    assert_eq!(
        add(app, "RICH", "Rich", json!(MOST), "EUR").await.status,
        StatusCode::CREATED
    );
    for (quantity, status) in [(0, 422), (1, 200), (10_000, 200), (10_001, 422), (i64::MAX, 422)] {
        let answer = app.restock("RICH", quantity).await;
        assert_eq!(answer.status.as_u16(), status, "{quantity}");
    }
    let customer = app.seed(&[]).await;
    assert_eq!(
        kind(&app.place(&customer, &[("RICH", 2)]).await),
        "amount-too-large"
    );
    assert_eq!(
        app.place(&customer, &[("RICH", 1)]).await.body["total"]["amount"],
        json!(MOST)
    );
}

#[tokio::test]
async fn an_order_has_up_to_a_hundred_lines_in_one_currency() {
    in_both_modes(lines_of_orders).await;
}

async fn lines_of_orders(system: System) {
    let app = &system.client;
    let skus: Vec<String> = (0..101).map(|n| format!("SKU-{n}")).collect();
    let stock: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
    let customer = app.seed(&stock).await;
    assert_eq!(kind(&app.place(&customer, &stock).await), "invalid-content");
    let placed = app.place(&customer, &stock[..100]).await;
    assert_eq!(
        (placed.status, &placed.body["total"]["amount"]),
        (StatusCode::CREATED, &json!(50_000))
    );
    add(app, "YEN", "Yen", json!(1), "JPY").await;
    app.restock("YEN", 1).await;
    let mixed = app.place(&customer, &[("SKU-100", 1), ("YEN", 1)]).await;
    assert_eq!(
        (mixed.status, kind(&mixed)),
        (StatusCode::CONFLICT, "mixed-currencies")
    );
}

#[tokio::test]
async fn bodies_that_are_no_json_of_the_right_shape_are_told_where() {
    in_both_modes(bodies).await;
}

async fn bodies(system: System) {
    let app = &system.client;
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for (body, kinds) in [
        // An older host takes the type of an empty body away.
        ("", "malformed-json|unsupported-media-type"),
        ("nul", "malformed-json"),
        (deep.as_str(), "malformed-json|invalid-content"),
        ("null", "invalid-content"),
        ("[]", "invalid-content"),
        (r#"{"name":"Ada"}"#, "invalid-content"),
        (r#"{"name":"Ada","email":"a@b","extra":1}"#, "invalid-content"),
        (r#"{"name":"Ada","name":"Eve","email":"a@b"}"#, "invalid-content"),
        (r#"{"name":"\ud800","email":"a@b"}"#, "malformed-json"),
    ] {
        let answer = app.send("POST", "/api/customers", body, &JSON).await;
        assert!(
            kinds.split('|').any(|one| one == kind(&answer)),
            "{body:.40}: {answer:?}"
        );
    }
    let charset = [("content-type", "Application/JSON; charset=utf-8")];
    let fine = app
        .send(
            "POST",
            "/api/customers",
            r#"{"name":"Ada","email":"a@b"}"#,
            &charset,
        )
        .await;
    assert_eq!(fine.status, StatusCode::CREATED);
}
