//! Documents that are not what they should be: what cannot be read is named, and the rest goes on; what says something wrong is
//! told place by place; the next event, or a direct replay, writes it anew.
//! Never breaks one by way of the handler: it is done behind its back.

use std::{collections::BTreeMap, sync::Arc};

use handler::read::{
    CosmosAccount, CosmosConnection, CosmosCredential,
    connection::CosmosContainer,
    store::{Collection, DocumentStore},
};
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{
    projections::{account, assert_shows, deliver, messages},
    queries::get,
    rebuild::{VERIFY, told},
    support::{Answer, App, Client, Database},
};

/// A shop whose documents are filled from its log, without a bus.
struct Shop {
    app: App,
    reader: App,
    settings: BTreeMap<String, String>,
    connection: Arc<CosmosConnection>,
    customer: String,
    _cosmos: devstack::cosmos::CosmosEmulator,
}

impl Shop {
    async fn open() -> Self {
        let app = App::start().await;
        let (cosmos, mut settings) = account().await;
        let account = CosmosAccount {
            endpoint: cosmos.endpoint().parse().unwrap(),
            credential: CosmosCredential::Key(cosmos.key().to_owned()),
            database: "orders".to_owned(),
        };
        let database = app.database().settings(Database::server_address());
        settings.extend(database.into_iter().filter(|(name, _)| name.starts_with("PG")));
        let customer = app.seed(&[("MUG", 50)]).await;
        Self {
            reader: App::start_alone(settings.clone()).await,
            connection: Arc::new(CosmosConnection::new(account)),
            app,
            settings,
            customer,
            _cosmos: cosmos,
        }
    }

    async fn place(&self) -> Answer {
        self.app.place(&self.customer, &[("MUG", 1)]).await
    }

    async fn pay(&self, order: &Answer) {
        let paid = self.app.pay(order).await;
        assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
    }

    /// Everything in the log, as the bus would bring it.
    async fn project(&self) {
        for message in messages(&self.app).await {
            deliver(&message, std::slice::from_ref::<Client>(&self.reader), 0).await;
        }
    }

    fn store(&self, container: CosmosContainer) -> DocumentStore {
        DocumentStore::new(&self.connection, container)
    }

    /// Changes one document behind everybody's back.
    async fn change(
        &self,
        container: CosmosContainer,
        (pk, id): (&str, &str),
        change: impl FnOnce(&mut Value),
    ) {
        let store = self.store(container);
        let mut document = self.document(container, (pk, id)).await;
        change(&mut document);
        store.upsert(pk, id, &document).await.unwrap();
    }

    async fn document(&self, container: CosmosContainer, (pk, id): (&str, &str)) -> Value {
        let found = self.store(container).read::<Value>(pk, id).await.unwrap();
        found.unwrap_or_else(|| panic!("{pk} {id}")).document
    }

    async fn told(&self, arguments: &[&str], code: i32) -> Value {
        told(&self.settings, arguments, code).await
    }

    async fn replay(&self) {
        let replay = ["reproject", "--all", "--rate", "5000", "--yes", "--json"];
        self.told(&replay, 0).await;
    }
}

