//! What an isolate remembers between requests: the deployment's configuration, the programs, and
//! the clicks of the last second. All of it can be lost at any moment.

use std::cell::RefCell;

use passalong_core::keys::Secrets;

use crate::clicks::Batches;
use crate::programs::Programs;

/// How this deployment is set up.
#[derive(Debug)]
pub struct Config {
    pub secrets: Secrets,
    /// `TEST_CLOCK=on`: time can be set, and only loopback hosts are served.
    pub test_clock: bool,
    /// `DEBUG=on`: operations are shown in `Server-Timing`.
    pub debug: bool,
}

#[derive(Debug, Default)]
pub struct Isolate {
    pub programs: RefCell<Programs>,
    pub batches: RefCell<Batches>,
}
