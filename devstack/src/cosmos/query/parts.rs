//! Plans and answers, in parts, a query that makes one value of many items. A client that asks for the plan puts the parts
//! of the partitions together itself (<https://learn.microsoft.com/azure/cosmos-db/nosql/query/group-by>).
//! It never computes anything: the service in memory answers a flat query, whose rows are put into the form of the parts.

use serde_json::{Map, Value, json};

use super::checks::AGGREGATES;
use super::clauses::{Clauses, close, list, path, selected};
use super::rewrite::has_name;
use super::tokens::{Token, join};

/// The mark on the query of a plan, by which it is known when it comes back; elsewhere it is a comment.
const MARK: &str = "/*parts*/ ";

/// Such a query, taken apart.
#[derive(Debug)]
pub(crate) struct AggregateParts {
    value: bool,
    items: Vec<SelectedItem>,
    groups: Vec<String>,
    /// `FROM` and `WHERE`.
    source: String,
}

#[derive(Debug)]
struct SelectedItem {
    name: String,
    /// Either an aggregate and what it is of, or one of the groups.
    aggregate: Option<(&'static str, String)>,
    text: String,
}

/// True when the query is one that a plan of ours told the client to send.
pub(super) fn is_marked(query: &str) -> bool {
    query.starts_with(MARK)
}

/// The parts, if they are aggregates and groups alone.
pub(super) fn read(tokens: &[Token], clauses: &Clauses) -> Option<AggregateParts> {
    let (value, select) = selected(tokens, clauses);
    let begins = clauses.select.start + usize::from(value);
    let ends = if clauses.group.is_empty() {
        clauses.filter.end.max(clauses.from.end)
    } else {
        clauses.group.end
    };
    if select.start != begins || ends != tokens.len() || (value && !clauses.group.is_empty()) {
        return None;
    }
    let text = |range: std::ops::Range<usize>| join(&tokens[range]).trim().to_owned();
    let groups = match clauses.group.is_empty() {
        true => Vec::new(),
        false => list(tokens, clauses.group.clone())
            .into_iter()
            .map(text)
            .collect::<Vec<_>>(),
    };
    let mut unnamed = 0;
    let mut items = Vec::new();
    for range in list(tokens, select) {
        let item = item(&tokens[range], &mut unnamed)?;
        if item.aggregate.is_none() && !groups.contains(&item.text) {
            return None;
        }
        items.push(item);
    }
    let source = clauses.from.start - 1..clauses.filter.end.max(clauses.from.end);
    Some(AggregateParts {
        value,
        items,
        groups,
        source: text(source),
    })
}

fn item(shown: &[Token], unnamed: &mut usize) -> Option<SelectedItem> {
    let (expression, name) = match shown {
        [expression @ .., before, name] if before.is_word("AS") => (expression, Some(name.text.clone())),
        [expression @ .., name] if has_name(shown) => (expression, Some(name.text.clone())),
        expression => (expression, path(expression).and_then(|mut path| path.pop())),
    };
    let name = name.unwrap_or_else(|| {
        *unnamed += 1;
        format!("${unnamed}")
    });
    let first = expression.first()?;
    let known = AGGREGATES.iter().find(|known| first.is_word(known));
    let called =
        expression.get(1).is_some_and(|next| next.is_sign("(")) && close(expression, 1) == expression.len();
    let aggregate = known.filter(|_| called);
    let aggregate = aggregate.map(|known| (*known, join(&expression[2..expression.len() - 1])));
    let text = join(expression).trim().to_owned();
    Some(SelectedItem {
        name,
        aggregate,
        text,
    })
}

impl AggregateParts {
    /// The plan of the query: what the client sends to each partition and how it puts the parts together.
    pub(super) fn plan(&self, query: &str) -> Value {
        let kind = |item: &SelectedItem| item.aggregate.as_ref().map(|(name, _)| name_of(name));
        let kinds: Map<String, Value> = self
            .items
            .iter()
            .map(|item| (item.name.clone(), json!(kind(item))))
            .collect();
        let names: Vec<&String> = self.items.iter().map(|item| &item.name).collect();
        let values: Vec<_> = self.items.iter().map(kind).collect();
        json!({
            "distinctType": "None", "top": null, "offset": null, "limit": null, "orderBy": [], "orderByExpressions": [],
            "groupByExpressions": self.groups,
            "groupByAliases": if self.value { json!([]) } else { json!(names) },
            "aggregates": if self.value { json!(values) } else { json!([]) },
            "groupByAliasToAggregateType": if self.value { json!({}) } else { Value::Object(kinds) },
            "rewrittenQuery": format!("{MARK}{query}"),
            "hasSelectValue": self.value, "dCountInfo": null, "hasNonStreamingOrderBy": false
        })
    }

    /// A query without any aggregate over the same items, for the ranges that its plan names.
    pub(super) fn items_query(&self) -> String {
        format!("SELECT * {}", self.source)
    }

