//! The machine: virtual time, tasks, isolates that die, and the store as one request reaches it.
//! One thread, one history; every await is a place where a task can be cut off.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Task, Poll, Waker};

use passalong_core::time::Instant;
use passalong_edge::isolate::{Config, Isolate};
use passalong_edge::store::{Memo, Put, StoreError};

use crate::direction::{Direction, Named};
use crate::kv::{Kv, Late};
use crate::random::Random;
use crate::receivers::Receivers;
use crate::script::{Act, Effect, Moment, Op, Step};

/// How much goes wrong in this history, each in so many of a thousand cases.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// A write fails, having been committed or not. The third try works.
    pub writes: u64,
    /// Any operation fails, as often as it is tried; only requests that met one may fail.
    pub hard: u64,
    /// A task is cut off at an await.
    pub kills: u64,
    /// The isolate dies with it.
    pub isolates: u64,
    /// An operation takes up to twenty seconds.
    pub slow: u64,
}

pub type TaskId = u64;

struct Running {
    future: Pin<Box<dyn Future<Output = ()>>>,
    isolate: usize,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// A task goes on.
    Wake(TaskId),
    /// Somebody outside does something: a number the story knows.
    Outside(usize),
}

#[derive(Debug)]
struct InFlight {
    task: TaskId,
    key: String,
    write: u64,
    at: u64,
    named: Option<Named>,
}

/// What is known of a task while it runs and after.
#[derive(Debug, Clone, Copy, Default)]
pub struct Record {
    /// It met a fault that it may answer with 503.
    pub excused: bool,
}

pub struct Machine {
    pub now: Cell<u64>,
    pub kv: RefCell<Kv>,
    pub random: RefCell<Random>,
    pub faults: RefCell<Faults>,
    pub config: Config,
    pub direction: Direction,
    pub receivers: RefCell<Receivers>,
    isolates: RefCell<Vec<Rc<Isolate>>>,
    queue: RefCell<BinaryHeap<Reverse<(u64, u64, Next)>>>,
    order: Cell<u64>,
    /// By id; those that have ended are none.
    tasks: RefCell<Vec<Option<Running>>>,
    running: Cell<usize>,
    /// Of those that there is something to say of.
    records: RefCell<BTreeMap<TaskId, Record>>,
    in_flight: RefCell<Vec<InFlight>>,
    /// Failures in a row of one task's write.
    failures: RefCell<BTreeMap<TaskId, BTreeMap<String, u32>>>,
    current: Cell<TaskId>,
    /// When an operation last failed hard, or was slow: others on the isolate wait for it.
    trouble: Cell<u64>,
    /// Tasks that were cut off and not asked for yet.
    pub cut: RefCell<Vec<TaskId>>,
    /// When each isolate died, or a task on it, which may have been the one to write a batch.
    pub died: RefCell<Vec<Vec<u64>>>,
    pub log: RefCell<Vec<String>>,
    /// What was made of texts that were read.
    read_before: RefCell<BTreeMap<String, Memo>>,
}

/// Isolates per location.
pub const ISOLATES: usize = 2;
pub const LOCATIONS: usize = 3;

impl Machine {
    pub fn new(start: Instant, seed: u64, kv: Kv, config: Config) -> Self {
        let isolates = LOCATIONS * ISOLATES;
        Self {
            now: Cell::new(u64::try_from(start.seconds()).unwrap_or(0) * 1_000),
            kv: RefCell::new(kv),
            random: RefCell::new(Random::new(seed)),
            faults: RefCell::default(),
            config,
            direction: Direction::default(),
            receivers: RefCell::new(Receivers::new(seed)),
            isolates: RefCell::new((0..isolates).map(|_| Rc::default()).collect()),
            queue: RefCell::default(),
            order: Cell::new(0),
            tasks: RefCell::default(),
            running: Cell::new(0),
            records: RefCell::default(),
            in_flight: RefCell::default(),
            failures: RefCell::default(),
            current: Cell::new(0),
            trouble: Cell::new(0),
            cut: RefCell::default(),
            died: RefCell::new(vec![Vec::new(); isolates]),
            log: RefCell::default(),
            read_before: RefCell::default(),
        }
    }

