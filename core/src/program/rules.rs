//! The rules of a program: read from JSON, each wrong combination explained.

use super::is_default;
use crate::decode::{Fields, Invalid};
use crate::money::{BasisPoints, Currency, MAX_AMOUNT};
use crate::reward::{
    Cap, CapPeriod, Delivery, Expires, Label, Role, Rule, Tier, Trigger, Value, When,
};

/// Rules in one program.
const MOST: usize = 20;

/// Reads `rewards`; `has_coupon` says whether the program has a code for friends.
pub fn read(f: &mut Fields, currency: Currency, has_coupon: bool) -> Result<Vec<Rule>, Invalid> {
    let rules = f.objects("rewards", MOST)?;
    let rules = f.required("rewards", rules, "a list of rules, for example of the preset 20-10")?;
    let read = |fields| one(fields, currency, has_coupon);
    let rules = rules.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    check(&rules)?;
    Ok(rules)
}

fn one(mut f: Fields, program: Currency, has_coupon: bool) -> Result<Rule, Invalid> {
    let earner = f.read("for")?;
    let earner = f.required("for", earner, "advocate or friend")?;
    let trigger = f.read("trigger")?;
    let trigger = f.required("trigger", trigger, "for example first_purchase")?;
    let fields = f.object("value")?;
    let fields = f.required("value", fields, "for example a percent_of_order")?;
    let rule = Rule {
        role: earner,
        trigger,
        action: f.text("action", 64)?,
        segment: f.text("segment", 64)?,
        value: value(fields, program)?,
        tiers: tiers(&mut f, program)?,
        milestone: count(&mut f, "milestone", 1)?,
        minimum_order: f.amount("minimum_order")?,
        cap: f
            .object("cap")?
            .map(cap)
            .transpose()?
            .filter(|cap| cap.count.is_some() || cap.amount.is_some()),
        expires: f.object("expires")?.map(expires).transpose()?,
        expires_days: whole(&mut f, "expires_days", (1, Expires::MOST_DAYS))?,
        when: f.read("when")?.unwrap_or(When::Earned),
        delivery: f.read("delivery")?.unwrap_or(Delivery::Manual),
        pool: f.read("pool")?,
    };
    check_trigger(&f, &rule)?;
    check_role(&f, &rule)?;
    check_end(&f, &rule)?;
    check_tiers(&f, &rule)?;
    check_delivery(&f, &rule, has_coupon)?;
    check_cap(&f, &rule)?;
    f.finish()?;
    Ok(rule)
}

fn check_trigger(f: &Fields, rule: &Rule) -> Result<(), Invalid> {
    let value = rule.value;
    if rule.trigger == Trigger::Action && !matches!(value, Value::Points { .. }) {
        return Err(f.invalid("value", "must be points, because the trigger is action"));
    }
    if rule.trigger != Trigger::Action && rule.action.is_some() {
        return Err(f.invalid("action", "goes with the trigger action only"));
    }
    if rule.action.is_some() && (rule.milestone.is_some() || !rule.tiers.is_empty()) {
        let problem = "does not go with tiers or a milestone, which count all actions together";
        return Err(f.invalid("action", problem));
    }
    if rule.trigger == Trigger::Signup {
        if value.rate().is_some() {
            return Err(f.invalid("value", "cannot be percent_of_order: a sign-up has no amount"));
        }
        if rule.minimum_order.is_some() {
            return Err(f.invalid("minimum_order", "does not fit: a sign-up has no amount"));
        }
    }
    Ok(())
}

/// What the shop takes off an order itself never becomes a reward: nothing about it can wait, run
/// out or be handed over later.
fn check_at_once(f: &Fields, rule: &Rule) -> Result<(), Invalid> {
    if rule.role == Role::Advocate {
        return Err(f.invalid("when", "at_once is for friends; an advocate's reward is earned"));
    }
    if !matches!(rule.trigger, Trigger::FirstPurchase | Trigger::EveryPurchase) {
        let problem = "at_once needs a purchase: there is nothing to take a discount off otherwise";
        return Err(f.invalid("when", problem));
    }
    match rule.value {
        Value::AmountOff { .. } | Value::PercentOff { times: None, .. } => {}
        Value::PercentOff { .. } => {
            let problem = "does not fit: at_once is taken off this one order";
            return Err(f.invalid("value.times", problem));
        }
        _ => return Err(f.invalid("when", "at_once takes a percent_off or an amount_off")),
    }
    if rule.cap.is_some() {
        let problem = "does not fit: what the shop takes off at once is not counted";
        return Err(f.invalid("cap", problem));
    }
    if rule.delivery == Delivery::Webhook {
        let problem = "cannot be webhook: what the shop takes off at once is not handed over later";
        return Err(f.invalid("delivery", problem));
    }
    Ok(())
}

