//! Makes a history that was written down as small as it gets while the same goes wrong.

use serde_json::Value;

use crate::replay;
use crate::script::{Act, Effect, Script};

/// Whether what is recorded goes wrong.
fn goes_wrong(script: &Script) -> bool {
    let lived = std::panic::catch_unwind(|| replay(script));
    lived.is_ok_and(|outcome| {
        outcome.violations.iter().any(|violation| violation.contains(&script.violation))
    })
}

/// None where it does not go wrong at all.
pub fn shrink(mut script: Script) -> Option<Script> {
    if !goes_wrong(&script) {
        for violation in replay(&script).violations {
            eprintln!("  {violation}");
        }
        return None;
    }
    // A history that lost too much may end in a panic.
    std::panic::set_hook(Box::new(|_| {}));
    let kinds: [fn(&Effect) -> bool; 8] = [
        |effect| matches!(effect, Effect::Answers(_) | Effect::NoAnswer(_)),
        |effect| matches!(effect, Effect::Number(_)),
        |effect| matches!(effect, Effect::Takes(_)),
        |effect| matches!(effect, Effect::CommittedAfter(_)),
        |effect| matches!(effect, Effect::Back(_)),
        |effect| matches!(effect, Effect::EmptyPage),
        |effect| matches!(effect, Effect::Fails { .. }),
        |effect| matches!(effect, Effect::Lost),
    ];
    for kind in kinds {
        attempt(&mut script, |script| {
            for step in &mut script.steps {
                step.rules.retain(|rule| !kind(&rule.then));
            }
        });
    }
    attempt(&mut script, |script| script.page = 1_000);
    while attempt(&mut script, |script| {
        script.endpoints.pop();
    }) {}
    loop {
        let before = script.clone();
        drop_steps(&mut script);
        drop_rules(&mut script);
        generalise(&mut script);
        shorten_bodies(&mut script);
        if script == before {
            return Some(script);
        }
        let rules: usize = script.steps.iter().map(|step| step.rules.len()).sum();
        eprintln!("  {} steps, {rules} rules", script.steps.len());
    }
}

/// Keeps a change where it still goes wrong with it.
fn attempt(script: &mut Script, change: impl FnOnce(&mut Script)) -> bool {
    let mut changed = script.clone();
    change(&mut changed);
    let keeps = changed != *script && goes_wrong(&changed);
    if keeps {
        *script = changed;
    }
    keeps
}

/// Drops as many of so many things as it can, in ever smaller portions.
fn drop_many(
    script: &mut Script,
    count: impl Fn(&Script) -> usize,
    drop: impl Fn(&mut Script, usize, usize),
) {
    let mut portion = count(script).div_ceil(2).max(1);
    loop {
        let mut end = count(script);
        while end > 0 {
            let from = end.saturating_sub(portion);
            attempt(script, |script| drop(script, from, end));
            end = from;
        }
        if portion == 1 {
            return;
        }
        portion = portion.div_ceil(2);
    }
}

fn drop_steps(script: &mut Script) {
    drop_many(
        script,
        |script| script.steps.len(),
        |script, from, end| {
            script.steps.drain(from..end);
        },
    );
}

fn drop_rules(script: &mut Script) {
    let count = |script: &Script| script.steps.iter().map(|step| step.rules.len()).sum();
    drop_many(script, count, |script, from, end| {
        let mut place = 0;
        for step in &mut script.steps {
            step.rules.retain(|_| {
                place += 1;
                !(from < place && place <= end)
            });
        }
    });
}

/// Says of rules as little as will do.
fn generalise(script: &mut Script) {
    for step in 0..script.steps.len() {
        for rule in 0..script.steps[step].rules.len() {
            attempt(script, |script| script.steps[step].rules[rule].nth = None);
            attempt(script, |script| {
                let key = &mut script.steps[step].rules[rule].key;
                let end = key.find('/').map_or(key.len(), |slash| slash + 1);
                key.truncate(end);
            });
            attempt(script, |script| {
                if let Effect::Late { location, .. } = &mut script.steps[step].rules[rule].then {
                    *location = None;
                }
            });
            attempt(script, |script| {
                if let Effect::Late { by, .. } = &mut script.steps[step].rules[rule].then {
                    *by = None;
                }
            });
        }
        attempt(script, |script| script.steps[step].rules.dedup());
        attempt(script, |script| script.steps[step].isolate = 0);
    }
}

fn shorten_bodies(script: &mut Script) {
    for step in 0..script.steps.len() {
        shorten(script, &|script| match &mut script.steps[step].act {
            Act::Report { body, .. }
            | Act::ByAlias { body, .. }
            | Act::Event { body, .. }
            | Act::Claim { body, .. } => Some(body),
            Act::Terms { terms } => Some(terms),
            _ => None,
        });
    }
    for program in 0..script.programs.len() {
        shorten(script, &|script| script.programs.get_mut(program));
    }
    while attempt(script, |script| {
        script.programs.pop();
    }) {}
}

/// Drops members of objects and lists, outer ones first.
fn shorten(script: &mut Script, body: &dyn Fn(&mut Script) -> Option<&mut Value>) {
    let Some(found) = body(script).map(|value| value.clone()) else { return };
    let members: Vec<String> = match found {
        Value::Object(fields) => fields.keys().cloned().collect(),
        Value::Array(all) => (0..all.len()).rev().map(|place| place.to_string()).collect(),
        _ => return,
    };
    for member in members {
        let dropped = attempt(script, |script| match body(script) {
            Some(Value::Object(fields)) => {
                fields.remove(&member);
            }
            Some(Value::Array(all)) => {
                all.remove(member.parse().unwrap());
            }
            _ => {}
        });
        if !dropped {
            shorten(script, &|script| {
                let of = body(script)?;
                match of {
                    Value::Object(fields) => fields.get_mut(&member),
                    Value::Array(all) => all.get_mut(member.parse::<usize>().unwrap()),
                    _ => None,
                }
            });
        }
    }
}
