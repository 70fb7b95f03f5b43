//! Claims about the language files in `widget/texts`: that each says everything, to the right person,
//! and that nothing is asked for which none of them says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use passalong_core::channel::Channel;
use passalong_core::reward::{ConversionKind, Reason, Status};

type Texts = BTreeMap<String, String>;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What the cards say in each language: what both say, and what each says to its own reader.
fn languages() -> BTreeMap<String, Texts> {
    let mut all = languages_in("texts");
    for folder in ["texts/me", "texts/offer"] {
        let own = languages_in(folder);
        assert!(own.keys().eq(all.keys()), "{folder}");
        for (language, texts) in own {
            for (key, text) in texts {
                let known = all.get_mut(&language).unwrap().insert(key.clone(), text);
                assert_eq!(known, None, "{language} says {key} twice");
            }
        }
    }
    all
}

/// The texts of what is rarely wanted (`loader/more.js`), by the same names.
fn more() -> BTreeMap<String, Texts> {
    languages_in("texts/more")
}

fn languages_in(folder: &str) -> BTreeMap<String, Texts> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let texts = serde_json::from_str(&fs::read_to_string(&path).unwrap());
            (name, texts.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        })
        .collect()
}

fn gaps(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).map(|rest| rest.split_once('}').unwrap().0).collect()
}

/// A key without its plural form; languages differ in how many they have.
fn without_plural(key: &str) -> &str {
    let forms = ["zero", "one", "two", "few", "many"];
    key.rsplit_once('.').filter(|(_, end)| forms.contains(end)).map_or(key, |(start, _)| start)
}

#[test]
fn every_status_and_reason_and_channel_and_kind_has_a_text_in_every_language() {
    for (language, texts) in languages() {
        let statuses = Status::ALL.iter().map(|status| format!("status.{status}"));
        let reasons = Reason::ALL.iter().map(|reason| format!("reason.{reason}"));
        // These have no button: the link itself, copied by its own, and a code to scan.
        let no_button = [Channel::Direct, Channel::Copy, Channel::Qr];
        let buttons = Channel::ALL.iter().filter(|channel| !no_button.contains(channel));
        let channels = buttons.map(|channel| format!("channel.{channel}"));
        let kinds = ConversionKind::ALL.iter().map(|kind| format!("done.{kind}"));
        for key in statuses.chain(reasons).chain(channels).chain(kinds) {
            assert!(texts.get(&key).is_some_and(|text| !text.is_empty()), "{language}: {key}");
        }
    }
}

#[test]
fn every_language_says_the_same_things_with_the_same_gaps() {
    for languages in [languages(), more()] {
        same_things(&languages);
    }
}

fn same_things(languages: &BTreeMap<String, Texts>) {
    let english = &languages["en"];
    for (language, texts) in languages {
        let keys = |texts: &Texts| -> BTreeSet<String> {
            texts.keys().map(|key| without_plural(key).to_owned()).collect()
        };
        assert_eq!(keys(texts), keys(english), "{language}");
        for (key, text) in texts {
            let Some(same) = english.get(key) else { continue };
            // "Einen Tag" needs no number.
            if without_plural(key) == key {
                assert_eq!(gaps(text), gaps(same), "{language}: {key}");
            }
        }
    }
}

#[test]
fn the_loader_knows_every_language_file() {
    let table = read("loader/languages.js");
    let list = table.split_once("FILES = [").unwrap().1.split_once(']').unwrap().0;
    let known: BTreeSet<String> =
        list.split(',').map(|name| name.trim().trim_matches('"').to_owned()).collect();
    assert_eq!(known, languages().into_keys().collect());
    assert_eq!(known, more().into_keys().collect());
}

#[test]
fn more_asks_for_every_text_of_its_own_and_for_no_other() {
    let code = read("loader/more.js");
    let texts = more();
    for key in texts["en"].keys() {
        assert!(code.contains(&format!("\"{key}\"")), "nothing asks for {key}");
    }
    let mut asked = 0;
    for rest in code.split("said[\"").skip(1) {
        let key = rest.split('"').next().unwrap();
        assert!(texts["en"].contains_key(key), "more.js asks for {key}");
        asked += 1;
    }
    assert!(asked > 10, "found only {asked}: they must be looked for in another way");
}

#[test]
fn what_is_said_before_the_first_answer_addresses_nobody() {
    // Only the program's answer tells whether its customers are du or Sie.
    let languages = languages();
    let early = |key: &&String| {
        let starts =
            ["trouble.", "title.plain", "retry", "loading", "plain.", "share.plain", "copy"];
        starts.iter().any(|start| key.starts_with(start)) && *key != "copy.failed"
    };
    let keys: Vec<&String> = languages["de-du"].keys().filter(early).collect();
    assert!(keys.len() >= 8, "{keys:?}");
    for key in keys {
        assert_eq!(languages["de-du"][key], languages["de-sie"][key], "{key}");
    }
}

