//! Who follows a referral link: a person, whose click counts, or a machine, whose request must not.
//! Decided from the request's own words alone. Where they leave a doubt it is a person: a machine
//! taken for one costs a wrong count, a person taken for a machine loses a referral.
//!
//! The tables are plain substrings, matched in lower case. `fixtures/user_agents.tsv` holds what
//! each was made for, with its source.

use std::sync::LazyLock;

/// What a request for a referral link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    Person,
    /// An agent that draws the preview of a link in a chat or post.
    Preview,
    /// A crawler, monitor or library.
    Bot,
    Head,
    /// A browser that fetches ahead, in case the person goes there.
    Prefetch,
}

/// Classifies a request. `purposes` are the values of `Sec-Purpose`, `Purpose`, `X-Purpose` and
/// `X-Moz`, in any order.
pub fn classify(method: &str, user_agent: Option<&str>, purposes: &[Option<&str>]) -> Visit {
    if method.eq_ignore_ascii_case("HEAD") {
        return Visit::Head;
    }
    match by_agent(user_agent.unwrap_or_default()) {
        Visit::Person if purposes.iter().flatten().any(|purpose| ahead(purpose)) => Visit::Prefetch,
        visit => visit,
    }
}

/// `prefetch`, `prefetch;prerender`, `prefetch;anonymous-client-ip`; Safari says `preview`.
fn ahead(purpose: &str) -> bool {
    let purpose = purpose.to_ascii_lowercase();
    ["prefetch", "prerender", "preview"].iter().any(|word| purpose.contains(word))
}

fn by_agent(user_agent: &str) -> Visit {
    let agent = user_agent.trim().to_ascii_lowercase();
    let starts = |table: &[&str]| table.iter().any(|start| agent.starts_with(start));
    if starts(&PREVIEW_STARTS) || PREVIEW_WORDS.is_in(&agent) {
        return Visit::Preview;
    }
    // Browsers have begun like this since 1994; libraries and apps say their own name.
    if !starts(&BROWSER_STARTS) {
        return Visit::Bot;
    }
    if !BOT_WORDS.is_in(&agent) {
        return Visit::Person;
    }
    let agent = HARMLESS.iter().fold(agent, |agent, name| agent.replace(name, ""));
    if BOT_WORDS.is_in(&agent) { Visit::Bot } else { Visit::Person }
}

/// Words to look for in one pass: each click is held against all of them.
struct Words {
    words: &'static [&'static str],
    /// By first byte, the words that begin with it, as bits.
    by_first: [u64; 128],
}

static PREVIEW_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(&PREVIEWS));
static BOT_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(&BOTS));

impl Words {
    fn new(words: &'static [&'static str]) -> Self {
        let mut by_first = [0; 128];
        for (at, word) in words.iter().enumerate() {
            let first = word.bytes().next().map(usize::from);
            if let Some(bits) = first.and_then(|first| by_first.get_mut(first)) {
                *bits |= 1 << at;
            }
        }
        Self { words, by_first }
    }

    fn is_in(&self, text: &str) -> bool {
        let begins = |rest: &[u8]| {
            let first = rest.first().copied().map_or(usize::MAX, usize::from);
            let mut bits = self.by_first.get(first).copied().unwrap_or_default();
            while bits != 0 {
                let word = self.words.get(bits.trailing_zeros() as usize);
                if word.is_some_and(|word| rest.starts_with(word.as_bytes())) {
                    return true;
                }
                bits &= bits - 1;
            }
            false
        };
        (0..text.len()).any(|at| text.as_bytes().get(at..).is_some_and(begins))
    }
}

/// How the user agent of a browser begins. The last ones are text browsers and old telephones.
const BROWSER_STARTS: [&str; 9] = [
    "mozilla/5.0 (",
    "mozilla/4.0 (",
    "opera/",
    "ucweb/",
    "lynx/",
    "w3m/",
    "links (",
    "elinks/",
    "netsurf/",
];

/// Preview agents told by how they begin, because the same word further on is an app of people.
/// Signal and others borrow the name of WhatsApp.
const PREVIEW_STARTS: [&str; 4] = ["whatsapp", "viber", "tumblr/", "pinterest/0."];

/// Agents that draw previews of links, some of them behind the user agent of a browser.
const PREVIEWS: [&str; 32] = [
    "facebookexternalhit",
    "facebot",
    "telegrambot",
    "slackbot",
    "slack-imgproxy",
    "twitterbot",
    "linkedinbot",
    "xing-contenttabreceiver",
    "discordbot",
    "skypeuripreview",
    "microsoftpreview",
    "google-pagerenderer",
    "googlemessages/",
    "developers.google.com/+/web/snippet",
    "bluesky cardyb",
    "mastodon/",
    "synapse (bot",
    "mattermost-bot",
    "summalybot",
    "snap url preview",
    "pinterestbot",
    "redditbot",
    "vkshare",
    "odklbot",
    "flipboardproxy",
    "iframely",
    "zoom.us",
    "embedly",
    "notionembedder",
    "link preview",
    "linkpreview",
    "urlpreview",
];

/// Names of products of people that hold a word of [`BOTS`]: a make of telephones, and what
/// old browsers say.
const HARMLESS: [&str; 3] = ["cubot", "compatible; msie", "compatible; konqueror"];

/// What gives away a machine that begins like a browser. Crawlers call themselves compatible, as
/// Netscape's rivals once did.
const BOTS: [&str; 26] = [
    "compatible;",
    "bot",
    "crawl",
    "spider",
    "slurp",
    "fetcher",
    "headless",
    "phantomjs",
    "lighthouse",
    "pagespeed",
    "google-read-aloud",
    "google-inspectiontool",
    "google-safety",
    "googleother",
    "googleimageproxy",
    "mediapartners",
    "ptst/",
    "gtmetrix",
    "pingdom",
    "statuscake",
    "site24x7",
    "datadogsynthetics",
    "uptime",
    "httrack",
    "barracuda",
    "http-client",
];
