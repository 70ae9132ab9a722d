//! What a comparison calls behind, and from when on it calls it different.
//! Never lets documents be wrong by chance: the projector is stopped, and what it would have done is known.

use serde_json::{Value, json};

use super::{FAILED, run};
use crate::{
    rebuild::{settings, told},
    support::App,
    system::System,
};

#[tokio::test]
async fn an_event_may_be_under_way_for_a_while_and_then_its_documents_differ() {
    let mut system = System::start().await;
    let settings = settings(&system);
    let customer = system.client.seed(&[("MUG", 50)]).await;
    system.delivered().await;
    // From now on nobody projects.
    system.stack.stop_host().await;
    let sender = App::start_alone(system.settings()).await;
    let renamed = sender.rename_customer(&customer, "Augusta").await;
    assert_eq!(renamed.body["version"], 2);
    let report = told(&settings, &["verify", "--json"], 0).await;
    assert_eq!(
        (&report["behind"], &report["different"]),
        (&json!(1), &json!(0)),
        "{report}"
    );
    let report = told(&settings, &["verify", "--grace", "0", "--json"], 3).await;
    let difference = &report["differences"][0];
    assert_eq!(
        (&difference["expected"]["name"], &difference["found"]["name"]),
        (&json!("Augusta"), &json!("Ada")),
        "{report}"
    );

    // An order moves a stock level as well, of which no event says when it must be there.
    sender.place(&customer, &[("MUG", 1)]).await;
    let report = told(&settings, &["verify", "--grace", "1", "--json"], 3).await;
    let differs = |id: &str| {
        let all = report["differences"].as_array().unwrap();
        all.iter().filter(|it| it["id"] == id).count()
    };
    assert_eq!((differs("customer"), differs("product")), (1, 1), "{report}");
    // The order and its row lack an event of less than a second ago.
    assert_eq!(report["behind"], 2, "{report}");

    system.stack.start_host().await.unwrap();
    system.projected().await;
}

#[tokio::test]
async fn a_sale_that_its_day_does_not_count_is_found() {
    let system = System::start().await;
    let settings = settings(&system);
    let customer = system.client.seed(&[("MUG", 50)]).await;
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    system.client.pay(&placed).await;
    system.projected().await;
    // What the log says of the sale is changed behind everybody's back: another day, and another amount.
    system
        .rows("update write_model.events set occurred_at = occurred_at - interval '40 days' where type = 'orders.OrderPaid.v1'")
        .await;
    let report = told(&settings, &["verify", "--grace", "0", "--json"], 3).await;
    let totals = |it: &&Value| it["id"] == "totals";
    let all = report["differences"].as_array().unwrap();
    let missing = all.iter().find(totals).unwrap_or_else(|| panic!("{report}"));
    assert_eq!(missing["found"], Value::Null, "{report}");
}

#[tokio::test]
async fn a_generation_that_is_not_there_is_not_compared() {
    let system = System::start().await;
    let none = run(&settings(&system), &["verify", "--generation", "7"]).await;
    assert!(
        none.code == FAILED && none.err.contains("no generation 7"),
        "{none:?}"
    );
}
