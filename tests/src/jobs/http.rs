//! Jobs over HTTP: started, looked at, steered; the app's timer does the work.
//! Never calls the timer itself, where the host does.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Log, events_of, text};
use crate::{
    queries::get,
    support::{Answer, App, Client, DEADLINE, Database, wait_for},
    system::System,
    topic::Topic,
};

/// The timer's turns are what most of these tests wait for.
const OFTEN: [(&str, &str); 1] = [("JobsSchedule", "* * * * * *")];

/// Looks again and again until a job is in a state.
async fn until(client: &Client, location: &str, state: &str) -> Value {
    wait_for(3 * DEADLINE, async || {
        let job = get(client, location, &[]).await.body;
        if job["state"] == state { Ok(job) } else { Err(job) }
    })
    .await
}

async fn ask(client: &Client, what: &str, body: Value) -> String {
    let asked = client.post(&format!("/api/jobs/{what}"), body).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{asked:?}");
    let location = asked.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(location, format!("/api/jobs/{}", text(&asked.body["id"])));
    location
}

async fn steer(client: &Client, location: &str, state: &str) -> Answer {
    let json = [("content-type", "application/json")];
    let body = json!({ "state": state }).to_string();
    client
        .send("PUT", &format!("{location}/state"), body, &json)
        .await
}

