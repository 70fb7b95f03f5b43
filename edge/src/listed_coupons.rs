//! Coupons that the merchant listed for customers. Terms hold no readable id: they are stored with
//! pseudonyms, each customer's id is sealed in the one key of the customer's record, and the merchant is
//! told it from there. So an erased customer is forgotten here, too.

use passalong_core::ids::{CustomerId, CustomerPseudonym};
use passalong_core::keys::ProgramKeys;
use passalong_core::program::{ListedCoupon, Program, StandsFor, Version};
use passalong_core::wire::ProgramVersion;

use crate::customers;
use crate::problem::Problem;
use crate::programs::{Loaded, message};
use crate::store::{Context, Host};

/// Terms that somebody sent, as they are stored, and the customers whom their coupons name.
pub fn at_rest(terms: Program, keys: &ProgramKeys) -> Result<(Program, Vec<CustomerId>), Problem> {
    match terms.coupons.iter().position(|coupon| stored(coupon).is_some()) {
        Some(index) => {
            let field = format!("coupons[{index}].customer");
            Err(Problem::field(&field, "is not a field of this request; send customer_id"))
        }
        None => Ok(terms.at_rest(keys)),
    }
}

const fn stored(coupon: &ListedCoupon) -> Option<CustomerPseudonym> {
    match coupon.stands_for {
        StandsFor::Customer(customer) => Some(customer),
        StandsFor::Id(_) | StandsFor::Nobody => None,
    }
}

/// A version as the merchant is told, with the customers for whom its coupons stand: one read where
/// there are any.
pub async fn told<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    version: &Version,
) -> Result<ProgramVersion, Problem> {
    let mut answer = message(version);
    let coupons = &mut answer.terms.coupons;
    let customers: Vec<_> = coupons.iter().filter_map(stored).collect();
    if customers.is_empty() {
        return Ok(answer);
    }
    let opened = customers::open_all(cx, program, &customers).await?;
    let mut ids = opened.into_iter().map(|id| id.and_then(|id| id.parse().ok()));
    for coupon in coupons.iter_mut().filter(|coupon| stored(coupon).is_some()) {
        coupon.stands_for = ids.next().flatten().map_or(StandsFor::Nobody, StandsFor::Id);
    }
    Ok(answer)
}

/// Writes the records of customers that have none yet: one read, and one list and one write for each.
pub async fn remember<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    ids: &[CustomerId],
) -> Result<(), Problem> {
    let pseudonyms: Vec<_> = ids.iter().map(|id| program.keys.customer(id)).collect();
    if pseudonyms.is_empty() {
        return Ok(());
    }
    let known = customers::open_all(cx, program, &pseudonyms).await?;
    let unknown = ids.iter().zip(&known).filter(|(_, known)| known.is_none());
    let mut unknown: Vec<_> = unknown.map(|(id, _)| id).collect();
    unknown.sort();
    unknown.dedup();
    for some in unknown.chunks(25) {
        let loads = some.iter().map(|id| async {
            let record = customers::load(cx, program, program.keys.customer(id)).await?;
            cx.put_all(&customers::missing(cx, program, &record, id, &[])).await
        });
        let all = futures_util::future::join_all(loads).await;
        all.into_iter().collect::<Result<(), _>>()?;
    }
    Ok(())
}