fn check_role(f: &Fields, rule: &Rule) -> Result<(), Invalid> {
    if rule.when == When::AtOnce {
        check_at_once(f, rule)?;
    }
    if rule.milestone.is_some() {
        if rule.role == Role::Friend {
            return Err(f.invalid("milestone", "is for advocates"));
        }
        if rule.value.rate().is_some() {
            let problem = "cannot be percent_of_order: a milestone is about many orders";
            return Err(f.invalid("value", problem));
        }
        if rule.cap.is_some() || rule.minimum_order.is_some() {
            let field = if rule.cap.is_some() { "cap" } else { "minimum_order" };
            let problem = "does not go with a milestone, which is paid once";
            return Err(f.invalid(field, problem));
        }
    }
    Ok(())
}

/// An end that is said once, of what its owner keeps for a while.
fn check_end(f: &Fields, rule: &Rule) -> Result<(), Invalid> {
    let field = match (rule.expires, rule.expires_days) {
        (None, None) => return Ok(()),
        (Some(_), None) => "expires",
        (None, Some(_)) => "expires_days",
        (Some(_), Some(_)) => {
            let problem = "does not go with expires, which says the same: leave one of them out";
            return Err(f.invalid("expires_days", problem));
        }
    };
    if rule.when == When::AtOnce {
        let problem = "does not fit: what the shop takes off at once cannot expire";
        return Err(f.invalid(field, problem));
    }
    if matches!(rule.value, Value::Donation { .. }) {
        return Err(f.invalid(field, "does not fit: a donation does not expire"));
    }
    Ok(())
}

/// The number of the last referral that earns by a rule, where its cap has an end for good.
fn last_place(rule: &Rule) -> Option<u32> {
    rule.cap.filter(|cap| cap.per == CapPeriod::Total).and_then(|cap| cap.count)
}

/// A cap that fits the value.
fn check_cap(f: &Fields, rule: &Rule) -> Result<(), Invalid> {
    let is_countable = rule.value.amount().is_some() || rule.value.rate().is_some();
    if rule.cap.is_some_and(|cap| cap.amount.is_some()) && !is_countable {
        let problem = "cannot limit the amount of a percentage or a gift; limit the count";
        return Err(f.invalid("cap", problem));
    }
    Ok(())
}

fn check_tiers(f: &Fields, rule: &Rule) -> Result<(), Invalid> {
    if rule.tiers.is_empty() {
        return Ok(());
    }
    if rule.role == Role::Friend || rule.milestone.is_some() {
        return Err(f.invalid("tiers", "are for an advocate's referrals"));
    }
    let mut last = 1;
    for (index, tier) in rule.tiers.iter().enumerate() {
        if tier.from <= last {
            let field = format!("tiers[{index}].from");
            return Err(f.invalid(&field, format!("must be above {last}: tiers go upwards")));
        }
        if tier.value.kind() != rule.value.kind() {
            let field = format!("tiers[{index}].value");
            let problem = format!("must be {}, as the value is", rule.value.kind());
            return Err(f.invalid(&field, problem));
        }
        if let Some(most) = last_place(rule).filter(|most| tier.from > *most) {
            let field = format!("tiers[{index}].from");
            let problem = format!("is never reached: the cap ends with reward {most}");
            return Err(f.invalid(&field, problem));
        }
        last = tier.from;
    }
    Ok(())
}

