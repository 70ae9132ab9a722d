//! The `$management` operation that lists a subscription's rules.
//! Never adds or removes one: rules come from the configuration.

use serde_json::Value as Json;

use super::super::amqp::{Value, code};
use super::super::broker::QueueId;
use super::super::rule::{Correlation, Filter, Rule};
use super::answer::{Answer, bad, unsupported};
use super::context::ConnectionContext;
use super::request::Request;

/// One page of rules, each as a composite under `rule-description`; 204 when the page is empty.
pub(super) fn enumerate(request: &Request, id: QueueId, context: &ConnectionContext) -> Answer {
    let number = |name| request.body.get(name).and_then(Value::small);
    let (Some(top), Some(skip)) = (number("top"), number("skip")) else {
        return bad("top or skip is missing");
    };
    let broker = context.shared.broker();
    let Some(rules) = broker.rules(id) else {
        return unsupported("Only a subscription has rules.");
    };
    let page = rules.iter().skip(skip as usize).take(top as usize);
    let list: Vec<_> = page
        .map(|rule| Value::Map(vec![(Value::string("rule-description"), description(rule))]))
        .collect();
    if list.is_empty() {
        return (204, "No rules.", None, Value::Null);
    }
    let body = Value::Map(vec![(Value::string("rules"), Value::List(list))]);
    (200, "OK", None, body)
}

/// Filter, action, name.
fn description(rule: &Rule) -> Value {
    let filter = match &rule.filter {
        Filter::True => Value::composite(code::TRUE_FILTER, Vec::new()),
        Filter::Correlation(correlation) => Value::composite(code::CORRELATION_FILTER, fields(correlation)),
    };
    let action = Value::composite(code::EMPTY_RULE_ACTION, Vec::new());
    Value::composite(
        code::RULE_DESCRIPTION,
        vec![filter, action, Value::string(&rule.name)],
    )
}

fn fields(correlation: &Correlation) -> Vec<Value> {
    let text = |value: &Option<String>| value.as_ref().map_or(Value::Null, Value::string);
    let pair = |(name, wanted): (&String, &Json)| (Value::string(name), wire(wanted));
    let mut fields: Vec<_> = correlation.system.iter().map(text).collect();
    fields.push(Value::Map(correlation.properties.iter().map(pair).collect()));
    fields
}

/// A filter's value: a text, a number or a Boolean.
fn wire(wanted: &Json) -> Value {
    match wanted {
        Json::String(text) => Value::string(text),
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => number
            .as_i64()
            .map_or_else(|| number.as_f64().map_or(Value::Null, Value::double), Value::Long),
        _ => Value::Null,
    }
}