/// The constants of names.rs, by name.
fn constants() -> BTreeMap<String, String> {
    let source = read("src/names.rs");
    let lines = source.lines().filter_map(|line| line.trim().split_once(" \""));
    lines
        .filter(|(name, _)| {
            name.chars().all(|c| c.is_ascii_uppercase() || "_0123456789".contains(c))
        })
        .map(|(name, text)| (name.to_owned(), text.trim_end_matches('"').to_owned()))
        .collect()
}

#[test]
fn whatever_the_code_asks_for_is_said() {
    let english = &languages()["en"];
    let constants = constants();
    let mut asked = 0;
    for source in ["account", "lib", "referral", "rows", "share", "value", "visitor"] {
        let code = read(&format!("src/{source}.rs"));
        let calls = [
            ("say(n::", ""),
            ("count(n::", ".other"),
            ("some(n::", ".other"),
            ("clause(n::", "other"),
        ];
        for (call, end) in calls {
            for rest in code.split(call).skip(1) {
                let name =
                    rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
                let key = format!("{}{end}", constants[name]);
                assert!(english.contains_key(&key), "{source}.rs asks for {key}");
                asked += 1;
            }
        }
    }
    assert!(asked > 50, "found only {asked} calls: they must be looked for in another way");
    // What is chosen first and asked for later stands in a part of the list of its own.
    let list = read("src/names.rs");
    let (_, keys) = list.split_once("// Keys of texts").unwrap();
    for key in constants
        .iter()
        .filter(|(name, _)| keys.contains(&format!("    {name} \"")))
        .map(|(_, text)| text)
    {
        let said = |known: &String| {
            without_plural(known).trim_end_matches(".other") == key
                || (key.ends_with('.') && known.starts_with(key))
                || (key.starts_with('.') && known.ends_with(key))
                || (key == "other" && known.contains(".other"))
        };
        assert!(english.keys().any(said), "names.rs lists {key}");
    }
}

#[test]
fn every_text_is_asked_for() {
    let constants: BTreeSet<String> = constants().into_values().collect();
    let loader = read("loader/card.js") + &read("loader/element.js");
    for key in languages()["en"].keys() {
        let plain = without_plural(key).trim_end_matches(".other");
        let asked = constants.contains(key)
            || constants.contains(plain)
            || constants.iter().any(|start| start.ends_with('.') && key.starts_with(start))
            || loader.contains(&format!("\"{key}\""));
        assert!(asked, "nothing asks for {key}");
    }
}

#[test]
fn no_constant_is_there_twice() {
    let mut seen = BTreeSet::new();
    for name in crate::names::NAMES.split('|').skip(1) {
        assert!(seen.insert(name), "{name:?} would be known by its first place alone");
    }
}

/// All that is said in each language.
fn together() -> BTreeMap<String, Vec<(String, String)>> {
    let both = languages().into_iter().chain(more());
    let mut all = BTreeMap::<String, Vec<(String, String)>>::new();
    both.for_each(|(language, texts)| all.entry(language).or_default().extend(texts));
    all
}

#[test]
fn each_german_file_addresses_in_its_own_way() {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphabetic()).map(str::to_owned).collect()
    };
    let languages = together();
    let informal =
        ["du", "dich", "dir", "dein", "deine", "deinem", "deinen", "deiner", "gib", "deins"];
    for (key, text) in &languages["de-sie"] {
        let said = words(&text.to_lowercase());
        assert!(!said.iter().any(|word| informal.contains(&word.as_str())), "{key}: {text}");
    }
    for (key, text) in &languages["de-du"] {
        let said = words(text);
        let formal = ["Sie", "Ihr", "Ihre", "Ihrem", "Ihren", "Ihrer", "Ihnen"];
        assert!(!said.iter().any(|word| formal.contains(&word.as_str())), "{key}: {text}");
    }
}

#[test]
fn german_sentences_leave_the_sex_of_people_open() {
    let gendered = ["Freund", "Freundin", "Freunde", "Kunde", "Kunden", "Kundin", "Besteller"];
    for language in ["de-du", "de-sie"] {
        for (key, text) in &together()[language] {
            let said: Vec<&str> = text.split(|c: char| !c.is_alphabetic()).collect();
            assert!(!said.iter().any(|word| gendered.contains(word)), "{language} {key}: {text}");
        }
    }
}
