//! Rows of the table of jobs: those from before it, those that cannot be read, and those that a repeated request leads to.
//! Never works on a job but by the shipped binary.

use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::{DONE, Log, events_of, text};
use crate::support::{Answer, App, admin_url, connect};

/// Takes the database back to before there were jobs.
const BEFORE: &str = "drop view read_model.schema_version, read_model.history; drop table write_model.jobs;
    delete from write_model.schema_version where version >= 7";

#[tokio::test]
async fn an_operation_that_was_open_goes_on_as_a_job() {
    let mut log = Log::start(3).await;
    let database = log.app.database();
    let owner = connect(&admin_url(&database.name)).await;
    owner.batch_execute(BEFORE).await.unwrap();
    let (id, all) = ("0198c9c1-0000-7000-8000-000000000077", log.ids(|_| true));
    let request = json!({ "kind": "replay", "with": { "subscription": "mail", "events": { "all": true }, "rate": 5000, "force": false } });
    let found = json!({
        "events": all.len(), "byType": {}, "firstPosition": 1, "lastPosition": all.len(),
        "earliest": null, "latest": null,
    });
    let cursor = json!({
        "range": { "after": 0, "until": all.len(), "counted": all.len() }, "found": found, "position": 2, "done": 2,
        "refused": 0, "refusals": [],
    });
    let insert = format!(
        "insert into write_model.operations (id, request, state, requested_by, cursor)
            values ('{id}', '{request}', 'running', 'ada', '{cursor}');
         insert into write_model.operations (id, request, state, requested_by)
            select gen_random_uuid(), jsonb_build_object('kind', kind, 'with', '{{}}'::jsonb), 'completed', 'ada'
            from unnest(array['retire', 'verify', 'projection', 'resubmit', 'delete', 'rebuild']) kind"
    );
    owner.batch_execute(&insert).await.unwrap();
    database.migrate().await;
    let said = log.run(&["jobs", "run", id, "--json"]).await;
    assert_eq!(
        (said.code, &said.json()[0]["done"]),
        (DONE, &json!(all.len())),
        "{said:?}"
    );
    // The first two had arrived before.
    let heard = log.bench.topic.hear("mail", all.len() - 2).await;
    assert_eq!(events_of(&heard), all[2..]);
    let listed = log.run(&["jobs", "list", "--json"]).await.json();
    let mut kinds: Vec<&str> = listed.iter().filter_map(|job| job["kind"].as_str()).collect();
    kinds.sort_unstable();
    let names = [
        "deletion",
        "rebuild",
        "replay",
        "reprojection",
        "resubmission",
        "retirement",
        "verification",
    ];
    assert_eq!(kinds, names);
    let left = "select count(*) from write_model.operations where state = 'running'";
    assert_eq!(log.app.database().number(left).await, 0);
}

/// Starts a job under a key.
pub(super) async fn start(app: &App, path: &str, body: &Value, key: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    app.send("POST", path, body.to_string(), &headers).await
}

#[tokio::test]
async fn a_repeated_request_under_its_key_leads_to_the_same_job() {
    let log = Log::start(1).await;
    let app = App::start_alone(log.settings.clone()).await;
    let replay = json!({ "subscription": "mail", "events": { "all": true } });
    let other = json!({ "subscription": "mail", "events": { "all": true }, "rate": 7 });
    let letters = json!({ "subscription": "mail", "letters": { "all": true } });
    let first = start(&app, "/api/jobs/replays", &replay, "once").await;
    let again = start(&app, "/api/jobs/replays", &replay, "once").await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{first:?}");
    assert_eq!(
        (again.status, &again.body["id"], &again.headers["location"]),
        (first.status, &first.body["id"], &first.headers["location"])
    );
    for (path, body) in [("replays", &other), ("resubmissions", &letters)] {
        let refused = start(&app, &format!("/api/jobs/{path}"), body, "once").await;
        assert_eq!(
            (refused.status, &refused.body["type"]),
            (
                StatusCode::UNPROCESSABLE_ENTITY,
                &json!("urn:problem:orders:idempotency-key-reused")
            ),
            "{refused:?}"
        );
    }
    let at_once = (0..8).map(|_| start(&app, "/api/jobs/replays", &replay, "together"));
    let answers = join_all(at_once).await;
    let ids: Vec<String> = answers.iter().map(|answer| text(&answer.body["id"])).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{answers:?}");
    let jobs = "select count(*) from write_model.jobs";
    assert_eq!(log.app.database().number(jobs).await, 2);
}

#[tokio::test]
async fn a_job_that_cannot_be_read_is_listed_and_fails_alone() {
    let log = Log::start(1).await;
    let whole = log.planned(&["--subscription", "mail", "--all"]).await;
    let broken = log.planned(&["--subscription", "mail", "--all"]).await;
    let owner = connect(&admin_url(&log.app.database().name)).await;
    let spoil = format!(
        "update write_model.jobs set request = '{{\"subscription\": 7}}', requested_at = 'infinity', state = 'running'
         where id = '{broken}'"
    );
    owner.batch_execute(&spoil).await.unwrap();
    let listed = log.run(&["jobs", "list", "--json"]).await.json();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(text(&listed[0]["note"]).contains("requested_at"), "{listed:?}");
    let app = App::start_alone(log.settings.clone()).await;
    let shown = crate::queries::get(&app, &format!("/api/jobs/{broken}"), &[]).await;
    assert_eq!(
        (shown.status, &shown.body["request"]["subscription"]),
        (StatusCode::OK, &json!(7)),
        "{shown:?}"
    );
    app.post("/RunJobs", json!({})).await;
    let failed = log.show(&broken).await;
    assert_eq!(failed["state"], "failed", "{failed}");
    assert!(
        text(&failed["note"]).starts_with("its request cannot be read by this version"),
        "{failed}"
    );
    assert_eq!(log.run(&["jobs", "run", &whole]).await.code, DONE);
}
