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
            self.earned.push(Earned { settled, order: scene.order, decided: *decided, action });
        }
        (settled, verdict.rewards)
    }
}

/// What a verdict says, shortly.
fn said(rewards: &[Decided]) -> Vec<(Role, Result<Value, Reason>)> {
    let one = |decided: &Decided| {
        (decided.role, decided.value.ok_or(decided.reason.unwrap_or(Reason::Hold)))
    };
    rewards.iter().map(one).collect()
}
