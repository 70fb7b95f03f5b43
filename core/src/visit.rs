//! Who follows a referral link: a person, whose click counts, or a machine, whose request must not.
//! Decided from the request's own words alone. Where they leave a doubt it is a person: a machine
//! taken for one costs a wrong count, a person taken for a machine loses a referral.
//!
//! The tables are plain substrings, matched in lower case. `fixtures/user_agents.tsv` holds what
//! each was made for, with its source.

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
    if PREVIEW_STARTS.iter().any(|start| agent.starts_with(start))
        || PREVIEWS.iter().any(|word| agent.contains(word))
    {
        return Visit::Preview;
    }
    // All browsers of people say so, since 1994; libraries say their own name.
    if !BROWSER_STARTS.iter().any(|start| agent.starts_with(start)) {
        return Visit::Bot;
    }
    let agent = NAMED_LIKE_BOTS.iter().fold(agent, |agent, name| agent.replace(name, ""));
    if BOTS.iter().any(|word| agent.contains(word)) { Visit::Bot } else { Visit::Person }
}

/// How the user agent of a browser begins; the last few are text browsers and old phones.
const BROWSER_STARTS: [&str; 8] =
    ["mozilla/", "opera/", "ucweb/", "lynx/", "w3m/", "links (", "elinks/", "netsurf/"];

/// Preview agents told by how they begin, because the same word further on is an app of people.
const PREVIEW_STARTS: [&str; 2] = ["whatsapp/", "viber"];

const PREVIEWS: [&str; 4] = ["facebookexternalhit", "telegrambot", "slackbot", "twitterbot"];

/// Products of people whose names hold a word of [`BOTS`].
const NAMED_LIKE_BOTS: [&str; 1] = ["cubot"];

const BOTS: [&str; 4] = ["bot", "crawl", "spider", "headless"];
