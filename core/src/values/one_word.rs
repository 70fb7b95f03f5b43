//! The one tolerant reader: codes, pasted links, aliases, coupons and order numbers as people type
//! them and as phones, word processors and chat programs change them on the way.
//!
//! It has three steps. [`visible`] removes what nobody sees, and is all that happens to a shop's own
//! ids. [`one_word`] also removes what stands around a word and makes one character of those that look
//! alike. [`folded`] is what two words are compared by.

use icu_normalizer::ComposingNormalizerBorrowed;

/// What nobody sees: soft hyphen, zero-width characters, marks of direction, invisible operators,
/// variation selectors, and the byte order mark.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

/// Every dash is a hyphen, every kind of space a space, and a full-width form is what it shows.
fn plain(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{2043}' => '-',
        '\u{ff01}'..='\u{ff5e}' => {
            u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c)
        }
        space if space.is_whitespace() || space.is_control() => ' ',
        other => other,
    }
}

fn composed(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned()
}

/// A text without what nobody sees: in NFC, without invisible characters, and without spaces around
/// it. Nothing else changes, so two ids that a reader can tell apart stay apart.
pub fn visible(text: &str) -> String {
    // Of ASCII all is seen, and it is in NFC.
    if text.is_ascii() {
        return text.trim().to_owned();
    }
    let seen: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    composed(&seen).trim().to_owned()
}

/// A word without what stands around it: quotes, brackets, punctuation, a number sign. Dashes are
/// hyphens and full-width forms are ASCII; letters keep their case. Empty where there is no letter and
/// no digit.
pub fn one_word(text: &str) -> String {
    let seen: String = text.chars().filter(|c| !is_invisible(*c)).map(plain).collect();
    composed(&seen).trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}

