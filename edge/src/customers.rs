//! What is kept of a customer: the merchant's id, sealed, and hints. Written on first contact,
//! opened only for the merchant, erased on request and again for a week.

use passalong_core::alias::Alias;
use passalong_core::ids::{
    CustomerId, CustomerPseudonym, Digest, Hint, HintPseudonym, Identity, ProgramId,
};
use passalong_core::missing_referral::Outcome;
use passalong_core::seal::Sealed;
use passalong_core::settlement::Known;
use passalong_core::status::View;
use passalong_core::time::{Instant, Minute};

use crate::keys::{CustomerKey, Field};
use crate::metadata::{self, Hints, Nothing, Segment};
use crate::programs::Loaded;
use crate::store::{Context, Entry, Host, Put, StoreError};

/// A customer's record, as far as it is visible here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Customer {
    /// The merchant's id, sealed.
    pub sealed: Option<String>,
    /// Hints and segments, and since which minute they count. Of an erased customer too, until they are
    /// deleted: they decide orders, and are shown to nobody.
    pub known: Known,
    /// Missing referrals that were reported, the oldest first, and what was decided on them.
    pub missing: Vec<Missing>,
    pub decided: Vec<(Minute, Outcome, Digest)>,
    /// The aliases this customer chose, the first in front; whose they are: [`crate::aliases`].
    pub aliases: Vec<(Minute, Alias)>,
    pub erased: bool,
}

/// A missing referral that a customer reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub filed: Minute,
    pub digest: Digest,
    pub ordered_on: String,
    /// The number as the customer gave it, sealed.
    pub number: String,
}

impl Customer {
    /// Reads the listed fields of one customer.
    pub fn read(entries: &[Entry]) -> Self {
        let mut customer = Self::default();
        for entry in entries {
            match field(entry) {
                Some(Field::Id) => {
                    customer.sealed = entry.read().map(|it: metadata::Sealed| it.sealed);
                }
                Some(Field::Hints(since, _)) => {
                    let hints = entry.read().map(|it: Hints| it.hints).unwrap_or_default();
                    let hints = hints.into_iter().map(|hint| (since, Identity::Hint(hint)));
                    customer.known.identities.extend(hints);
                }
                Some(Field::Segment(since, _)) => {
                    let segment = entry.read().map(|it: Segment| (since, it.segment));
                    customer.known.segments.extend(segment);
                }
                Some(Field::Missing(filed, digest)) => {
                    customer.missing.extend(entry.read().map(|meta: metadata::Missing| Missing {
                        filed,
                        digest,
                        ordered_on: meta.ordered_on,
                        number: meta.number,
                    }));
                }
                Some(Field::Decided(at, digest, outcome)) => {
                    customer.decided.push((at, outcome, digest));
                }
                Some(Field::Alias(at, alias)) => customer.aliases.push((at, alias)),
                Some(Field::Erased) => customer.erased = true,
                None => {}
            }
        }
        if customer.erased {
            customer.sealed = None;
            customer.missing.clear();
            customer.decided.clear();
            customer.aliases.clear();
        }
        customer
    }

    /// The merchant's id.
    pub fn open(&self, program: &Loaded) -> Option<String> {
        program.keys.open(Sealed::Customer, self.sealed.as_deref()?)
    }

    /// How this advocate's orders are looked at.
    pub fn view<'a>(
        &'a self,
        advocate: CustomerPseudonym,
        program: &'a Loaded,
        now: Instant,
    ) -> View<'a> {
        View { advocate, known: &self.known, versions: &program.versions, now, approved: None }
    }

    /// What was decided on a missing referral; of several decisions the first.
    pub fn outcome(&self, digest: Digest) -> Option<Outcome> {
        let own = self.decided.iter().filter(|(.., other)| *other == digest);
        // Of one minute a refusal comes first.
        let first = own.min_by_key(|(at, outcome, _)| (*at, *outcome == Outcome::Approved));
        first.map(|(_, outcome, _)| *outcome)
    }

    fn knows(&self, hints: &[HintPseudonym]) -> bool {
        hints
            .iter()
            .all(|hint| self.known.identities.iter().any(|(_, id)| *id == Identity::Hint(*hint)))
    }
}

