//! The terms in German, as du or Sie.

use super::figures::{bytes, money, percent, whole};
use super::{Kinds, Language, Tongue, list, minimum, sentence};
use crate::money::Currency;
use crate::program::{Address, HoldFrom, Program};
use crate::reward::{Cap, CapPeriod, Delivery, Expires, Role, Rule, Trigger, Value, When};

const DE: Language = Language::De;

pub struct German {
    pub address: Address,
    pub currency: Currency,
}

/// A number and what it counts.
fn counted(number: i64, one: &str, more: &str) -> String {
    format!("{} {}", whole(number, DE), if number == 1 { one } else { more })
}

fn days(number: u32) -> String {
    counted(number.into(), "Tag", "Tage")
}

fn quoted(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| format!("„{text}“")).collect()
}

/// The so many-th of what a rule counts, in the dative.
fn nth(rule: &Rule, number: u32) -> String {
    let (article, what) = match rule.trigger {
        Trigger::Signup => ("der", "Anmeldung"),
        Trigger::FirstPurchase => ("dem", "Erstkauf"),
        Trigger::EveryPurchase => ("dem", "Einkauf"),
        Trigger::Action => ("der", "Aktion"),
    };
    format!("{article} {}. bestätigten {what}", whole(number.into(), DE))
}

impl German {
    /// The word for du, or that for Sie.
    fn you<'a>(&self, du: &'a str, sie: &'a str) -> &'a str {
        match self.address {
            Address::Du => du,
            Address::Sie => sie,
        }
    }

    fn money(&self, amount: i64) -> String {
        money(amount, self.currency, DE)
    }

    /// "bekommst du" and what.
    fn gets(&self, rule: &Rule, value: Value, more: &str) -> String {
        if let Value::Donation { amount, to, .. } = value {
            let to = to.map(|to| format!(" an {to}")).unwrap_or_default();
            return format!("spenden wir {more}{}{to}", self.money(amount));
        }
        let (gets, whose) = match rule.role {
            Role::Advocate => {
                (self.you("bekommst du", "bekommen Sie").to_owned(), self.you("dein", "Ihr"))
            }
            Role::Friend => ("bekommt sie".to_owned(), "ihr"),
        };
        format!("{gets} {more}{}", self.value(value, rule, whose))
    }

    /// What somebody gets, as it follows "bekommt"; `whose` is their word for "dein".
    fn value(&self, value: Value, rule: &Rule, whose: &str) -> String {
        let off = |off: String| match rule.when {
            When::AtOnce => format!("auf diesen Einkauf sofort {off} Rabatt"),
            When::Earned => format!("{off} Rabatt auf {whose}en nächsten Einkauf"),
        };
        let is_voucher = rule.delivery != Delivery::Manual && rule.when == When::Earned;
        match value {
            Value::PercentOff { basis_points, times: None } => off(percent(basis_points, DE)),
            Value::PercentOff { basis_points, times: Some(times) } => {
                let what = match times {
                    1 => format!("{whose}en nächsten Einkauf oder Mitgliedsbeitrag"),
                    _ => format!(
                        "{whose}e nächsten {} Einkäufe oder Mitgliedsbeiträge",
                        whole(times.into(), DE)
                    ),
                };
                format!("{} Rabatt auf {what}", percent(basis_points, DE))
            }
            Value::PercentOfOrder { basis_points } => {
                format!("{} des Bestellwerts als Guthaben", percent(basis_points, DE))
            }
            Value::AmountOff { amount, .. } if is_voucher => {
                format!("einen Gutschein über {}", self.money(amount))
            }
            Value::AmountOff { amount, .. } => off(self.money(amount)),
            Value::Gift { label, worth } => {
                let worth = worth.map(|worth| format!(" (Wert: {})", self.money(worth)));
                format!("als Geschenk: {label}{}", worth.unwrap_or_default())
            }
            counted => self.amount(counted),
        }
    }

