//! With a customer everything is erased that leads from their alias to them, whatever comes late. The
//! alias itself stays taken, and stands for nobody.

use passalong_core::time::{DAY, HOUR, MINUTE, SETTLE};
use passalong_edge::store::{Metadata, Put};
use serde_json::{Value, json};

use crate::aliases::{now, order, sure};
use crate::support::{Fault, World, choose_alias, erase, me, post};

/// Everything that names the alias, readable, but for what says that it is taken.
fn kept(world: &World) -> Vec<String> {
    let named = |(key, (metadata, value)): (String, (Option<Metadata>, String))| {
        let text = format!("{key} {} {value}", metadata.unwrap_or_default());
        (text.contains("TEE4K7") && !is_taken(&key)).then_some(key)
    };
    ["alias/", "customer/", "todo."]
        .into_iter()
        .flat_map(|prefix| world.memory.snapshot(prefix))
        .filter_map(named)
        .collect()
}

/// Whether a key says that the alias is taken, and names nobody.
fn is_taken(key: &str) -> bool {
    key.starts_with("alias/teehaus/TEE4K7/") && key.ends_with(".-")
}

fn taken(world: &World) -> usize {
    world.memory.keys("alias/").iter().filter(|key| is_taken(key)).count()
}

#[test]
fn an_export_shows_the_alias_and_an_erasure_takes_it() {
    let world = World::new();
    let choose = choose_alias(now(), "10023", Some("TEE4K7"));
    assert_eq!(world.send(now(), &choose).status, 200);
    let export = |moment| {
        let body = json!({ "customer_id": "10023" });
        world.send(moment, &post("/v1/customers/export", &body)).body["aliases"].clone()
    };
    assert_eq!(export(sure()), json!(["TEE4K7"]));
    let before: Vec<_> = ["alias/", "customer/"].map(|prefix| world.memory.snapshot(prefix)).into();
    let answer = world.send(sure(), &erase("10023"));
    // What names nobody shows everywhere before the claim goes.
    assert_eq!((answer.status, kept(&world).len(), taken(&world)), (200, 2, 1));
    world.cron(sure().plus(SETTLE));
    assert_eq!(kept(&world).len(), 2);
    world.cron(sure().plus(SETTLE + 2 * MINUTE));
    assert_eq!((kept(&world), taken(&world)), (Vec::<String>::new(), 1));
    assert_eq!(export(sure()), json!([]));
    let credited = order(&world, sure(), "A-1", &json!({ "alias": "TEE4K7" })).body;
    assert_eq!(credited["reason"], "unknown_alias");
    assert_eq!(world.send(sure(), &choose_alias(sure(), "10023", Some("TEE4K7"))).status, 409);
    for day in 0..7 {
        let later = sure().plus(day * DAY + HOUR);
        // A location that did not know of the erasure.
        for (key, (metadata, value)) in before.iter().flatten() {
            let (key, metadata) = (key.clone(), metadata.clone());
            world.memory.insert(&Put { key, metadata, value: value.clone(), ttl: None });
        }
        assert_eq!(world.cron(later).erased, 1, "day {day}");
        assert_eq!((kept(&world), taken(&world)), (Vec::<String>::new(), 1), "day {day}");
    }
    // Whoever comes now comes anew. The alias may be in print, so nobody has it, and nobody earns by it.
    let anew = sure().plus(8 * DAY);
    for customer in ["20871", "10023"] {
        let refused = world.send(anew, &choose_alias(anew, customer, Some("TEE4K7")));
        assert_eq!(refused.status, 409, "{customer}: {refused:?}");
    }
    let reason = order(&world, anew, "A-2", &json!({ "alias": "TEE4K7" })).body["reason"].clone();
    assert_eq!(reason, "unknown_alias");
    assert_eq!(world.send(anew, &choose_alias(anew, "10023", None)).status, 200);
    assert_eq!(world.memory.keys("todo.alias"), Vec::<String>::new());
}

/// Two chose it at once. Who was first keeps it when the other is erased, and the other does not get
/// it when the first is.
#[test]
fn only_what_an_erased_customer_owned_stays_taken() {
    for (erased, owner) in [("20871", Some("10023")), ("10023", None)] {
        let world = World::new();
        let minute = now().plus(MINUTE);
        assert_eq!(world.send(now(), &choose_alias(now(), "10023", Some("TEE4K7"))).status, 200);
        // Chosen a minute later, elsewhere.
        let other = world.customer("20871");
        for key in [
            format!("customer/teehaus/{other}/alias.202611020902.TEE4K7"),
            format!("alias/teehaus/TEE4K7/202611020902.{other}"),
        ] {
            world.memory.insert(&Put { key, value: String::new(), metadata: None, ttl: None });
        }
        assert_eq!(world.send(minute, &erase(erased)).status, 200);
        assert_eq!(taken(&world), usize::from(owner.is_none()), "{erased}");
        let answer = order(&world, sure().plus(HOUR), "A-1", &json!({ "alias": "TEE4K7" })).body;
        assert_eq!(answer["advocate"]["customer_id"].as_str(), owner, "{answer}");
        let me = world.send(sure(), &me(sure(), "20871")).body;
        assert_eq!(me["alias"], Value::Null);
    }
}