    /// The query whose rows hold everything that the parts are made of.
    pub(super) fn flat_query(&self) -> String {
        let mut columns: Vec<String> = Vec::new();
        for (at, group) in self.groups.iter().enumerate() {
            columns.push(format!("{group} AS g{at}"));
        }
        for (at, item) in self.items.iter().enumerate() {
            match &item.aggregate {
                Some(("AVG", of)) => columns.push(format!("SUM({of}) AS v{at}, COUNT({of}) AS n{at}")),
                Some((name @ ("MIN" | "MAX"), of)) => {
                    columns.push(format!("{name}({of}) AS v{at}, COUNT({of}) AS n{at}"));
                }
                _ => columns.push(format!("{} AS v{at}", item.text)),
            }
        }
        let grouped = if self.groups.is_empty() {
            String::new()
        } else {
            format!(" GROUP BY {}", self.groups.join(", "))
        };
        format!("SELECT {} {}{grouped}", columns.join(", "), self.source)
    }

    /// One row of that query as a part.
    pub(crate) fn part(&self, row: &Value) -> Value {
        let item = |value: Option<&Value>| value.map_or_else(|| json!({}), |value| json!({ "item": value }));
        let mut payload = Map::new();
        for (at, each) in self.items.iter().enumerate() {
            let value = row.get(format!("v{at}"));
            let part = match &each.aggregate {
                // Where there is nothing the count says so, and a sum is 0: clients take what is not there for a fault.
                Some((name @ ("AVG" | "MIN" | "MAX"), _)) => {
                    let mut counted = json!({ "count": row[format!("n{at}")] });
                    let key = match *name {
                        "AVG" => "sum",
                        "MIN" => "min",
                        _ => "max",
                    };
                    let nothing = (key == "sum").then_some(json!(0));
                    if let Some(value) = value.cloned().or(nothing) {
                        counted[key] = value;
                    }
                    item(Some(&counted))
                }
                Some(_) => item(Some(value.unwrap_or(&json!(0)))),
                None => match value {
                    Some(value) => value.clone(),
                    None => continue,
                },
            };
            payload.insert(each.name.clone(), part);
        }
        if self.value {
            return payload.into_iter().map(|(_, part)| part).collect();
        }
        if self.groups.is_empty() {
            return json!({ "payload": payload });
        }
        let groups: Vec<Value> = (0..self.groups.len())
            .map(|at| item(row.get(format!("g{at}"))))
            .collect();
        json!({ "groupByItems": groups, "payload": payload })
    }
}

fn name_of(aggregate: &str) -> &'static str {
    match aggregate {
        "COUNT" => "Count",
        "SUM" => "Sum",
        "AVG" => "Average",
        "MIN" => "Min",
        _ => "Max",
    }
}

#[cfg(test)]
mod tests {
    use super::super::clauses::find;
    use super::super::tokens::cut;
    use super::*;

    fn of(query: &str) -> Option<AggregateParts> {
        let tokens = cut(query).unwrap();
        read(&tokens, &find(&tokens).unwrap())
    }

    #[test]
    fn aggregates_and_groups_are_taken_apart() {
        let parts =
            of("SELECT c.city, AVG(c.n) AS a, COUNT(1) FROM c WHERE c.n > 1 GROUP BY c.city").unwrap();
        assert_eq!(
            parts.flat_query(),
            "SELECT c.city AS g0, c.city AS v0, SUM(c.n) AS v1, COUNT(c.n) AS n1, COUNT(1) AS v2 FROM c WHERE c.n > 1 \
             GROUP BY c.city"
        );
        let part = parts.part(&json!({"g0": "Brno", "v0": "Brno", "v1": 6, "n1": 3, "v2": 4}));
        let payload = json!({"city": "Brno", "a": {"item": {"sum": 6, "count": 3}}, "$1": {"item": 4}});
        assert_eq!(
            part,
            json!({"groupByItems": [{"item": "Brno"}], "payload": payload})
        );
        let plan = parts.plan("q");
        assert_eq!(
            plan["groupByAliasToAggregateType"],
            json!({"city": null, "a": "Average", "$1": "Count"})
        );
        assert!(is_marked(plan["rewrittenQuery"].as_str().unwrap()));
    }

    #[test]
    fn one_value_is_a_list_of_one_part_and_nothing_is_counted() {
        let parts = of("SELECT VALUE MAX(c.n) FROM c").unwrap();
        let part = |row: Value| parts.part(&row);
        assert_eq!(
            part(json!({"v0": 3, "n0": 1})),
            json!([{"item": {"max": 3, "count": 1}}])
        );
        assert_eq!(part(json!({"n0": 0})), json!([{"item": {"count": 0}}]));
        assert_eq!(parts.plan("q")["aggregates"], json!(["Max"]));
        let sum = of("SELECT VALUE SUM(c.n) FROM c").unwrap();
        assert_eq!(sum.part(&json!({})), json!([{"item": 0}]));
        let average = of("SELECT VALUE AVG(c.n) FROM c").unwrap();
        let nothing = average.part(&json!({"n0": 0}));
        assert_eq!(nothing, json!([{"item": {"count": 0, "sum": 0}}]));
    }

    #[test]
    fn what_is_more_than_aggregates_and_groups_is_not_taken_apart() {
        for query in [
            "SELECT VALUE COUNT(1) + 1 FROM c",
            "SELECT TOP 1 COUNT(1) AS n FROM c",
            "SELECT c.id, COUNT(1) AS n FROM c GROUP BY c.city",
            "SELECT VALUE COUNT(1) FROM c GROUP BY c.city",
            "SELECT VALUE COUNT(1) FROM c OFFSET 0 LIMIT 1",
        ] {
            assert!(of(query).is_none(), "{query}");
        }
    }
}
