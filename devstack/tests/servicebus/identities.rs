//! The way into the bus that is as in Azure: TLS from the first byte, and each identity with its roles.
//! Never asks for a link again on the session that lost one.

use std::time::{SystemTime, UNIX_EPOCH};

use devstack::identity::{COSMOS_AUDIENCE, Directory, ManagedIdentity, Role, SERVICE_BUS_AUDIENCE};
use devstack::servicebus::ServiceBusEmulator;
use devstack::tls::{CertificateAuthority, TlsClient};
use fe2o3_amqp::connection::{ConnectionHandle, OpenError};
use fe2o3_amqp::link::{Receiver, Sender};
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::messaging::Data;
use fe2o3_amqp::{Connection, Session};
use fe2o3_amqp_cbs::{client::CbsClient, token::CbsToken};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::*;

/// A bus with a door as in Azure, and one identity.
struct AzureBus {
    emulator: ServiceBusEmulator,
    port: u16,
    tls: TlsClient,
    directory: Directory,
    identity: ManagedIdentity,
}

/// A connection of that identity.
struct Linked {
    session: SessionHandle<()>,
    connection: ConnectionHandle<()>,
}

impl AzureBus {
    async fn start() -> Self {
        let authority = CertificateAuthority::new().unwrap();
        let directory = Directory::default();
        let address = "127.0.0.1:0".parse().unwrap();
        let mut emulator = ServiceBusEmulator::start(entities("PT1M"), address)
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let certificate = authority.certify().unwrap();
        emulator
            .serve_like_azure(listener, &certificate, &directory)
            .unwrap();
        Self {
            emulator,
            port,
            tls: TlsClient::trusting(&authority.pem()).unwrap(),
            identity: directory.create("id-orders"),
            directory,
        }
    }

    async fn open(&self, profile: SaslProfile) -> Result<Linked, OpenError> {
        let stream = self.tls.connect("localhost", self.port).await.unwrap();
        let connection = Connection::builder()
            .container_id("test")
            .hostname("localhost")
            .sasl_profile(profile);
        let mut connection = within(connection.open_with_stream(stream)).await?;
        let session = within(Session::begin(&mut connection)).await.unwrap();
        Ok(Linked { session, connection })
    }

    async fn connect(&self) -> Linked {
        self.open(SaslProfile::Anonymous).await.unwrap()
    }

    /// A token that lives so many seconds more.
    fn token(&self, audience: &str, seconds: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let expires = i64::try_from(now.as_secs()).unwrap() + seconds;
        self.directory.issue(&self.identity, audience, expires)
    }

    /// A connection with a good token for this entity.
    async fn authorized(&self, entity: &str) -> Linked {
        let mut linked = self.connect().await;
        let token = self.token(SERVICE_BUS_AUDIENCE, 600);
        linked.put(entity, token).await.unwrap();
        linked
    }
}

impl Linked {
    async fn put(&mut self, entity: &str, token: String) -> Result<(), String> {
        let mut cbs = within(CbsClient::attach(&mut self.session)).await.unwrap();
        let token = CbsToken::new(token, "jwt", None);
        let put = within(cbs.put_token(format!("sb://localhost/{entity}"), token)).await;
        within(cbs.close()).await.unwrap();
        put.map_err(|error| format!("{error:?}"))
    }

    async fn send(&mut self, body: &str) -> Result<(), String> {
        let attached = within(Sender::attach(&mut self.session, "sender", TOPIC)).await;
        let mut sender = attached.map_err(|error| format!("{error:?}"))?;
        let sent = within(sender.send(message(body))).await;
        sent.map(|_| ()).map_err(|error| format!("{error:?}"))
    }

    async fn receive(&mut self, entity: &str) -> Result<Receiver, String> {
        let name = format!("from {entity}");
        let attached = within(Receiver::attach(&mut self.session, name, entity)).await;
        attached.map_err(|error| format!("{error:?}"))
    }
}

fn is_unauthorized(said: &str, claim: &str) {
    assert!(said.contains("UnauthorizedAccess"), "{said}");
    assert!(
        said.contains(&format!("'{claim}' claim(s) are required")),
        "{said}"
    );
}

#[tokio::test]
async fn a_sender_sends_and_receives_nothing() {
    let bus = AzureBus::start().await;
    bus.directory.assign(&bus.identity, Role::ServiceBusSender, TOPIC);
    bus.authorized(TOPIC).await.send("one").await.unwrap();
    let refused = bus.authorized(SUBSCRIPTION).await.receive(SUBSCRIPTION).await;
    is_unauthorized(&refused.unwrap_err(), "Listen");
}

