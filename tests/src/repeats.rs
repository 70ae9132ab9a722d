//! Requests that come again: the host sends one without a body up to 40 times when its connection breaks, and a caller whose
//! answer was lost asks once more.
//! Never a list of calls: those of the API's description that change something are walked. A new one whose example cannot be
//! carried out as it is needs a line in `prepare`.

use devstack::wire::Proxy;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    jobs,
    rebuild::settings,
    support::{Answer, App, Call, Client, DEADLINE, calls, next_answer, wait_for},
    system::System,
};

/// What a call may leave behind: an event, a job, or another state of one.
const TRACES: &str =
    "select (select count(*) from write_model.events) + (select count(*) from write_model.jobs)
    + (select count(*) from write_model.jobs where state = 'paused')";
/// One line for every order.
const MUG: [(&str, i64); 1] = [("MUG", 1)];

/// A shop without its host: no timer works on a job, and nothing stands between a client and the handler.
struct Shop {
    app: App,
    customer: String,
    system: System,
}

impl Shop {
    async fn open() -> Self {
        let mut system = System::start().await;
        let customer = system.client.seed(&[("MUG", 1_000)]).await;
        system.projected().await;
        system.stack.stop_host().await;
        let app = App::start_alone(settings(&system)).await;
        Self {
            app,
            customer,
            system,
        }
    }

    /// The calls that change something, by their names, with their examples.
    async fn changing_calls(&self) -> Vec<(String, Call)> {
        let document = self.app.get("/api/openapi.json").await.body;
        let mut changing = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, call) in methods.as_object().unwrap() {
                if method != "get" {
                    let name = call["operationId"].as_str().unwrap().to_owned();
                    let body = &call["requestBody"]["content"]["application/json"]["example"];
                    changing.push((name, Call::new(method, path, body.clone())));
                }
            }
        }
        assert!(changing.len() > 20, "{changing:?}");
        changing
    }

    /// The call as it is accepted now; what it needs is done first.
    async fn prepare(&self, name: &str, example: &Call) -> Call {
        let (app, customer) = (&self.app, &self.customer);
        // Some jobs exclude each other.
        self.system.rows("delete from write_model.jobs").await;
        let placed = app.place(customer, &MUG).await;
        match name {
            "PlaceOrder" => calls::place(customer, &MUG),
            "ChangeOrderLines" => calls::change_lines(&placed, &[("MUG", 2)]),
            "CancelOrder" => calls::cancel(&placed),
            "PayOrder" => calls::pay(&placed),
            "ShipOrder" => {
                app.pay(&placed).await;
                calls::ship(&placed)
            }
            "DeliverOrder" => {
                app.pay(&placed).await;
                app.ship(&placed).await;
                calls::deliver(&placed)
            }
            "RollBackReadModel" | "RetireGeneration" => {
                // So that there is a generation to go back to, or to retire; refused where there is one.
                jobs::run(&settings(&self.system), &["rebuild", "run"]).await;
                example.clone()
            }
            "SetJobState" => {
                let job = app.post("/api/jobs/verifications", json!({})).await;
                let path = format!("/api/jobs/{}/state", job.id());
                Call::put(&path, example.body.clone())
            }
            _ => {
                let is_order = example.path.starts_with("/api/orders/");
                let id = if is_order { placed.id() } else { customer };
                Call {
                    path: example.path.replace("{id}", id).replace("{sku}", "MUG"),
                    ..example.clone()
                }
            }
        }
    }

    async fn traces(&self) -> i64 {
        self.system.number(TRACES).await
    }
}

fn key(name: &str) -> (&'static str, String) {
    ("idempotency-key", format!("repeated-{name}"))
}

async fn send(client: &Client, call: &Call, name: &str) -> Option<Answer> {
    let (header, key) = key(name);
    client.with(header, &key).try_call(call).await
}

#[tokio::test]
async fn a_call_that_changes_something_is_refused_without_a_body() {
    let shop = Shop::open().await;
    for (name, example) in shop.changing_calls().await {
        let call = shop.prepare(&name, &example).await;
        let before = shop.traces().await;
        for headers in ["", "content-length: 0\r\n", "content-type: application/json\r\n"] {
            let mut stream = TcpStream::connect(shop.app.address()).await.unwrap();
            let Call { method, path, .. } = &call;
            let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let answer = next_answer(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{name}: {answer}");
            assert!(answer.contains("the body is empty"), "{name}: {answer}");
        }
        assert_eq!(shop.traces().await, before, "{name} has left something behind");
        // It was the missing body, and nothing else.
        let answer = shop.app.call(&call).await;
        assert!(answer.status.is_success(), "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_happens_once_under_its_key() {
    let shop = Shop::open().await;
    let address = shop.app.address().parse().unwrap();
    for (name, example) in shop.changing_calls().await {
        let call = shop.prepare(&name, &example).await;
        let before = shop.traces().await;
        let wire = Proxy::start(address).await.unwrap();
        let client = Client::new(format!("http://{}", wire.address()));
        wire.hold_answers();
        let committed = async {
            wait_for(DEADLINE, async || match shop.traces().await - before {
                0 => Err("nothing is written"),
                more => Ok(more),
            })
            .await;
            wire.cut();
        };
        let (lost, ()) = tokio::join!(send(&client, &call, &name), committed);
        assert!(lost.is_none(), "{name}: {lost:?}");
        let again = send(&shop.app, &call, &name).await.unwrap();
        assert!(again.status.is_success(), "{name}: {again:?}");
        assert_eq!(shop.traces().await, before + 1, "{name} has happened twice");
    }
}
