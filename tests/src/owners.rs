//! Whose is what, in both read models: a customer reads his own data as staff see it, and nobody else's by any query.
//! Never compares with an error of its own making: what is somebody else's must look like what does not exist.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use devstack::host::{Role, User};
use hyper::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    queries::{get, id, read_after, text},
    support::{Answer, Client},
    system::{System, both},
};

/// Two customers with an order each, which everybody who may sees by now.
struct Shop {
    ada: String,
    own: Answer,
    bob: String,
    foreign: Answer,
}

fn order(answer: &Answer) -> String {
    format!("/api/orders/{}", id(answer))
}

fn orders_of(customer: &str) -> String {
    format!("/api/customers/{customer}/orders")
}

/// What a refusal tells.
fn said(refused: &Answer) -> (StatusCode, &Value, &Value) {
    (refused.status, &refused.body["type"], &refused.body["detail"])
}

async fn shop(client: &Client) -> Shop {
    let ada = client.seed(&[("MUG", 5)]).await;
    let bob = json!({ "name": "Bob", "email": "bob@example.org" });
    let bob = id(&client.post("/api/customers", bob).await);
    let own = client.place(&ada, &[("MUG", 1)]).await;
    let foreign = client.place(&bob, &[("MUG", 1)]).await;
    for (customer, placed) in [(&ada, &own), (&bob, &foreign)] {
        read_after(client, &order(placed), placed).await;
        read_after(client, &orders_of(customer), placed).await;
    }
    Shop {
        ada,
        own,
        bob,
        foreign,
    }
}

#[tokio::test]
async fn a_customer_reads_his_own_and_never_what_is_somebody_elses() {
    let easyauth = [("AUTH", "easyauth")];
    both(&easyauth, async |System { stack, client, .. }| {
        stack.sign_in(Some(User::new([Role::Staff])));
        let Shop {
            ada,
            own,
            bob,
            foreign,
        } = shop(&client).await;
        let seen = get(&client, &order(&own), &[]).await;
        let customer = User {
            id: ada.parse().unwrap(),
            roles: [].into(),
        };
        stack.sign_in(Some(customer));
        // The same data for both views.
        assert_eq!(get(&client, &order(&own), &[]).await.body, seen.body);
        let list = get(&client, &orders_of(&ada), &[]).await;
        assert_eq!(
            (&list.body["items"][0]["id"], list.body["items"][1].is_null()),
            (&json!(id(&own)), true)
        );
        let foreigners = [
            order(&foreign),
            order(&foreign) + "/history",
            format!("/api/customers/{bob}"),
            orders_of(&bob),
        ];
        let token = text(&foreign, "consistency-token").to_owned();
        let nobody = Uuid::nil().to_string();
        let forged = URL_SAFE_NO_PAD.decode(&token).unwrap();
        let forged = String::from_utf8(forged).unwrap().replace(&id(&foreign), &nobody);
        let forged = URL_SAFE_NO_PAD.encode(forged);
        for path in foreigners {
            let absent = path.replace(&id(&foreign), &nobody).replace(&bob, &nobody);
            let refused = get(&client, &path, &[]).await;
            assert_eq!(refused.status, StatusCode::NOT_FOUND, "{path}: {refused:?}");
            let same = get(&client, &absent, &[]).await;
            assert_eq!(said(&refused), said(&same), "{path}");
            // A token of somebody else's order says no more than one that is made up.
            let with = |token| [("consistency-token", token), ("prefer", "wait=0")];
            let refused = get(&client, &path, &with(&*token)).await;
            assert!(!refused.status.is_success(), "{path}: {refused:?}");
            let same = get(&client, &absent, &with(&*forged)).await;
            assert_eq!(said(&refused), said(&same), "{path}");
        }
        for path in ["/api/orders", "/api/sales?from=2026-01-01&to=2026-01-02"] {
            assert_eq!(
                get(&client, path, &[]).await.status,
                StatusCode::FORBIDDEN,
                "{path}"
            );
        }
        // It opens no door to his own list either: there is nothing in it to wait for.
        let headers = [("consistency-token", &*token), ("prefer", "wait=0")];
        let mine = get(&client, &orders_of(&ada), &headers).await;
        match mine.status {
            StatusCode::OK => assert_eq!(mine.body["items"].as_array().unwrap().len(), 1),
            _ => assert_eq!(mine.body["type"], "urn:problem:orders:read-model-behind"),
        }
    })
    .await;
}