    /// A value that can be summed up, as such.
    fn amount(&self, value: Value) -> String {
        match value {
            Value::Credit { amount, .. } => format!("{} Guthaben", self.money(amount)),
            Value::AmountOff { amount, .. } => format!("{} Rabatt", self.money(amount)),
            Value::Donation { amount, .. } => format!("{} Spenden", self.money(amount)),
            Value::Points { points } => counted(points, "Punkt", "Punkte"),
            Value::StorageBytes { bytes: size } => format!("{} Speicherplatz", bytes(size, DE)),
            Value::FreePeriods { periods } => {
                counted(periods, "beitragsfreien Monat", "beitragsfreie Monate")
            }
            // They have no sum.
            Value::PercentOff { .. } | Value::PercentOfOrder { .. } | Value::Gift { .. } => {
                String::new()
            }
        }
    }

    /// For whom alone a rule is.
    fn segment(&self, rule: &Rule) -> Option<String> {
        let segment = rule.segment.as_ref()?;
        let who = match rule.role {
            Role::Advocate => self.you("Gehörst du", "Gehören Sie"),
            Role::Friend => "Gehört die geworbene Person",
        };
        Some(format!("{who} zur Kundengruppe „{segment}“:"))
    }

    /// What the friend does, up to the main clause.
    fn occasion(&self, rule: &Rule) -> String {
        let your = self.you("deine", "Ihre");
        let least = minimum(rule).map(|least| self.money(least));
        let text = |before: &str| least.map(|least| format!("{before}{least}")).unwrap_or_default();
        match (rule.trigger, &rule.action) {
            (Trigger::Signup, _) => "Meldet sich die geworbene Person an,".to_owned(),
            (Trigger::FirstPurchase, _) => {
                let least = text(" und beträgt der Bestellwert mindestens ");
                format!(
                    "Kauft die geworbene Person zum ersten Mal über {your} Empfehlung ein{least},"
                )
            }
            (Trigger::EveryPurchase, _) => {
                let least = text(" ab ");
                format!("Für jeden Einkauf{least} der geworbenen Person über {your} Empfehlung")
            }
            (Trigger::Action, Some(action)) => {
                format!("Für die Aktion „{action}“{} der geworbenen Person", text(" ab "))
            }
            (Trigger::Action, None) => {
                format!("Für jede Aktion{} der geworbenen Person, die bei uns zählt,", text(" ab "))
            }
        }
    }

    /// From when on what happened can be approved.
    fn hold(number: u32, after: &str) -> String {
        let length = if number == 0 { "eine Stunde".to_owned() } else { days(number) };
        format!("frühestens {length} {after}")
    }
}

impl Tongue for German {
    fn roles(&self, shop: &str) -> String {
        let you = self.you("du", "Sie");
        format!(
            "Mit „{you}“ ist gemeint, wer {shop} weiterempfiehlt; „die geworbene Person“ ist, wer durch diese Empfehlung zu {shop} kommt."
        )
    }

    fn paused(&self) -> String {
        "Das Programm ist zurzeit angehalten: Was jetzt geschieht, bringt keine Prämie.".to_owned()
    }

    fn promise(&self, rule: &Rule) -> String {
        let occasion = self.occasion(rule);
        let gets = self.gets(rule, rule.value, "");
        let segment = self.segment(rule).map(|segment| format!("{segment} ")).unwrap_or_default();
        format!("{segment}{occasion} {gets}.")
    }

    fn tier(&self, rule: &Rule, from: u32, value: Value) -> String {
        format!("Ab {} {}.", nth(rule, from), self.gets(rule, value, "stattdessen "))
    }

    fn bonus(&self, rule: &Rule, at: u32) -> String {
        let segment = self.segment(rule).map(|segment| format!("{segment} ")).unwrap_or_default();
        let gets = self.gets(rule, rule.value, "einmalig zusätzlich ");
        format!("{segment}Mit {} {gets}.", nth(rule, at))
    }

