//! The Functions host's stand-in alone, with the handler that it starts over PostgreSQL.
//! Never with triggers other than HTTP: there is no bus here, and a timer's calls would be counted.

use std::path::Path;

use anyhow::{Context as _, Result};
use devstack::{
    app_folder,
    host::{Host, HostOptions, HostTimes, HttpOptions, InnerStorage, Log, SignIn},
};

use super::parent::{tell, until_alone};

/// Beside PostgreSQL's, which are in this process's environment.
const SETTINGS: [(&str, &str); 6] = [
    ("FUNCTIONS_WORKER_RUNTIME", "custom"),
    ("AzureWebJobsStorage", "UseDevelopmentStorage=true"),
    ("AUTH", "development"),
    ("AzureWebJobs.ProjectEvent.Disabled", "true"),
    ("AzureWebJobs.RelayOutbox.Disabled", "true"),
    ("AzureWebJobs.RunJobs.Disabled", "true"),
];

/// Each line of its input is answered with the handler's process id and address.
pub(super) async fn run(handler: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let app = folder.path().join("app");
    app_folder::assemble(&app_folder::workspace_root(), handler, &app)?;
    // It names a bus and an account with documents, and neither runs here.
    std::fs::remove_file(app.join("local.settings.json"))?;
    let host = Host::start(HostOptions {
        script_root: app,
        listen: ([127, 0, 0, 1], 0).into(),
        environment: SETTINGS
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        without: Vec::new(),
        log: Log::File(folder.path().join("host.log")),
        sign_in: SignIn::default(),
        storage: InnerStorage::default(),
        times: HostTimes::default(),
        http: HttpOptions::default(),
    })
    .await?;
    let pid = host.handler_pid().context("no handler")?;
    let answer = format!("{pid} {}", host.handler_address());
    let url = host.url();
    tell(url.strip_prefix("http://").context("no address")?.parse()?);
    until_alone(move || answer.clone()).await?;
    host.stop().await;
    Ok(())
}
