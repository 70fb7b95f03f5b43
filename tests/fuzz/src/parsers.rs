//! Every parser of core and edge that takes what others wrote, and what each must hold.

use std::borrow::Cow;
use std::fmt::{Debug, Display, Write};
use std::str::FromStr;
use std::sync::LazyLock;

use passalong_core::alias::Alias;
use passalong_core::channel::Channel;
use passalong_core::csv::{Cell, Dialect, Locale};
use passalong_core::decode::{Invalid, InvalidKind};
use passalong_core::fact::{Fact, FactKey, FactKind, Order};
use passalong_core::ids::{
    CustomerId, CustomerPseudonym, Digest, EventId, Hint, Identity, OrderId, OrderNumber,
    OrderPseudonym, ProgramId,
};
use passalong_core::keys::{ProgramKeys, Secrets};
use passalong_core::money::Currency;
use passalong_core::program::{Program, Url, Versions};
use passalong_core::report::{ConversionReport, EventReport, EventType, OfferQuestion, ProofKind};
use passalong_core::reward::{Reason, RewardId, Status, Trigger};
use passalong_core::status::View;
use passalong_core::text::{base64url, from_base32, from_base64url};
use passalong_core::time::{Day, Instant, Minute};
use passalong_core::totals::TotalsReport;
use passalong_core::values::one_word::{
    code_segment, folded, letters, one_word, pasted_code, visible,
};
use passalong_core::visit::classify;
use passalong_core::webhook::{WebhookRequest, WebhookUrl};
use passalong_core::{settlement, status};
use passalong_edge::clicks;
use passalong_edge::days::Cursor;
use passalong_edge::keys::{
    AliasKey, AttemptKey, ClickKey, ClicksKey, CustomerKey, DayKey, DecisionKey, DeliveryKey,
    DrawnKey, DueKey, DueMissingKey, DuePoolKey, EndpointKey, ErasedAliasKey, ErasedKey, EventKey,
    FiledKey, FoldedKey, FoundKey, LedgerKey, LogKey, MessageKey, MissingKey, NumberKey, OrderKey,
    PersonKey, ProgramKey, QueueKey, RevokedKey, ShareKey, StatsKey, TermsKey, TotalsKey,
    UploadKey,
};
use passalong_edge::orders::Record;
use passalong_edge::store::Entry;
use serde_json::Value;

use crate::{Parser, identities, requests, shops, tokens};

/// One of the fixed secrets that all tests run with.
pub fn known(name: &str) -> String {
    static KNOWN: LazyLock<Value> = LazyLock::new(|| {
        serde_json::from_str(include_str!("../../../core/fixtures/secrets.json"))
            .unwrap_or_default()
    });
    KNOWN.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub fn secrets() -> Secrets {
    let [signing, merchant, pseudonym] =
        ["signing_keys", "merchant_key", "pseudonym_key"].map(known);
    match Secrets::parse(&signing, &merchant, &pseudonym) {
        Ok(secrets) => secrets,
        Err(error) => unreachable!("the known secrets: {error}"),
    }
}

/// The one program there is.
pub fn program() -> ProgramId {
    match known("program").parse() {
        Ok(program) => program,
        Err(error) => unreachable!("the known program {error}"),
    }
}

/// What all times are compared with.
pub fn now() -> Instant {
    "2026-11-22T08:00:00Z".parse().unwrap_or(Instant::from_seconds(0))
}

pub fn keys() -> ProgramKeys {
    secrets().program(&program())
}

pub fn text(input: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(input)
}

pub fn parser(
    name: &'static str,
    corpus: &'static str,
    check: impl FnMut(&[u8]) -> Result<bool, String> + 'static,
) -> Parser {
    Parser { name, corpus, check: Box::new(check) }
}

pub fn same<T: PartialEq + Debug>(one: &T, other: &T, what: &str) -> Result<(), String> {
    if one == other { Ok(()) } else { Err(format!("{what}: {one:?} is not {other:?}")) }
}

/// What reads must read back what it shows.
fn reads_back<T>(name: &'static str, corpus: &'static str) -> Parser
where
    T: FromStr + Display + PartialEq + Debug + 'static,
{
    parser(name, corpus, |input| {
        let Ok(read) = text(input).parse::<T>() else { return Ok(false) };
        let shown = read.to_string();
        match shown.parse::<T>() {
            Ok(again) => same(&read, &again, &shown).map(|()| true),
            Err(_) => Err(format!("{read:?} shows {shown:?}, which does not read")),
        }
    })
}

/// An id of the merchant is what was sent, and says what is wrong with what it is not.
fn merchant_id<T: FromStr<Err: Display> + 'static>(
    name: &'static str,
    as_str: fn(&T) -> &str,
) -> Parser {
    parser(name, include_str!("../corpus/ids.txt"), move |input| {
        let sent = text(input);
        match sent.parse::<T>() {
            Ok(id) if sent.chars().count() > 128 => Err(format!("too long: {}", as_str(&id))),
            Ok(id) => same(&as_str(&id), &visible(&sent).as_str(), "the id").map(|()| true),
            Err(error) => explained("id", &error.to_string()).map(|()| false),
        }
    })
}

