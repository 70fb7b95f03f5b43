//! Requests that panic on purpose, while they hold what all requests of an isolate share: at once, and
//! after the store was asked. Compiled in by the feature `panic-route` only, for the test that the next
//! request is answered all the same.

use crate::http::Request;
use crate::isolate::Isolate;
use crate::platform::kv::Platform;
use crate::store::Store;

#[allow(clippy::panic, reason = "that is what it is for")]
pub async fn meet(request: &Request, platform: &Platform, isolate: &Isolate) {
    match request.path.as_str() {
        "/panic/at-once" => {}
        "/panic/later" => drop(platform.get("panic").await),
        _ => return,
    }
    let _programs = isolate.programs.borrow_mut();
    let _batches = isolate.batches.borrow_mut();
    panic!("as asked for");
}
