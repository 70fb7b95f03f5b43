//! What an isolate remembers between requests: the deployment's configuration, the programs with the
//! endpoints of their webhooks, the clicks of the last second, and who asked how often in this minute. All of it can be lost at any
//! moment.

use std::cell::RefCell;

use passalong_core::keys::Secrets;
use passalong_core::shop::ShopSecrets;

use crate::clicks::Batches;
use crate::limits::Asked;
use crate::programs::Programs;
use crate::webhooks::Endpoints;

/// How this deployment is set up.
#[derive(Debug)]
pub struct Config {
    pub secrets: Secrets,
    pub shops: ShopSecrets,
    /// `TEST_CLOCK=on`: time can be set, and only loopback hosts are served.
    pub test_clock: bool,
    /// `DEBUG=on`: operations are shown in `Server-Timing`.
    pub debug: bool,
}

#[derive(Debug, Default)]
pub struct Isolate {
    pub programs: RefCell<Programs>,
    pub batches: RefCell<Batches>,
    pub asked: RefCell<Asked>,
    pub endpoints: RefCell<Endpoints>,
}