/// A refusal tells a person what is wrong, in one line of bounded length.
pub fn explained(what: &str, detail: &str) -> Result<(), String> {
    let is_good = detail.len() > 5 && !detail.contains(['\n', '\r', '\0']);
    if is_good { Ok(()) } else { Err(format!("{what} is refused with {detail:?}")) }
}

/// A refusal of a body names the field, except where there is none to name.
pub fn names_its_field(invalid: &Invalid) -> Result<(), String> {
    let names = !invalid.field.is_empty() && invalid.detail.starts_with(&invalid.field);
    if names || invalid.kind == InvalidKind::Json {
        Ok(())
    } else {
        Err(format!("a refusal that names no field: {invalid:?}"))
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The body with its fields in another order means the same.
pub fn normalised(body: &[u8]) -> Vec<u8> {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    json.map(|json| json.to_string().into_bytes()).unwrap_or_default()
}

pub fn all() -> Vec<Parser> {
    let mut all = texts();
    all.extend(store_keys());
    all.extend(tokens::all());
    all.extend(identities::all());
    all.extend(bodies());
    all.extend(shops::all());
    all.extend(stored());
    all.push(parser("user agents", include_str!("../corpus/agents.txt"), |input| {
        let text = text(input);
        let (agent, purpose) = text.split_once('\n').unwrap_or((&text, ""));
        let visit = classify("GET", Some(agent), &[Some(purpose)]);
        same(
            &classify("get", Some(&agent.to_ascii_uppercase()), &[Some(purpose)]),
            &visit,
            "case",
        )?;
        Ok(true)
    }));
    all.push(requests::parser());
    all
}

/// Words, ids, times, money and addresses.
fn texts() -> Vec<Parser> {
    const IDS: &str = include_str!("../corpus/ids.txt");
    const TIMES: &str = include_str!("../corpus/times.txt");
    const WORDS: &str = include_str!("../corpus/words.txt");
    vec![
        reads_back::<ProgramId>("program id", IDS),
        merchant_id::<CustomerId>("customer id", CustomerId::as_str),
        merchant_id::<OrderId>("order id", OrderId::as_str),
        merchant_id::<EventId>("event id", EventId::as_str),
        reads_back::<CustomerPseudonym>("customer pseudonym", IDS),
        reads_back::<OrderPseudonym>("order pseudonym", IDS),
        reads_back::<Digest>("digest", IDS),
        reads_back::<Identity>("identity", IDS),
        reads_back::<RewardId>("reward id", IDS),
        parser("hint", IDS, |input| {
            let sent = text(input);
            let Ok(Hint(bytes)) = sent.parse() else { return Ok(false) };
            same(&hex(&bytes), &sent.to_ascii_lowercase(), "the hint").map(|()| true)
        }),
        reads_back::<Instant>("instant", TIMES),
        reads_back::<Minute>("minute", TIMES),
        reads_back::<Day>("day", TIMES),
        parser("arithmetic of times", TIMES, |input| {
            let Ok(at) = text(input).parse::<Instant>() else { return Ok(false) };
            let (start, end) = (at.minute().start(), at.minute_up().start());
            if start > at || at > end || at.day().start() > at {
                return Err(format!("{at} lies outside of its minute or day"));
            }
            same(&at.day().to_string().parse::<Day>().ok(), &Some(at.day()), "its day")?;
            let far = [at.plus(i64::MAX), at.plus(i64::MIN), at.plus_days(u32::MAX)];
            let years = far.map(|at| at.day().year());
            let is_known = years.iter().all(|year| (1970..=2200).contains(year));
            if is_known { Ok(true) } else { Err(format!("{years:?}")) }
        }),
        reads_back::<Currency>("currency", WORDS),
        reads_back::<Channel>("channel", WORDS),
        reads_back::<Status>("status", WORDS),
        reads_back::<Reason>("reason", WORDS),
        reads_back::<Trigger>("trigger", WORDS),
        reads_back::<EventType>("event type", WORDS),
        reads_back::<FactKey>("fact key", include_str!("../corpus/store_keys.txt")),
        reads_back::<ProofKind>("kind of proof", WORDS),
        parser("what people type", include_str!("../corpus/aliases.txt"), |input| {
            let sent = text(input);
            for read in [visible, one_word, folded, letters, code_segment] {
                let once = read(&sent);
                same(&read(&once), &once, "reading twice")?;
            }
            let code = pasted_code("teehaus", &sent);
            same(&pasted_code("teehaus", &code), &code, "the code")?;
            let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric());
            same(&plain, &true, "the code is plain")?;
            same(
                &OrderNumber::from_str(&sent).is_ok_and(|it| it.as_str().is_empty()),
                &false,
                "a number",
            )?;
            Ok(!code.is_empty())
        }),
        parser("alias", include_str!("../corpus/aliases.txt"), |input| {
            let sent = text(input);
            let instead = Alias::instead_of(&sent, [7; 8]);
            same(&Alias::choose(instead.as_str()), &Ok(instead), "what is suggested")?;
            match Alias::read(&sent) {
                Ok(alias) => {
                    same(&alias.as_str().parse(), &Ok(alias), "the alias")?;
                    same(&Alias::read(&alias.as_str().to_ascii_lowercase()), &Ok(alias), "case")?;
                    let beside = alias.beside([7; 8]);
                    same(&Alias::choose(beside.as_str()), &Ok(beside), "one beside").map(|()| true)
                }
                Err(error) => explained("alias", &error.to_string()).map(|()| false),
            }
        }),
        parser("url", include_str!("../corpus/urls.txt"), |input| {
            let sent = text(input);
            let Ok(url) = sent.parse::<Url>() else { return Ok(false) };
            same(&url.as_str(), &sent.as_ref(), "the URL")?;
            let begins = sent.starts_with(url.origin()) && url.origin().contains("://");
            let plain = !url.authority().contains(['@', '/', '\\', '?', '#']);
            if begins && plain { Ok(true) } else { Err(format!("its origin is {}", url.origin())) }
        }),
        parser("webhook url", include_str!("../corpus/webhook_urls.txt"), webhook_url),
        parser("base32 and base64url", IDS, |input| {
            let text = text(input);
            let read = from_base32::<10>(&text).map(|bytes| passalong_core::text::base32(&bytes));
            let forgiven = text.to_ascii_lowercase().replace(['i', 'l'], "1").replace('o', "0");
            let base32 = read.map_or(Ok(()), |shown| same(&shown, &forgiven, "base32"));
            let read = from_base64url(&text).map(|bytes| base64url(&bytes));
            let base64 = read.as_deref().map_or(Ok(()), |shown| same(&shown, &&*text, "base64url"));
            base32.and(base64).map(|()| read.is_some())
        }),
    ]
}

/// What is taken leads, for whoever reads URLs by the standard, to the very host we saw, and never to
/// an address or a local name.
fn webhook_url(input: &[u8]) -> Result<bool, String> {
    let sent = text(input);
    let demo = match WebhookUrl::parse(&sent, true) {
        Ok(demo) => demo,
        Err(problem) => return explained("url", &problem.to_string()).map(|()| false),
    };
    if demo.as_str().starts_with("http://") {
        let standard = url::Url::parse(demo.as_str()).map_err(|error| format!("{error}"))?;
        let is_here = match standard.host() {
            Some(url::Host::Domain(host)) => host.rsplit('.').next() == Some("localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        return same(&is_here, &true, demo.as_str()).map(|()| true);
    }
    let read = WebhookUrl::parse(&sent, false).map_err(|problem| problem.to_string())?;
    same(&WebhookUrl::parse(read.as_str(), false).as_ref(), &Ok(&read), "as it shows")?;
    for text in [&*sent, read.as_str()] {
        // Umlauts that are badly encoded: nobody can go there.
        let Ok(standard) = url::Url::parse(text) else { return Ok(false) };
        same(&standard.scheme(), &"https", text)?;
        let plain = standard.username().is_empty() && standard.password().is_none();
        same(&(plain, standard.port()), &(true, None), text)?;
        let Some(url::Host::Domain(host)) = standard.host() else {
            return Err(format!("{text} leads to {:?}", standard.host()));
        };
        same(&host, &read.authority(), text)?;
        let (_, last) = host.rsplit_once('.').unwrap_or(("", "localhost"));
        let is_local = ["localhost", "local", "internal", "arpa"].contains(&last);
        same(&is_local, &false, text)?;
    }
    Ok(true)
}

fn store_keys() -> Vec<Parser> {
    const KEYS: &str = include_str!("../corpus/store_keys.txt");
    vec![
        reads_back::<ProgramKey>("key program", KEYS),
        reads_back::<TermsKey>("key settings, terms", KEYS),
        reads_back::<RevokedKey>("key settings, revoked", KEYS),
        reads_back::<CustomerKey>("key customer", KEYS),
        reads_back::<ClickKey>("key click", KEYS),
        reads_back::<ClicksKey>("key clicks", KEYS),
        reads_back::<FoldedKey>("key todo.folded", KEYS),
        reads_back::<DayKey>("key todo.days", KEYS),
        reads_back::<DueKey>("key todo.order", KEYS),
        reads_back::<ErasedKey>("key todo.erased", KEYS),
        reads_back::<ErasedAliasKey>("key todo.alias", KEYS),
        reads_back::<AliasKey>("key alias", KEYS),
        reads_back::<LedgerKey>("key ledger", KEYS),
        reads_back::<PersonKey>("key person", KEYS),
        reads_back::<EventKey>("key event", KEYS),
        reads_back::<OrderKey>("key order", KEYS),
        reads_back::<DecisionKey>("key order decision", KEYS),
        reads_back::<MissingKey>("key missing", KEYS),
        reads_back::<FiledKey>("key filed", KEYS),
        reads_back::<NumberKey>("key number", KEYS),
        reads_back::<FoundKey>("key found", KEYS),
        reads_back::<DueMissingKey>("key todo.missing", KEYS),
        reads_back::<LogKey>("key log", KEYS),
        reads_back::<ShareKey>("key share", KEYS),
        reads_back::<UploadKey>("key pool", KEYS),
        reads_back::<QueueKey>("key queue", KEYS),
        reads_back::<DrawnKey>("key drawn", KEYS),
        reads_back::<DuePoolKey>("key todo.coupons", KEYS),
        reads_back::<StatsKey>("key stats", KEYS),
        reads_back::<TotalsKey>("key totals", KEYS),
        reads_back::<Cursor>("cursor of a list", KEYS),
        reads_back::<EndpointKey>("key settings, endpoints", KEYS),
        reads_back::<MessageKey>("key outbox", KEYS),
        reads_back::<AttemptKey>("key todo.outbox", KEYS),
        reads_back::<DeliveryKey>("key delivery", KEYS),
    ]
}

fn bodies() -> Vec<Parser> {
    vec![
        parser("conversion report", include_str!("../corpus/conversion.txt"), |input| {
            match ConversionReport::parse(input, now()) {
                Ok(report) => {
                    let again = ConversionReport::parse(&normalised(input), now());
                    same(&again.as_ref(), &Ok(&report), "in another order")?;
                    same(&again.map(|again| again.content()), &Ok(report.content()), "content")?;
                    Ok(true)
                }
                Err(invalid) => names_its_field(&invalid).map(|()| false),
            }
        }),
        parser(
            "event report",
            include_str!("../corpus/event.txt"),
            |input| match EventReport::parse(input, now()) {
                Ok(report) => {
                    let again = EventReport::parse(&normalised(input), now());
                    same(&again, &Ok(report), "in another order").map(|()| true)
                }
                Err(invalid) => names_its_field(&invalid).map(|()| false),
            },
        ),
        parser("offer question", include_str!("../corpus/offer_question.txt"), |input| {
            match OfferQuestion::parse(input) {
                Ok(question) => {
                    let again = OfferQuestion::parse(&normalised(input));
                    same(&again, &Ok(question), "in another order").map(|()| true)
                }
                Err(invalid) => names_its_field(&invalid).map(|()| false),
            }
        }),
        // The corpus has a line for each file: its own lines end in `|`.
        parser("pool upload", include_str!("../corpus/pool.txt"), |input| {
            let file: Vec<u8> =
                input.iter().map(|byte| if *byte == b'|' { b'\n' } else { *byte }).collect();
            match passalong_core::pool::read(&file) {
                Ok(codes) => {
                    let again = format!("code\n{}", codes.join("\n"));
                    let again = passalong_core::pool::read(again.as_bytes());
                    same(&again, &Ok(codes), "the codes alone").map(|()| true)
                }
                Err(invalid) => names_its_field(&invalid).map(|()| false),
            }
        }),
        parser("totals of a day", include_str!("../corpus/totals.txt"), |input| {
            match TotalsReport::parse(input, now()) {
                Ok(report) => {
                    let again = TotalsReport::parse(&normalised(input), now());
                    same(&again.as_ref(), &Ok(&report), "in another order")?;
                    let stored = serde_json::to_value(&report.totals).unwrap_or_default();
                    let read = serde_json::from_value(stored).ok();
                    same(&read, &Some(report.totals), "as it is stored").map(|()| true)
                }
                Err(invalid) => names_its_field(&invalid).map(|()| false),
            }
        }),
        parser("webhook request", include_str!("../corpus/webhook.txt"), |input| {
            match WebhookRequest::parse(input, true) {
                Ok(request) => {
                    let again = WebhookRequest::parse(&normalised(input), true);
                    same(&again, &Ok(request), "in another order").map(|()| true)
                }
                Err(invalid) => names_its_field(&invalid).map(|()| false),
            }
        }),
        parser("a cell of a table", include_str!("../corpus/cells.txt"), |input| {
            harmless_cell(&text(input)).map(|()| true)
        }),
        parser("program", include_str!("../corpus/program.txt"), |input| {
            terms(Program::parse(input))
        }),
        parser("preset", include_str!("../corpus/preset.txt"), |input| {
            terms(Program::from_preset(input))
        }),
    ]
}

/// Whatever a text is, no reader finds a formula at the start of a cell, nor another number of cells.
fn harmless_cell(given: &str) -> Result<(), String> {
    for locale in [Locale::De, Locale::En] {
        let dialect = Dialect { locale, rfc3339: false };
        let cells = [Cell::Text(given.to_owned()), Cell::Number(-1)];
        let row = dialect.row(cells.iter());
        let parts = row.trim_end_matches("\r\n").split([',', ';', '|', '\t', '\r', '\n']);
        let starts = parts.map(|part| {
            part.trim_start_matches(|c: char| c == '"' || c.is_whitespace() || c.is_control())
        });
        let formula = |start: &str| start.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
        let dangerous = starts.filter(|start| formula(start) && *start != "-1").count();
        same(&dangerous, &0, &row)?;
        let quotes = row.matches('"').count();
        same(&(quotes % 2), &0, "quotes are in pairs")?;
    }
    Ok(())
}

/// Terms are stored as they print.
fn terms(read: Result<Program, Invalid>) -> Result<bool, String> {
    match read {
        Ok(terms) => {
            let text = serde_json::to_string(&terms).unwrap_or_default();
            same(&Program::parse(text.as_bytes()), &Ok(terms), "the stored terms").map(|()| true)
        }
        Err(invalid) => names_its_field(&invalid).map(|()| false),
    }
}

/// What is in the store; it is our own, but older and newer versions write it, too.
fn stored() -> Vec<Parser> {
    let terms = Program::from_preset(
        include_str!("../corpus/preset.txt").lines().next().unwrap_or_default().as_bytes(),
    );
    let versions =
        terms.map(|terms| Versions::new(vec![(Instant::from_seconds(0), Digest([1; 10]), terms)]));
    let versions = versions.unwrap_or_default();
    vec![
        parser("facts", include_str!("../corpus/facts.txt"), move |input| {
            let Ok(json) = serde_json::from_slice::<Value>(input) else { return Ok(false) };
            let mut order = Order::default();
            let mut read = false;
            for kind in FactKind::ALL {
                let Some(fact) = Fact::from_json(*kind, &json) else { continue };
                same(&Fact::from_json(*kind, &fact.to_json()), &Some(fact.clone()), "the fact")?;
                same(&fact.kind(), kind, "its kind")?;
                let accepted = now().minute();
                order.add(FactKey { accepted, kind: *kind, digest: Digest([2; 10]) }, fact);
                read = true;
            }
            // Whatever is in a ledger, its status can be told.
            let advocate = CustomerPseudonym([3; 7]);
            let known = settlement::Known::default();
            for at in [now(), now().plus(i64::MAX)] {
                let (known, versions) = (&known, &versions);
                let view = View { advocate, known, versions, now: at, approved: None };
                let rewards = status::rewards(&order, &view);
                let most = order.verdict.as_ref().map_or(2, |verdict| verdict.fact.rewards.len());
                same(&(rewards.len() <= most), &true, "rewards of an order")?;
            }
            Ok(read)
        }),
        parser("record of an order", include_str!("../corpus/record.txt"), |input| {
            let Ok(record) = serde_json::from_slice::<Record>(input) else { return Ok(false) };
            let text = serde_json::to_vec(&record).unwrap_or_default();
            same(&serde_json::from_slice(&text).ok(), &Some(record), "the record").map(|()| true)
        }),
        parser("batch of clicks", include_str!("../corpus/batch.txt"), |input| {
            let Ok(metadata) = serde_json::from_slice::<Value>(input) else { return Ok(false) };
            let (visitors, more) = clicks::listed(&[Entry::new("", metadata.into())]);
            let folded = clicks::folded(&visitors);
            same(&folded.clicks, &(visitors.len() as u64), "visitors")?;
            Ok(more || !visitors.is_empty())
        }),
    ]
}
