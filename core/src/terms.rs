//! The terms in plain words, made from the rules: sentences a lawyer and a grandmother both accept.
//! What is said, in which order, is decided here once for all languages; `terms/de.rs` and
//! `terms/en.rs` say it. Nothing is said that no rule says, and every number of a rule is said;
//! only what the merchant looks at before approving (`review`) is no part of the promise.
//!
//! They are addressed to the advocate, in the form the program uses.

mod de;
mod en;
mod figures;

use crate::program::{Address, GIFT_CARDS, Program};
use crate::reward::{Cap, CapPeriod, ConversionKind, Expires, Role, Rule, Value, When};
use crate::words::words;

words!(
    /// A language the terms are written in.
    Language {
        De = "de",
        En = "en",
    }
);

impl Language {
    /// The language of a program's locale, English where we do not speak it.
    pub fn of_locale(locale: &str) -> Self {
        let language = locale.split('-').next().unwrap_or_default();
        if language.eq_ignore_ascii_case("de") { Self::De } else { Self::En }
    }
}

/// The terms as paragraphs.
pub fn plain(program: &Program, language: Language, address: Address) -> Vec<String> {
    let currency = program.currency;
    match language {
        Language::De => paragraphs(program, &de::German { address, currency }),
        Language::En => paragraphs(program, &en::English { currency }),
    }
}

/// Kinds of conversions that a program's rules are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kinds {
    signups: bool,
    purchases: bool,
    actions: bool,
}

impl Kinds {
    fn of(program: &Program) -> Self {
        let any =
            |kind: ConversionKind| program.rewards.iter().any(|rule| rule.trigger.kind() == kind);
        Self {
            signups: any(ConversionKind::Signup),
            purchases: any(ConversionKind::Purchase),
            actions: any(ConversionKind::Action),
        }
    }

    /// The words of those there are, in order.
    fn pick(self, [signups, purchases, actions]: [&str; 3]) -> Vec<&str> {
        let all = [(self.signups, signups), (self.purchases, purchases), (self.actions, actions)];
        all.into_iter().filter_map(|(is_there, word)| is_there.then_some(word)).collect()
    }
}

/// What a language has a sentence for.
trait Tongue {
    /// Who is meant by the words used below.
    fn roles(&self, shop: &str) -> String;
    fn paused(&self) -> String;
    /// What a rule gives for what.
    fn promise(&self, rule: &Rule) -> String;
    /// Another value from the so many-th on.
    fn tier(&self, rule: &Rule, from: u32, value: Value) -> String;
    /// A bonus with the so many-th.
    fn bonus(&self, rule: &Rule, at: u32) -> String;
    fn cap(&self, rule: &Rule, cap: Cap, amount: Option<Value>) -> String;
    /// How long it can be used, from when its owner has it.
    fn expiry(&self, role: Role, expires: Expires) -> String;
    /// How it gets to whoever earned it, where there is something to say.
    fn delivery(&self, rule: &Rule) -> Option<String>;
    /// Of several rules the first applies, whether or not its minimum is reached.
    fn first_applies(&self, has_minimum: bool) -> String;
    fn new_customers(&self, shop: &str) -> String;
    fn once(&self) -> String;
    fn window(&self, kinds: Kinds, days: u32) -> String;
    fn bound(&self, kinds: Kinds, days: u32) -> String;
    /// From when on rewards for purchases are approved. Not later is nowhere said: the merchant may
    /// look at one first.
    fn hold_of_purchases(&self, program: &Program) -> String;
    /// From when on the rest is.
    fn hold_of_others(&self, kinds: Kinds, days: u32) -> String;
    fn undone(&self, kinds: Kinds) -> String;
    fn shrunk(&self) -> String;
    fn minimum_counts(&self) -> String;
    fn order_value(&self) -> String;
    fn currency(&self) -> String;
    fn excluded(&self, gift_cards: bool, categories: &[String], skus: &[String]) -> String;
    fn ceiling(&self, most: i64) -> String;
    fn year(&self) -> String;
    fn bonus_stays(&self) -> String;
    fn months(&self) -> String;
    fn points(&self, shop: &str) -> String;
}

fn paragraphs(program: &Program, tongue: &impl Tongue) -> Vec<String> {
    let kinds = Kinds::of(program);
    let shop = program.name.as_str();
    let mut text: Vec<Vec<String>> = Vec::new();
    let mut opening = vec![tongue.roles(shop)];
    opening.extend(program.paused.then(|| tongue.paused()));
    text.push(opening);
    let roles = [Role::Advocate, Role::Friend];
    text.extend(
        roles.iter().flat_map(|role| program.rules(*role)).map(|it| rule(it, program, tongue)),
    );
    text.extend(program.milestones().map(|it| rule(it, program, tongue)));
    if roles.iter().any(|role| overlap(program, *role)) {
        let has_minimum = program.rewards.iter().any(|rule| minimum(rule).is_some());
        text.push(vec![tongue.first_applies(has_minimum)]);
    }
    text.push(limits(program, tongue));
    text.push(who_counts(program, kinds, tongue));
    text.push(when(program, kinds, tongue));
    text.push(what_counts(program, kinds, tongue));
    text.into_iter().filter(|all| !all.is_empty()).map(|all| all.join(" ")).collect()
}

