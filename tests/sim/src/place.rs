//! What a handler has of the machine: the store and the clock of one isolate.

use std::rc::Rc;

use passalong_core::webhook::SendProblem;
use passalong_edge::store::{Host, Outgoing, Page, Put, Store, StoreError};

use crate::direction::Named;
use crate::machine::{ISOLATES, Machine};
use crate::script::{Effect, Op};

/// The store and the clock, as one isolate has them.
pub struct Place {
    pub machine: Rc<Machine>,
    pub isolate: usize,
}

impl Place {
    const fn location(&self) -> usize {
        self.isolate / ISOLATES
    }

    fn name(&self, op: Op, key: &str) -> Option<Named> {
        self.machine.direction.name(self.machine.current(), op, key)
    }
}

impl Store for Place {
    async fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        let named = self.name(Op::Get, key);
        self.machine.read(named.as_ref()).await?;
        let back = self.machine.back(named.as_ref());
        let now = self.machine.now.get();
        Ok(self.machine.kv.borrow().get(key, self.location(), (now, back)))
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let first = keys.first().map(String::as_str).unwrap_or_default();
        self.machine.read(self.name(Op::Get, first).as_ref()).await?;
        let now = self.machine.now.get();
        let get = |key: &String| {
            let back = self.machine.back(self.name(Op::Get, key).as_ref());
            self.machine.kv.borrow().get(key, self.location(), (now, back))
        };
        Ok(keys.iter().map(get).collect())
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, StoreError> {
        let named = self.name(Op::List, prefix);
        self.machine.read(named.as_ref()).await?;
        let back = self.machine.back(named.as_ref());
        let is_empty = self.machine.is_empty_page(named.as_ref());
        let view = (self.machine.now.get(), back);
        Ok(self.machine.kv.borrow().list((prefix, cursor), self.location(), view, is_empty))
    }

    async fn put(&self, put: &Put) -> Result<(), StoreError> {
        let mut metadata = Length(0);
        serde_json::to_writer(&mut metadata, &put.metadata.as_deref()).unwrap();
        let Length(metadata) = metadata;
        assert!(metadata <= 1_024, "{}: metadata of {metadata} bytes", put.key);
        assert!(put.key.len() <= 512 && put.ttl.is_none_or(|ttl| ttl >= 60), "{put:?}");
        self.machine.write(Op::Put, &put.key, Some(put)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.machine.write(Op::Delete, key, None).await
    }
}

impl Host for Place {
    async fn sleep(&self, millis: u32) {
        let named = self.name(Op::Sleep, "");
        self.machine.until(self.machine.now.get() + u64::from(millis), named.as_ref()).await;
    }

    fn random(&self) -> [u8; 8] {
        let named = self.name(Op::Random, "");
        let direction = &self.machine.direction;
        if direction.is_scripted() {
            return direction.number(named.as_ref()).to_be_bytes();
        }
        let number = self.machine.random.borrow_mut().next();
        direction.note(named.as_ref(), Effect::Number(number));
        number.to_be_bytes()
    }

    fn millis(&self) -> u64 {
        self.machine.clock(self.isolate)
    }

    async fn post(&self, outgoing: &Outgoing<'_>) -> Result<u16, SendProblem> {
        self.machine.post(outgoing).await
    }

    fn once<T: Clone + 'static>(&self, text: &str, read: fn(&str) -> T) -> T {
        self.machine.once(text, read)
    }

    fn log(&self, line: &str) {
        self.machine.log.borrow_mut().push(line.to_owned());
    }
}

/// How long a text would be.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0 += text.len();
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
