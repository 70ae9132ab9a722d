//! Nothing that is sent ends the process: neither what is nested without end, nor what is large, nor many of them at once.
//! Never takes an answer for a proof: the process is asked whether it is the same.

use std::fs;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use devstack::app_folder::workspace_root;
use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Barrier,
    time::timeout,
};

use crate::support::{App, DEADLINE, Database, NO_DOCUMENTS, next_answer};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
/// An instance of the plan may have 512 MB, of which the host takes half.
const MOST_RESIDENT_KB: u64 = 256 * 1024;
const LARGE: usize = 100 * 1024 * 1024;

/// A handler that has all that a trigger may ask for; nobody is there.
async fn start() -> App {
    let database = Database::create().await;
    let mut settings = database.settings(Database::server_address());
    settings.extend(NO_DOCUMENTS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    App::start_with(database, settings).await
}

/// Arrays in arrays.
fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// Objects in objects.
fn nested_objects(depth: usize) -> String {
    format!("{}1{}", "{\"lines\":".repeat(depth), "}".repeat(depth))
}

/// Most memory that the process has had so far.
fn most_resident_kb(app: &App) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", app.process.id().unwrap())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// It goes on, and it is the same process: nobody would have started another.
async fn assert_alive(app: &mut App) {
    assert_eq!(app.process.try_wait().unwrap(), None, "it has ended");
    assert_eq!(app.get("/api/health/live").await.status, StatusCode::OK);
}

/// The functions that the host calls by itself.
fn triggers() -> Vec<String> {
    let folders = fs::read_dir(workspace_root().join("functions")).unwrap();
    let is_trigger = |folder: &fs::DirEntry| {
        let text = fs::read_to_string(folder.path().join("function.json")).unwrap();
        let definition: Value = serde_json::from_str(&text).unwrap();
        definition["bindings"][0]["type"] != "httpTrigger"
    };
    let folders = folders.map(Result::unwrap).filter(is_trigger);
    folders
        .map(|folder| folder.file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn json_nested_without_end_is_the_callers_fault_wherever_it_comes() {
    let mut app = start().await;
    let document = app.get("/api/openapi.json").await.body;
    let id = "0198c9c1-0000-7000-8000-000000000001";
    let mut bodies = 0;
    for (path, calls) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", id).replace("{sku}", "MUG");
        for (method, call) in calls.as_object().unwrap() {
            if call["requestBody"].is_null() {
                continue;
            }
            for body in [nested(100_000), nested_objects(100_000), "[".repeat(100_000)] {
                let answer = app.send(&method.to_uppercase(), &path, body, &JSON).await;
                let kind = &answer.body["type"];
                assert_eq!(kind, "urn:problem:orders:malformed-json", "{path}: {answer:?}");
                bodies += 1;
            }
        }
    }
    assert!(bodies > 60, "{bodies}");
    let order = format!("/api/orders/{id}");
    let token = URL_SAFE_NO_PAD.encode(nested(100_000));
    let refused = app
        .send("GET", &order, "", &[("consistency-token", &token)])
        .await;
    assert!(refused.status.is_client_error(), "{refused:?}");
    // As much of it as a URL may hold.
    let cursor = URL_SAFE_NO_PAD.encode(nested(20_000));
    for list in ["orders", "products", "jobs", "operations/dead-letters"] {
        let refused = app.get(&format!("/api/{list}?cursor={cursor}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{list}: {refused:?}");
    }
    let principal = STANDARD.encode(nested(100_000));
    app.as_principal(&principal).get(&order).await;
    assert_alive(&mut app).await;
}

#[tokio::test]
async fn a_trigger_is_answered_with_an_object_whatever_is_posted() {
    let mut app = start().await;
    let deep = nested(100_000);
    let messages = [
        json!(deep),
        json!(STANDARD.encode(&deep)),
        json!(nested_objects(100_000)),
        json!(null),
    ];
    let wrapped = messages.map(|message| json!({ "Data": { "message": message } }).to_string());
    let raw = ["", "null", "[]", "nonsense", "{}", &deep].map(str::to_owned);
    let large = format!("{{\"Data\":\"{}\"}}", "x".repeat(3 * 1024 * 1024));
    for function in triggers() {
        for body in raw.iter().chain(&wrapped).chain([&large]) {
            for method in ["POST", "PUT"] {
                let answer = app
                    .send(method, &format!("/{function}"), body.as_str(), &JSON)
                    .await;
                assert!(answer.body.is_object(), "{function} {body:.60}: {answer:?}");
                assert_ne!(answer.status, StatusCode::NO_CONTENT, "{function} {body:.60}");
                let is_message = function == "ProjectEvent";
                assert!(
                    !is_message || !answer.status.is_success(),
                    "{body:.60}: {answer:?}"
                );
            }
        }
    }
    assert_alive(&mut app).await;
}

/// Sends a body of a hundred megabytes, as far as the handler takes it; the first line of the answer, if one was seen.
async fn send_large(address: &str, path: &str, is_announced: bool) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = if is_announced {
        format!("content-length: {LARGE}")
    } else {
        "transfer-encoding: chunked".to_owned()
    };
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let block = vec![b' '; 64 * 1024];
    for _ in 0..LARGE / block.len() {
        let size = format!("{:x}\r\n", block.len());
        let written = if is_announced {
            stream.write_all(&block).await
        } else {
            stream
                .write_all(&[size.as_bytes(), &block, b"\r\n"].concat())
                .await
        };
        if written.is_err() {
            break;
        }
    }
    let mut seen = [0; 12];
    let read = timeout(DEADLINE, stream.read_exact(&mut seen)).await.unwrap();
    read.ok().map(|_| String::from_utf8_lossy(&seen).into_owned())
}

#[tokio::test]
async fn sixty_four_bodies_of_a_hundred_megabytes_leave_the_memory_small() {
    let mut app = start().await;
    for path in ["/api/orders", "/ProjectEvent"] {
        let sending = (0..64).map(|n| send_large(app.address(), path, n % 2 == 0));
        let answers = join_all(sending).await;
        // Who goes on sending may lose the answer with the connection.
        let seen: Vec<&String> = answers.iter().flatten().collect();
        assert!(
            seen.iter().all(|line| line.contains("413")),
            "{path}: {answers:?}"
        );
        assert!(seen.len() > 8, "{path}: {answers:?}");
        let resident = most_resident_kb(&app);
        println!("64 bodies of 100 MB at {path}: at most {resident} kB resident");
        assert!(resident < MOST_RESIDENT_KB, "{path}: {resident} kB");
    }
    assert_alive(&mut app).await;
}

/// Sends all of a body of 1 MiB but its last byte, waits for the others, and then the rest; the status.
async fn send_late(address: &str, all: &Barrier) -> String {
    const BYTES: usize = 1024 * 1024;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {BYTES}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; BYTES - 1]).await.unwrap();
    all.wait().await;
    stream.write_all(b"1").await.unwrap();
    next_answer(&mut stream).await[9..12].to_owned()
}

#[tokio::test]
async fn of_many_bodies_at_once_as_many_are_taken_as_there_is_room_for() {
    const SENDERS: usize = 300;
    let mut app = start().await;
    let all = Barrier::new(SENDERS);
    let statuses = join_all((0..SENDERS).map(|_| send_late(app.address(), &all))).await;
    let with = |status: &str| statuses.iter().filter(|it| *it == status).count();
    // What is read as a body is wrong; what is not may come again.
    assert_eq!(with("422") + with("503"), SENDERS, "{statuses:?}");
    assert!(with("422") > 16 && with("503") > 0, "{statuses:?}");
    let resident = most_resident_kb(&app);
    println!("{SENDERS} bodies of 1 MiB at once: at most {resident} kB resident");
    assert!(resident < MOST_RESIDENT_KB, "{resident} kB");
    // The room is free again.
    let body = " ".repeat(1024 * 1024);
    let answer = app.send("POST", "/api/orders", body, &JSON).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    assert_alive(&mut app).await;
}