/// What two words are compared by: in upper case, parts joined by one hyphen each, whether they were
/// written with hyphens, underscores, spaces or several of them. `freund10 – tasse` is
/// `FREUND10-TASSE`.
pub fn folded(text: &str) -> String {
    // Some letters come apart in upper case, so that comes first.
    let word = one_word(&text.to_uppercase());
    let parts: Vec<&str> = word.split(['-', '_', ' ']).filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

/// The letters and digits of a word, in upper case: an alias has no others.
pub fn letters(text: &str) -> String {
    folded(text).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The referral code in what somebody typed or pasted: the code, a link with whatever follows it, or
/// a sentence around a link. `program` is the slug in the link, in any case.
pub fn pasted_code(program: &str, text: &str) -> String {
    let word = one_word(text);
    let path = format!("/r/{program}/");
    // Only ASCII changes its case here, so places stay the same.
    let after = word
        .to_ascii_lowercase()
        .find(&path.to_ascii_lowercase())
        .and_then(|start| word.get(start + path.len()..));
    match after {
        Some(rest) => code_segment(rest),
        None if word.contains("/r/") => String::new(),
        None => {
            let typed = word.split(['/', '?', '#', '&', '%']).next().unwrap_or_default();
            typed.chars().filter(char::is_ascii_alphanumeric).collect()
        }
    }
}

/// The code at the start of the part of a path that holds it: `CODE.`, `CODE)`, `CODE%20` and
/// `CODE&utm_source=x` are `CODE`.
pub fn code_segment(segment: &str) -> String {
    // An escaped space or quote may stand in front.
    let mut rest = segment.trim_start();
    while let Some(after) = rest.strip_prefix('%').and_then(|after| after.get(2..)) {
        rest = after;
    }
    one_word(rest).chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Characters that make trouble, amid plain ones.
    fn text() -> impl Strategy<Value = String> {
        let odd = prop::sample::select(
            "\u{200b}\u{ad}\u{feff}\u{a0}\u{200f}–—−‐‑﹣－ ＡＺａ０．„“»()[]#.,;:!?%&/_-\t\u{308}\u{301}äÄöéßǰſKÅﬁ\u{1f3fe}"
                .chars()
                .collect::<Vec<_>>(),
        );
        let any = prop_oneof![odd, any::<char>(), prop::char::range('0', 'z')];
        prop::collection::vec(any, 0..24).prop_map(|chars| chars.into_iter().collect())
    }

    #[test]
    fn of_ascii_all_is_seen() {
        let text: String = (0..=127_u8).map(char::from).collect();
        for at in 0..text.len() {
            for ascii in [&text[..at], &text[at..]] {
                // What nobody sees takes the longer way.
                assert_eq!(visible(ascii), visible(&format!("{ascii}\u{ad}")));
            }
        }
    }

    #[test]
    fn what_stands_around_a_word_is_not_part_of_it() {
        for (typed, word) in [
            ("TASSE", "TASSE"),
            (" TASSE. ", "TASSE"),
            ("„TASSE“", "TASSE"),
            ("(TASSE)", "TASSE"),
            ("\u{feff}TAS\u{200b}SE\u{a0}", "TASSE"),
            ("TAS\u{ad}SE", "TASSE"),
            ("TAS–SE", "TAS-SE"),
            ("TAS—SE", "TAS-SE"),
            ("TAS−SE", "TAS-SE"),
            ("TAS‐SE", "TAS-SE"),
            ("TAS‑SE", "TAS-SE"),
            ("TAS﹣SE", "TAS-SE"),
            ("TAS－SE", "TAS-SE"),
            ("ＴＡＳＳＥ", "TASSE"),
            ("#1077", "1077"),
            (" 1077 ", "1077"),
            ("Nr. 10/77", "Nr. 10/77"),
            ("FRU\u{308}HLING", "FRÜHLING"),
            ("tasse", "tasse"),
            ("…", ""),
            ("", ""),
        ] {
            assert_eq!(one_word(typed), word, "{typed:?}");
        }
    }

    #[test]
    fn words_are_compared_without_case_and_however_their_parts_are_joined() {
        for typed in [
            "FREUND10-TASSE",
            "freund10 tasse",
            "freund10–tasse",
            " Freund10 — Tasse.",
            "freund10_tasse",
            "FREUND10\u{a0}TASSE",
        ] {
            assert_eq!(folded(typed), "FREUND10-TASSE", "{typed:?}");
        }
        assert_ne!(folded("FREUND10TASSE"), "FREUND10-TASSE");
        assert_eq!(letters("Freund-10 tasse"), "FREUND10TASSE");
        assert_eq!(folded("fru\u{308}hling"), folded("FRÜHLING"));
    }

    #[test]
    fn an_id_of_the_shop_loses_only_what_nobody_sees() {
        for (id, same) in [
            ("1001 ", "1001"),
            ("\u{a0}1001", "1001"),
            ("\u{feff}1001\u{200b}", "1001"),
            ("A\u{308}-1", "Ä-1"),
            ("#1001", "#1001"),
            ("A–1", "A–1"),
            ("a  1.", "a  1."),
            ("Ａ1", "Ａ1"),
        ] {
            assert_eq!(visible(id), same, "{id:?}");
        }
    }

    #[test]
    fn a_code_is_found_in_whatever_was_pasted() {
        let code = "2g40r40m30e209185gr38e1w12";
        let link = format!("https://referrals.example/r/teehaus/{code}");
        for typed in [
            code.to_owned(),
            format!(" {code}. "),
            format!("{code}%20"),
            format!("{code}&utm_source=x"),
            format!("{}-{}", &code[..13], &code[13..]),
            format!("{} {}", &code[..13], &code[13..]),
            link.clone(),
            format!("{link}/"),
            format!("{link}."),
            format!("({link})"),
            format!("{link},"),
            format!("{link}%20"),
            format!("{link}&utm_source=x"),
            format!("{link}/whatsapp?utm_source=x"),
            format!("{link}?to=/tee#x"),
            format!("<{link}>"),
            format!("Schau mal: {link} – dein Rabatt"),
            link.replace("/r/teehaus/", "/R/TEEHAUS/"),
            link.replace("/r/teehaus/", "/r/teehaus/%20"),
            format!("\u{200b}{link}\u{feff}"),
        ] {
            assert_eq!(pasted_code("teehaus", &typed), code, "{typed:?}");
        }
        for nothing in ["", "/", "https://referrals.example/r/other/x", "%", "🙂"] {
            assert_eq!(pasted_code("teehaus", nothing), "", "{nothing:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_twice_is_reading_once(text in text()) {
            for read in [visible, one_word, folded, letters, code_segment] {
                let once = read(&text);
                prop_assert_eq!(read(&once), once);
            }
            let once = pasted_code("teehaus", &text);
            prop_assert_eq!(pasted_code("teehaus", &once), once);
        }

        #[test]
        fn a_good_code_never_changes(bytes in any::<[u8; 16]>(), word in "[A-Z0-9]{4,12}") {
            let code = crate::text::base32(&bytes);
            prop_assert_eq!(pasted_code("teehaus", &code), code.clone());
            prop_assert_eq!(code_segment(&code), code.clone());
            prop_assert_eq!(one_word(&code), code);
            prop_assert_eq!(folded(&word), word.clone());
            prop_assert_eq!(letters(&word), word);
        }

        #[test]
        fn what_surrounds_and_hides_changes_nothing(
            word in "[A-Za-z0-9]{1,12}", before in "[ .,(„\u{200b}\u{feff}#]{0,3}", after in "[ .,)“\u{a0}\u{ad}!]{0,3}",
        ) {
            let typed = format!("{before}{word}{after}");
            prop_assert_eq!(one_word(&typed), word);
        }
    }
}
