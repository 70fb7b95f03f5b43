//! Who says what befalls an operation: chance, which can be taped, or a script.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use passalong_core::webhook::SendProblem;

use crate::kv::{By, Late};
use crate::machine::TaskId;
use crate::script::{Effect, Op, Rule, Step};

/// An operation of a step.
#[derive(Debug, Clone)]
pub struct Named {
    task: TaskId,
    step: usize,
    op: Op,
    key: String,
    nth: u32,
}

/// How long an operation takes of which the script says nothing, in milliseconds.
const TAKES: u64 = 20;

#[derive(Debug, Default)]
pub struct Direction {
    /// What has happened so far, where it is taped.
    pub tape: RefCell<Option<Vec<Step>>>,
    script: Option<Vec<Step>>,
    steps: RefCell<BTreeMap<TaskId, usize>>,
    counts: RefCell<BTreeMap<(TaskId, Op, String), u32>>,
    /// Operations on tape that have not ended.
    ongoing: RefCell<Vec<(u64, Named)>>,
    /// Tasks that end, and when.
    cuts: RefCell<BTreeMap<TaskId, u64>>,
    numbers: Cell<u64>,
    /// Rules of the script that something has met.
    met: RefCell<BTreeSet<(usize, usize)>>,
}

impl Direction {
    pub fn scripted(steps: Vec<Step>) -> Self {
        Self { script: Some(steps), ..Self::default() }
    }

    pub const fn is_scripted(&self) -> bool {
        self.script.is_some()
    }

    /// A step begins that the tape is to keep; its number.
    pub fn tape_step(&self, step: impl FnOnce() -> Step) -> Option<usize> {
        let mut tape = self.tape.borrow_mut();
        let tape = tape.as_mut()?;
        tape.push(step());
        Some(tape.len() - 1)
    }

    /// This task is what a step does.
    pub fn begins(&self, task: TaskId, step: Option<usize>) {
        let Some(step) = step else { return };
        self.steps.borrow_mut().insert(task, step);
        if let Some(named) = self.name(task, Op::Start, "")
            && self.is(&named, Effect::Cut)
        {
            self.cuts.borrow_mut().insert(task, 0);
        }
    }

    pub fn name(&self, task: TaskId, op: Op, key: &str) -> Option<Named> {
        let step = *self.steps.borrow().get(&task)?;
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry((task, op, key.to_owned())).or_default();
        *count += 1;
        Some(Named { task, step, op, key: key.to_owned(), nth: *count - 1 })
    }

    /// Keeps on tape what befell an operation.
    pub fn note(&self, named: Option<&Named>, then: Effect) {
        let (Some(tape), Some(named)) = (&mut *self.tape.borrow_mut(), named) else { return };
        let Named { op, key, nth, .. } = named.clone();
        tape[named.step].rules.push(Rule { op, key, nth: Some(nth), then });
    }

    pub fn note_late(&self, named: Option<&Named>, late: &Late) {
        for (location, by_how) in late.iter().enumerate() {
            for (by, millis) in [By::List, By::Read].into_iter().zip(by_how) {
                if *millis > 0 {
                    let (location, by) = (Some(location), Some(by));
                    self.note(named, Effect::Late { location, by, millis: *millis });
                }
            }
        }
    }

    fn effects<'d>(&'d self, named: Option<&'d Named>) -> impl Iterator<Item = Effect> + 'd {
        let rules = named.and_then(|named| Some(&self.script.as_ref()?.get(named.step)?.rules));
        let step = named.map_or(0, |named| named.step);
        let fits = move |(_, rule): &(usize, &Rule)| {
            named.is_some_and(|named| {
                let is_it = match rule.nth {
                    Some(nth) => named.key == rule.key && named.nth == nth,
                    None => named.key.starts_with(&rule.key),
                };
                rule.op == named.op && is_it
            })
        };
        rules.into_iter().flatten().enumerate().filter(fits).map(move |(place, rule)| {
            self.met.borrow_mut().insert((step, place));
            rule.then
        })
    }

