//! The system as in Azure: TLS everywhere, and each part as an identity of its own in the place of keys and passwords.
//! Never waits for a token's usual life.

use devstack::identity::{COSMOS_AUDIENCE, POSTGRES_AUDIENCE, Role, SERVICE_BUS_AUDIENCE};
use devstack::stack::Part;
use hyper::StatusCode;

use crate::{support::calls, system::System};

const SECRETS: [&str; 4] = [
    "PGPASSWORD=",
    "COSMOS_KEY=",
    "ServiceBusConnection=",
    "SharedAccessKey",
];

#[tokio::test]
async fn four_parts_do_their_work_as_four_identities_without_a_secret() {
    let system = System::start_like_azure().await;
    let customer = system.client.seed(&[("MUG", 100)]).await;
    let placed = system.client.call(&calls::place(&customer, &[("MUG", 1)])).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    system.shown(&placed.body["id"], 1).await;
    for process in system.stack.handler_pids() {
        let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap();
        let environment = String::from_utf8_lossy(&environment);
        for secret in SECRETS {
            assert!(!environment.contains(secret), "{secret} is in the environment");
        }
    }
    let azure = system.stack.azure().unwrap();
    let switches = azure.endpoint().switches();
    let mut asked = Vec::new();
    for part in [Part::Command, Part::Query, Part::Operator, Part::Projector] {
        let name = &azure.identity(part).unwrap().name;
        let of = |audience| switches.requests(name, audience) > 0;
        asked.push([POSTGRES_AUDIENCE, SERVICE_BUS_AUDIENCE, COSMOS_AUDIENCE].map(of));
    }
    // PostgreSQL, bus, documents; the projector's host listens as it.
    let needed = [
        [true, true, false],
        [false, false, true],
        [true, true, true],
        [false, true, true],
    ];
    assert_eq!(asked, needed);
}

#[tokio::test]
async fn a_role_that_is_taken_away_stops_its_part_only_and_nothing_is_lost() {
    let system = System::start_like_azure().await;
    let customer = system.client.seed(&[("MUG", 100)]).await;
    let azure = system.stack.azure().unwrap();
    let command = azure.identity(Part::Command).unwrap();
    let operator = azure.identity(Part::Operator).unwrap();
    for identity in [command, operator] {
        azure.directory().unassign(identity, Role::ServiceBusSender);
    }
    system.stack.servicebus_switches().expire_tokens();
    let placed = system.client.call(&calls::place(&customer, &[("MUG", 1)])).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    system.logged(&["'Send' claim(s) are required"]).await;
    for identity in [command, operator] {
        azure
            .directory()
            .assign(identity, Role::ServiceBusSender, "order-events");
    }
    system.shown(&placed.body["id"], 1).await;
}
