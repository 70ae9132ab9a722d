//! Dead letters of which a part cannot be read, and dead letters that are large.
//! Never are the others worse off for them.

use serde_json::{Value, json};

use super::{Bench, DONE, FAILED, done, event, of, orders, text};

/// A text as AMQP 1.0 encodes it.
fn string(text: &str) -> Vec<u8> {
    [&[0xa1, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// A described list or map, under one of the descriptors of AMQP 1.0 §3.2.
fn section(descriptor: u8, kind: u8, items: &[Vec<u8>]) -> Vec<u8> {
    let count = u8::try_from(items.len()).unwrap();
    let items = items.concat();
    let size = u8::try_from(items.len() + 1).unwrap();
    [&[0x00, 0x53, descriptor, kind, size, count][..], &items].concat()
}

/// A message with this id whose properties or application properties hold what no library of ours takes.
fn message(id: &str, subject: Vec<u8>, key: Vec<u8>) -> Vec<u8> {
    let null = || vec![0x40];
    let properties = section(0x73, 0xc0, &[string(id), null(), null(), subject]);
    let marks = [string("replay"), string("none"), key, string("x")];
    let body = [&[0x00, 0x53, 0x75, 0xa0, 2][..], b"hi"].concat();
    [properties, section(0x74, 0xc1, &marks), body].concat()
}

#[tokio::test]
async fn an_unreadable_dead_letter_is_named_and_counted_and_the_others_handled() {
    let mut bench = Bench::start().await;
    let all = orders(3);
    bench.bury(&all[..2], &["read-model"], "Broken").await;
    let (number, named) = (vec![0x54, 7], string("tenant"));
    // A key that is a number, and a subject that is one.
    let unreadable = [
        message("odd-key", string("s"), number.clone()),
        message("odd-subject", number, named),
    ];
    bench.topic.send_encoded(unreadable).await;
    bench.topic.bury("read-model", 2, "Odd").await;
    bench.bury(&all[2..], &["read-model"], "Broken").await;
    let listed = bench.run(&["list", "--json"]).await;
    assert_eq!((listed.code, listed.json().len()), (DONE, 5), "{listed:?}");
    let odd = &listed.json()[2..4];
    let said: Vec<&Value> = odd.iter().map(|letter| &letter["unreadable"]).collect();
    for (said, part) in said.iter().zip(["applicationProperties", "properties"]) {
        assert!(
            text(said).starts_with(&format!("its {part} cannot be read: ")),
            "{said}"
        );
    }
    assert_eq!(
        (&odd[0]["messageId"], &odd[1]["reason"]),
        (&json!("odd-key"), &json!("Odd"))
    );
    assert!(
        odd.iter().all(|letter| letter["sequence"].as_i64() > Some(0)),
        "{odd:?}"
    );
    let shown = bench.run(&["show", "odd-key"]).await;
    assert!(
        shown.out.contains("\"7\":\"x\"") && shown.out.ends_with("\nhi\n"),
        "{shown:?}"
    );
    let resubmitted = bench.run(&["resubmit", "--all", "--json", "--yes"]).await;
    assert_eq!(resubmitted.code, FAILED, "{resubmitted:?}");
    let result = &resubmitted.json()[0];
    assert_eq!(
        (&result["done"], &result["kept"]),
        (&json!(3), &json!(2)),
        "{result}"
    );
    assert!(
        text(&result["keptLetters"][1]["why"]).starts_with("its "),
        "{result}"
    );
    let heard = bench.topic.hear("read-model", 3).await;
    assert_eq!(
        of(heard.into_iter().map(|heard| text(&heard.json()["subject"]))),
        of(all)
    );
    let only = ["delete", "--reason", "Odd", "--because", "a test", "--yes"];
    let kept = bench.run(&only).await;
    assert_eq!((kept.code, kept.out.lines().count()), (FAILED, 3), "{kept:?}");
    assert!(kept.out.ends_with("deleted 0 of 2\n"), "{kept:?}");
    assert!(kept.out.contains("kept: its "), "{kept:?}");
}

#[tokio::test]
async fn many_and_large_dead_letters_are_listed_and_removed_page_by_page() {
    let mut bench = Bench::start().await;
    let body = |bytes: usize| {
        let mut event = event(super::ID);
        event["data"]["event"] = json!("x".repeat(bytes));
        event.to_string().into_bytes()
    };
    // Together more than an answer holds; alone, at the limit of what can be sent.
    let sizes = [vec![6_000; 60], vec![150_000; 3], vec![255_000, 261_000]].concat();
    let messages = (0..)
        .zip(&sizes)
        .map(|(number, bytes)| (format!("m-{number}"), body(*bytes)));
    bench.topic.send_all(messages).await;
    bench
        .topic
        .bury("read-model", sizes.len(), &"r".repeat(4_000))
        .await;
    assert_eq!(bench.dead("read-model").await.len(), sizes.len());
    let last = format!("m-{}", sizes.len() - 1);
    assert_eq!(bench.run(&["show", &last]).await.code, DONE);
    let some = [
        "resubmit",
        "--json",
        "--yes",
        "--message-id",
        "m-3",
        "--message-id",
        "m-61",
    ];
    let resubmitted = bench.run(&some).await;
    assert_eq!(
        (resubmitted.code, done(&resubmitted).len()),
        (DONE, 2),
        "{resubmitted:?}"
    );
    let deleted = bench
        .run(&["delete", "--all", "--because", "a test", "--json", "--yes"])
        .await;
    assert_eq!(
        (deleted.code, done(&deleted).len()),
        (DONE, sizes.len() - 2),
        "{}",
        deleted.err
    );
}

#[tokio::test]
async fn what_others_have_written_does_nothing_to_a_terminal_and_begins_no_line() {
    let mut bench = Bench::start().await;
    let (id, reason) = ("m\u{1b}[2J\u{202e}", "Broken\u{9b}31m\nm-2  forged");
    bench.topic.send(id, "body \u{1b}[31m\u{2066}\nsecond line").await;
    bench.topic.bury("read-model", 1, reason).await;
    let delete = ["delete", "--all", "--because", "a test", "--yes"];
    let kinds: [&[&str]; 5] = [
        &["list"],
        &["list", "--json"],
        &["show", id],
        &["show", id, "--json"],
        &delete,
    ];
    for arguments in kinds {
        let said = bench.run(arguments).await;
        assert_eq!(said.code, DONE, "{said:?}");
        for text in [&said.out, &said.err] {
            let obeyed =
                |letter: char| letter != '\n' && (letter.is_control() || "\u{202e}\u{2066}".contains(letter));
            assert!(!text.contains(obeyed), "{arguments:?}: {text:?}");
            assert!(!text.lines().any(|line| line.starts_with("m-2")), "{text}");
        }
        if arguments.contains(&"--json") {
            assert_eq!(
                (&said.json()[0]["messageId"], &said.json()[0]["reason"]),
                (&json!(id), &json!(reason))
            );
        }
        if arguments[0] == "delete" {
            for section in [
                "applicationProperties",
                "messageAnnotations",
                "x-opt-sequence-number",
                "replay",
            ] {
                assert!(said.err.contains(section), "{said:?}");
            }
            let deletions = said
                .err
                .lines()
                .filter(|line| line.contains("deleting_dead_letter"));
            assert_eq!(deletions.count(), 1, "{said:?}");
        }
    }
}