/// A rule with all that belongs to it alone.
fn rule(rule: &Rule, program: &Program, tongue: &impl Tongue) -> Vec<String> {
    let first = match rule.milestone {
        Some(at) => tongue.bonus(rule, at),
        None => tongue.promise(rule),
    };
    let mut all = vec![first];
    all.extend(rule.tiers.iter().map(|tier| tongue.tier(rule, tier.from, tier.value)));
    all.extend(rule.cap.map(|cap| {
        let amount =
            cap.amount.map(|amount| rule.value.earned(0, program.currency).with_amount(amount));
        tongue.cap(rule, cap, amount)
    }));
    all.extend(rule.end().map(|expires| tongue.expiry(rule.role, expires)));
    all.extend(tongue.delivery(rule));
    all
}

/// The minimum order of a rule that has one.
fn minimum(rule: &Rule) -> Option<i64> {
    rule.minimum_order.filter(|least| *least > 0)
}

/// Whether two rules of a role can fit the same conversion.
fn overlap(program: &Program, role: Role) -> bool {
    let fits_also = |one: &Rule, other: &Rule| {
        one.trigger.kind() == other.trigger.kind()
            && (one.action.is_none() || other.action.is_none() || one.action == other.action)
            && (one.segment.is_none() || other.segment.is_none() || one.segment == other.segment)
    };
    let rules = || program.rules(role).enumerate();
    rules().any(|(at, one)| rules().skip(at + 1).any(|(_, other)| fits_also(one, other)))
}

fn limits(program: &Program, tongue: &impl Tongue) -> Vec<String> {
    let mut all = Vec::new();
    all.extend(program.yearly_ceiling.map(|most| tongue.ceiling(most)));
    let per_year = |rule: &Rule| rule.cap.is_some_and(|cap| cap.per == CapPeriod::Year);
    if program.yearly_ceiling.is_some() || program.rewards.iter().any(per_year) {
        all.push(tongue.year());
    }
    all
}

fn who_counts(program: &Program, kinds: Kinds, tongue: &impl Tongue) -> Vec<String> {
    let attribution = program.attribution;
    let mut all = Vec::new();
    if attribution.new_customers_only {
        all.push(tongue.new_customers(&program.name));
    }
    all.push(tongue.once());
    all.push(tongue.window(kinds, attribution.window_days));
    if attribution.bound_days > 0 {
        all.push(tongue.bound(kinds, attribution.bound_days));
    }
    all
}

fn when(program: &Program, kinds: Kinds, tongue: &impl Tongue) -> Vec<String> {
    let earned = |kind: ConversionKind| {
        let mut rules = program.rewards.iter();
        rules.any(|rule| rule.trigger.kind() == kind && rule.when == When::Earned)
    };
    let mut all = Vec::new();
    if earned(ConversionKind::Purchase) {
        all.push(tongue.hold_of_purchases(program));
    }
    let others = Kinds { purchases: false, ..kinds };
    if others.signups || others.actions {
        all.push(tongue.hold_of_others(others, program.hold.days));
    }
    all.push(tongue.undone(kinds));
    let rules = || program.rewards.iter();
    if rules().any(|rule| rule.value.rate().is_some()) {
        all.push(tongue.shrunk());
    }
    if rules().any(|rule| minimum(rule).is_some() && rule.when == When::Earned) {
        all.push(tongue.minimum_counts());
    }
    if rules().any(|rule| rule.milestone.is_some()) {
        all.push(tongue.bonus_stays());
    }
    all
}

fn what_counts(program: &Program, kinds: Kinds, tongue: &impl Tongue) -> Vec<String> {
    let rules = || program.rewards.iter();
    let mut all = Vec::new();
    if rules().any(|rule| rule.value.rate().is_some() || minimum(rule).is_some()) {
        all.push(tongue.order_value());
    }
    if kinds.purchases {
        all.push(tongue.currency());
    }
    let excluded = &program.excluded;
    // Of a sign-up nothing can be excluded.
    let has_goods = kinds.purchases || kinds.actions;
    if has_goods && !(excluded.categories.is_empty() && excluded.skus.is_empty()) {
        let (gift_cards, categories): (Vec<String>, Vec<String>) =
            excluded.categories.iter().cloned().partition(|category| category == GIFT_CARDS);
        all.push(tongue.excluded(!gift_cards.is_empty(), &categories, &excluded.skus));
    }
    if rules().any(|rule| matches!(rule.value, Value::FreePeriods { .. })) {
        all.push(tongue.months());
    }
    if rules().any(|rule| matches!(rule.value, Value::Points { .. })) {
        all.push(tongue.points(&program.name));
    }
    all
}

/// Words with commas, and `and` before the last.
fn list(words: &[impl AsRef<str>], and: &str) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} {and} {last}", before.join(", ")),
    }
}

/// The same sentence with its first letter in upper case.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}
