//! Each preset's story, replayed fact by fact: what is decided and what is shown, with every number.
//! The same stories run through the real Worker in `tests/e2e/presets.test.mjs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

#[path = "presets/airbnb.rs"]
mod airbnb;
#[path = "presets/dropbox.rs"]
mod dropbox;
#[path = "presets/fitness.rs"]
mod fitness;
#[path = "presets/points.rs"]
mod points;
#[path = "presets/twenty_ten.rs"]
mod twenty_ten;
#[path = "presets/zalando.rs"]
mod zalando;

use passalong_core::fact::Decided;
use passalong_core::program::{GIFT_CARDS, Program, Review};
use passalong_core::report::Item;
use passalong_core::reward::{ConversionKind, Reason, Role, Value};
use passalong_core::settlement::Earned;
use passalong_core::time::Minute;
use serde_json::json;
use support::{Scene, customer, digest, order};

const BOTH: [Role; 2] = [Role::Advocate, Role::Friend];

/// The order of a scene under a preset.
fn scene(preset: &str) -> Scene {
    Scene::new(&json!({"preset": preset}))
}

/// A friend's sign-up in place of an order.
fn signup(preset: &str) -> Scene {
    let mut scene = scene(preset);
    scene.conversion.kind = ConversionKind::Signup;
    (scene.conversion.amount, scene.conversion.currency) = (None, None);
    scene
}

/// What the friend did in place of an order.
fn action(preset: &str, name: &str) -> Scene {
    let mut scene = signup(preset);
    scene.conversion.kind = ConversionKind::Action;
    scene.conversion.action = Some(name.to_owned());
    scene
}

/// What an advocate's earlier orders earned, and the next one to be decided.
#[derive(Default)]
struct Ledger {
    earned: Vec<Earned>,
    orders: u8,
}

impl Ledger {
    /// Decides one more conversion, of a friend of its own.
    fn next(&mut self, scene: Scene) -> (Minute, Vec<Decided>) {
        self.orders += 1;
        let friend = customer(100 + self.orders);
        self.of(scene, friend)
    }

    /// Decides one more conversion of a friend.
    fn of(
        &mut self,
        mut scene: Scene,
        friend: passalong_core::ids::Identity,
    ) -> (Minute, Vec<Decided>) {
        scene.order = order(u8::try_from(self.earned.len()).unwrap());
        scene.digest = digest(50);
        scene.conversion.identities = vec![friend];
        scene.earned.clone_from(&self.earned);
        let (settled, verdict) = scene.settle();
        for decided in &verdict.rewards {
            let action = scene.conversion.action.clone();
            self.earned.push(Earned {
                settled,
                order: scene.order,
                decided: *decided,
                action,
                waits: decided.review,
            });
        }
        (settled, verdict.rewards)
    }
}

#[test]
fn every_preset_earns_nothing_on_gift_cards_and_lets_the_unusual_wait() {
    for preset in Program::presets() {
        let terms = support::program(&json!({"preset": preset}));
        assert_eq!(terms.excluded.categories, [GIFT_CARDS], "{preset}");
        let expected = Review { orders_per_day: Some(10), orders_per_click: Some(3) };
        assert_eq!(terms.review, expected, "{preset}");
    }
}

#[test]
fn of_an_order_with_a_gift_card_the_rest_earns() {
    let item = |sku: &str, category: Option<&str>, amount| Item {
        sku: sku.to_owned(),
        category: category.map(str::to_owned),
        amount,
    };
    for (gift_card, decided) in [
        (0, Ok(support::credit(1_000))),
        (2_500, Ok(support::credit(500))),
        (5_000, Err(Reason::ExcludedItem)),
    ] {
        let mut bought = scene("20-10");
        bought.items = vec![
            item("TEE-1", Some("tee"), 5_000 - gift_card),
            item("GUTSCHEIN", Some(GIFT_CARDS), gift_card),
        ];
        assert_eq!(bought.advocates(), decided, "{gift_card}");
    }
}

/// What a verdict says, shortly.
fn said(rewards: &[Decided]) -> Vec<(Role, Result<Value, Reason>)> {
    let one = |decided: &Decided| {
        (decided.role, decided.value.ok_or(decided.reason.unwrap_or(Reason::Hold)))
    };
    rewards.iter().map(one).collect()
}
