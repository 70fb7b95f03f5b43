//! `GET /r/{program}/{code}[/{channel}]`: the answer first, cheap rejections first, each explained
//! in a header; then the click. A bad code still brings the visitor to the shop.

use std::rc::Rc;

use passalong_core::channel::Channel;
use passalong_core::click_token::ClickToken;
use passalong_core::code;
use passalong_core::ids::CustomerPseudonym;
use passalong_core::program::{Program, Version};
use passalong_core::values::one_word::code_segment;
use passalong_core::visit::{Visit, classify};
use url::Url;

use crate::clicks::{self, Target};
use crate::http::{Request, Response};
use crate::limits::{Limit, allow_address, too_many};
use crate::problem::Problem;
use crate::programs::{self, Loaded};
use crate::store::{Context, Host};

/// The answer, and the batch to write after it.
pub type Redirected = (Response, Option<Target>);

/// 1. Load the program: unknown is 404. 2. Classify the visit: machines are redirected (previews
///    get the preview) without a click. 3. Verify the code: a bad one is redirected without a click,
///    too many from one address are 429. 4. Sign the click token and redirect. 5. Count, after the
///    answer: a visitor once a day, and not more of one address than a limit allows.
pub async fn redirect<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    [program, code, channel]: [&str; 3],
) -> Result<Redirected, Problem> {
    // 1
    let unknown = || Problem::not_found("there is no such program");
    let id = program.parse().map_err(|_| unknown())?;
    let program = programs::load_known(cx, &id).await?.ok_or_else(unknown)?;
    let version = programs::current(cx, &program)?;
    let terms = &version.terms;
    let (target, refused) = destination(&program, version, request);
    let to = |location: String| {
        let response = Response::empty(302)
            .with("location", location)
            .with("cache-control", "no-store")
            .with("x-robots-tag", "noindex")
            .with("referrer-policy", "strict-origin-when-cross-origin");
        if refused { response.with("x-passalong-to", "refused") } else { response }
    };
    let ignored =
        |why: &str| Ok((to(target.location(request, None)).with("x-passalong-ignored", why), None));
    // 2
    let purposes =
        ["sec-purpose", "purpose", "x-purpose", "x-moz"].map(|name| request.header(name));
    let agent = request.header("user-agent");
    match classify(&request.method, agent, &purposes) {
        Visit::Person => {}
        Visit::Head => return ignored("head"),
        Visit::Prefetch => return ignored("prefetch"),
        Visit::Bot => return ignored("bot"),
        Visit::Preview => return Ok((preview(terms, request), None)),
    }
    // 3
    let Ok(customer) = code::verify(&program.keys, &code_segment(code)) else {
        if allow_address(cx, Limit::Codes, request, &[]).await {
            return ignored("bad_code");
        }
        return Err(too_many("wrong codes from this address"));
    };
    // 4
    let channel = channel.parse().unwrap_or(Channel::Direct);
    let [a, b, c, d, ..] = cx.host.random();
    let token = ClickToken { customer, at: cx.now, channel, nonce: [a, b, c, d] };
    let location = target.location(request, Some(&token.sign(&program.keys)));
    // 5
    let day = cx.now.day();
    let address = request.header("cf-connecting-ip").unwrap_or_default();
    let visitor = program.keys.visitor(day, address, agent.unwrap_or_default());
    let batch = batch(program.id(), customer, cx);
    if clicks::is_written(cx, customer, visitor) {
        return Ok((to(location), None));
    }
    if !allow_address(cx, Limit::Clicks, request, &customer.0).await {
        return Ok((to(location).with("x-passalong-uncounted", "rate_limited"), None));
    }
    let leads = clicks::add(cx, &batch, visitor, channel);
    Ok((to(location), leads.then_some(batch)))
}

fn batch<H: Host>(
    program: &passalong_core::ids::ProgramId,
    customer: CustomerPseudonym,
    cx: &Context<'_, H>,
) -> Target {
    Target { program: program.clone(), customer, day: cx.now.day() }
}

/// Where a visitor is sent.
enum Destination {
    /// Without parameters of their own, as most come.
    Landing(Rc<Landing>),
    Page(Option<Url>),
}

impl Destination {
    fn location(&self, request: &Request, token: Option<&str>) -> String {
        match self {
            Self::Landing(landing) => landing.location(token),
            Self::Page(url) => decorate(url.clone(), &request.parameters(), token),
        }
    }
}

/// The landing page, put together once: taking a URL apart and putting it together costs more than
/// all else that a redirect does.
#[derive(Debug)]
pub struct Landing {
    url: Option<Url>,
    bare: String,
    /// What a token follows, unless something follows the token.
    tagged: Option<String>,
}

impl Landing {
    fn new(terms: &Program) -> Self {
        let url = Url::parse(&terms.landing_url).ok();
        let bare = decorate(url.clone(), &[], None);
        let is_last = url.as_ref().is_some_and(|url| url.fragment().is_none());
        let tagged = is_last.then(|| decorate(url.clone(), &[], Some("")));
        Self { url, bare, tagged }
    }

    fn location(&self, token: Option<&str>) -> String {
        match (token, &self.tagged) {
            (None, _) => self.bare.clone(),
            (Some(token), Some(tagged)) => format!("{tagged}{token}"),
            (Some(token), None) => decorate(self.url.clone(), &[], Some(token)),
        }
    }
}

fn landing(program: &Loaded, version: &Version) -> Rc<Landing> {
    let mut known = program.landing.borrow_mut();
    match &*known {
        Some((number, landing)) if *number == version.number => Rc::clone(landing),
        _ => {
            let made = Rc::new(Landing::new(&version.terms));
            *known = Some((version.number, Rc::clone(&made)));
            made
        }
    }
}

