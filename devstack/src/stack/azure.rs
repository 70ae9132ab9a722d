//! What a stack has besides its services when it asks for what Azure asks for: an authority, a directory with an identity for each
//! part, and the endpoint that gives tokens. It never gives a handler a key or a password.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, Result};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;

use super::logins::AppLogins;
use super::options::{LikeAzure, StackOptions};
use super::parts::{Part, PartsLayout};
use super::read_model::ReadModel;
use crate::cosmos::{self, CosmosEmulator};
use crate::identity::{Directory, IdentityEndpoint, ManagedIdentity, PasswordWriter, Role};
use crate::servicebus::ServiceBusEmulator;
use crate::tls::{PostgresTls, ServerCertificate, TlsClient};

const TOPIC: &str = "order-events";
/// What the projector listens to; the bus compares names without case.
const SUBSCRIPTION: &str = "order-events/subscriptions/read-model";
/// The container that says which documents queries answer from: the projector only reads it.
const CONTROL: &str = "control";

/// A running directory with all that leads to it.
#[derive(Debug)]
pub struct AzureSide {
    directory: Directory,
    endpoint: IdentityEndpoint,
    certificate: ServerCertificate,
    tls: TlsClient,
    /// What everybody is to trust; it goes with the stack.
    roots: NamedTempFile,
    /// `None`: for all parts.
    identities: Vec<(Option<Part>, ManagedIdentity)>,
    read_model: ReadModel,
    /// Where the bus and the account are, as soon as they are open.
    bus: Option<SocketAddr>,
    account: Option<String>,
}

impl AzureSide {
    /// Starts one where these options ask for it.
    pub(super) async fn wanted(options: &StackOptions, database: &str) -> Result<Option<Self>> {
        match &options.like_azure {
            Some(like) => Self::start(like, options, database).await.map(Some),
            None => Ok(None),
        }
    }

    /// Makes the identities for this database's app, none of which may do anything yet.
    async fn start(like: &LikeAzure, options: &StackOptions, database: &str) -> Result<Self> {
        let authority = &like.0;
        let roots = NamedTempFile::new()?;
        std::fs::write(roots.path(), authority.pem())?;
        let directory = Directory::default();
        let name = format!("id-{database}");
        let identities = match options.parts {
            PartsLayout::Together => vec![(None, directory.create(&name))],
            PartsLayout::Split => {
                let parts = Part::all(options.read_model).iter();
                let own = |part: &Part| (Some(*part), directory.create(&format!("{name}-{}", part.name())));
                parts.map(own).collect()
            }
        };
        Ok(Self {
            endpoint: IdentityEndpoint::start(directory.clone()).await?,
            directory,
            certificate: authority.certify()?,
            tls: TlsClient::trusting(&authority.pem())?,
            roots,
            identities,
            read_model: options.read_model,
            bus: None,
            account: None,
        })
    }

    /// The directory, to give roles and to take them away.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The endpoint that gives tokens.
    pub fn endpoint(&self) -> &IdentityEndpoint {
        &self.endpoint
    }

    /// The identity of a part; in a stack that is not split everybody's.
    pub fn identity(&self, part: Part) -> Option<&ManagedIdentity> {
        let mut known = self.identities.iter();
        let found = known.find(|(its, _)| its.is_none_or(|its| its == part));
        found.map(|(_, identity)| identity)
    }

    /// How the stack itself reaches its database.
    pub fn postgres_tls(&self) -> PostgresTls {
        PostgresTls(self.tls.clone())
    }

    pub(super) fn certificate(&self) -> &ServerCertificate {
        &self.certificate
    }

    /// The roles of those who have anything to do with the database.
    pub(super) fn logins(&self) -> AppLogins {
        let identities = self.identities.iter();
        let with_database =
            identities.filter(|(part, _)| part.is_none_or(|part| part.has_database(self.read_model)));
        AppLogins::of_identities(
            with_database
                .map(|(part, identity)| (*part, identity.name.clone()))
                .collect(),
        )
    }

    pub(super) fn roots(&self) -> &Path {
        self.roots.path()
    }

    pub(super) fn bus(&self) -> Option<SocketAddr> {
        self.bus
    }

    /// Opens the bus to the identities on this port.
    pub(super) async fn open_bus(&mut self, bus: &mut ServiceBusEmulator, port: u16) -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.context("cannot listen for Service Bus")?;
        self.bus = Some(listener.local_addr()?);
        bus.serve_like_azure(listener, &self.certificate, &self.directory)?;
        for (part, identity) in &self.identities {
            let is = |parts: &[Part]| part.is_none_or(|part| parts.contains(&part));
            if is(&[Part::Command, Part::Operator]) {
                self.directory.assign(identity, Role::ServiceBusSender, TOPIC);
            }
            if is(&[Part::Projector, Part::Operator]) {
                self.directory
                    .assign(identity, Role::ServiceBusReceiver, SUBSCRIPTION);
            }
        }
        Ok(())
    }

    /// Opens the account to the identities.
    pub(super) fn open_account(
        &mut self,
        account: &mut CosmosEmulator,
        listener: TcpListener,
        root: &Path,
        advertise: Option<SocketAddr>,
    ) -> Result<()> {
        let (database, containers) = cosmos::names(root)?;
        let whole = format!("dbs/{database}");
        for (part, identity) in &self.identities {
            match part {
                None | Some(Part::Operator) => {
                    self.directory.assign(identity, Role::CosmosContributor, &whole);
                }
                Some(Part::Query) => self.directory.assign(identity, Role::CosmosReader, &whole),
                Some(Part::Projector) => {
                    for container in &containers {
                        let role = match container.as_str() {
                            CONTROL => Role::CosmosReader,
                            _ => Role::CosmosContributor,
                        };
                        self.directory
                            .assign(identity, role, &format!("{whole}/colls/{container}"));
                    }
                }
                Some(Part::Command) => {}
            }
        }
        let endpoint = account.serve_like_azure(listener, &self.certificate, &self.directory, advertise)?;
        self.account = Some(endpoint);
        Ok(())
    }

    /// Lets tokens open sessions at the database from now on.
    pub(super) async fn write_passwords(&self, admin_url: &str) -> Result<()> {
        let writer = PasswordWriter::new(admin_url, self.postgres_tls())?;
        self.endpoint.write_passwords(writer).await;
        Ok(())
    }

    /// The settings that lead to the bus and the account, over this wire to the bus where there is one.
    pub(super) fn places(&self, wire: Option<SocketAddr>) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
        if let Some(bus) = wire.or(self.bus).filter(|_| self.bus.is_some()) {
            let namespace = format!("localhost:{}", bus.port());
            set("ServiceBusConnection__fullyQualifiedNamespace", namespace);
            set("ServiceBusConnection__credential", "managedidentity".to_owned());
        }
        if let Some(account) = &self.account {
            set("COSMOS_ENDPOINT", account.clone());
        }
        settings
    }

    /// The settings by which a part's process, and its host, prove who they are. `None`: one process for all parts, or the tools.
    pub(super) fn environment(&self, part: Option<Part>) -> BTreeMap<String, String> {
        let Some(identity) = self.identity(part.unwrap_or(Part::Operator)) else {
            return BTreeMap::new();
        };
        let mut settings = self.endpoint.environment(identity);
        let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
        set("SSL_CERT_FILE", self.roots.path().display().to_string());
        set("PGUSER", identity.name.clone());
        if self.bus.is_some() {
            set("ServiceBusConnection__clientId", identity.client_id.to_string());
        }
        settings
    }
}
