//! Random input for everything in core and edge that reads what others wrote: a parser is fed seeds of
//! a small corpus, spoilt again and again. It must not panic, must end, must read back what it
//! prints, and must name the field that is wrong.
//!
//! `parsers.rs` lists the parsers and what each must hold, `tokens.rs` those of proofs, `identities.rs` those of who is logged in, `shops.rs` those of shop systems, `requests.rs` is the whole Worker as one of
//! them, `input.rs` makes the inputs. One number replays a run: the same seed makes the same inputs on
//! every machine.
pub mod identities;
pub mod input;
pub mod parsers;
pub mod requests;
pub mod shops;
pub mod tokens;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use input::Inputs;

/// A parser under test.
pub struct Parser {
    pub name: &'static str,
    /// Inputs that are right or nearly so, one a line.
    pub corpus: &'static str,
    pub check: Check,
}

/// Feeds a parser; whether it took the input, or what does not hold.
pub type Check = Box<dyn FnMut(&[u8]) -> Result<bool, String>>;

/// What is being read at the moment, and since when: for whoever watches that it ends.
pub static UNDER_WAY: Mutex<Option<(&'static str, Instant, Vec<u8>)>> = Mutex::new(None);

/// No input takes longer to read, by far.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    pub inputs: u64,
    /// How many were taken: a parser that refuses everything was not tested.
    pub taken: u64,
}

/// Feeds one parser; the first input for which something does not hold ends the run.
pub fn run(parser: &mut Parser, seed: u64, count: u64) -> Result<Outcome, String> {
    let mut inputs = Inputs::new(parser.corpus, seed);
    let mut taken = 0;
    for _ in 0..count {
        let input = inputs.next();
        if let Ok(mut under_way) = UNDER_WAY.lock() {
            let (_, since, copy) =
                under_way.get_or_insert_with(|| (parser.name, Instant::now(), Vec::new()));
            *since = Instant::now();
            copy.clone_from(&input);
        }
        let checked = catch_unwind(AssertUnwindSafe(|| (parser.check)(&input)));
        match checked.unwrap_or_else(|_| Err("it panicked".to_owned())) {
            Ok(true) => {
                taken += 1;
                inputs.keep(input);
            }
            Ok(false) => {}
            Err(what) => return Err(format!("{}: {what}\n{}", parser.name, shown(&input))),
        }
    }
    if let Ok(mut under_way) = UNDER_WAY.lock() {
        *under_way = None;
    }
    Ok(Outcome { inputs: count, taken })
}

/// An input as text that a person can paste into a test.
pub fn shown(input: &[u8]) -> String {
    format!("input: b\"{}\"", input.escape_ascii())
}
