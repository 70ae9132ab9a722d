//! The Service Bus trigger as an identity of the app: no key, TLS, and a token that is renewed.
//! Never waits for a token's usual life.

use devstack::{
    identity::{Directory, IdentityEndpoint, ManagedIdentity, Role, SERVICE_BUS_AUDIENCE},
    tls::CertificateAuthority,
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    app::{App, eventually},
    broker::{Broker, TOPIC},
};

struct Namespace {
    broker: Broker,
    directory: Directory,
    endpoint: IdentityEndpoint,
    identity: ManagedIdentity,
    port: u16,
    roots: tempfile::NamedTempFile,
}

impl Namespace {
    async fn start() -> Self {
        let authority = CertificateAuthority::new().expect("an authority");
        let directory = Directory::default();
        let mut broker = Broker::start("PT1M", 3).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let certificate = authority.certify().expect("a certificate");
        let emulator = &mut broker.emulator;
        emulator
            .serve_like_azure(listener, &certificate, &directory)
            .expect("it serves");
        let roots = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(roots.path(), authority.pem()).expect("it is written");
        let identity = directory.create("id-orders-projector");
        directory.assign(&identity, Role::ServiceBusReceiver, "events/Subscriptions/view");
        let endpoint = IdentityEndpoint::start(directory.clone()).await;
        Self {
            broker,
            directory,
            endpoint: endpoint.expect("an endpoint"),
            identity,
            port,
            roots,
        }
    }

    fn app(&self) -> App {
        let trigger = json!({
            "type": "serviceBusTrigger", "direction": "in", "name": "message",
            "topicName": TOPIC, "subscriptionName": "view", "connection": "Bus", "dataType": "binary",
        });
        let mut app = App::new().function("Project", json!([trigger]));
        for (name, value) in self.endpoint.environment(&self.identity) {
            app = app.setting(&name, &value);
        }
        let namespace = format!("localhost:{}", self.port);
        app.setting("Bus__fullyQualifiedNamespace", &namespace)
            .setting("Bus__credential", "managedidentity")
            .setting("Bus__clientId", &self.identity.client_id.to_string())
            .setting("SSL_CERT_FILE", &self.roots.path().display().to_string())
    }
}

#[tokio::test]
async fn a_trigger_without_a_key_receives_as_its_identity_and_renews_its_token() {
    let namespace = Namespace::start().await;
    namespace.endpoint.switches().live(4, 3);
    let running = namespace.app().start().await;
    let mut client = namespace.broker.client().await;
    client.send("m-1", "{}").await;
    let calls = running.calls("Project", 1).await;
    let host = &calls[0]["Metadata"]["Client"];
    assert!(host.to_string().contains("localhost"), "{host}");
    let switches = namespace.endpoint.switches();
    let renewed = || switches.tokens("id-orders-projector", SERVICE_BUS_AUDIENCE) > 3;
    eventually(|| renewed().then_some(())).await;
    client.send("m-2", "{}").await;
    running.calls("Project", 2).await;
    // One connection all the time: what it held was never given back.
    assert_eq!(running.lines("listens to"), 1);
    running.stop().await;
}

#[tokio::test]
async fn without_the_role_nothing_is_heard_until_it_is_there() {
    let namespace = Namespace::start().await;
    namespace
        .directory
        .unassign(&namespace.identity, Role::ServiceBusReceiver);
    let running = namespace.app().start().await;
    running.logged(&["'Listen' claim(s) are required"]).await;
    namespace.broker.client().await.send("m-1", "{}").await;
    namespace
        .directory
        .assign(&namespace.identity, Role::ServiceBusReceiver, TOPIC);
    running.calls("Project", 1).await;
    running.stop().await;
}

#[tokio::test]
async fn a_dead_identity_endpoint_is_named_and_waited_for() {
    let namespace = Namespace::start().await;
    namespace.endpoint.wire().cut();
    let running = namespace.app().start().await;
    running.logged(&["the identity endpoint"]).await;
    namespace.endpoint.wire().restore();
    namespace.broker.client().await.send("m-1", "{}").await;
    running.calls("Project", 1).await;
    running.stop().await;
}