/// Where to: `to`, if it stays on the landing URL's origin or an allowed host, else the landing
/// URL; and whether `to` was refused.
fn destination(program: &Loaded, version: &Version, request: &Request) -> (Destination, bool) {
    if request.query.is_empty() {
        return (Destination::Landing(landing(program, version)), false);
    }
    let terms = &version.terms;
    let landing = Url::parse(&terms.landing_url).ok();
    let Some(to) = request.parameter("to") else { return (Destination::Page(landing), false) };
    match landing.as_ref().and_then(|landing| deep_link(terms, landing, &to)) {
        Some(url) => (Destination::Page(Some(url)), false),
        None => (Destination::Page(landing), true),
    }
}

/// Parse first, then compare: nothing is decided on the text of a URL that a browser would read
/// otherwise.
fn deep_link(terms: &Program, landing: &Url, to: &str) -> Option<Url> {
    let plain = to.len() <= 2_000 && !to.contains('\\') && !to.chars().any(char::is_control);
    if !plain {
        return None;
    }
    if to.starts_with('/') && !to.starts_with("//") {
        return landing.join(to).ok().filter(|url| url.origin() == landing.origin());
    }
    let url = Url::parse(to).ok()?;
    let host = url.host_str()?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let allowed = url.scheme() == "https" && terms.allowed_hosts.contains(&authority);
    let trusted = allowed || url.origin() == landing.origin();
    let plain = url.username().is_empty() && url.password().is_none();
    let lower = to.get(..8).unwrap_or(to).to_ascii_lowercase();
    let absolute = lower.starts_with("https://") || lower.starts_with("http://");
    (trusted && plain && absolute).then_some(url)
}

/// Adds the visitor's parameters that the target does not have, and our `pa`.
fn decorate(target: Option<Url>, visitors: &[(String, String)], token: Option<&str>) -> String {
    let Some(mut url) = target else { return "/".to_owned() };
    let own: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(name, _)| name != "pa").collect();
    let theirs = visitors.iter().filter(|(name, _)| {
        name != "to" && name != "pa" && !own.iter().any(|(known, _)| known == name)
    });
    let all: Vec<(String, String)> = own.iter().cloned().chain(theirs.take(30).cloned()).collect();
    url.set_query(None);
    if !all.is_empty() || token.is_some() {
        let mut pairs = url.query_pairs_mut();
        pairs.extend_pairs(all);
        if let Some(token) = token {
            pairs.append_pair("pa", token);
        }
    }
    url.to_string()
}

/// What a chat or post shows of the link.
fn preview(terms: &Program, request: &Request) -> Response {
    let title = escape(&terms.preview.title);
    let name = escape(&terms.name);
    let link = escape(&format!("{}{}", request.origin, request.path));
    let landing = escape(&terms.landing_url);
    let language = escape(&terms.locale);
    let mut tags = vec![
        format!(r#"<meta property="og:title" content="{title}">"#),
        format!(r#"<meta property="og:site_name" content="{name}">"#),
        format!(r#"<meta property="og:url" content="{link}">"#),
        r#"<meta property="og:type" content="website">"#.to_owned(),
    ];
    if let Some(text) = terms.preview.text.as_deref().map(escape) {
        tags.push(format!(r#"<meta property="og:description" content="{text}">"#));
        tags.push(format!(r#"<meta name="description" content="{text}">"#));
    }
    if let Some(image) = terms.preview.image.as_deref().map(escape) {
        tags.push(format!(r#"<meta property="og:image" content="{image}">"#));
        tags.push(r#"<meta name="twitter:card" content="summary_large_image">"#.to_owned());
    }
    let html = format!(
        "<!doctype html><html lang=\"{language}\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"robots\" content=\"noindex\">{}</head>\
         <body><p><a href=\"{landing}\">{title} · {name}</a></p></body></html>",
        tags.concat()
    );
    let mut response = Response::empty(200)
        .with("content-type", "text/html; charset=utf-8")
        .with("cache-control", "no-store")
        .with("x-robots-tag", "noindex")
        .with("x-passalong-ignored", "preview");
    response.body = html.into_bytes();
    response
}

fn escape(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => result.push_str("&amp;"),
            '<' => result.push_str("&lt;"),
            '>' => result.push_str("&gt;"),
            '"' => result.push_str("&quot;"),
            '\'' => result.push_str("&#39;"),
            c => result.push(c),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_landing_page_put_together_once_is_what_it_would_be_each_time() {
        let terms = Program::from_preset(
            br#"{"id":"teehaus","preset":"20-10","name":"T","landing_url":"https://shop.example"}"#,
        )
        .unwrap();
        for (url, expected) in [
            ("https://shop.example/willkommen", "https://shop.example/willkommen?pa=token"),
            ("https://shop.example", "https://shop.example/?pa=token"),
            ("https://shop.example/a?b=c&pa=old", "https://shop.example/a?b=c&pa=token"),
            ("https://shop.example/a?b=c#part", "https://shop.example/a?b=c&pa=token#part"),
            ("https://shop.example/#pa=", "https://shop.example/?pa=token#pa="),
        ] {
            let landing = Landing::new(&Program { landing_url: url.to_owned(), ..terms.clone() });
            assert_eq!(landing.location(Some("token")), expected);
            let parsed = Url::parse(url).ok();
            assert_eq!(landing.location(None), decorate(parsed.clone(), &[], None));
            assert_eq!(landing.location(Some("token")), decorate(parsed, &[], Some("token")));
        }
    }
}