/// Which field of a customer a listed key is.
pub fn field(entry: &Entry) -> Option<Field> {
    entry.once(|entry| entry.key.parse().map(|key: CustomerKey| key.field).ok())
}

/// Keys of one customer that are read, of hints the first in time. Nobody's order fails because very
/// many are kept.
const FIELDS: usize = 2_000;

/// Everything that is kept of a customer, in byte order.
pub async fn kept<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    customer: CustomerPseudonym,
) -> Result<Vec<Entry>, StoreError> {
    let prefix = CustomerKey::prefix(&[program, &customer]);
    let (mut entries, more) = cx.first(&prefix, FIELDS).await?;
    if more {
        // However many hints there are: what comes after them.
        for field in ["id", "missing.", "segment."] {
            entries.extend(cx.first(&format!("{prefix}{field}"), FIELDS).await?.0);
        }
        entries.sort_by(|one, other| one.key.cmp(&other.key));
        entries.dedup_by(|one, other| one.key == other.key);
    }
    Ok(entries)
}

pub async fn load<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
) -> Result<Customer, StoreError> {
    Ok(Customer::read(&kept(cx, program.id(), customer).await?))
}

/// The merchant's ids of several customers, in one read.
pub async fn open_all<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customers: &[CustomerPseudonym],
) -> Result<Vec<Option<String>>, StoreError> {
    let key = |customer: &CustomerPseudonym| {
        let field = Field::Id;
        CustomerKey { program: program.id().clone(), customer: *customer, field }.to_string()
    };
    let keys: Vec<String> = customers.iter().map(key).collect();
    let values = cx.get_many(&keys).await?;
    let open = |value: Option<String>| program.keys.open(Sealed::Customer, &value?);
    Ok(values.into_iter().map(open).collect())
}

/// The key that holds the merchant's id, sealed: in its metadata for lists, in its value for reads.
fn id_put(program: &Loaded, id: &CustomerId) -> Put {
    let customer = program.keys.customer(id);
    let sealed = program.keys.seal(Sealed::Customer, id.as_str());
    let key = CustomerKey { program: program.id().clone(), customer, field: Field::Id };
    Put::listed(&key, &metadata::Sealed { sealed: sealed.clone() }).value(sealed)
}

/// The keys that a contact with this customer still has to write: none for a known one.
pub fn missing<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    known: &Customer,
    id: &CustomerId,
    hints: &[Hint],
) -> Vec<Put> {
    if known.erased {
        return Vec::new();
    }
    let mut puts = Vec::new();
    if known.sealed.is_none() {
        puts.push(id_put(program, id));
    }
    let mut hints: Vec<HintPseudonym> = hints.iter().map(|hint| program.keys.hint(hint)).collect();
    hints.sort();
    hints.dedup();
    if !known.knows(&hints) {
        let texts: Vec<String> = hints.iter().map(ToString::to_string).collect();
        let digest = program.keys.digest(texts.join(" ").as_bytes());
        let field = Field::Hints(cx.accepted(), digest);
        let customer = program.keys.customer(id);
        let key = CustomerKey { program: program.id().clone(), customer, field };
        puts.push(Put::listed(&key, &Hints { hints }));
    }
    puts
}

/// The key to write where the shop says that a customer has come into another segment.
pub fn moved<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    known: &Customer,
    id: &CustomerId,
    segment: Option<&str>,
) -> Option<Put> {
    let segment = segment.filter(|_| !known.erased)?;
    let last = known.known.segments.iter().max().map(|(_, segment)| segment.as_str());
    let digest = program.keys.digest(segment.as_bytes());
    let field = Field::Segment(cx.accepted(), digest);
    let customer = program.keys.customer(id);
    let key = CustomerKey { program: program.id().clone(), customer, field };
    let metadata = Segment { segment: segment.to_owned() };
    (last != Some(segment)).then(|| Put::listed(&key, &metadata))
}

/// What stands for an erased customer until then: later writes are dropped.
pub fn tombstone<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    customer: CustomerPseudonym,
    until: Instant,
) -> Put {
    let key = CustomerKey { program: program.clone(), customer, field: Field::Erased };
    Put::listed(&key, &Nothing {}).until(until, cx.now)
}
