//! `cargo up` and `cargo demo` as a newcomer meets them: what they print, how they end, what they leave behind.
//! Never ends a process that this test did not start, and never uses a fixed port.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail the test"
)]

use std::{
    net::{TcpListener, TcpStream},
    process::{Output, Stdio},
    time::Duration,
};

use devstack::azurite::Azurite;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{interval, timeout},
};

/// A cold build of the handler may be part of it.
const LIMIT: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(30);

fn devstack(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_devstack"));
    command
        .args(arguments)
        .env_remove("DATABASE_URL")
        .kill_on_drop(true);
    command
}

/// `devstack up` on free ports.
struct Up {
    process: Child,
    /// Everything it printed until it was ready.
    said: String,
}

impl Up {
    async fn start(more: &[&str]) -> Self {
        let ports = ["--port", "--postgres-port", "--servicebus-port", "--cosmos-port"];
        let ports: Vec<&str> = ports.iter().flat_map(|port| [*port, "0"]).collect();
        let mut command = devstack(&[&["up"], ports.as_slice(), more].concat());
        // A group of its own, as a shell gives it: Ctrl-C reaches all of it.
        let mut process = command.stdout(Stdio::piped()).process_group(0).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut said = String::new();
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                said.push_str(&line);
                said.push('\n');
                if line.contains("Ctrl-C stops everything") {
                    return;
                }
            }
            panic!("it ended before it was ready");
        };
        timeout(LIMIT, ready).await.expect("it gets ready");
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { process, said }
    }

    /// Where it says that this part is.
    fn address(&self, part: &str) -> String {
        let mut lines = self.said.lines();
        let line = lines.find(|line| line.trim_start().starts_with(part)).unwrap();
        let at = line.find("127.0.0.1:").unwrap();
        let end = line[at..].find(|letter: char| !letter.is_ascii_digit() && !".:".contains(letter));
        line[at..].split_at(end.unwrap_or(line.len() - at)).0.to_owned()
    }

    /// Does what it proposes.
    async fn place_an_order(&self) {
        let curl = self.said.lines().skip_while(|line| !line.contains("curl -i"));
        let curl = curl.take(2).collect::<Vec<_>>().join("\n");
        let placed = Command::new("sh").args(["-c", &curl]).output().await.unwrap();
        let answer = String::from_utf8_lossy(&placed.stdout).into_owned();
        assert!(
            answer.contains("201 Created") && answer.contains("\"placed\""),
            "{answer}"
        );
    }

    /// The list of orders, once there is one in it.
    async fn orders(&self) -> String {
        self.read("orders", "\"status\":\"placed\"").await
    }

    /// What is answered at this path, once this is in it.
    async fn read(&self, path: &str, wanted: &str) -> String {
        let api = self.said.lines().find_map(|line| line.trim().strip_prefix("API"));
        let url = format!("{}/{path}", api.unwrap().trim());
        let mut seen = String::new();
        let reading = async {
            let mut again = interval(Duration::from_millis(50));
            while !seen.contains(wanted) {
                again.tick().await;
                let answer = Command::new("curl").args(["-s", &url]).output().await.unwrap();
                seen = String::from_utf8_lossy(&answer.stdout).into_owned();
            }
        };
        let read = timeout(SOON, reading).await;
        assert!(read.is_ok(), "{wanted}: {seen}");
        seen
    }

    /// What the handler's tool says on this stack, which is known by the port of its host.
    async fn operate(&self, arguments: &[&str]) -> Output {
        let address = self.address("API");
        let name = address.rsplit(':').next().unwrap();
        let all = [&["operate", "--stack", name], arguments].concat();
        // A shell may have settings of its own: those of the stack count.
        let mut command = devstack(&all);
        let elsewhere = [("PGPORT", "1"), ("COSMOS_ENDPOINT", "http://127.0.0.1:1/")];
        timeout(SOON, command.envs(elsewhere).output())
            .await
            .unwrap()
            .unwrap()
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.process.id().unwrap()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// The handler's process, once there is one.
    async fn handler(&self) -> i32 {
        let looking = async {
            let mut again = interval(Duration::from_millis(20));
            loop {
                again.tick().await;
                let all = processes("comm").await;
                let own =
                    |(_, parent, name): &&(i32, i32, String)| *parent == self.pid() && name == "handler";
                if let Some((pid, ..)) = all.iter().find(own) {
                    return *pid;
                }
            }
        };
        timeout(SOON, looking).await.expect("a handler")
    }

    /// What a terminal does on Ctrl-C.
    fn interrupt(&self) {
        kill(Pid::from_raw(-self.pid()), Signal::SIGINT).unwrap();
    }

    /// The processes it has started, and those they have started.
    async fn descendants(&self) -> Vec<i32> {
        let all = processes("stat").await;
        let mut found = vec![self.pid()];
        let mut looked = 0;
        while looked < found.len() {
            let children = all.iter().filter(|(_, parent, _)| *parent == found[looked]);
            found.extend(children.map(|(pid, _, _)| *pid).collect::<Vec<_>>());
            looked += 1;
        }
        found.split_off(1)
    }
}