    pub fn isolate(&self, index: usize) -> Rc<Isolate> {
        Rc::clone(&self.isolates.borrow()[index])
    }

    /// The clock of an isolate is up to two seconds off.
    pub fn clock(&self, isolate: usize) -> u64 {
        let skew = [0, 2_000, -2_000, 500, -1_500, 1_900][isolate % 6];
        self.now.get().saturating_add_signed(skew)
    }

    pub fn instant(&self, isolate: usize) -> Instant {
        Instant::from_seconds(i64::try_from(self.clock(isolate) / 1_000).unwrap_or(0))
    }

    pub fn schedule(&self, at: u64, next: Next) {
        self.order.set(self.order.get() + 1);
        self.queue.borrow_mut().push(Reverse((at, self.order.get(), next)));
    }

    /// Starts a task on an isolate; it runs from now on.
    pub fn spawn(&self, isolate: usize, future: impl Future<Output = ()> + 'static) -> TaskId {
        let running = Some(Running { future: Box::pin(future), isolate });
        let id = {
            let mut tasks = self.tasks.borrow_mut();
            tasks.push(running);
            tasks.len() as TaskId
        };
        self.running.set(self.running.get() + 1);
        self.schedule(self.now.get(), Next::Wake(id));
        id
    }

    /// What `read` makes of a text, and of nothing else: once in a history.
    pub fn once<T: Clone + 'static>(&self, text: &str, read: fn(&str) -> T) -> T {
        let known = self.read_before.borrow().get(text).cloned();
        let memo = known.unwrap_or_else(|| {
            let memo = Memo::kept();
            self.read_before.borrow_mut().insert(text.to_owned(), memo.clone());
            memo
        });
        memo.once(|| read(text))
    }

    pub fn record(&self, task: TaskId) -> Record {
        self.records.borrow().get(&task).copied().unwrap_or_default()
    }

    pub fn current(&self) -> TaskId {
        self.current.get()
    }

    pub fn is_idle(&self) -> bool {
        self.running.get() == 0
    }

    /// Goes on to what happens next, and says what that was. None where nothing is left.
    pub fn step(&self) -> Option<Next> {
        let Reverse((at, _, next)) = self.queue.borrow_mut().pop()?;
        self.now.set(at.max(self.now.get()));
        if let Next::Wake(task) = next {
            self.wake(task);
        }
        Some(next)
    }

    fn wake(&self, id: TaskId) {
        let Some(mut running) = self.take(id) else { return };
        let (kills, isolates) = {
            let faults = self.faults.borrow();
            (faults.kills, faults.isolates)
        };
        if self.direction.cuts(id, self.now.get()) || self.random.borrow_mut().permille(kills) {
            self.direction.note_cut(id, self.now.get());
            self.cut_off(id);
            self.died.borrow_mut()[running.isolate].push(self.now.get());
            return;
        }
        if self.random.borrow_mut().permille(isolates) {
            self.tape_kill(running.isolate);
            self.cut_off(id);
            self.kill_isolate(running.isolate);
            return;
        }
        self.current.set(id);
        match running.future.as_mut().poll(&mut Task::from_waker(Waker::noop())) {
            Poll::Ready(()) => self.forget(id),
            Poll::Pending => {
                self.tasks.borrow_mut()[place(id)] = Some(running);
                self.running.set(self.running.get() + 1);
            }
        }
    }

    fn take(&self, id: TaskId) -> Option<Running> {
        let running = self.tasks.borrow_mut().get_mut(place(id))?.take()?;
        self.running.set(self.running.get() - 1);
        Some(running)
    }

    fn forget(&self, id: TaskId) {
        self.in_flight.borrow_mut().retain(|write| write.task != id);
        self.failures.borrow_mut().remove(&id);
    }

    /// A task ends where it is. What it has sent to the store arrives, or not.
    fn cut_off(&self, id: TaskId) {
        let now = self.now.get();
        for write in self.in_flight.borrow().iter().filter(|write| write.task == id) {
            if write.at <= now {
                continue;
            }
            let is_lost = if self.direction.is_scripted() {
                write.named.as_ref().is_some_and(|named| self.direction.is(named, Effect::Lost))
            } else {
                self.random.borrow_mut().permille(500)
            };
            if is_lost {
                self.direction.note(write.named.as_ref(), Effect::Lost);
                self.kv.borrow_mut().take_back(&write.key, write.write);
            }
        }
        self.cut.borrow_mut().push(id);
        self.forget(id);
    }

    fn tape_kill(&self, isolate: usize) {
        let at = Moment(self.now.get());
        self.direction.tape_step(|| Step {
            at,
            isolate,
            program: 0,
            act: Act::Kill,
            rules: Vec::new(),
        });
    }

    pub fn kill_isolate(&self, isolate: usize) {
        self.isolates.borrow_mut()[isolate] = Rc::default();
        self.died.borrow_mut()[isolate].push(self.now.get());
        let dead: Vec<TaskId> = {
            let tasks = self.tasks.borrow();
            let on_it = |task: &Option<Running>| {
                task.as_ref().is_some_and(|running| running.isolate == isolate)
            };
            (1..).zip(tasks.iter()).filter(|(_, task)| on_it(task)).map(|(id, _)| id).collect()
        };
        for id in dead {
            drop(self.take(id));
            self.cut_off(id);
        }
    }

    /// Whether something failed hard a moment ago.
    pub fn is_troubled(&self) -> bool {
        self.trouble.get() + 30_000 > self.now.get()
    }

    fn excuse(&self) {
        self.trouble.set(self.now.get());
        self.records.borrow_mut().insert(self.current.get(), Record { excused: true });
    }

    /// How long an operation takes.
    fn duration(&self) -> u64 {
        let slow = self.faults.borrow().slow;
        let mut random = self.random.borrow_mut();
        if random.permille(slow) {
            drop(random);
            self.excuse();
            return self.random.borrow_mut().between(1_000, 20_000);
        }
        random.between(2, 120)
    }

    /// Waits until then; the task is woken for it.
    pub(crate) async fn until(&self, at: u64, named: Option<&Named>) {
        self.direction.lasts(named, at);
        self.schedule(at, Next::Wake(self.current.get()));
        poll_fn(|_| if self.now.get() >= at { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn fails_hard(&self) -> bool {
        let hard = self.faults.borrow().hard;
        let fails = self.random.borrow_mut().permille(hard);
        if fails {
            self.excuse();
        }
        fails
    }

    /// Whether a read fails, and how long it takes.
    fn fate_of_read(&self, named: Option<&Named>) -> (bool, u64) {
        let direction = &self.direction;
        if direction.is_scripted() {
            let (fails, takes) = (direction.fails(named).is_some(), direction.takes(named));
            if fails || takes >= SLOW {
                self.excuse();
            }
            return (fails, takes);
        }
        let (fails, takes) = (self.fails_hard(), self.duration());
        if fails {
            direction.note(named, Effect::Fails { committed: false, hard: true });
        }
        direction.note(named, Effect::Takes(takes));
        (fails, takes)
    }

    pub(crate) async fn read(&self, named: Option<&Named>) -> Result<(), StoreError> {
        let (fails, takes) = self.fate_of_read(named);
        self.until(self.now.get() + takes, named).await;
        if fails { Err(failed()) } else { Ok(()) }
    }

    /// How much older than what the location knows an answer is.
    pub(crate) fn back(&self, named: Option<&Named>) -> u64 {
        if self.direction.is_scripted() {
            return self.direction.back(named);
        }
        let back = self.kv.borrow_mut().back();
        if back > 0 {
            self.direction.note(named, Effect::Back(back));
        }
        back
    }

    pub(crate) fn is_empty_page(&self, named: Option<&Named>) -> bool {
        if self.direction.is_scripted() {
            return named.is_some_and(|named| self.direction.is(named, Effect::EmptyPage));
        }
        let is_empty = self.kv.borrow().is_empty_page();
        if is_empty {
            self.direction.note(named, Effect::EmptyPage);
        }
        is_empty
    }

    fn fate_of_write(&self, key: &str, named: Option<&Named>) -> Fate {
        let now = self.now.get();
        let task = self.current.get();
        let in_a_row = self.failures.borrow().get(&task).and_then(|of| of.get(key).copied());
        let in_a_row = in_a_row.unwrap_or(0);
        let direction = &self.direction;
        let scripted = direction.is_scripted();
        let takes = if scripted { direction.takes(named) } else { self.duration() };
        let end = now + takes;
        let hard = if scripted {
            let hard = direction.fails(named).is_some_and(|(_, hard)| hard);
            if hard || takes >= SLOW {
                self.excuse();
            }
            hard
        } else {
            self.fails_hard()
        };
        let refused = self.kv.borrow().refuses(key, now);
        let (fails, commits) = if scripted {
            let fails = direction.fails(named);
            let committed = fails.is_none_or(|(committed, _)| committed);
            (fails.is_some() || refused, committed && !refused)
        } else {
            let chance = self.faults.borrow().writes;
            let mut random = self.random.borrow_mut();
            let soft = in_a_row < 2 && random.permille(chance);
            let fails = hard || soft || refused;
            (fails, !refused && (!fails || random.permille(500)))
        };
        if fails {
            let mut failures = self.failures.borrow_mut();
            failures.entry(task).or_default().insert(key.to_owned(), in_a_row + 1);
        } else if let Some(of) = self.failures.borrow_mut().get_mut(&task) {
            of.remove(key);
        }
        if refused && fails && in_a_row >= 2 {
            self.excuse();
        }
        direction.note(named, Effect::Takes(takes));
        if fails && !refused {
            direction.note(named, Effect::Fails { committed: commits, hard });
        }
        let commits = commits.then(|| self.commits(now, end, named));
        Fate { end, fails, commits }
    }

    /// When a write is committed, and how late it is.
    fn commits(&self, now: u64, end: u64, named: Option<&Named>) -> (u64, Late) {
        let direction = &self.direction;
        if direction.is_scripted() {
            let after = direction.committed_after(named).unwrap_or((end - now) / 2);
            return (now + after, direction.late(named));
        }
        let at = self.random.borrow_mut().between(now, end);
        direction.note(named, Effect::CommittedAfter(at - now));
        let late = self.kv.borrow().late();
        direction.note_late(named, &late);
        (at, late)
    }

    pub(crate) async fn write(
        &self,
        op: Op,
        key: &str,
        put: Option<&Put>,
    ) -> Result<(), StoreError> {
        let task = self.current.get();
        let named = self.direction.name(task, op, key);
        let fate = self.fate_of_write(key, named.as_ref());
        if let Some((at, late)) = fate.commits {
            let write = self.kv.borrow_mut().write(key, put.cloned(), at, late);
            let (key, named) = (key.to_owned(), named.clone());
            self.in_flight.borrow_mut().push(InFlight { task, key, write, at, named });
        }
        self.until(fate.end, named.as_ref()).await;
        if fate.fails { Err(failed()) } else { Ok(()) }
    }
}

/// An operation that takes so long excuses a failure, in milliseconds.
const SLOW: u64 = 1_000;

/// What becomes of a write.
struct Fate {
    end: u64,
    fails: bool,
    /// When, and how late it is.
    commits: Option<(u64, Late)>,
}

/// Where a task is kept.
fn place(id: TaskId) -> usize {
    usize::try_from(id - 1).unwrap()
}

fn failed() -> StoreError {
    StoreError::failed("the store is in a bad mood")
}
