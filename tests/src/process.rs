//! How the handler starts and ends as a process.
//! Never kills a process that the test did not start.

use hyper::StatusCode;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tokio::{process::Command, time::timeout};

use crate::support::{App, DEADLINE, Database, binary};

fn signal(app: &App, signal: Signal) {
    let pid = i32::try_from(app.process.id().unwrap()).unwrap();
    kill(Pid::from_raw(pid), signal).unwrap();
}

#[tokio::test]
async fn one_signal_ends_nothing_and_the_second_is_a_wanted_restart() {
    for (first, second) in [
        (Signal::SIGINT, Signal::SIGINT),
        (Signal::SIGTERM, Signal::SIGTERM),
        (Signal::SIGINT, Signal::SIGTERM),
    ] {
        let mut app = App::start().await;
        signal(&app, first);
        app.logged("signal_received").await;
        assert_eq!(
            app.send("GET", "/api/health/live", "", &[]).await.status,
            StatusCode::OK
        );
        signal(&app, second);
        let status = timeout(DEADLINE, app.process.wait()).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(200));
    }
}

#[tokio::test]
async fn half_a_group_of_settings_is_refused_with_one_line_that_names_it() {
    let mut command = Command::new(binary());
    let output = command
        .env_clear()
        .env("PGHOST", "127.0.0.1")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("PGUSER") && said.lines().count() == 1, "{said}");
}

#[tokio::test]
async fn every_command_refuses_an_ignored_setting_in_one_line_by_name() {
    let bus = "Endpoint=sb://h;SharedAccessKeyName=n;SharedAccessKey=k;EntityPath=others";
    let whole = [("PGHOST", "127.0.0.1"), ("PGUSER", "u"), ("PGDATABASE", "d")];
    for (set, named) in [
        (&[("PGSSLMODE", "prefer")][..], "PGSSLMODE"),
        (
            &[("PGOPTIONS", "-c default_transaction_read_only=on")],
            "PGOPTIONS",
        ),
        (
            &[("ServiceBusConnection", bus), ("ServiceBusTopic", "t")],
            "EntityPath",
        ),
    ] {
        for run in ["serve", "migrate", "status"] {
            let mut command = Command::new(binary());
            command.arg(run).env_clear().envs(whole).envs(set.iter().copied());
            let output = command.output().await.unwrap();
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert_eq!(output.status.code(), Some(1), "{run}: {said}");
            assert!(said.contains(named) && said.lines().count() == 1, "{run}: {said}");
        }
    }
}

#[tokio::test]
async fn without_postgresql_settings_commands_are_not_configured() {
    let database = Database::create().await;
    let mut settings = database.settings(Database::server_address());
    settings.retain(|name, _| !name.starts_with("PG"));
    let app = App::start_whole(database, settings).await;
    let answer = app
        .post(
            "/api/customers",
            json!({ "name": "Ada", "email": "ada@example.org" }),
        )
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body["type"], "urn:problem:orders:not-configured");
}