    fn cap(&self, rule: &Rule, cap: Cap, amount: Option<Value>) -> String {
        let what = match (rule.trigger, &rule.action) {
            (Trigger::Signup, _) => "Anmeldungen".to_owned(),
            (Trigger::FirstPurchase, _) => "Erstkäufe".to_owned(),
            (Trigger::EveryPurchase, _) => "Einkäufe".to_owned(),
            (Trigger::Action, None) => "Aktionen".to_owned(),
            (Trigger::Action, Some(action)) => format!("die Aktion „{action}“"),
        };
        let who = match rule.role {
            Role::Advocate if matches!(rule.value, Value::Donation { .. }) => "gibt es",
            Role::Advocate => self.you("bekommst du", "bekommen Sie"),
            Role::Friend => self.you(
                "bekommen alle, die du wirbst, zusammen",
                "bekommen alle, die Sie werben, zusammen",
            ),
        };
        let per = match cap.per {
            CapPeriod::Total => "insgesamt",
            CapPeriod::Year => "je Kalenderjahr",
        };
        let count = cap.count.map(|count| counted(count.into(), "Prämie", "Prämien"));
        let beyond = if amount.is_some() { "; was darüber hinausgeht, entfällt" } else { "" };
        let most: Vec<String> = count.into_iter().chain(amount.map(|it| self.amount(it))).collect();
        format!("Für {what} {who} {per} höchstens {}{beyond}.", list(&most, "und"))
    }

    fn expiry(&self, role: Role, expires: Expires) -> String {
        let (who, gets) = match role {
            Role::Advocate => (
                self.you("Du kannst die", "Sie können die"),
                self.you("du sie bekommst", "Sie sie bekommen"),
            ),
            Role::Friend => ("Die geworbene Person kann ihre", "sie ihr übergeben wird"),
        };
        match expires {
            Expires::Days(number) => format!(
                "{who} Prämie {} lang einlösen, gerechnet ab dem Tag, an dem {gets}.",
                days(number)
            ),
            Expires::EndOfYear(0) => format!(
                "{who} Prämie bis zum Ende des Kalenderjahres einlösen, in dem {gets} (Weltzeit, UTC)."
            ),
            Expires::EndOfYear(number) => format!(
                "{who} Prämie bis zum Ende des {number}. Kalenderjahres nach dem Jahr einlösen, in dem {gets} (Weltzeit, UTC)."
            ),
        }
    }

    fn delivery(&self, rule: &Rule) -> Option<String> {
        let text = match (rule.delivery, rule.when) {
            (Delivery::Manual, _) => return None,
            (Delivery::Webhook, _) => {
                "Die Prämie wird nach ihrer Bestätigung automatisch bereitgestellt."
            }
            (Delivery::Coupon, When::AtOnce) => {
                "Dafür gibt es einen Gutscheincode, der beim Bezahlen eingegeben wird."
            }
            (Delivery::Coupon, When::Earned) => self.you(
                "Dafür bekommst du nach der Bestätigung einen Gutscheincode.",
                "Dafür bekommen Sie nach der Bestätigung einen Gutscheincode.",
            ),
        };
        Some(text.to_owned())
    }

    fn first_applies(&self, has_minimum: bool) -> String {
        let minimum = if has_minimum {
            ", auch wenn deren Mindestbestellwert nicht erreicht ist"
        } else {
            ""
        };
        format!(
            "Passen mehrere dieser Zusagen für dieselbe Person auf denselben Vorgang, gilt nur die zuerst genannte{minimum}."
        )
    }

    fn ceiling(&self, most: i64) -> String {
        let (most, you) = (self.money(most), self.you("bekommst du", "bekommen Sie"));
        format!(
            "Guthaben, feste Rabattbeträge und Geschenke mit angegebenem Wert {you} je Kalenderjahr zusammen bis zu {most}; was darüber hinausgeht, entfällt."
        )
    }

    fn year(&self) -> String {
        "In welches Kalenderjahr eine Prämie fällt, richtet sich nach dem Tag, an dem ihre Wartezeit endet (Weltzeit, UTC).".to_owned()
    }

    fn new_customers(&self, shop: &str) -> String {
        format!(
            "Die geworbene Person muss neu sein: Wer schon vor der Empfehlung bei {shop} Kundin oder Kunde war, zählt nicht."
        )
    }

    fn once(&self) -> String {
        "Niemand kann sich selbst werben. Jede Person kann nur von einer anderen geworben werden: Es zählt die Empfehlung, die zuerst erfasst wurde und Bestand hat.".to_owned()
    }

    fn window(&self, kinds: Kinds, number: u32) -> String {
        let what = sentence(&list(&kinds.pick(["Anmeldungen", "Einkäufe", "Aktionen"]), "und"));
        let (days, your) = (days(number), self.you("deinen", "Ihren"));
        format!(
            "{what} zählen bis zu {days} nach dem Klick auf {your} Empfehlungslink; wurden mehrere Empfehlungslinks angeklickt, zählt der letzte. Ein Empfehlungscode, der eingegeben oder genannt wird, zählt auch ohne Klick."
        )
    }

