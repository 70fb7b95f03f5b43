//! The ledgers of advocates as the cron reads them: whole, however long they are, or as much of them as a
//! run can read. Of a part a verdict needs to know no more than that there are too many orders to rank.

use std::collections::BTreeMap;

use passalong_core::fact::Order;
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym, ProgramId};
use passalong_core::orders::account::{self, is_crowded};
use passalong_core::time::Minute;

use crate::cron::has_room;
use crate::keys::LedgerKey;
use crate::orders;
use crate::programs::Loaded;
use crate::store::{Context, Host, StoreError};

/// Facts of one ledger that are read: twenty for each order that is ranked.
const FACTS: usize = 20 * account::ORDERS;
/// Facts of a ledger that are read whatever the run has spent.
const AT_LEAST: usize = 20_000;

/// A ledger as it was read.
#[derive(Debug, Default)]
pub struct Read {
    pub orders: account::Ledger,
    /// Nothing of it is left out.
    pub is_whole: bool,
}

impl Read {
    /// Whether a verdict at `settled` has more orders before it than it ranks; an error where a part of
    /// the ledger does not say.
    pub fn crowded(&self, settled: Minute) -> Result<bool, StoreError> {
        match is_crowded(&self.orders, settled) {
            false if !self.is_whole => Err(StoreError::Cut),
            crowded => Ok(crowded),
        }
    }
}

/// Reads a ledger to its end, or as far as one is read.
pub async fn read<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    advocate: CustomerPseudonym,
) -> Result<Read, StoreError> {
    let prefix = LedgerKey::prefix(&[program.id(), &advocate]);
    let mut read = Read::default();
    let (mut facts, mut cursor) = (0, None);
    loop {
        if facts >= AT_LEAST && !has_room(cx) {
            return Err(StoreError::OutOfBudget);
        }
        let page = cx.page(&prefix, cursor.as_deref()).await?;
        facts += page.entries.len();
        orders::fold_into(&mut read.orders, &page.entries);
        cursor = page.cursor;
        if cursor.is_none() {
            read.is_whole = true;
            return Ok(read);
        }
        if facts >= FACTS {
            // Of its last order not all is read.
            read.orders.pop_last();
            return Ok(read);
        }
    }
}

/// The ledgers read in a run.
#[derive(Debug, Default)]
pub struct Ledgers(BTreeMap<(ProgramId, CustomerPseudonym), Read>);

impl Ledgers {
    /// An advocate's ledger with all facts of one order.
    pub async fn with<H: Host>(
        &mut self,
        cx: &Context<'_, H>,
        program: &Loaded,
        advocate: CustomerPseudonym,
        order: OrderPseudonym,
    ) -> Result<&mut Read, StoreError> {
        let slot = (program.id().clone(), advocate);
        if !self.0.contains_key(&slot) {
            let read = read(cx, program, advocate).await?;
            self.0.insert(slot.clone(), read);
        }
        let read = self.0.entry(slot).or_default();
        if !read.is_whole && !read.orders.contains_key(&order) {
            let facts = orders::in_ledger(cx, program, advocate, order).await?;
            read.orders.insert(order, facts);
        }
        Ok(read)
    }

    /// An order in a ledger that was read.
    pub fn order(
        &self,
        program: &Loaded,
        advocate: CustomerPseudonym,
        order: OrderPseudonym,
    ) -> Option<&Order> {
        self.0.get(&(program.id().clone(), advocate))?.orders.get(&order)
    }

    /// What was read of a ledger does not have what was written since.
    pub fn forget(&mut self, program: &Loaded, advocate: CustomerPseudonym) {
        self.0.remove(&(program.id().clone(), advocate));
    }
}