fn ids(report: &Value) -> Vec<&str> {
    let all = report["differences"].as_array().unwrap().iter();
    let mut ids: Vec<&str> = all.map(|it| it["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn an_unreadable_document_is_named_and_the_next_event_rewrites_it() {
    let shop = Shop::open().await;
    let (order, whole) = (shop.place().await, shop.place().await);
    let (broken, whole) = (order.id(), whole.id());
    shop.project().await;
    let order_pk = format!("1|{broken}");
    let customer_pk = format!("1|{}", shop.customer);
    let places = [
        (CosmosContainer::Orders, order_pk.as_str(), "order"),
        (CosmosContainer::Orders, order_pk.as_str(), "event-1"),
        (CosmosContainer::Customers, customer_pk.as_str(), broken),
        (CosmosContainer::Customers, customer_pk.as_str(), "customer"),
        (CosmosContainer::Products, "1|MUG", "product"),
    ];
    for (container, pk, id) in places {
        let place = if id == "product" { "described" } else { "version" };
        let spoil = |document: &mut Value| document[place] = json!("one");
        shop.change(container, (pk, id), spoil).await;
    }
    let report = shop.told(&VERIFY, 3).await;
    let mut expected = vec!["customer", "event-1", "order", "product", broken];
    expected.sort_unstable();
    assert_eq!(ids(&report), expected, "{report}");
    assert_eq!(report["aggregates"], 4, "{report}");
    let trail = shop.told(&["explain", broken, "--json"], 3).await;
    assert_eq!(ids(&trail).len(), 3, "{trail}");
    assert_eq!(
        trail["differences"][0]["places"][0], "/version must be 1, and is \"one\"",
        "{trail}"
    );
    let trail = shop.told(&["explain", whole, "--json"], 3).await;
    assert_eq!(trail["differences"], json!([]), "{trail}");
    let path = format!("/api/orders/{broken}");
    let answer = get(&shop.reader, &path, &[]).await;
    assert_eq!(
        (answer.status, &answer.body["type"]),
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!("urn:problem:orders:unreadable-document")
        ),
        "{answer:?}"
    );
    shop.reader.logged("Orders 1|").await;

    // The order's next event is no dead letter.
    shop.pay(&order).await;
    let next = messages(&shop.app).await.pop().unwrap();
    deliver(&next, std::slice::from_ref::<Client>(&shop.reader), 0).await;
    assert_eq!(get(&shop.reader, &path, &[]).await.body["status"], "paid");
    shop.reader.logged("document_unreadable").await;
    shop.replay().await;
    assert_eq!(shop.told(&VERIFY, 0).await["different"], 0);
    assert_shows(&shop.reader, &shop.app).await;
}

#[tokio::test]
async fn a_wrong_document_of_the_right_version_is_shown_and_repaired() {
    let shop = Shop::open().await;
    let placed = shop.place().await;
    let order = placed.id();
    shop.pay(&placed).await;
    shop.project().await;
    let (order_pk, customer_pk) = (format!("1|{order}"), format!("1|{}", shop.customer));
    let wrong = |document: &mut Value| document["total"]["amount"] = json!(501);
    shop.change(CosmosContainer::Orders, (&order_pk, "order"), wrong)
        .await;
    shop.change(CosmosContainer::Customers, (&customer_pk, order), wrong)
        .await;
    shop.change(CosmosContainer::Customers, (&customer_pk, "customer"), |it| {
        it["name"] = json!("Eve")
    })
    .await;
    let level = |it: &mut Value| it["stock"]["available"] = json!(7);
    shop.change(CosmosContainer::Products, ("1|MUG", "product"), level)
        .await;
    let said = shop.told(&["verify", "--grace", "0"], 3).await;
    for line in [
        "/total/amount must be 500, and is 501",
        "/name must be \"Ada\", and is \"Eve\"",
        "/stock/available must be 49, and is 7",
    ] {
        assert!(said.as_str().unwrap().contains(line), "{said}");
    }
    let said = shop.told(&["explain", order], 3).await;
    let said = said.as_str().unwrap();
    assert!(said.contains("/total/amount must be 500, and is 501"), "{said}");

    // What comes by the bus leaves an equal version alone.
    shop.project().await;
    assert_eq!(shop.told(&VERIFY, 3).await["different"], 4);
    shop.replay().await;
    assert_eq!(shop.told(&VERIFY, 0).await["different"], 0);
}

#[tokio::test]
async fn the_generation_before_holds_up_no_event_and_a_rollback_is_not_toggled() {
    let shop = Shop::open().await;
    let placed = shop.place().await;
    let order = placed.id();
    shop.project().await;
    let pointer = json!({ "id": "pointer", "pk": "control", "live": 2, "highest": 2, "previous": 1 });
    let control = shop.store(CosmosContainer::Control);
    control.upsert("control", "pointer", &pointer).await.unwrap();
    shop.replay().await;
    let before = (format!("1|{order}"), format!("2|{order}"));
    let spoil = |document: &mut Value| document["lines"] = json!("none");
    shop.change(CosmosContainer::Orders, (&before.0, "order"), spoil)
        .await;
    shop.pay(&placed).await;
    let next = messages(&shop.app).await.pop().unwrap();
    let reader = App::start_alone(shop.settings.clone()).await;
    deliver(&next, std::slice::from_ref::<Client>(&reader), 0).await;
    for pk in [&before.0, &before.1] {
        let document = shop.document(CosmosContainer::Orders, (pk, "order")).await;
        assert_eq!(document["status"], "paid", "{document}");
    }

    assert_eq!(shop.told(&["rebuild", "rollback"], 0).await["live"], 1);
    shop.told(&["rebuild", "rollback"], 1).await;
    assert_eq!(shop.told(&["rebuild", "status"], 0).await["live"], 1);
    for _ in 0..2 {
        assert_eq!(
            shop.told(&["rebuild", "rollback", "--to", "2"], 0).await["live"],
            2
        );
    }
    shop.told(&["rebuild", "rollback", "--to", "3"], 1).await;
}