/// A location that sees deletes before it sees what was written before them.
#[test]
fn nobody_has_the_alias_of_an_erased_customer_for_a_moment() {
    let world = World::new();
    for customer in ["10023", "20871"] {
        let pseudonym = world.customer(customer);
        for key in [
            format!("customer/teehaus/{pseudonym}/alias.202611020901.TEE4K7"),
            format!("alias/teehaus/TEE4K7/202611020901.{pseudonym}"),
        ] {
            world.memory.insert(&Put { key, value: String::new(), metadata: None, ttl: None });
        }
    }
    let mut both = ["10023", "20871"].map(|customer| world.customer(customer).clone());
    let first = if both[0] < both[1] { "10023" } else { "20871" };
    both.sort();
    assert_eq!(world.send(sure(), &erase(first)).status, 200);
    for minutes in [0, 5, 10] {
        world.cron(sure().plus(minutes * MINUTE));
        let claims = world.memory.keys("alias/teehaus/");
        let is_first = |key: &String| key.ends_with(&both[0]);
        assert!(claims.iter().any(is_first), "after {minutes} minutes: {claims:?}");
    }
    world.cron(sure().plus(SETTLE + 2 * MINUTE));
    let second = format!("alias/teehaus/TEE4K7/202611020901.{}", both[1]);
    let nobody = "alias/teehaus/TEE4K7/202611020901.-".to_owned();
    assert_eq!(world.memory.keys("alias/"), [nobody, second]);
}

/// The request of who is erased was cut off before its claim was written, and somebody else has the
/// alias since.
#[test]
fn a_claim_that_was_never_written_takes_the_alias_from_nobody() {
    let world = World::new();
    let unfinished = world.customer("10023");
    let key = format!("customer/teehaus/{unfinished}/alias.202611020901.TEE4K7");
    world.memory.insert(&Put { key, value: String::new(), metadata: None, ttl: None });
    let later = now().plus(2 * MINUTE);
    assert_eq!(world.send(later, &choose_alias(later, "20871", Some("TEE4K7"))).status, 200);
    assert_eq!(world.send(sure().plus(DAY), &erase("10023")).status, 200);
    assert_eq!(taken(&world), 0);
    let answer = order(&world, sure().plus(DAY), "A-1", &json!({ "alias": "TEE4K7" })).body;
    assert_eq!(answer["advocate"]["customer_id"], "20871", "{answer}");
}

/// A choice that began before the erasure and writes after it.
#[test]
fn a_choice_under_way_while_its_customer_is_erased_leaves_nothing() {
    let mut overtaken = 0;
    for seed in 0..40 {
        let world = World::new();
        assert_eq!(world.send(now(), &me(now(), "10023")).status, 200);
        world.memory.shuffle(seed);
        let choice = choose_alias(now(), "10023", Some("TEE4K7"));
        world.send_all(&[(now(), choice), (now(), erase("10023"))]);
        overtaken += u32::from(!kept(&world).is_empty());
        for minutes in [5, 17, 70, 85] {
            world.cron(now().plus(minutes * MINUTE));
            let is_late = minutes > 10;
            assert!(!is_late || kept(&world).is_empty(), "seed {seed}: {:?}", kept(&world));
        }
        assert_eq!(world.memory.keys("todo.alias"), Vec::<String>::new(), "seed {seed}");
    }
    assert!(overtaken > 5, "{overtaken} races");
}

/// The erasure came between the two writes of a choice.
#[test]
fn a_claim_that_is_written_after_its_customers_erasure_is_deleted() {
    let world = World::new();
    world.memory.fail(Fault::On("alias/teehaus/TEE4K7/2".to_owned()));
    assert_eq!(world.send(now(), &choose_alias(now(), "10023", Some("TEE4K7"))).status, 503);
    world.memory.mend();
    assert_eq!(world.send(now(), &erase("10023")).status, 200);
    assert_eq!(kept(&world), Vec::<String>::new());
    let key = format!("alias/teehaus/TEE4K7/202611020901.{}", world.customer("10023"));
    world.memory.insert(&Put { key, value: String::new(), metadata: None, ttl: None });
    world.cron(now().plus(5 * MINUTE));
    world.cron(now().plus(5 * MINUTE + SETTLE + MINUTE));
    assert_eq!(kept(&world), Vec::<String>::new());
    assert_eq!(world.memory.keys("todo.alias").len(), 1, "it may come once more");
    world.cron(now().plus(HOUR + 2 * MINUTE));
    assert_eq!(world.memory.keys("todo.alias"), Vec::<String>::new());
}

#[test]
fn a_choice_that_was_cut_off_takes_no_alias_along_when_its_customer_is_erased() {
    let world = World::new();
    // Only the first of the two keys of a claim was written.
    let customer = world.customer("10023");
    let key = format!("customer/teehaus/{customer}/alias.202611020800.TEE4K7");
    world.memory.insert(&Put { key, value: String::new(), metadata: None, ttl: None });
    assert_eq!(world.send(now(), &choose_alias(now(), "30412", Some("TEE4K7"))).status, 200);
    let later = sure().plus(DAY);
    assert_eq!(world.send(later, &erase("10023")).status, 200);
    world.cron(later.plus(HOUR));
    assert_eq!(taken(&world), 0);
    let credited = order(&world, later, "A-1", &json!({ "alias": "TEE4K7" })).body;
    assert_eq!(credited["advocate"]["customer_id"], "30412", "{credited}");
}