fn check_delivery(f: &Fields, rule: &Rule, has_coupon: bool) -> Result<(), Invalid> {
    if rule.pool.is_some() && (rule.delivery != Delivery::Coupon || rule.role == Role::Friend) {
        return Err(f.invalid("pool", "goes with the delivery coupon of an advocate's reward"));
    }
    if rule.delivery != Delivery::Coupon {
        return Ok(());
    }
    if rule.role == Role::Friend {
        if rule.when != When::AtOnce {
            let problem = "cannot be coupon for what a friend earns later: everybody would share one code. Use at_once, or another delivery";
            return Err(f.invalid("delivery", problem));
        }
        return if has_coupon {
            Ok(())
        } else {
            Err(f.invalid("delivery", "is coupon, so the program needs a coupon with its code"))
        };
    }
    if rule.pool.is_none() {
        return Err(f.invalid("pool", "is required: the pool that the coupons come from"));
    }
    if matches!(rule.value, Value::Donation { .. }) {
        let problem = "cannot be coupon: a donation goes to somebody else";
        return Err(f.invalid("delivery", problem));
    }
    if rule.value.rate().is_some() || !is_default(&rule.tiers) {
        let problem =
            "cannot be coupon: the coupons of a pool are worth the same, this value is not";
        return Err(f.invalid("delivery", problem));
    }
    let parts = rule.cap.and_then(|cap| cap.amount).zip(rule.value.amount());
    if parts.is_some_and(|(most, amount)| most % amount != 0) {
        let problem = "must be a multiple of the value: a coupon cannot be given in part";
        return Err(f.invalid("cap.amount", problem));
    }
    Ok(())
}

fn value(mut f: Fields, program: Currency) -> Result<Value, Invalid> {
    let kind = f.text("kind", 40)?;
    let kind = f.required("kind", kind, "for example percent_of_order")?;
    let result = match kind.as_str() {
        "percent_off" => Value::PercentOff {
            basis_points: basis_points(&mut f)?,
            times: count(&mut f, "times", 1)?,
        },
        "percent_of_order" => Value::PercentOfOrder { basis_points: basis_points(&mut f)? },
        "amount_off" => Value::AmountOff {
            amount: positive(&mut f, "amount")?,
            currency: currency(&mut f, program)?,
        },
        "credit" => Value::Credit {
            amount: positive(&mut f, "amount")?,
            currency: currency(&mut f, program)?,
        },
        "points" => Value::Points { points: positive(&mut f, "points")? },
        "storage_bytes" => Value::StorageBytes { bytes: positive(&mut f, "bytes")? },
        "free_periods" => Value::FreePeriods { periods: positive(&mut f, "periods")? },
        "gift" => {
            let label: Option<Label> = f.read("label")?;
            let label = f.required("label", label, "what it is, for example Teeset")?;
            Value::Gift { label, worth: f.amount("worth")? }
        }
        "donation" => Value::Donation {
            amount: positive(&mut f, "amount")?,
            currency: currency(&mut f, program)?,
            to: f.read("to")?,
        },
        _ => {
            let known = "percent_off, amount_off, credit, percent_of_order, points, storage_bytes, free_periods, gift, donation";
            return Err(f.invalid("kind", format!("must be one of {known}")));
        }
    };
    f.finish()?;
    Ok(result)
}

fn tiers(f: &mut Fields, program: Currency) -> Result<Vec<Tier>, Invalid> {
    let read = |mut f: Fields| {
        let from = count(&mut f, "from", 2)?;
        let from = f.required("from", from, "the number of the referral it begins with")?;
        let fields = f.object("value")?;
        let fields = f.required("value", fields, "what a referral earns from then on")?;
        f.finish()?;
        Ok(Tier { from, value: value(fields, program)? })
    };
    f.objects("tiers", 10)?.unwrap_or_default().into_iter().map(read).collect()
}

fn expires(mut f: Fields) -> Result<Expires, Invalid> {
    let days = whole(&mut f, "days", (1, Expires::MOST_DAYS))?.map(Expires::Days);
    let years = whole(&mut f, "end_of_year", (0, Expires::MOST_YEARS))?.map(Expires::EndOfYear);
    if days.is_some() && years.is_some() {
        return Err(f.invalid("end_of_year", "does not go with days: leave one of them out"));
    }
    let expires = f.required("days", days.or(years), "how many, or end_of_year instead")?;
    f.finish()?;
    Ok(expires)
}

fn count(f: &mut Fields, name: &str, least: i64) -> Result<Option<u32>, Invalid> {
    whole(f, name, (least, 1_000_000))
}

fn whole(f: &mut Fields, name: &str, (least, most): (i64, i64)) -> Result<Option<u32>, Invalid> {
    let right = format!("must be a whole number from {least} to {most}");
    let number = f.integer(name, (least, most), &right)?;
    Ok(number.and_then(|number| u32::try_from(number).ok()))
}

