//! A batch answers and leaves behind exactly what the same commands do one after another; and what is left behind is
//! what folding the events gives. Never compares less than everything: answers, every table, the log in its order.

use std::cell::{Cell, RefCell};

use handler::write::{AcceptedCommand, CommandResult};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::{
    contention::WRONG_LEVELS,
    histories::{Folded, World, asks, one_by_one, opening},
};

impl World {
    /// Every table but for when a key was claimed.
    async fn everything(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for sql in [
            "select * from write_model.customers order by id",
            "select * from write_model.products order by sku",
            "select * from write_model.stock order by sku",
            "select * from write_model.orders order by id",
            "select * from write_model.order_lines order by order_id, line",
            "select event_id, stream, version, type, data, state, stock, metadata from write_model.events order by position",
            "select caller, key, fingerprint, event_id from write_model.idempotency_keys order by caller, key",
            "select e.event_id from write_model.outbox join write_model.events e using (position) order by position",
        ] {
            all.push(self.json(sql).await);
        }
        all
    }

    /// What the tables hold of each aggregate, and what folding its events gives, must be the same.
    async fn check_fold(&self) {
        let Folded {
            orders,
            customers,
            products,
        } = self.folded().await;
        let held = self
            .json("select id, version, status, total, currency from write_model.orders order by id")
            .await;
        let folded = orders.values().map(|o| {
            json!({ "id": o.id, "version": o.version, "status": o.progress.status().name(), "total": o.total.amount,
                "currency": o.total.currency })
        });
        assert_eq!(held, Value::from_iter(folded));
        let held = self.json(
            "select order_id, sku, quantity, unit_price from write_model.order_lines order by order_id, line",
        );
        let folded = orders.values().flat_map(|o| {
            o.lines.iter().map(|l| {
                json!({ "order_id": o.id, "sku": l.sku, "quantity": l.quantity, "unit_price": l.unit_price.amount })
            })
        });
        assert_eq!(held.await, Value::from_iter(folded));
        let held = self
            .json("select id, version, name, email from write_model.customers order by id")
            .await;
        assert_eq!(
            held,
            serde_json::to_value(customers.values().collect::<Vec<_>>()).unwrap()
        );
        let held = self
            .json("select sku, version, price from write_model.products order by sku")
            .await;
        let folded = products.values();
        let folded =
            folded.map(|p| json!({ "sku": p.sku, "version": p.version, "price": p.price.money().amount }));
        assert_eq!(held, Value::from_iter(folded));
        assert_eq!(self.database.number(WRONG_LEVELS).await, 0);
    }
}

/// The answers, with everything that is known of each error.
fn comparable(answers: Vec<CommandResult>) -> Vec<Result<AcceptedCommand, String>> {
    let told = |error| format!("{error:?}");
    answers.into_iter().map(|answer| answer.map_err(told)).collect()
}

#[test]
fn a_batch_does_what_its_commands_do_one_after_another() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let worlds = runtime.block_on(async { (World::new().await, World::new().await) });
    let (worlds, accepted) = (RefCell::new(worlds), Cell::new(0));
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&asks(), |asked| {
        let (single, batched) = &mut *worlds.borrow_mut();
        let asked = [opening(), asked].concat();
        runtime.block_on(async {
            single.clear().await;
            batched.clear().await;
            let (given, expected): (Vec<_>, Vec<_>) = one_by_one(single, &asked).await.into_iter().unzip();
            accepted.set(accepted.get() + expected.iter().filter(|answer| answer.is_ok()).count());
            let answers = batched.writer.execute_together(given).await;
            assert_eq!(comparable(answers), comparable(expected));
            assert_eq!(batched.everything().await, single.everything().await);
            batched.check_fold().await;
        });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let accepted = accepted.get();
    assert!(accepted > 24 * 10, "hardly anything was accepted: {accepted}");
}
