//! The order's rules as sentences, and the properties that hold for every order.
//! Never touches a database.

use proptest::prelude::*;

use super::*;
use crate::domain::{
    command::Command,
    product::Product,
    rejection::{MissingProduct, StockShortage},
    testing::{Scenario, ada, given, id, minute, money, price, quantity, text},
    value::MAX_AMOUNT,
};

const ORDER: u128 = 7;

fn entry(sku: &str, amount: i64, currency: &str, available: i64) -> CatalogueEntry {
    let product = Product {
        sku: text(sku),
        version: 1,
        name: text(sku),
        price: price(amount, currency),
    };
    let product = product.into();
    CatalogueEntry { product, available }
}

fn mug() -> CatalogueEntry {
    entry("MUG", 500, "EUR", 10)
}

fn order(command: OrderCommand) -> Command {
    Command::Order(id(ORDER), command)
}

fn wanted(lines: &[(&str, i64)]) -> Vec<(Sku, Quantity)> {
    lines.iter().map(|(sku, n)| (text(sku), quantity(*n))).collect()
}

fn place(lines: &[(&str, i64)]) -> Command {
    order(OrderCommand::Place {
        customer: id(1),
        lines: wanted(lines),
        expected_total: None,
    })
}

fn change(lines: &[(&str, i64)]) -> Command {
    order(OrderCommand::ChangeLines {
        lines: wanted(lines),
        expected_total: None,
    })
}

fn pay(amount: Money) -> Command {
    order(OrderCommand::Pay { amount })
}

fn ship() -> Command {
    order(OrderCommand::Ship { shipment: parcel() })
}

fn deliver() -> Command {
    order(OrderCommand::Deliver)
}

fn cancel() -> Command {
    let reason = text("changed my mind");
    order(OrderCommand::Cancel { reason })
}

fn parcel() -> Shipment {
    Shipment {
        carrier: text("Post"),
        tracking_number: text("1Z"),
    }
}

fn line(sku: &str, pieces: i64, amount: i64) -> OrderLine {
    OrderLine {
        sku: text(sku),
        name: text(sku),
        quantity: quantity(pieces),
        unit_price: money(amount, "EUR"),
    }
}

/// Two mugs for 10 euros, in minute 0.
fn placed() -> Event {
    Event::OrderPlaced {
        customer: CustomerRef {
            id: id(1),
            name: text("Ada"),
        },
        lines: vec![line("MUG", 2, 500)],
        total: money(1000, "EUR"),
        at: minute(0),
    }
}

fn paid() -> Event {
    Event::OrderPaid {
        amount: money(1000, "EUR"),
        at: minute(1),
    }
}

fn shipped() -> Event {
    Event::OrderShipped {
        shipment: parcel(),
        at: minute(2),
    }
}

fn delivered() -> Event {
    Event::OrderDelivered { at: minute(3) }
}

fn cancelled() -> Event {
    Event::OrderCancelled {
        reason: text("changed my mind"),
        at: minute(4),
    }
}

fn changed(lines: Vec<OrderLine>, total: i64) -> Event {
    Event::OrderLinesChanged {
        lines,
        total: money(total, "EUR"),
        at: minute(5),
    }
}

/// Nothing has happened, and Ada is registered.
fn given_ada(entries: impl IntoIterator<Item = CatalogueEntry>) -> Scenario {
    given([]).customer(ada(1)).catalogue(entries)
}

/// The order after these events.
fn after(events: impl IntoIterator<Item = Event>) -> Order {
    let evolved = events
        .into_iter()
        .fold(None, |order, event| evolve(id(ORDER), order, &event));
    evolved.unwrap()
}

#[test]
fn an_order_is_placed_paid_and_shipped() {
    given_ada([mug()]).when(place(&[("MUG", 2)])).then(placed());
    let total = money(1000, "EUR");
    given([placed()]).at(1).when(pay(total.clone())).then(paid());
    given([placed(), paid()]).at(2).when(ship()).then(shipped());
    let order = after([placed(), paid(), shipped()]);
    assert_eq!((order.version, order.total), (3, total));
    let (paid_at, shipped_at, shipment) = (minute(1), minute(2), parcel());
    let progress = OrderProgress::Shipped {
        paid_at,
        shipped_at,
        shipment,
    };
    assert_eq!(order.progress, progress);
}

/// A command from a state that allows it, and where it leads.
struct Transition {
    command: Command,
    event: (i64, Event),
    needed: &'static [OrderStatus],
    wanted: &'static str,
    next: OrderStatus,
}

