//! The order's rules as sentences, and the properties that hold for every order.
//! Never touches a database.

use proptest::prelude::*;

use super::*;
use crate::domain::rejection::{Missing, Shortage};
use crate::domain::testing::{id, minute, money, price, quantity, text};
use crate::domain::value::MAX_AMOUNT;

const ORDER: u128 = 7;

fn ada() -> Customer {
    Customer {
        id: id(1),
        version: 1,
        name: text("Ada"),
        email: text("ada@example.org"),
    }
}

fn offer(sku: &str, amount: i64, currency: &str, available: i64) -> (Sku, Offer) {
    let product = Product {
        sku: text(sku),
        version: 1,
        name: text(sku),
        price: price(amount, currency),
    };
    let product = Arc::new(product);
    (text(sku), Offer { product, available })
}

fn place(lines: &[(&str, i64)], catalogue: impl IntoIterator<Item = (Sku, Offer)>) -> Command {
    let lines = lines.iter().map(|(sku, n)| (text(sku), quantity(*n))).collect();
    Command::Place {
        customer: Ok(ada()),
        lines,
        catalogue: catalogue.into_iter().collect(),
        expected_total: None,
        at: minute(0),
    }
}

fn parcel() -> Shipment {
    Shipment {
        carrier: text("Post"),
        tracking_number: text("1Z"),
    }
}

fn ship() -> Command {
    Command::Ship {
        shipment: parcel(),
        at: minute(2),
    }
}

fn deliver() -> Command {
    Command::Deliver { at: minute(3) }
}

fn cancel() -> Command {
    Command::Cancel {
        reason: text("changed my mind"),
        at: minute(4),
    }
}

fn change(lines: &[(&str, i64)], catalogue: impl IntoIterator<Item = (Sku, Offer)>) -> Command {
    Command::ChangeLines {
        lines: lines.iter().map(|(sku, n)| (text(sku), quantity(*n))).collect(),
        catalogue: catalogue.into_iter().collect(),
        expected_total: None,
        at: minute(5),
    }
}

/// Runs the commands one after the other from nothing.
fn given(commands: impl IntoIterator<Item = Command>) -> Option<Order> {
    commands.into_iter().fold(None, |state, command| {
        let event = decide(id(ORDER), state.as_ref(), command).unwrap();
        evolve(id(ORDER), state, &event)
    })
}

fn placed() -> Command {
    place(&[("MUG", 2)], [offer("MUG", 500, "EUR", 10)])
}

fn paid() -> Command {
    Command::Pay {
        amount: money(1000, "EUR"),
        at: minute(1),
    }
}

#[test]
fn an_order_is_placed_paid_and_shipped() {
    let order = given([placed(), paid(), ship()]).unwrap();
    assert_eq!((order.version, &order.total), (3, &money(1000, "EUR")));
    let (paid_at, shipped_at, shipment) = (minute(1), minute(2), parcel());
    assert_eq!(
        order.progress,
        Progress::Shipped {
            paid_at,
            shipped_at,
            shipment
        }
    );
}

