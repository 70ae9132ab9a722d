//! The `servicebus` command as its user meets it: where it listens, what it prints, and what it says of clients it refuses.
//! Never uses a fixed port, and leaves nothing running.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

use crate::client::within;

/// The command in a folder that is not the repository's.
fn servicebus(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_devstack"));
    command
        .arg("servicebus")
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Starts it, and gives its connection string and what it writes to standard error.
async fn start(arguments: &[&str]) -> (Child, String, Lines<BufReader<ChildStderr>>) {
    let mut process = servicebus(arguments).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = within(lines.next_line())
        .await
        .unwrap()
        .expect("a connection string");
    let errors = BufReader::new(process.stderr.take().unwrap()).lines();
    (process, line, errors)
}

fn endpoint(connection_string: &str) -> String {
    let rest = connection_string
        .strip_prefix("Endpoint=sb://")
        .expect("an endpoint");
    rest.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn it_starts_anywhere_and_by_name_and_prints_an_address_that_leads_to_it() {
    for (listen, prefix) in [
        ("127.0.0.1:0", "127.0.0.1:"),
        ("localhost:0", ""),
        ("0.0.0.0:0", ""),
    ] {
        let (_process, line, _) = start(&["--listen", listen]).await;
        let address = endpoint(&line);
        assert!(
            address.starts_with(prefix) && !address.starts_with("0.0.0.0"),
            "{line}"
        );
        let mut stream = within(TcpStream::connect(&address)).await.expect(&address);
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.contains("Service Bus emulator"), "{answer}");
    }
}

#[tokio::test]
async fn a_refused_client_is_logged_with_the_reason_and_cannot_forge_lines() {
    let (_process, line, mut errors) = start(&["--listen", "127.0.0.1:0"]).await;
    let address = endpoint(&line);
    let plain = |key: &str| {
        let response = [b"\0RootManageSharedAccessKey\0", key.as_bytes()].concat();
        let init = [
            &[0x00, 0x53, 0x41, 0xc0, 0][..],
            &[2, 0xa3, 5],
            b"PLAIN",
            &[0xa0],
            &[response.len() as u8],
            &response,
        ];
        let mut init = init.concat();
        init[4] = (init.len() - 5) as u8;
        let size = u32::try_from(init.len() + 8).unwrap().to_be_bytes();
        [b"AMQP\x03\x01\x00\x00", &size[..], &[2, 1, 0, 0], &init].concat()
    };
    let cases: [(Vec<u8>, &str); 4] = [
        (b"GET /\r\n\r\n".to_vec(), "HTTP"),
        (vec![0x16, 0x03, 0x01, 0, 1, 0, 0, 0], "TLS"),
        (b"\x1b[31m\n\nX".to_vec(), "unknown protocol"),
        (plain("another key"), "PLAIN"),
    ];
    for (bytes, reason) in cases {
        let mut stream = within(TcpStream::connect(&address)).await.unwrap();
        let local = stream.local_addr().unwrap().to_string();
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let line = within(errors.next_line()).await.unwrap().expect("a line");
        assert!(line.contains("a connection is refused"), "{line}");
        assert!(line.contains(reason) && line.contains(&local), "{line}");
        assert!(!line.contains("another key"), "{line}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("odd.json");
    std::fs::write(&odd, r#"{"UserConfig":{"Namespaces":3}}"#).unwrap();
    let absent = folder.path().join("absent.json");
    let red = folder.path().join("red.json");
    let queue = r#"{"Name":"q\u001b[31m\nq","Properties":{"RequiresSession":true}}"#;
    let namespaces = format!(r#"{{"UserConfig":{{"Namespaces":[{{"Name":"n","Queues":[{queue}]}}]}}}}"#);
    std::fs::write(&red, namespaces).unwrap();
    for (path, said) in [
        (&odd, "invalid type"),
        (&absent, "No such file"),
        (&red, r"q\u001b[31m\nq: RequiresSession"),
    ] {
        let mut command = servicebus(&["--listen", "127.0.0.1:0", "--config", path.to_str().unwrap()]);
        let output = within(command.output()).await.unwrap();
        assert!(!output.status.success());
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (text.lines().count(), text.matches(said).count()),
            (1, 1),
            "{text}"
        );
    }
    // A bad address as well.
    let output = within(servicebus(&["--listen", "no.such.host.invalid:0"]).output())
        .await
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.starts_with("cannot listen on no.such.host.invalid:0: ") && text.lines().count() == 1,
        "{text}"
    );
}

#[tokio::test]
async fn a_property_that_is_unknown_is_named_and_the_bus_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Config.json");
    let text = r#"{"UserConfig":{"Namespaces":[{"Name":"n","Queues":[{"Name":"q","Properties":{"MaxSize\u001b[31m":1}}]}]}}"#;
    std::fs::write(&path, text).unwrap();
    let (_process, _, mut errors) =
        start(&["--listen", "127.0.0.1:0", "--config", path.to_str().unwrap()]).await;
    let line = within(errors.next_line()).await.unwrap().expect("a line");
    assert!(
        line.contains("UserConfig.Namespaces.0.Queues.0.Properties.MaxSize"),
        "{line}"
    );
    assert!(!line.contains('\u{1b}'), "{line}");
}