fn is(answer: &Answer, status: u16, kind: &str) {
    let found = (answer.status.as_u16(), &answer.body["type"]);
    assert_eq!(
        found,
        (status, &json!(format!("urn:problem:orders:{kind}"))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_replay_is_planned_started_and_reported_over_http() {
    let system = System::start_with(&OFTEN).await;
    let client = &system.client;
    let customer = client.seed(&[("MUG", 50)]).await;
    for _ in 0..3 {
        client.place(&customer, &[("MUG", 1)]).await;
    }
    let events = system.number("select count(*) from write_model.events").await;
    let body = json!({ "subscription": "read-model", "events": { "all": true } });
    let location = ask(client, "replays", body).await;
    let planned = until(client, &location, "planned").await;
    assert_eq!(planned["result"]["events"], json!(events), "{planned}");
    assert_eq!(steer(client, &location, "running").await.body["state"], "running");
    let done = until(client, &location, "completed").await;
    assert_eq!(done["result"]["done"], json!(events), "{done}");
    is(&steer(client, &location, "paused").await, 409, "not-possible");

    let direct = ask(
        client,
        "reprojections",
        json!({ "events": { "customer": customer } }),
    )
    .await;
    until(client, &direct, "planned").await;
    assert_eq!(
        steer(client, &direct, "cancelled").await.body["state"],
        "cancelled"
    );
    let page = get(client, "/api/jobs?limit=1", &[]).await;
    assert_eq!(page.body["items"][0]["kind"], "reprojection", "{page:?}");
    let next = format!("/api/jobs?cursor={}", text(&page.body["next"]));
    let page = get(client, &next, &[]).await.body;
    assert_eq!(
        (&page["items"][0]["kind"], page["items"].as_array().unwrap().len()),
        (&json!("replay"), 1)
    );
    let completed = get(client, "/api/jobs?state=completed", &[]).await.body;
    assert_eq!(completed["items"].as_array().unwrap().len(), 1, "{completed}");
}

#[tokio::test]
async fn the_read_model_is_made_anew_rolled_back_removed_and_verified_over_http() {
    let system = System::start_with(&OFTEN).await;
    let client = &system.client;
    let customer = client.seed(&[("MUG", 50)]).await;
    let placed = client.place(&customer, &[("MUG", 1)]).await;
    system.shown(&placed.body["id"], 1).await;
    is(
        &client.post("/api/jobs/retirements", json!({})).await,
        409,
        "not-possible",
    );
    is(
        &client.post("/api/jobs/rollbacks", json!({ "to": 2 })).await,
        409,
        "not-possible",
    );
    let rebuild = ask(client, "rebuilds", json!({})).await;
    is(
        &client.post("/api/jobs/rebuilds", json!({})).await,
        409,
        "job-under-way",
    );
    let status = get(client, "/api/operations/status", &[]).await.body;
    assert_eq!(status["jobs"][0]["kind"], "rebuild", "{status}");
    let done = until(client, &rebuild, "completed").await;
    assert_eq!(
        (&done["result"]["different"], &done["result"]["generation"]),
        (&json!(0), &json!(2)),
        "{done}"
    );
    let rollback = ask(client, "rollbacks", json!({ "to": 1 })).await;
    let back = until(client, &rollback, "completed").await;
    assert_eq!(back["result"]["live"], 1, "{back}");
    let removal = ask(client, "retirements", json!({ "rate": 5000 })).await;
    let removed = until(client, &removal, "completed").await;
    assert!(removed["result"]["removed"].as_i64().unwrap() >= 5, "{removed}");
    let verify = ask(client, "verifications", json!({ "graceSeconds": 0 })).await;
    let verified = until(client, &verify, "completed").await;
    assert_eq!(verified["result"]["different"], 0, "{verified}");

    let order = text(&placed.body["id"]);
    let trail = get(
        client,
        &format!("/api/operations/orders/{order}/explanation"),
        &[],
    )
    .await;
    assert_eq!(
        (&trail.body["document"], &trail.body["firstDifference"]),
        (&json!(1), &Value::Null),
        "{trail:?}"
    );
    let status = get(client, "/api/operations/status", &[]).await.body;
    assert_eq!(status["generations"]["live"], 1, "{status}");
    assert_eq!(
        (&status["subscription"]["deadLetters"], &status["unknown"]),
        (&json!(0), &json!([])),
        "{status}"
    );
}

#[tokio::test]
async fn a_cancelled_rebuild_must_be_retired_before_the_next_one() {
    let system = System::start_with(&OFTEN).await;
    let client = &system.client;
    client.seed(&[("MUG", 50)]).await;
    let rebuild = ask(client, "rebuilds", json!({ "rate": 1 })).await;
    wait_for(2 * DEADLINE, async || {
        let status = get(client, "/api/operations/status", &[]).await.body;
        let is_building = !status["generations"]["building"].is_null();
        if is_building { Ok(()) } else { Err(status) }
    })
    .await;
    assert_eq!(
        steer(client, &rebuild, "cancelled").await.body["state"],
        "cancelled"
    );
    let status = get(client, "/api/operations/status", &[]).await.body;
    assert_eq!(
        (
            &status["generations"]["building"],
            &status["generations"]["retiring"]
        ),
        (&Value::Null, &json!(2)),
        "{status}"
    );
    is(
        &client.post("/api/jobs/rebuilds", json!({})).await,
        409,
        "not-possible",
    );
    let removal = ask(client, "retirements", json!({ "rate": 5000 })).await;
    is(
        &client.post("/api/jobs/rebuilds", json!({})).await,
        409,
        "not-possible",
    );
    until(client, &removal, "completed").await;
    let status = get(client, "/api/operations/status", &[]).await.body;
    let generations = json!({ "id": "pointer", "pk": "control", "live": 1, "highest": 2 });
    assert_eq!(status["generations"], generations, "{status}");
}

#[tokio::test]
async fn dead_letters_are_looked_at_resubmitted_and_deleted_over_http() {
    let mut system = System::start_with(&OFTEN).await;
    system.stack.stop_host().await;
    let mut topic = Topic::open(&system.stack).await;
    for id in ["a", "b", "c"] {
        topic.send(id, "not an event").await;
    }
    topic.bury("read-model", 3, "Broken").await;
    system.stack.start_host().await.unwrap();
    let client = &system.client;
    let page = get(client, "/api/operations/dead-letters?limit=2", &[])
        .await
        .body;
    let ids: Vec<&str> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["messageId"].as_str())
        .collect();
    assert_eq!(ids, ["a", "b"]);
    let next = format!("/api/operations/dead-letters?cursor={}", text(&page["next"]));
    let rest = get(client, &next, &[]).await.body;
    assert_eq!(rest["items"][0]["messageId"], "c");
    let sequence = &rest["items"][0]["sequence"];
    let whole = get(client, &format!("/api/operations/dead-letters/{sequence}"), &[]).await;
    assert_eq!(whole.body["bodyText"], "not an event", "{whole:?}");
    is(
        &get(client, "/api/operations/dead-letters/999999", &[]).await,
        404,
        "unknown-dead-letter",
    );

    let only = json!({ "messageIds": ["a"] });
    let deletion = json!({ "subscription": "read-model", "letters": only, "because": "not ours" });
    let deletion = ask(client, "deletions", deletion).await;
    let planned = until(client, &deletion, "planned").await;
    assert_eq!(planned["result"]["selected"], 1, "{planned}");
    steer(client, &deletion, "running").await;
    let deleted = until(client, &deletion, "completed").await;
    assert_eq!(
        (&deleted["result"]["done"], &deleted["result"]["missed"]),
        (&json!(1), &json!(0)),
        "{deleted}"
    );
    system.logged(&["deleting_dead_letter", "not ours"]).await;
    let resubmission = json!({ "subscription": "read-model", "letters": { "all": true } });
    let resubmission = ask(client, "resubmissions", resubmission).await;
    let planned = until(client, &resubmission, "planned").await;
    assert_eq!(planned["result"]["selected"], 2, "{planned}");
    steer(client, &resubmission, "running").await;
    let resubmitted = until(client, &resubmission, "completed").await;
    assert_eq!(resubmitted["result"]["done"], 2, "{resubmitted}");
    let empty = get(client, "/api/operations/dead-letters", &[]).await.body;
    let again = empty["items"]
        .as_array()
        .unwrap()
        .iter()
        .all(|it| text(&it["messageId"]).contains("/r"));
    assert!(again, "{empty}");
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_by_its_name() {
    let log = Log::start(1).await;
    let app = App::start_alone(log.settings.clone()).await;
    let replay = |subscription: &str| json!({ "subscription": subscription, "events": { "all": true } });
    is(
        &app.post("/api/jobs/replays", replay("nobody")).await,
        409,
        "not-possible",
    );
    for (body, pointer) in [
        (replay("a/$management"), "#/subscription"),
        (json!({ "subscription": "mail" }), "#"),
        (
            json!({ "subscription": "mail", "events": { "all": true }, "rate": 0 }),
            "#/rate",
        ),
        (
            json!({ "subscription": "mail", "events": { "colour": "red" } }),
            "#/events/colour",
        ),
    ] {
        let refused = app.post("/api/jobs/replays", body).await;
        is(&refused, 422, "invalid-content");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{refused:?}");
    }
}

#[tokio::test]
async fn a_selection_that_says_nothing_or_too_much_is_refused_by_its_place() {
    let log = Log::start(1).await;
    let app = App::start_alone(log.settings.clone()).await;
    for (which, key, list) in [
        ("replays", "events", "subjects"),
        ("replays", "events", "types"),
        ("resubmissions", "letters", "messageIds"),
        ("deletions", "letters", "messageIds"),
    ] {
        for selection in [
            json!({}),
            json!({ list: [] }),
            json!({ list: [], "all": true }),
            json!({ list: ["x"], "all": true }),
            json!({ "all": false }),
        ] {
            let mut body = json!({ "subscription": "mail", key: selection });
            if which == "deletions" {
                body["because"] = json!("a test");
            }
            let refused = app.post(&format!("/api/jobs/{which}"), body).await;
            is(&refused, 422, "invalid-content");
            let pointer = text(&refused.body["errors"][0]["pointer"]);
            assert!(pointer.starts_with(&format!("#/{key}")), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn an_absent_job_and_an_impossible_state_are_refused_by_name() {
    let log = Log::start(1).await;
    let app = App::start_alone(log.settings.clone()).await;
    is(
        &app.post("/api/jobs/rebuilds", json!({})).await,
        503,
        "not-configured",
    );
    let nobody = uuid::Uuid::nil();
    is(
        &get(&app, &format!("/api/jobs/{nobody}"), &[]).await,
        404,
        "unknown-job",
    );
    is(&get(&app, "/api/jobs/x", &[]).await, 404, "unknown-job");
    is(&get(&app, "/api/jobs?state=odd", &[]).await, 400, "invalid-query");
    is(
        &get(&app, "/api/operations/status?x=1", &[]).await,
        400,
        "invalid-query",
    );
    is(
        &steer(&app, &format!("/api/jobs/{nobody}"), "running").await,
        404,
        "unknown-job",
    );

    let planned = log.planned(&["--subscription", "mail", "--all"]).await;
    let location = format!("/api/jobs/{planned}");
    is(&steer(&app, &location, "paused").await, 409, "not-possible");
    is(&steer(&app, &location, "planned").await, 422, "invalid-content");
}

#[tokio::test]
async fn where_commands_keep_the_read_model_themselves_there_is_nothing_to_rebuild() {
    let database = Database::create().await;
    let mut settings = database.settings(Database::server_address());
    settings.insert("READ_MODEL".to_owned(), "postgres".to_owned());
    let tables = App::start_whole(database, settings).await;
    for what in ["rebuilds", "retirements", "verifications"] {
        is(
            &tables.post(&format!("/api/jobs/{what}"), json!({})).await,
            409,
            "not-applicable",
        );
    }
    is(
        &tables
            .post(
                "/api/jobs/replays",
                json!({ "subscription": "mail", "events": { "all": true } }),
            )
            .await,
        503,
        "not-configured",
    );
}

#[tokio::test]
async fn two_processes_never_work_on_one_job_at_once() {
    let mut log = Log::start(20).await;
    let all = log.ids(|_| true);
    let id = log
        .planned(&["--subscription", "mail", "--all", "--rate", "40"])
        .await;
    let apps = [
        App::start_alone(log.settings.clone()).await,
        App::start_alone(log.settings.clone()).await,
    ];
    log.run(&["jobs", "list"]).await;
    steer(&apps[0], &format!("/api/jobs/{id}"), "running").await;
    let json = [("content-type", "application/json")];
    let ticks = apps
        .each_ref()
        .map(|app| app.try_send("POST", "/RunJobs", "{}", &json));
    futures_util::future::join_all(ticks).await;
    assert_eq!(log.show(&id).await["state"], "completed");
    let heard = log.bench.topic.hear("mail", 2 * all.len()).await;
    let replays: Vec<_> = heard
        .into_iter()
        .filter(|heard| heard.id.contains("/r"))
        .collect();
    assert_eq!(events_of(&replays), all);
    assert_eq!(log.bench.bus.switches().counts().duplicates, 0);
}