    /// Rules that nothing has met: the script is of a time when steps did something else.
    pub fn unmet(&self) -> Vec<(usize, Rule)> {
        let met = self.met.borrow();
        let steps = self.script.iter().flatten().enumerate();
        let rules = steps.flat_map(|(step, it)| {
            it.rules.iter().enumerate().map(move |(place, rule)| (step, place, rule.clone()))
        });
        rules
            .filter(|(step, place, _)| !met.contains(&(*step, *place)))
            .map(|(step, _, rule)| (step, rule))
            .collect()
    }

    pub fn is(&self, named: &Named, effect: Effect) -> bool {
        self.effects(Some(named)).any(|then| then == effect)
    }

    pub fn takes(&self, named: Option<&Named>) -> u64 {
        let mut takes = self.effects(named).filter_map(|effect| match effect {
            Effect::Takes(millis) => Some(millis),
            _ => None,
        });
        takes.next().unwrap_or(TAKES)
    }

    pub fn committed_after(&self, named: Option<&Named>) -> Option<u64> {
        let mut after = self.effects(named).filter_map(|effect| match effect {
            Effect::CommittedAfter(millis) => Some(millis),
            _ => None,
        });
        after.next()
    }

    /// Whether it fails: committed all the same, and as often as it is tried.
    pub fn fails(&self, named: Option<&Named>) -> Option<(bool, bool)> {
        let mut fails = self.effects(named).filter_map(|effect| match effect {
            Effect::Fails { committed, hard } => Some((committed, hard)),
            _ => None,
        });
        fails.next()
    }

    pub fn back(&self, named: Option<&Named>) -> u64 {
        let mut back = self.effects(named).filter_map(|effect| match effect {
            Effect::Back(millis) => Some(millis),
            _ => None,
        });
        back.next().unwrap_or(0)
    }

    pub fn late(&self, named: Option<&Named>) -> Late {
        let mut all = Late::default();
        for effect in self.effects(named) {
            let Effect::Late { location, by, millis } = effect else { continue };
            for (place, by_how) in all.iter_mut().enumerate() {
                for (how, known) in [By::List, By::Read].into_iter().zip(by_how) {
                    if location.is_none_or(|only| only == place) && by.is_none_or(|by| by == how) {
                        *known = millis.max(*known);
                    }
                }
            }
        }
        all
    }

    /// An operation goes on until then.
    pub fn lasts(&self, named: Option<&Named>, until: u64) {
        let Some(named) = named else { return };
        if self.tape.borrow().is_some() {
            self.ongoing.borrow_mut().push((until, named.clone()));
        }
        if self.is(named, Effect::Cut) {
            self.cuts.borrow_mut().insert(named.task, until);
        }
    }

    /// What the receiver of a webhook answers.
    pub fn answer(&self, named: Option<&Named>) -> Option<Result<u16, SendProblem>> {
        let mut answers = self.effects(named).filter_map(|effect| match effect {
            Effect::Answers(status) => Some(Ok(status)),
            Effect::NoAnswer(problem) => Some(Err(problem)),
            _ => None,
        });
        answers.next()
    }

    /// This task ends then, by chance.
    pub fn cut_at(&self, task: TaskId, at: u64) {
        self.cuts.borrow_mut().insert(task, at);
    }

    /// Whether the script ends this task now.
    pub fn cuts(&self, task: TaskId, now: u64) -> bool {
        self.cuts.borrow().get(&task).is_some_and(|at| *at <= now)
    }

    /// Keeps on tape that a task ended now.
    pub fn note_cut(&self, task: TaskId, now: u64) {
        if self.tape.borrow().is_none() {
            return;
        }
        let mut ongoing = self.ongoing.borrow_mut();
        ongoing.retain(|(until, _)| *until >= now);
        let ends = ongoing.iter().find(|(until, named)| named.task == task && *until == now);
        let named = ends.map(|(_, named)| named.clone());
        drop(ongoing);
        let named = named.or_else(|| {
            let mut start = self.name(task, Op::Start, "")?;
            start.nth = 0;
            Some(start)
        });
        self.note(named.as_ref(), Effect::Cut);
    }

    /// In place of chance.
    pub fn number(&self, named: Option<&Named>) -> u64 {
        let mut numbers = self.effects(named).filter_map(|effect| match effect {
            Effect::Number(number) => Some(number),
            _ => None,
        });
        if let Some(number) = numbers.next() {
            return number;
        }
        self.numbers.set(self.numbers.get() + 1);
        crate::random::mix(self.numbers.get())
    }
}