fn transitions() -> [Transition; 5] {
    let transition = |command, event, needed, wanted, next| Transition {
        command,
        event,
        needed,
        wanted,
        next,
    };
    let one_mug = changed(vec![line("MUG", 1, 500)], 500);
    let pay = pay(money(1000, "EUR"));
    let placed = &[OrderStatus::Placed];
    let unshipped = &[OrderStatus::Placed, OrderStatus::Paid];
    [
        transition(
            change(&[("MUG", 1)]),
            (5, one_mug),
            placed,
            "changed",
            OrderStatus::Placed,
        ),
        transition(pay, (1, paid()), placed, "paid", OrderStatus::Paid),
        transition(
            ship(),
            (2, shipped()),
            &[OrderStatus::Paid],
            "shipped",
            OrderStatus::Shipped,
        ),
        transition(
            deliver(),
            (3, delivered()),
            &[OrderStatus::Shipped],
            "delivered",
            OrderStatus::Delivered,
        ),
        transition(
            cancel(),
            (4, cancelled()),
            unshipped,
            "cancelled",
            OrderStatus::Cancelled,
        ),
    ]
}

/// Every state with every command: what is allowed leads where it should, and all else is refused by name.
#[test]
fn every_command_is_allowed_from_its_own_states_only() {
    let states = [
        (vec![placed()], OrderStatus::Placed),
        (vec![placed(), paid()], OrderStatus::Paid),
        (vec![placed(), paid(), shipped()], OrderStatus::Shipped),
        (
            vec![placed(), paid(), shipped(), delivered()],
            OrderStatus::Delivered,
        ),
        (vec![placed(), cancelled()], OrderStatus::Cancelled),
        (vec![placed(), paid(), cancelled()], OrderStatus::Cancelled),
    ];
    for (history, status) in states {
        for Transition {
            command,
            event: (at, event),
            needed,
            wanted,
            next,
        } in transitions()
        {
            let decided = given(history.clone()).catalogue([mug()]).at(at).when(command);
            if needed.contains(&status) {
                decided.then(event.clone());
                let before = after(history.clone());
                let now = after(history.clone().into_iter().chain([event]));
                assert_eq!(now.progress.status(), next, "{wanted} from {status}");
                assert_eq!(now.version, before.version + 1);
            } else {
                decided.rejected(Rejection::WrongStatus {
                    status,
                    needed,
                    wanted,
                });
            }
        }
    }
}

#[test]
fn a_cancelled_order_tells_why_and_whether_it_was_paid() {
    for (history, paid_at) in [(vec![placed()], None), (vec![placed(), paid()], Some(minute(1)))] {
        given(history.clone()).at(4).when(cancel()).then(cancelled());
        let order = after(history.into_iter().chain([cancelled()]));
        let (cancelled_at, reason) = (minute(4), text("changed my mind"));
        let progress = OrderProgress::Cancelled {
            paid_at,
            cancelled_at,
            reason,
        };
        assert_eq!(order.progress, progress);
    }
}

#[test]
fn what_stays_in_an_order_keeps_its_price_and_what_is_new_takes_todays() {
    let today = [entry("MUG", 900, "EUR", 1), entry("PEN", 100, "EUR", 3)];
    let event = changed(vec![line("PEN", 3, 100), line("MUG", 3, 500)], 1800);
    given([placed()])
        .catalogue(today)
        .at(5)
        .when(change(&[("PEN", 3), ("MUG", 3)]))
        .then(event.clone());
    let order = after([placed(), event]);
    assert_eq!((order.version, order.total), (2, money(1800, "EUR")));
    assert_eq!(order.lines, [line("PEN", 3, 100), line("MUG", 3, 500)]);
}

#[test]
fn pieces_that_an_order_holds_need_not_be_in_stock() {
    let one_left = || given([placed()]).catalogue([entry("MUG", 500, "EUR", 1)]).at(5);
    let three = changed(vec![line("MUG", 3, 500)], 1500);
    one_left().when(change(&[("MUG", 3)])).then(three);
    let shortage = StockShortage {
        line: 0,
        sku: "MUG".into(),
        wanted: 4,
        available: 3,
    };
    one_left()
        .when(change(&[("MUG", 4)]))
        .rejected(Rejection::NotEnoughStock(vec![shortage]));
}

#[test]
fn only_the_exact_total_pays() {
    for offered in [money(999, "EUR"), money(1001, "EUR"), money(1000, "USD")] {
        given([placed()])
            .when(pay(offered.clone()))
            .rejected(Rejection::WrongAmount {
                expected: money(1000, "EUR"),
                paid: offered,
            });
    }
}

#[test]
fn an_order_that_is_not_there_cannot_be_anything() {
    let pay = pay(money(1000, "EUR"));
    for command in [pay, ship(), deliver(), cancel(), change(&[("MUG", 1)])] {
        given([])
            .catalogue([mug()])
            .when(command)
            .rejected(Rejection::UnknownOrder(id(ORDER)));
    }
}

