//! What a configuration may ask for: the rest is refused by the name of the property.
//! Never starts an emulator.

use devstack::servicebus::Entities;
use serde_json::{Value, json};

use crate::client::namespace;

/// Why entities are refused.
fn refusal(topics: Value, queues: Value) -> String {
    let namespace = json!({ "Name": "n", "Topics": topics, "Queues": queues });
    let config = json!({ "UserConfig": { "Namespaces": [namespace] } });
    Entities::from_json(&config.to_string()).unwrap_err().to_string()
}

fn queue(properties: Value) -> Value {
    json!([{ "Name": "q", "Properties": properties }])
}

fn ruled(rules: Value) -> Value {
    json!([{ "Name": "t", "Subscriptions": [{ "Name": "s", "Rules": rules }] }])
}

#[test]
fn sessions_and_forwarding_are_refused() {
    for (property, value) in [("RequiresSession", json!(true)), ("ForwardTo", json!("other"))] {
        let error = refusal(json!([]), queue(json!({ property: value })));
        assert_eq!(error, format!("q: {property} is not supported"));
    }
}

#[test]
fn a_window_is_5_seconds_to_7_days_long() {
    for window in ["PT5S", "PT20S", "P7D", "PT10M"] {
        let properties =
            json!({ "RequiresDuplicateDetection": true, "DuplicateDetectionHistoryTimeWindow": window });
        namespace(json!([]), queue(properties));
    }
    for window in ["PT4.9S", "P7DT1S", "PT0S", "ten minutes", ""] {
        let properties = json!({ "DuplicateDetectionHistoryTimeWindow": window });
        assert_eq!(
            refusal(json!([]), queue(properties)),
            "q: DuplicateDetectionHistoryTimeWindow has an unusable value"
        );
    }
}

#[test]
fn a_subscription_detects_no_duplicates() {
    let subscription = json!({ "Name": "s", "Properties": { "RequiresDuplicateDetection": true } });
    let error = refusal(
        json!([{ "Name": "t", "Subscriptions": [subscription] }]),
        json!([]),
    );
    assert_eq!(
        error,
        "t/Subscriptions/s: RequiresDuplicateDetection is not supported"
    );
}

#[test]
fn sql_filters_and_actions_are_refused() {
    let filter = json!({ "Properties": { "replay": "none" } });
    for (property, properties) in [
        (
            "SqlFilter",
            json!({ "FilterType": "Sql", "SqlFilter": { "SqlExpression": "1=1" } }),
        ),
        (
            "Action",
            json!({ "FilterType": "Correlation", "CorrelationFilter": filter, "Action": { "SqlExpression": "x" } }),
        ),
    ] {
        let error = refusal(
            ruled(json!([{ "Name": "r", "Properties": properties }])),
            json!([]),
        );
        assert_eq!(
            error,
            format!("t/Subscriptions/s/Rules/r: {property} is not supported")
        );
    }
}

#[test]
fn a_rule_selects_by_something_and_has_a_name_of_its_own() {
    let rule = |name: &str, filter: Value| json!({ "Name": name, "Properties": { "FilterType": "Correlation", "CorrelationFilter": filter } });
    let empty = refusal(ruled(json!([rule("r", json!({}))])), json!([]));
    assert_eq!(
        empty,
        "t/Subscriptions/s/Rules/r: CorrelationFilter has an unusable value"
    );
    let twice = json!([
        rule("r", json!({ "Label": "a" })),
        rule("R", json!({ "Label": "b" }))
    ]);
    assert_eq!(
        refusal(ruled(twice), json!([])),
        "t/Subscriptions/s/Rules/R: Name has an unusable value"
    );
    let unknown = refusal(ruled(json!([rule("r", json!({ "Subject": "a" }))])), json!([]));
    assert!(unknown.contains("Subject"), "{unknown}");
}

/// As Microsoft's emulator reads its own file.
#[test]
fn comments_a_bom_a_comma_too_many_and_unknown_properties_are_read_over() {
    let plain = r#"{"UserConfig":{"Namespaces":[{"Name":"n","Queues":[{"Name":"q","Properties":{"MaxDeliveryCount":3}}]}]}}"#;
    let expected = Entities::from_json(plain).expect("the configuration is valid");
    for text in [
        format!("\u{feff}{plain}"),
        format!("// the bus\n/* all\nof it */ {plain}"),
        plain.replace(":3}", ":3, // no more\n}"),
        plain.replace("}]}]}}", "},],},],},}"),
        plain.replace(
            r#""MaxDeliveryCount":3"#,
            r#""MaxDeliveryCount":3,"MaxSizeInMegabytes":1024"#,
        ),
        plain.replace(
            r#"{"UserConfig":{"#,
            r#"{"$schema":"x","UserConfig":{"Logging":{"Type":"File","Level":1},"#,
        ),
        plain.replace(r#"{"Name":"q","#, r#"{"Comment":"// not one","Name":"q","#),
    ] {
        let read = Entities::from_json(&text);
        assert_eq!(read.expect(&text), expected);
    }
    for broken in [
        "",
        "{",
        "not JSON",
        r#"{"UserConfig":{}}"#,
        r#"{"UserConfig":{"Namespaces":3}}"#,
        "{'UserConfig':{}}",
    ] {
        let error = Entities::from_json(broken).expect_err(broken).to_string();
        assert!(
            error.starts_with("not a Service Bus emulator configuration: "),
            "{error}"
        );
    }
}

#[test]
fn a_rule_may_ask_for_numbers_and_flags_and_for_nothing_else_but_text() {
    let rule = |value: Value| {
        let filter = json!({ "Properties": { "n": value } });
        ruled(
            json!([{ "Name": "r", "Properties": { "FilterType": "Correlation", "CorrelationFilter": filter } }]),
        )
    };
    for value in [json!(5), json!(5.5), json!(true), json!("five")] {
        namespace(rule(value), json!([]));
    }
    for value in [json!(null), json!([5]), json!({ "five": 5 })] {
        assert_eq!(
            refusal(rule(value), json!([])),
            "t/Subscriptions/s/Rules/r: CorrelationFilter has an unusable value"
        );
    }
}