    fn bound(&self, kinds: Kinds, number: u32) -> String {
        let what = list(&kinds.pick(["Anmeldungen", "Einkäufe", "Aktionen"]), "und");
        format!(
            "Danach zählen weitere {what} der geworbenen Person {} lang auch ohne neuen Klick.",
            days(number)
        )
    }

    fn hold_of_purchases(&self, program: &Program) -> String {
        let hold = program.hold;
        match hold.from {
            HoldFrom::Order => format!(
                "Die Prämie für einen Einkauf wird {} bestätigt.",
                Self::hold(hold.days, "nach der Bestellung")
            ),
            HoldFrom::Delivered => format!(
                "Die Prämie für einen Einkauf wird {} bestätigt; wird keine Lieferung oder Leistung gemeldet, {}.",
                Self::hold(hold.days, "nach der Lieferung oder Leistung"),
                Self::hold(hold.fallback_days, "nach der Bestellung"),
            ),
        }
    }

    fn hold_of_others(&self, kinds: Kinds, number: u32) -> String {
        let what = list(&kinds.pick(["eine Anmeldung", "einen Einkauf", "eine Aktion"]), "und für");
        format!("Die Prämie für {what} wird {} bestätigt.", Self::hold(number, "danach"))
    }

    fn undone(&self, kinds: Kinds) -> String {
        let what = list(&kinds.pick(["eine Anmeldung", "ein Einkauf", "eine Aktion"]), "oder");
        format!(
            "Wird {what} ganz rückgängig gemacht, etwa durch Widerruf, Stornierung oder volle Erstattung, entfällt die Prämie dafür, auch wenn sie schon bestätigt oder übergeben ist."
        )
    }

    fn shrunk(&self) -> String {
        "Wird ein Teil erstattet, wird ein Guthaben in Prozent des Bestellwerts entsprechend kleiner.".to_owned()
    }

    fn minimum_counts(&self) -> String {
        "Ein Mindestbestellwert muss auch nach Erstattungen, die bis zum Ende der Wartezeit erfolgen, erreicht sein.".to_owned()
    }

    fn bonus_stays(&self) -> String {
        "Ein Bonus für eine erreichte Zahl bleibt, auch wenn ein Einkauf später zurückgeht."
            .to_owned()
    }

    fn order_value(&self) -> String {
        "Bestellwert ist der Preis der Waren oder Leistungen nach Abzug von Rabatten, mit Mehrwertsteuer und ohne Versand.".to_owned()
    }

    fn currency(&self) -> String {
        format!("Es zählen nur Einkäufe in {}.", self.currency)
    }

    fn excluded(&self, gift_cards: bool, categories: &[String], skus: &[String]) -> String {
        if let (false, [], [one]) = (gift_cards, categories, skus) {
            return format!(
                "Ausgenommen ist der Artikel „{one}“. Dafür gibt es keine Prämie, und er zählt nicht zum Bestellwert."
            );
        }
        let mut what = Vec::new();
        if gift_cards {
            what.push("Geschenkgutscheine".to_owned());
        }
        match categories {
            [] => {}
            [one] => what.push(format!("Waren der Kategorie „{one}“")),
            more => what.push(format!("Waren der Kategorien {}", list(&quoted(more), "und"))),
        }
        match skus {
            [] => {}
            [one] => what.push(format!("der Artikel „{one}“")),
            more => what.push(format!("die Artikel {}", list(&quoted(more), "und"))),
        }
        format!(
            "Ausgenommen sind {}. Dafür gibt es keine Prämie, und sie zählen nicht zum Bestellwert.",
            list(&what, "sowie")
        )
    }

    fn months(&self) -> String {
        "Wird ein Beitrag nicht monatlich gezahlt, tritt an die Stelle eines Monats der Zeitraum, für den er gezahlt wird.".to_owned()
    }

    fn points(&self, shop: &str) -> String {
        format!("Wie Punkte eingelöst werden, bestimmt {shop}.")
    }
}
