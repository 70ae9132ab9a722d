//! Times that nobody could write again - before 1970 or after 9999 in UTC, or `infinity` - wherever they come in.
//! Never lets one of them stop what has nothing to do with it.

use hyper::StatusCode;
use serde_json::json;

use crate::{
    projections::{account, deliver, history},
    queries::get,
    rebuild::{settings, told},
    support::{App, Client},
    system::System,
};

/// After 9999 in UTC, before 1970 in UTC, and no time.
const BAD: [&str; 3] = [
    "9999-12-31T23:59:59-05:00",
    "1970-01-01T00:00:00+01:00",
    "infinity",
];

#[tokio::test]
async fn a_time_out_of_range_is_refused_by_http_the_terminal_and_the_projector() {
    let app = App::start().await;
    let letters =
        |name: &str, time: &str| json!({ "subscription": "mail", "letters": { name: time }, "because": "x" });
    for time in BAD {
        for (call, body, place) in [
            (
                "reprojections",
                json!({ "events": { "before": time } }),
                "#/events/before",
            ),
            (
                "reprojections",
                json!({ "events": { "from": time } }),
                "#/events/from",
            ),
            (
                "replays",
                json!({ "subscription": "mail", "events": { "before": time } }),
                "#/events/before",
            ),
            ("deletions", letters("before", time), "#/letters/before"),
            ("deletions", letters("after", time), "#/letters/after"),
        ] {
            let answer = app.post(&format!("/api/jobs/{call}"), body).await;
            assert_eq!(
                answer.status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{time} {answer:?}"
            );
            assert_eq!(answer.body["errors"][0]["pointer"], place, "{time} {answer:?}");
        }
        let settings = app
            .database()
            .settings(crate::support::Database::server_address());
        told(&settings, &["reproject", "--before", time], 2).await;
    }
    let days = get(&app, "/api/sales?from=0001-01-01&to=0001-01-02", &[]).await;
    assert_eq!(days.status, StatusCode::BAD_REQUEST, "{days:?}");
}

#[tokio::test]
async fn a_message_time_out_of_range_is_refused_and_offsets_become_utc() {
    let app = App::start().await;
    let messages = history(&app, 1).await;
    let (_cosmos, settings) = account().await;
    let projector = App::start_alone(settings).await;
    let placed = messages
        .iter()
        .find(|it| it["Data"]["message"]["type"] == "orders.OrderPlaced.v1")
        .unwrap();
    for time in BAD {
        for place in ["/Data/message/time", "/Data/message/data/state/placedAt"] {
            let mut message = placed.clone();
            *message.pointer_mut(place).unwrap() = json!(time);
            let json = [("content-type", "application/json")];
            let answer = projector
                .send("POST", "/ProjectEvent", message.to_string(), &json)
                .await;
            assert_eq!(
                answer.status,
                StatusCode::INTERNAL_SERVER_ERROR,
                "{place} {time}: {answer:?}"
            );
        }
    }
    let path = format!(
        "/api/orders/{}",
        placed["Data"]["message"]["subject"].as_str().unwrap()
    );
    assert_eq!(get(&projector, &path, &[]).await.status, StatusCode::NOT_FOUND);
    let mut message = placed.clone();
    message["Data"]["message"]["time"] = json!("2026-11-24T05:00:00-05:00");
    message["Data"]["message"]["data"]["state"]["placedAt"] = json!("2026-11-24T05:00:00.5-05:00");
    deliver(&message, std::slice::from_ref::<Client>(&projector), 0).await;
    let order = get(&projector, &path, &[]).await;
    assert_eq!(order.body["placedAt"], "2026-11-24T10:00:00.5Z", "{order:?}");
    assert_eq!(order.headers["last-modified"], "Tue, 24 Nov 2026 10:00:00 GMT");
}

#[tokio::test]
async fn an_event_without_a_time_is_parked_and_the_others_go_out() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    system.relayed().await;
    for (stream, at) in [
        ("never", "infinity"),
        ("early", "1969-12-31T23:59:59Z"),
        ("late", "20000-01-01"),
    ] {
        let insert = format!(
            "with e as (insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at)
                select gen_random_uuid(), '{stream}', 1, 'orders.Odd.v1', '{{}}', '{{}}', '{{}}', '{at}' returning position)
            insert into write_model.outbox (position) select position from e"
        );
        system.rows(&insert).await;
    }
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    system.shown(&placed.body["id"], 1).await;
    system.logged(&["outbox_row_parked", "occurred_at"]).await;
    let parked = system
        .rows(
            "select e.stream, o.reason from write_model.outbox o join write_model.events e using (position)
             where o.parked_at is not null order by o.position",
        )
        .await;
    let streams: Vec<&str> = parked.iter().map(|row| row.get(0)).collect();
    assert_eq!(streams, ["never", "early", "late"]);
    assert!(
        parked
            .iter()
            .all(|row| row.get::<_, &str>(1).contains("occurred_at"))
    );

    // The tools that read the log name them too, and go on.
    let settings = settings(&system);
    let report = told(&settings, &["verify", "--grace", "4294967295", "--json"], 3).await;
    let differences = report["differences"].as_array().unwrap();
    let logs = differences.iter().filter(|it| it["id"] == "log").count();
    assert_eq!((logs, differences.len()), (3, 3), "{report}");
    let replay = ["reproject", "--all", "--rate", "5000", "--yes", "--json"];
    let said = told(&settings, &replay, 1).await;
    assert!(said.to_string().contains("occurred_at"), "{said}");
}
