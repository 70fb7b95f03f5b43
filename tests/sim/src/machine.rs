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
use passalong_edge::store::{Host, Page, Put, Store, StoreError};

use crate::kv::Kv;
use crate::random::Random;

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
    isolates: RefCell<Vec<Rc<Isolate>>>,
    queue: RefCell<BinaryHeap<Reverse<(u64, u64, Next)>>>,
    order: Cell<u64>,
    tasks: RefCell<BTreeMap<TaskId, Running>>,
    records: RefCell<BTreeMap<TaskId, Record>>,
    in_flight: RefCell<Vec<InFlight>>,
    /// Failures in a row of one task's write.
    failures: RefCell<BTreeMap<(TaskId, String), u32>>,
    current: Cell<TaskId>,
    last_task: Cell<TaskId>,
    /// When an operation last failed hard, or was slow: others on the isolate wait for it.
    trouble: Cell<u64>,
    /// Tasks that were cut off and not asked for yet.
    pub cut: RefCell<Vec<TaskId>>,
    /// When each isolate died, or a task on it, which may have been the one to write a batch.
    pub died: RefCell<Vec<Vec<u64>>>,
    pub log: RefCell<Vec<String>>,
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
            isolates: RefCell::new((0..isolates).map(|_| Rc::default()).collect()),
            queue: RefCell::default(),
            order: Cell::new(0),
            tasks: RefCell::default(),
            records: RefCell::default(),
            in_flight: RefCell::default(),
            failures: RefCell::default(),
            current: Cell::new(0),
            last_task: Cell::new(0),
            trouble: Cell::new(0),
            cut: RefCell::default(),
            died: RefCell::new(vec![Vec::new(); isolates]),
            log: RefCell::default(),
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
        let id = self.last_task.get() + 1;
        self.last_task.set(id);
        self.tasks.borrow_mut().insert(id, Running { future: Box::pin(future), isolate });
        self.records.borrow_mut().insert(id, Record::default());
        self.schedule(self.now.get(), Next::Wake(id));
        id
    }

    pub fn record(&self, task: TaskId) -> Record {
        self.records.borrow().get(&task).copied().unwrap_or_default()
    }

    pub fn current(&self) -> TaskId {
        self.current.get()
    }

    pub fn is_idle(&self) -> bool {
        self.tasks.borrow().is_empty()
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
        let Some(mut running) = self.tasks.borrow_mut().remove(&id) else { return };
        let (kills, isolates) = {
            let faults = self.faults.borrow();
            (faults.kills, faults.isolates)
        };
        if self.random.borrow_mut().permille(kills) {
            self.cut_off(id);
            self.died.borrow_mut()[running.isolate].push(self.now.get());
            return;
        }
        if self.random.borrow_mut().permille(isolates) {
            self.cut_off(id);
            self.kill_isolate(running.isolate);
            return;
        }
        self.current.set(id);
        match running.future.as_mut().poll(&mut Task::from_waker(Waker::noop())) {
            Poll::Ready(()) => self.forget(id),
            Poll::Pending => {
                self.tasks.borrow_mut().insert(id, running);
            }
        }
    }

    fn forget(&self, id: TaskId) {
        self.in_flight.borrow_mut().retain(|write| write.task != id);
        self.failures.borrow_mut().retain(|(task, _), _| *task != id);
    }

    /// A task ends where it is. What it has sent to the store arrives, or not.
    fn cut_off(&self, id: TaskId) {
        let now = self.now.get();
        for write in self.in_flight.borrow().iter().filter(|write| write.task == id) {
            if write.at > now && self.random.borrow_mut().permille(500) {
                self.kv.borrow_mut().take_back(&write.key, write.write);
            }
        }
        self.cut.borrow_mut().push(id);
        self.forget(id);
    }

    pub fn kill_isolate(&self, isolate: usize) {
        self.isolates.borrow_mut()[isolate] = Rc::default();
        self.died.borrow_mut()[isolate].push(self.now.get());
        let on_it =
            |(id, running): (&TaskId, &Running)| (running.isolate == isolate).then_some(*id);
        let dead: Vec<TaskId> = self.tasks.borrow().iter().filter_map(on_it).collect();
        for id in dead {
            let gone = self.tasks.borrow_mut().remove(&id);
            drop(gone);
            self.cut_off(id);
        }
    }

    /// Whether something failed hard a moment ago.
    pub fn is_troubled(&self) -> bool {
        self.trouble.get() + 30_000 > self.now.get()
    }

    fn excuse(&self) {
        self.trouble.set(self.now.get());
        if let Some(record) = self.records.borrow_mut().get_mut(&self.current.get()) {
            record.excused = true;
        }
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
    async fn until(&self, at: u64) {
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

    async fn read(&self) -> Result<(), StoreError> {
        let fails = self.fails_hard();
        self.until(self.now.get() + self.duration()).await;
        if fails { Err(failed()) } else { Ok(()) }
    }

    async fn write(&self, key: &str, put: Option<&Put>) -> Result<(), StoreError> {
        let task = self.current.get();
        let (now, end) = (self.now.get(), self.now.get() + self.duration());
        let hard = self.fails_hard();
        let (fails, commits) = {
            let slot = (task, key.to_owned());
            let in_a_row = self.failures.borrow().get(&slot).copied().unwrap_or(0);
            let refused = self.kv.borrow().refuses(key, now);
            let chance = self.faults.borrow().writes;
            let mut random = self.random.borrow_mut();
            let soft = in_a_row < 2 && random.permille(chance);
            let fails = hard || soft || refused;
            let commits = !refused && (!fails || random.permille(500));
            let in_a_row = if fails { in_a_row + 1 } else { 0 };
            drop(random);
            self.failures.borrow_mut().insert(slot, in_a_row);
            if refused && in_a_row > 2 {
                self.excuse();
            }
            (fails, commits)
        };
        if commits {
            let at = self.random.borrow_mut().between(now, end);
            let write = self.kv.borrow_mut().write(key, put.cloned(), at);
            self.in_flight.borrow_mut().push(InFlight { task, key: key.to_owned(), write, at });
        }
        self.until(end).await;
        if fails { Err(failed()) } else { Ok(()) }
    }
}

fn failed() -> StoreError {
    StoreError("the store is in a bad mood".to_owned())
}

/// The store and the clock, as one isolate has them.
pub struct Place {
    pub machine: Rc<Machine>,
    pub isolate: usize,
}

impl Place {
    const fn location(&self) -> usize {
        self.isolate / ISOLATES
    }
}

impl Store for Place {
    async fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.machine.read().await?;
        Ok(self.machine.kv.borrow_mut().get(key, self.location(), self.machine.now.get()))
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        self.machine.read().await?;
        let mut kv = self.machine.kv.borrow_mut();
        let now = self.machine.now.get();
        Ok(keys.iter().map(|key| kv.get(key, self.location(), now)).collect())
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, StoreError> {
        self.machine.read().await?;
        let now = self.machine.now.get();
        Ok(self.machine.kv.borrow_mut().list(prefix, cursor, self.location(), now))
    }

    async fn put(&self, put: &Put) -> Result<(), StoreError> {
        let metadata = put.metadata.as_ref().map_or(0, |metadata| metadata.to_string().len());
        assert!(metadata <= 1_024, "{}: metadata of {metadata} bytes", put.key);
        assert!(put.key.len() <= 512 && put.ttl.is_none_or(|ttl| ttl >= 60), "{put:?}");
        self.machine.write(&put.key, Some(put)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.machine.write(key, None).await
    }
}

impl Host for Place {
    async fn sleep(&self, millis: u32) {
        self.machine.until(self.machine.now.get() + u64::from(millis)).await;
    }

    fn random(&self) -> [u8; 8] {
        self.machine.random.borrow_mut().next().to_be_bytes()
    }

    fn millis(&self) -> u64 {
        self.machine.clock(self.isolate)
    }

    fn log(&self, line: &str) {
        self.machine.log.borrow_mut().push(line.to_owned());
    }
}