/// Process id, parent's id and one thing more of every process.
async fn processes(what: &str) -> Vec<(i32, i32, String)> {
    let output = Command::new("ps")
        .args(["-A", "-o", &format!("pid=,ppid=,{what}=")])
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let mut number = || words.next()?.parse().ok();
        Some((number()?, number()?, words.next()?.to_owned()))
    };
    text.lines().filter_map(row).collect()
}

async fn gone(pids: &[i32]) {
    let leaving = async {
        let mut again = interval(Duration::from_millis(20));
        loop {
            again.tick().await;
            let all = processes("stat").await;
            // A zombie waits for its parent only: it holds nothing any more.
            if !all
                .iter()
                .any(|(pid, _, state)| pids.contains(pid) && !state.starts_with('Z'))
            {
                return;
            }
        }
    };
    timeout(SOON, leaving).await.expect("nothing stays behind");
}

#[tokio::test]
async fn up_prints_addresses_and_a_working_curl_and_ctrl_c_leaves_nothing() {
    let mut up = Up::start(&[]).await;
    for part in ["API", "PostgreSQL", "Service Bus", "Cosmos DB"] {
        // Port 0 was asked for; a port that takes connections is printed.
        TcpStream::connect(up.address(part)).unwrap();
    }
    up.place_an_order().await;
    let descendants = up.descendants().await;
    assert!(
        descendants.len() >= 3,
        "handler, keeper and PostgreSQL: {descendants:?}"
    );
    up.interrupt();
    let status = timeout(SOON, up.process.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
    gone(&descendants).await;
}

#[tokio::test]
async fn up_with_the_read_model_in_postgres_needs_no_bus_and_no_documents() {
    let up = Up::start(&["--read-model", "postgres"]).await;
    assert!(
        !up.said.contains("Service Bus") && !up.said.contains("Cosmos"),
        "{}",
        up.said
    );
    up.place_an_order().await;
    let status = up.operate(&["status", "--json"]).await;
    let said = String::from_utf8(status.stdout).unwrap();
    assert!(status.status.success(), "{said}");
    // Nobody relays: what waits grows old, and that is no alarm.
    assert!(
        said.contains("\"waiting\":") && !said.contains("\"waiting\":0") && !said.contains("oldestSeconds"),
        "{said}"
    );
    let nobody = "0198c9c1-0000-7000-8000-000000000001";
    for tool in [
        &["verify"][..],
        &["rebuild", "run"],
        &["explain", nobody],
        &["reproject", "--all"],
        &["replay", "--subscription", "mail", "--all"],
        &["dead-letters", "list"],
    ] {
        let output = up.operate(tool).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains("not applicable") && said.lines().count() == 1,
            "{tool:?}: {said}"
        );
    }
}

#[tokio::test]
async fn a_host_that_has_ended_by_itself_is_started_again() {
    let azurite = Azurite::can_start();
    let storage = if azurite { "azurite" } else { "inner" };
    let up = Up::start(&["--storage", storage]).await;
    assert_eq!(
        up.said.contains("BlobEndpoint=http://127.0.0.1:"),
        azurite,
        "{}",
        up.said
    );
    for _ in 0..3 {
        let handler = up.handler().await;
        kill(Pid::from_raw(handler), Signal::SIGKILL).unwrap();
        gone(&[handler]).await;
    }
    up.handler().await;
    up.read("health", "\"ok\"").await;
    up.place_an_order().await;
    up.orders().await;
}