/// Every state with every command: what is allowed leads where it should, and all else is refused by name.
#[test]
fn every_command_is_allowed_from_its_own_states_only() {
    let states = [
        (vec![placed()], Status::Placed),
        (vec![placed(), paid()], Status::Paid),
        (vec![placed(), paid(), ship()], Status::Shipped),
        (vec![placed(), paid(), ship(), deliver()], Status::Delivered),
        (vec![placed(), cancel()], Status::Cancelled),
        (vec![placed(), paid(), cancel()], Status::Cancelled),
    ];
    let mug = || [offer("MUG", 500, "EUR", 10)];
    let commands: [(Command, &'static [Status], &str, Status); 5] = [
        (
            change(&[("MUG", 1)], mug()),
            &[Status::Placed],
            "changed",
            Status::Placed,
        ),
        (paid(), &[Status::Placed], "paid", Status::Paid),
        (ship(), &[Status::Paid], "shipped", Status::Shipped),
        (deliver(), &[Status::Shipped], "delivered", Status::Delivered),
        (
            cancel(),
            &[Status::Placed, Status::Paid],
            "cancelled",
            Status::Cancelled,
        ),
    ];
    for (history, status) in states {
        let order = given(history);
        for (command, needed, wanted, after) in commands.clone() {
            let decided = decide(id(ORDER), order.as_ref(), command);
            if needed.contains(&status) {
                let next = evolve(id(ORDER), order.clone(), &decided.unwrap()).unwrap();
                assert_eq!(next.progress.status(), after, "{wanted} from {status}");
                assert_eq!(next.version, order.as_ref().unwrap().version + 1);
            } else {
                assert_eq!(
                    decided,
                    Err(Rejection::WrongStatus {
                        status,
                        needed,
                        wanted
                    })
                );
            }
        }
    }
}

#[test]
fn a_cancelled_order_tells_why_and_whether_it_was_paid() {
    let reason: Reason = text("changed my mind");
    for (history, paid_at) in [(vec![placed()], None), (vec![placed(), paid()], Some(minute(1)))] {
        let order = given(history.into_iter().chain([cancel()])).unwrap();
        let (cancelled_at, reason) = (minute(4), reason.clone());
        assert_eq!(
            order.progress,
            Progress::Cancelled {
                paid_at,
                cancelled_at,
                reason
            }
        );
    }
}

#[test]
fn what_stays_in_an_order_keeps_its_price_and_what_is_new_takes_todays() {
    let today = [offer("MUG", 900, "EUR", 1), offer("PEN", 100, "EUR", 3)];
    let command = change(&[("PEN", 3), ("MUG", 3)], today);
    let order = given([placed(), command]).unwrap();
    let prices: Vec<_> = order
        .lines
        .iter()
        .map(|line| (line.sku.as_str(), line.unit_price.amount))
        .collect();
    assert_eq!(prices, [("PEN", 100), ("MUG", 500)]);
    assert_eq!((order.version, order.total), (2, money(1800, "EUR")));
}

#[test]
fn pieces_that_an_order_holds_need_not_be_in_stock() {
    let order = given([placed()]);
    let with = |n| change(&[("MUG", n)], [offer("MUG", 500, "EUR", 1)]);
    assert!(decide(id(ORDER), order.as_ref(), with(3)).is_ok());
    let shortage = Shortage {
        line: 0,
        sku: "MUG".into(),
        wanted: 4,
        available: 3,
    };
    let refused = Err(Rejection::NotEnoughStock(vec![shortage]));
    assert_eq!(decide(id(ORDER), order.as_ref(), with(4)), refused);
}

#[test]
fn only_the_exact_total_pays() {
    let order = given([placed()]);
    for offered in [money(999, "EUR"), money(1001, "EUR"), money(1000, "USD")] {
        let pay = Command::Pay {
            amount: offered.clone(),
            at: minute(1),
        };
        let refused = Rejection::WrongAmount {
            expected: money(1000, "EUR"),
            paid: offered,
        };
        assert_eq!(decide(id(ORDER), order.as_ref(), pay), Err(refused));
    }
}

#[test]
fn an_order_that_is_not_there_cannot_be_anything() {
    let mug = [offer("MUG", 500, "EUR", 10)];
    for command in [paid(), ship(), deliver(), cancel(), change(&[("MUG", 1)], mug)] {
        assert_eq!(
            decide(id(ORDER), None, command),
            Err(Rejection::UnknownOrder(id(ORDER)))
        );
    }
}

#[test]
fn a_shortage_says_which_sku_and_how_many_are_left() {
    let offers = [offer("MUG", 500, "EUR", 10), offer("PEN", 100, "EUR", 3)];
    let shortage = Shortage {
        line: 1,
        sku: "PEN".into(),
        wanted: 4,
        available: 3,
    };
    let command = place(&[("MUG", 1), ("PEN", 4)], offers);
    assert_eq!(
        decide(id(ORDER), None, command),
        Err(Rejection::NotEnoughStock(vec![shortage]))
    );
}

#[test]
fn unknown_products_are_all_named() {
    let command = place(&[("MUG", 1), ("A", 1), ("B", 1)], [offer("MUG", 500, "EUR", 10)]);
    let refused = Rejection::UnknownProducts(vec![
        Missing {
            line: 1,
            sku: "A".into(),
        },
        Missing {
            line: 2,
            sku: "B".into(),
        },
    ]);
    assert_eq!(decide(id(ORDER), None, command), Err(refused));
}

#[test]
fn an_order_that_costs_something_else_than_the_caller_believes_is_refused() {
    let expecting = |amount, currency| {
        let mut command = placed();
        if let Command::Place { expected_total, .. } = &mut command {
            *expected_total = Some(money(amount, currency));
        }
        command
    };
    assert!(decide(id(ORDER), None, expecting(1000, "EUR")).is_ok());
    for (amount, currency) in [(999, "EUR"), (1001, "EUR"), (1000, "USD")] {
        let refused = Rejection::PriceChanged {
            expected: money(amount, currency),
            total: money(1000, "EUR"),
        };
        assert_eq!(decide(id(ORDER), None, expecting(amount, currency)), Err(refused));
    }
}

#[test]
fn an_order_has_one_currency() {
    let offers = [offer("MUG", 500, "EUR", 10), offer("PEN", 100, "USD", 10)];
    let refused = Rejection::MixedCurrencies(vec!["EUR".into(), "USD".into()]);
    assert_eq!(
        decide(id(ORDER), None, place(&[("MUG", 1), ("PEN", 1)], offers)),
        Err(refused)
    );
}

#[test]
fn a_total_beyond_64_bits_is_refused() {
    let offers = [offer("MUG", MAX_AMOUNT, "EUR", 10)];
    assert_eq!(
        decide(id(ORDER), None, place(&[("MUG", 2)], offers)),
        Err(Rejection::AmountTooLarge)
    );
}

proptest! {
    /// Whatever is ordered: the total is the sum of the lines, and nobody gets more than there is.
    #[test]
    fn an_accepted_order_costs_the_sum_of_its_lines(
        wanted in prop::collection::vec((1_i64..=100, 0_i64..=1_000_000, 0_i64..=100), 1..20)
    ) {
        let skus: Vec<String> = (0..wanted.len()).map(|n| format!("SKU-{n}")).collect();
        let lines: Vec<_> = skus.iter().zip(&wanted).map(|(sku, w)| (sku.as_str(), w.0)).collect();
        let offers = skus.iter().zip(&wanted).map(|(sku, w)| offer(sku, w.1, "EUR", w.2));
        let enough = wanted.iter().all(|(n, _, available)| n <= available);
        match decide(id(ORDER), None, place(&lines, offers)) {
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
        let mut state = given([placed()]);
        for choice in commands {
            let command = match choice { 0 => paid(), 1 => ship(), 2 => deliver(), 3 => cancel(), 4 => change(&[("MUG", 2)], [offer("MUG", 1, "EUR", 5)]), _ => Command::Pay { amount: money(1, "EUR"), at: minute(9) } };
            let before = state.clone();
            if let Ok(event) = decide(id(ORDER), state.as_ref(), command) {
                state = evolve(id(ORDER), state, &event);
                prop_assert_eq!(state.as_ref().map(|o| o.version), before.map(|o| o.version + 1));
            }
        }
    }

    /// What is stored is what is read back: JSON loses nothing.
    #[test]
    fn an_order_survives_json(n in 1_i64..=10, amount in 0_i64..=1_000_000) {
        let order = given([place(&[("MUG", n)], [offer("MUG", amount, "EUR", 10)])]).unwrap();
        let json = serde_json::to_value(&order).unwrap();
        prop_assert_eq!(serde_json::from_value::<Order>(json).unwrap(), order);
    }
}