fn basis_points(f: &mut Fields) -> Result<BasisPoints, Invalid> {
    let right = "must be basis points from 1 to 10000, for example 2000 for 20 %";
    let rate = f.integer("basis_points", (1, 10_000), right)?;
    let rate = rate.and_then(|rate| u16::try_from(rate).ok()).map(BasisPoints);
    f.required("basis_points", rate, "for example 2000 for 20 %")
}

fn positive(f: &mut Fields, name: &str) -> Result<i64, Invalid> {
    let amount = f.integer(name, (1, MAX_AMOUNT), "must be a whole number above zero")?;
    f.required(name, amount, "a whole number above zero")
}

fn currency(f: &mut Fields, program: Currency) -> Result<Currency, Invalid> {
    let currency = f.read("currency")?.unwrap_or(program);
    if currency == program {
        Ok(currency)
    } else {
        Err(f.invalid("currency", format!("must be the program's, {program}")))
    }
}

fn cap(mut f: Fields) -> Result<Cap, Invalid> {
    let count = f.integer("count", (1, 1_000_000), "must be a whole number above zero, or null")?;
    let amount =
        f.integer("amount", (1, MAX_AMOUNT), "must be a whole number above zero, or null")?;
    let per = f.read("per")?.unwrap_or(CapPeriod::Total);
    f.finish()?;
    Ok(Cap { count: count.and_then(|count| u32::try_from(count).ok()), amount, per })
}

/// Whether whatever fits `rule` also fits `before`.
fn covers(before: &Rule, rule: &Rule) -> bool {
    // Milestones count each trigger for itself.
    let whenever = before.trigger == rule.trigger
        || (before.trigger == Trigger::EveryPurchase
            && rule.trigger == Trigger::FirstPurchase
            && rule.milestone.is_none());
    before.role == rule.role
        && whenever
        && (before.action.is_none() || before.action == rule.action)
        && (before.segment.is_none() || before.segment == rule.segment)
}

/// A rule after one that always fits first can never apply: that is a mistake worth naming. So is a
/// milestone that nothing leads to.
fn check(rules: &[Rule]) -> Result<(), Invalid> {
    for (index, rule) in rules.iter().enumerate() {
        let before = rules.iter().take(index).filter(|before| before.milestone == rule.milestone);
        if before.clone().any(|before| covers(before, rule)) {
            let problem = "never applies, because an earlier rule for the same role fits first";
            return Err(Invalid::field(&format!("rewards[{index}]"), problem));
        }
        let Some(at) = rule.milestone else { continue };
        let leads = |plain: &&Rule| {
            plain.milestone.is_none()
                && plain.role == Role::Advocate
                && plain.trigger == rule.trigger
                && (plain.segment.is_none()
                    || rule.segment.is_none()
                    || plain.segment == rule.segment)
        };
        let leading = || rules.iter().filter(leads);
        if leading().next().is_none() {
            let problem =
                "has a milestone of referrals that earn nothing: add a rule with the same trigger";
            return Err(Invalid::field(&format!("rewards[{index}]"), problem));
        }
        if leading().all(|plain| last_place(plain).is_some_and(|most| most < at)) {
            let problem = "is never reached: the cap of the rule with the same trigger ends before";
            return Err(Invalid::field(&format!("rewards[{index}].milestone"), problem));
        }
    }
    if rules.iter().any(|rule| rule.role == Role::Advocate && rule.milestone.is_none()) {
        Ok(())
    } else {
        Err(Invalid::field("rewards", "must have a rule for the advocate"))
    }
}

/// What cannot be given in part must fit under the yearly ceiling, or it is never given.
pub fn check_ceiling(rules: &[Rule], ceiling: Option<i64>) -> Result<(), Invalid> {
    let Some(ceiling) = ceiling else { return Ok(()) };
    for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.role == Role::Advocate) {
        let mut values =
            std::iter::once(rule.value).chain(rule.tiers.iter().map(|tier| tier.value));
        let is_whole =
            |value: &Value| value.amount().is_none() || rule.delivery == Delivery::Coupon;
        let never = |value: &Value| is_whole(value) && value.money() > Some(ceiling);
        if let Some(worth) = values.find(never).and_then(Value::money) {
            let problem =
                format!("must be at least {worth}, or what rewards[{index}] gives never fits");
            return Err(Invalid::field("yearly_ceiling", problem));
        }
    }
    Ok(())
}