#[tokio::test]
async fn up_as_a_customer_names_them_and_proposes_an_order_they_may_place() {
    let oid = "5b5450db-eb26-4c1a-981c-ba1d25f0483d";
    let mut up = Up::start(&["--as", &format!("customer:{oid}")]).await;
    let signed_in = up.said.lines().find(|line| line.contains("Signed in"));
    assert!(
        signed_in.is_some_and(|line| line.contains("customer") && line.contains(oid)),
        "{}",
        up.said
    );
    up.place_an_order().await;
    up.signal(Signal::SIGINT);
    let status = timeout(SOON, up.process.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn up_as_somebody_who_cannot_be_names_the_option_and_the_word_at_fault() {
    let output = devstack(&["up", "--as", "boss"]).output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("--as") && said.contains("'boss' is no role"),
        "{said}"
    );
}

#[tokio::test]
async fn up_with_an_unknown_read_model_names_the_option_and_its_values() {
    let output = devstack(&["up", "--read-model", "files"]).output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for word in ["--read-model", "files", "cosmos", "postgres"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[tokio::test]
async fn what_up_keeps_is_there_again_even_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let keep = ["--keep", folder.path().to_str().unwrap()];
    let mut up = Up::start(&keep).await;
    up.place_an_order().await;
    let orders = up.orders().await;
    let stock = up.read("products/MUG-BLUE", "\"available\":98").await;
    let verified = up.operate(&["verify"]).await;
    assert!(verified.status.success(), "{verified:?}");
    let descendants = up.descendants().await;
    up.signal(Signal::SIGKILL);
    timeout(SOON, up.process.wait()).await.unwrap().unwrap();
    gone(&descendants).await;
    let again = Up::start(&keep).await;
    assert_eq!(again.orders().await, orders);
    // It was filled once: neither restocked nor the same customers again.
    assert_eq!(again.read("products/MUG-BLUE", "available").await, stock);
    let verified = again.operate(&["verify"]).await;
    let said = String::from_utf8(verified.stdout).unwrap();
    // An order, two customers, three products.
    assert!(
        verified.status.success() && said.contains(" 6 aggregates"),
        "{said}"
    );
    let port = again.address("API").rsplit(':').next().unwrap().to_owned();
    let refused = devstack(&["up", "--stack", &port]).output().await.unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains(&format!("named {port} runs already")) && said.lines().count() == 1,
        "{said}"
    );
}

#[tokio::test]
async fn a_killed_up_takes_everything_with_it() {
    let mut up = Up::start(&[]).await;
    let descendants = up.descendants().await;
    up.signal(Signal::SIGKILL);
    timeout(SOON, up.process.wait()).await.unwrap().unwrap();
    gone(&descendants).await;
}

#[tokio::test]
async fn a_taken_port_is_one_line_with_the_option_to_choose_another() {
    for option in ["--port", "--postgres-port", "--servicebus-port", "--cosmos-port"] {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let mut arguments = vec!["up"];
        for other in ["--port", "--postgres-port", "--servicebus-port", "--cosmos-port"] {
            arguments.extend([other, if other == option { port.as_str() } else { "0" }]);
        }
        let output = timeout(LIMIT, devstack(&arguments).output())
            .await
            .unwrap()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(
            said.contains(&port) && said.contains(option) && said.lines().count() == 1,
            "{said}"
        );
    }
}

#[tokio::test]
async fn the_demo_shows_every_hop_and_the_document() {
    let output = timeout(LIMIT, devstack(&["demo"]).output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for hop in [
        "command answered",
        "event stored",
        "message on the topic",
        "projected",
        "visible by GET",
    ] {
        assert_eq!(said.matches(hop).count(), 3, "{hop}: {said}");
    }
    assert!(said.contains("\"status\": \"shipped\""), "{said}");
}

#[tokio::test]
async fn a_demo_whose_messages_are_missing_names_the_late_hop() {
    // Nobody receives them.
    let mut command = devstack(&["demo"]);
    command.env("AzureWebJobs.ProjectEvent.Disabled", "true");
    let output = timeout(LIMIT, command.output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("late hop: projected") && said.contains("nothing"),
        "{said}"
    );
}