#[tokio::test]
async fn a_receiver_of_the_subscription_receives_looks_and_sends_nothing() {
    let bus = AzureBus::start().await;
    bus.directory
        .assign(&bus.identity, Role::ServiceBusReceiver, SUBSCRIPTION);
    bus.authorized(SUBSCRIPTION)
        .await
        .receive(SUBSCRIPTION)
        .await
        .unwrap();
    bus.authorized(DEAD).await.receive(DEAD).await.unwrap();
    let mut linked = bus.authorized(&format!("{DEAD}/$management")).await;
    let ask = map([
        ("from-sequence-number", 0_i64.into()),
        ("message-count", 1_i32.into()),
    ]);
    let (status, _) = manage_on(&mut linked.session, DEAD, "com.microsoft:peek-message", ask).await;
    assert_eq!(status, 204);
    let refused = bus.authorized(TOPIC).await.send("forged").await;
    is_unauthorized(&refused.unwrap_err(), "Send");
    assert_eq!(bus.emulator.switches().held(SUBSCRIPTION), Some(0));
}

#[tokio::test]
async fn tokens_that_are_none_are_refused_in_the_words_of_the_service() {
    let bus = AzureBus::start().await;
    bus.directory.assign(&bus.identity, Role::ServiceBusSender, "");
    let strangers = Directory::default();
    let stranger = strangers.create("id-orders");
    for (token, word) in [
        (bus.token(COSMOS_AUDIENCE, 600), "InvalidAudience"),
        (bus.token(SERVICE_BUS_AUDIENCE, -1), "ExpiredToken"),
        (
            strangers.issue(&stranger, SERVICE_BUS_AUDIENCE, 4_000_000_000),
            "InvalidSignature",
        ),
        ("a.b".to_owned(), "MalformedToken"),
        (
            "SharedAccessSignature sr=x&sig=x&se=1&skn=x".to_owned(),
            "LocalAuthDisabled",
        ),
    ] {
        let refused = bus.connect().await.put(TOPIC, token).await.unwrap_err();
        assert!(refused.contains("401") && refused.contains(word), "{refused}");
    }
    let plain = bus.open(SaslProfile::Plain {
        username: "RootManageSharedAccessKey".to_owned(),
        password: "SAS_KEY_VALUE".to_owned(),
    });
    assert!(plain.await.is_err(), "the key opens nothing here");
}

#[tokio::test]
async fn a_link_goes_with_its_token_and_a_new_token_keeps_it() {
    let bus = AzureBus::start().await;
    bus.directory
        .assign(&bus.identity, Role::ServiceBusReceiver, TOPIC);
    let mut short = bus.connect().await;
    let mut renewed = bus.connect().await;
    let (mut lost, mut kept) = (None, None);
    for (linked, receiver) in [(&mut short, &mut lost), (&mut renewed, &mut kept)] {
        let token = bus.token(SERVICE_BUS_AUDIENCE, 2);
        linked.put(SUBSCRIPTION, token).await.unwrap();
        *receiver = Some(linked.receive(SUBSCRIPTION).await.unwrap());
    }
    let token = bus.token(SERVICE_BUS_AUDIENCE, 600);
    renewed.put(SUBSCRIPTION, token).await.unwrap();
    let error = within(lost.unwrap().recv::<Data>()).await.unwrap_err();
    assert!(format!("{error:?}").contains("UnauthorizedAccess"), "{error:?}");
    bus.directory.assign(&bus.identity, Role::ServiceBusSender, TOPIC);
    bus.authorized(TOPIC).await.send("one").await.unwrap();
    assert_eq!(text(&next(&mut kept.unwrap()).await), "one");
    drop((short.connection, renewed.connection));
}

#[tokio::test]
async fn a_role_that_was_taken_away_ends_the_link_with_the_next_token() {
    let bus = AzureBus::start().await;
    bus.directory
        .assign(&bus.identity, Role::ServiceBusReceiver, TOPIC);
    let mut linked = bus.authorized(SUBSCRIPTION).await;
    let mut receiver = linked.receive(SUBSCRIPTION).await.unwrap();
    bus.directory.unassign(&bus.identity, Role::ServiceBusReceiver);
    let token = bus.token(SERVICE_BUS_AUDIENCE, 600);
    linked.put(SUBSCRIPTION, token).await.unwrap();
    let error = within(receiver.recv::<Data>()).await.unwrap_err();
    is_unauthorized(&format!("{error:?}"), "Listen");
    bus.directory
        .assign(&bus.identity, Role::ServiceBusReceiver, TOPIC);
    let mut again = bus.authorized(SUBSCRIPTION).await;
    again.receive(SUBSCRIPTION).await.unwrap();
}

#[tokio::test]
async fn nothing_but_tls_is_answered_at_the_port_for_it() {
    let bus = AzureBus::start().await;
    for begin in [
        *b"AMQP\x00\x01\x00\x00",
        *b"AMQP\x02\x01\x00\x00",
        *b"AMQP\x03\x01\x00\x00",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", bus.port)).await.unwrap();
        stream.write_all(&begin).await.unwrap();
        let mut answer = Vec::new();
        // A reset is as good an end.
        let _ = within(stream.read_to_end(&mut answer)).await;
        assert!(!answer.starts_with(b"AMQP"), "{answer:?}");
    }
}
