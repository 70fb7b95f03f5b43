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

/// Every language file by name.
fn languages() -> BTreeMap<String, Texts> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("texts");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
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
        let channels = Channel::ALL.iter().map(|channel| format!("channel.{channel}"));
        let kinds = ConversionKind::ALL.iter().map(|kind| format!("done.{kind}"));
        for key in statuses.chain(reasons).chain(channels).chain(kinds) {
            assert!(texts.get(&key).is_some_and(|text| !text.is_empty()), "{language}: {key}");
        }
    }
}

#[test]
fn every_language_says_the_same_things_with_the_same_gaps() {
    let languages = languages();
    let english = &languages["en"];
    for (language, texts) in &languages {
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
}

#[test]
fn whatever_the_code_asks_for_is_said() {
    let english = &languages()["en"];
    let sources = ["account", "lib", "referral", "share", "value", "visitor"];
    let mut asked = 0;
    for source in sources {
        let code = read(&format!("src/{source}.rs"));
        for (call, plural) in [(".say(\"", false), (".count(\"", true), ("fill(\"", false)] {
            for rest in code.split(call).skip(1) {
                let key = rest.split_once('"').unwrap().0;
                let key = if plural { format!("{key}.other") } else { key.to_owned() };
                assert!(english.contains_key(&key), "{source}.rs asks for {key}");
                asked += 1;
            }
        }
        for rest in code.split("clause(words, \"").skip(1) {
            let key = format!("{}other", rest.split_once('"').unwrap().0);
            assert!(english.contains_key(&key), "{source}.rs asks for {key}");
            asked += 1;
        }
    }
    assert!(asked > 30, "found only {asked} calls: they must be looked for in another way");
}

#[test]
fn each_german_file_addresses_in_its_own_way() {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphabetic()).map(str::to_owned).collect()
    };
    let languages = languages();
    let informal = ["du", "dich", "dir", "dein", "deine", "deinem", "deinen", "deiner", "gib"];
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
        for (key, text) in &languages()[language] {
            let said: Vec<&str> = text.split(|c: char| !c.is_alphabetic()).collect();
            assert!(!said.iter().any(|word| gendered.contains(word)), "{language} {key}: {text}");
        }
    }
}
