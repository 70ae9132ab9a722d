//! The Functions hosts of a stack: one for everything, or one for each part of the system.
//! It never leaves one behind: they start and stop together.

use anyhow::{Context as _, Result};
use futures_util::future::{join_all, select_all, try_join_all};
use url::Url;

use super::azure::AzureSide;
use super::logins::AppLogins;
use super::options::StackOptions;
use super::parts::{Part, PartsLayout};
use crate::host::{self, Host};

/// A host, and what it is started with, again and again.
struct StackHost {
    /// `None`: all parts.
    part: Option<Part>,
    options: host::HostOptions,
    url: String,
    running: Option<Host>,
}

impl StackHost {
    fn new(part: Option<Part>, options: host::HostOptions) -> Self {
        Self {
            part,
            options,
            url: String::new(),
            running: None,
        }
    }

    /// Starts it on the address that it had, unless it runs.
    async fn start(&mut self) -> Result<()> {
        if self.running.is_some() {
            return Ok(());
        }
        let host = Host::start(self.options.clone()).await;
        let host = match self.part {
            None => host?,
            Some(part) => host.with_context(|| format!("the host of the part {}", part.name()))?,
        };
        self.url = host.url();
        if let Some(port) = Url::parse(&self.url)?.port() {
            self.options.listen.set_port(port);
        }
        self.running = Some(host);
        Ok(())
    }

    async fn stop(&mut self) {
        if let Some(host) = self.running.take() {
            host.stop().await;
        }
    }

    async fn stopped(&self) -> String {
        match &self.running {
            Some(host) => host.stopped().await,
            None => "the host was stopped".to_owned(),
        }
    }
}

/// All of them; the first takes commands.
#[derive(Default)]
pub(super) struct Hosts(Vec<StackHost>);

impl Hosts {
    /// One for everything, started with this, or one for each part on the ports after its own.
    pub(super) fn new(
        whole: &host::HostOptions,
        stack: &StackOptions,
        logins: &AppLogins,
        azure: Option<&AzureSide>,
    ) -> Self {
        if stack.parts == PartsLayout::Together {
            return Self(vec![StackHost::new(None, whole.clone())]);
        }
        let parts = Part::all(stack.read_model).iter().zip(stack.host_ports());
        let host = |(part, port): (&Part, u16)| {
            let own = match azure {
                Some(azure) => azure.environment(Some(*part)),
                None => logins.environment(*part),
            };
            let mut options = part.host_options(whole, stack.read_model, own);
            options.listen.set_port(port);
            StackHost::new(Some(*part), options)
        };
        Self(parts.map(host).collect())
    }

    pub(super) fn urls(&self) -> Vec<(Option<Part>, &str)> {
        let hosts = self.0.iter();
        hosts.map(|host| (host.part, host.url.as_str())).collect()
    }

    /// The start of the operators' host, where they have one.
    pub(super) fn operators(&self) -> Option<&host::HostOptions> {
        let mut hosts = self.0.iter();
        let found = hosts.find(|host| host.part == Some(Part::Operator));
        found.map(|host| &host.options)
    }

    pub(super) fn first_handler(&self) -> Option<u32> {
        self.0.first()?.running.as_ref()?.handler_pid()
    }

    pub(super) fn handlers(&self) -> Vec<u32> {
        let running = self.0.iter().filter_map(|host| host.running.as_ref());
        running.filter_map(Host::handler_pid).collect()
    }

    pub(super) async fn stop(&mut self) {
        join_all(self.0.iter_mut().map(StackHost::stop)).await;
    }

    pub(super) async fn start(&mut self) -> Result<()> {
        try_join_all(self.0.iter_mut().map(StackHost::start)).await?;
        Ok(())
    }

    /// Waits until one stops by itself, and says why.
    pub(super) async fn stopped(&self) -> String {
        let stopped = self.0.iter().map(|host| Box::pin(host.stopped()));
        select_all(stopped).await.0
    }
}
