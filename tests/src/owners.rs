//! Whose is what, in both read models: a customer reads his own data as staff see it, and nobody else's by any query.
//! Never compares with an error of its own making: what is somebody else's must look like what does not exist.

use devstack::host::{Role, User};
use hyper::StatusCode;
use serde_json::json;
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
        let token = text(&foreign, "consistency-token");
        let nobody = Uuid::nil().to_string();
        for path in foreigners {
            for headers in [&[][..], &[("consistency-token", token), ("prefer", "wait=0")]] {
                let refused = get(&client, &path, headers).await;
                assert_eq!(refused.status, StatusCode::NOT_FOUND, "{path}: {refused:?}");
                let absent = path.replace(&id(&foreign), &nobody).replace(&bob, &nobody);
                let absent = get(&client, &absent, headers).await;
                assert_eq!(refused.body["detail"], absent.body["detail"], "{path}");
            }
        }
        for path in ["/api/orders", "/api/sales?from=2026-01-01&to=2026-01-02"] {
            assert_eq!(
                get(&client, path, &[]).await.status,
                StatusCode::FORBIDDEN,
                "{path}"
            );
        }
        // A token of somebody else's order opens no door either.
        let headers = [("consistency-token", token), ("prefer", "wait=0")];
        let mine = get(&client, &orders_of(&ada), &headers).await;
        assert!(
            mine.body["items"].as_array().is_none_or(|items| items.len() == 1),
            "{mine:?}"
        );
    })
    .await;
}
