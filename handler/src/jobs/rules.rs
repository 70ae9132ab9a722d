//! Rules of requests that their schemas do not say, and the rate of one that says none.
//! Never stops at the first that is broken.

use std::num::NonZeroU32;

use super::engine::Violation;
use crate::{
    domain::value::{MAX_NAME, is_words},
    log::EventSelection,
};

/// Most aggregates, types or messages that can be named at once.
const MOST_NAMED: usize = 100;

/// Events or documents a second where the request does not say: what a small account and a careful consumer can take.
pub(super) fn default_rate() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(199)
}

/// Tests that texts could be names.
pub(super) fn names(pointer: &'static str, texts: &[String]) -> Option<Violation> {
    let broken = texts.len() > MOST_NAMED || !texts.iter().all(|text| is_words(text, MAX_NAME));
    broken.then_some(Violation {
        pointer,
        rule: "at most 100 are named, each with 1 to 200 characters and no control characters",
    })
}

/// Tests that everything is meant only where that is said: nothing said does not mean everything.
pub(super) fn deliberate(pointer: &'static str, all: bool, says_which: bool) -> Vec<Violation> {
    let rule = match (all, says_which) {
        (true, true) => "`all` cannot be said together with which are meant",
        (false, false) => "say which are meant, or `\"all\": true`",
        _ => return Vec::new(),
    };
    vec![Violation { pointer, rule }]
}

/// Finds the rules that a selection of events breaks.
pub(super) fn of_events(events: &EventSelection) -> Vec<Violation> {
    let mut violations = deliberate("/events", events.all, events.says_which());
    violations.extend(names("/events/subjects", &events.subjects));
    violations.extend(names("/events/types", &events.types));
    violations
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::super::{
        Deletion, Replay, Reprojection, Resources, Resubmission,
        engine::{Job, Violation},
    };

    fn violations<J: Job<Resources> + DeserializeOwned>(request: Value) -> Option<Vec<Violation>> {
        serde_json::from_value::<J>(request)
            .ok()
            .map(|job| job.validate())
    }

    #[test]
    fn nothing_said_is_never_everything_and_everything_is_nothing_else() {
        type Check = fn(Value) -> Option<Vec<Violation>>;
        let kinds: [(Check, &str, &str); 4] = [
            (violations::<Replay>, "events", "subjects"),
            (violations::<Reprojection>, "events", "types"),
            (violations::<Resubmission>, "letters", "messageIds"),
            (violations::<Deletion>, "letters", "messageIds"),
        ];
        for (at, (check, key, list)) in kinds.into_iter().enumerate() {
            let is_taken = |selection: Value| {
                let mut request = json!({ key: selection });
                if at != 1 {
                    request["subscription"] = json!("mail");
                }
                if at == 3 {
                    request["because"] = json!("a test");
                }
                check(request).is_some_and(|violations| violations.is_empty())
            };
            for refused in [
                json!({}),
                json!({ "all": false }),
                json!({ "before": null }),
                json!({ list: [] }),
                json!({ list: null }),
                json!({ "all": true, list: [] }),
                json!({ "all": true, list: ["x"] }),
                json!({ "all": true, "before": "2026-11-24T10:00:00Z" }),
                json!({ list: [], "before": "2026-11-24T10:00:00Z" }),
            ] {
                assert!(!is_taken(refused.clone()), "{at} {refused}");
            }
            for taken in [json!({ "all": true }), json!({ list: ["x"] })] {
                assert!(is_taken(taken.clone()), "{at} {taken}");
            }
        }
        let limited = json!({ "subscription": "mail", "letters": { "limit": 3 } });
        assert_eq!(violations::<Resubmission>(limited).unwrap().len(), 1);
    }

    #[test]
    fn all_broken_rules_are_found_at_once() {
        let request = json!({ "subscription": "mail", "letters": { "all": true, "subject": "\u{7}" }, "because": "a test" });
        let pointers: Vec<&str> = violations::<Deletion>(request)
            .unwrap()
            .iter()
            .map(|it| it.pointer)
            .collect();
        assert_eq!(pointers, ["/letters", "/letters/subject"]);
    }
}