#[test]
fn only_a_registered_customer_orders() {
    given([])
        .catalogue([mug()])
        .when(place(&[("MUG", 1)]))
        .rejected(Rejection::NotRegistered(id(1)));
}

#[test]
fn a_shortage_says_which_sku_and_how_many_are_left() {
    let shortage = StockShortage {
        line: 1,
        sku: "PEN".into(),
        wanted: 4,
        available: 3,
    };
    given_ada([mug(), entry("PEN", 100, "EUR", 3)])
        .when(place(&[("MUG", 1), ("PEN", 4)]))
        .rejected(Rejection::NotEnoughStock(vec![shortage]));
}

#[test]
fn unknown_products_are_all_named() {
    let missing = |line, sku: &str| MissingProduct {
        line,
        sku: sku.into(),
    };
    given_ada([mug()])
        .when(place(&[("MUG", 1), ("A", 1), ("B", 1)]))
        .rejected(Rejection::UnknownProducts(vec![missing(1, "A"), missing(2, "B")]));
}

#[test]
fn an_order_that_costs_something_else_than_the_caller_believes_is_refused() {
    let expecting = |expected: Money| {
        order(OrderCommand::Place {
            customer: id(1),
            lines: wanted(&[("MUG", 2)]),
            expected_total: Some(expected),
        })
    };
    given_ada([mug()])
        .when(expecting(money(1000, "EUR")))
        .then(placed());
    for expected in [money(999, "EUR"), money(1001, "EUR"), money(1000, "USD")] {
        given_ada([mug()])
            .when(expecting(expected.clone()))
            .rejected(Rejection::PriceChanged {
                expected,
                total: money(1000, "EUR"),
            });
    }
}

#[test]
fn an_order_has_one_currency() {
    given_ada([mug(), entry("PEN", 100, "USD", 10)])
        .when(place(&[("MUG", 1), ("PEN", 1)]))
        .rejected(Rejection::MixedCurrencies(vec!["EUR".into(), "USD".into()]));
}

#[test]
fn a_total_beyond_64_bits_is_refused() {
    given_ada([entry("MUG", MAX_AMOUNT, "EUR", 10)])
        .when(place(&[("MUG", 2)]))
        .rejected(Rejection::AmountTooLarge);
}

proptest! {
    /// Whatever is ordered: the total is the sum of the lines, and nobody gets more than there is.
    #[test]
    fn an_accepted_order_costs_the_sum_of_its_lines(
        wanted in prop::collection::vec((1_i64..=100, 0_i64..=1_000_000, 0_i64..=100), 1..20)
    ) {
        let skus: Vec<String> = (0..wanted.len()).map(|n| format!("SKU-{n}")).collect();
        let lines: Vec<_> = skus.iter().zip(&wanted).map(|(sku, w)| (sku.as_str(), w.0)).collect();
        let entries = skus.iter().zip(&wanted).map(|(sku, w)| entry(sku, w.1, "EUR", w.2));
        let enough = wanted.iter().all(|(n, _, available)| n <= available);
        match given_ada(entries).when(place(&lines)).0 {
            Ok(event) => {
                prop_assert!(enough);
                let order = evolve(id(ORDER), None, &event).unwrap();
                prop_assert_eq!(order.total.amount, wanted.iter().map(|(n, p, _)| n * p).sum::<i64>());
            }
            Err(Rejection::NotEnoughStock(shortages)) => {
                prop_assert_eq!(shortages.len(), wanted.iter().filter(|(n, _, a)| n > a).count());
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    /// However commands are mixed: each accepted one adds exactly one version, each refused one changes nothing.
    #[test]
    fn versions_grow_by_one_with_each_event(commands in prop::collection::vec(0_u8..6, 0..12)) {
        let mut history = vec![placed()];
        for choice in commands {
            let command = match choice {
                0 => pay(money(1000, "EUR")),
                1 => ship(),
                2 => deliver(),
                3 => cancel(),
                4 => change(&[("MUG", 2)]),
                _ => pay(money(1, "EUR")),
            };
            let before = after(history.clone());
            let decided = given(history.clone()).catalogue([entry("MUG", 1, "EUR", 5)]).when(command);
            if let Ok(event) = decided.0 {
                history.push(event);
                prop_assert_eq!(after(history.clone()).version, before.version + 1);
            }
        }
    }

    /// What is stored is what is read back: JSON loses nothing.
    #[test]
    fn an_order_survives_json(n in 1_i64..=10, amount in 0_i64..=1_000_000) {
        let event = given_ada([entry("MUG", amount, "EUR", 10)]).when(place(&[("MUG", n)])).0.unwrap();
        let order = after([event]);
        let json = serde_json::to_value(&order).unwrap();
        prop_assert_eq!(serde_json::from_value::<Order>(json).unwrap(), order);
    }
}
