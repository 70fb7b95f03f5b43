//! What a merchant takes away: the tables, their fields, and under which names the common customer
//! databases import them. `docs/exports.md` says which of those names must be made there first.

use crate::csv::{Cell, Dialect, Locale, json_line};
use crate::words::words;

words!(
    /// What a table lists.
    Table {
        Rewards = "rewards",
        Conversions = "conversions",
        Advocates = "advocates",
    }
);

words!(
    /// How a table is written.
    Format {
        Csv = "csv",
        Jsonl = "jsonl",
    }
);

words!(
    /// Whose import is to read it.
    ColumnSet {
        Default = "default",
        HubSpot = "hubspot",
        Salesforce = "salesforce",
        Zoho = "zoho",
    }
);

/// One row: its fields by name.
pub type Row = Vec<(&'static str, Cell)>;

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Field(&'static str),
    /// The same word in every row.
    Fixed(&'static str),
}

use Source::{Field, Fixed};

type Columns = &'static [(&'static str, Source)];

/// The fields of each table, under their own names.
pub const fn fields(table: Table) -> &'static [&'static str] {
    match table {
        Table::Rewards => &[
            "reward_id",
            "for",
            "customer_id",
            "order_id",
            "ordered_at",
            "kind",
            "amount",
            "currency",
            "percent",
            "quantity",
            "label",
            "milestone",
            "status",
            "reason",
            "since",
            "until",
            "taken_back",
            "reference",
        ],
        Table::Conversions => &[
            "order_id",
            "kind",
            "occurred_at",
            "amount",
            "remaining",
            "currency",
            "customer_id",
            "attributed",
            "reason",
            "advocate_id",
            "advocate_status",
            "friend_status",
            "terms_version",
        ],
        Table::Advocates => &[
            "customer_id",
            "code",
            "link",
            "clicks",
            "signups",
            "purchases",
            "pending",
            "approved",
            "earned",
            "currency",
        ],
    }
}

fn columns(table: Table, set: ColumnSet) -> Option<Columns> {
    match set {
        ColumnSet::Default => None,
        ColumnSet::HubSpot => Some(hubspot(table)),
        ColumnSet::Salesforce => Some(salesforce(table)),
        ColumnSet::Zoho => Some(zoho(table)),
    }
}

/// Names of properties: contacts by `Customer ID`, deals, and a custom object for rewards.
const fn hubspot(table: Table) -> Columns {
    match table {
        Table::Advocates => &[
            ("Customer ID", Field("customer_id")),
            ("Referral Code", Field("code")),
            ("Referral Link", Field("link")),
            ("Referral Clicks", Field("clicks")),
            ("Referred Sign-ups", Field("signups")),
            ("Referred Purchases", Field("purchases")),
            ("Referral Rewards Pending", Field("pending")),
            ("Referral Rewards Approved", Field("approved")),
            ("Referral Earnings", Field("earned")),
        ],
        Table::Conversions => &[
            ("Deal Name", Field("order_id")),
            ("Pipeline", Fixed("Sales Pipeline")),
            ("Deal Stage", Field("stage")),
            ("Amount", Field("remaining")),
            ("Currency", Field("currency")),
            ("Close Date", Field("day")),
            ("Order ID", Field("order_id")),
            ("Customer ID", Field("customer_id")),
            ("Referred By", Field("advocate_id")),
            ("Referral Reason", Field("reason")),
        ],
        Table::Rewards => &[
            ("Reward ID", Field("reward_id")),
            ("Customer ID", Field("customer_id")),
            ("Order ID", Field("order_id")),
            ("Reward For", Field("for")),
            ("Reward Kind", Field("kind")),
            ("Reward Amount", Field("amount")),
            ("Currency", Field("currency")),
            ("Reward Percent", Field("percent")),
            ("Reward Quantity", Field("quantity")),
            ("Reward Status", Field("status")),
            ("Reward Reason", Field("reason")),
            ("Reward Since", Field("since")),
            ("Reward Reference", Field("reference")),
        ],
    }
}

/// API names of fields: contacts by the external id `Customer_ID__c`, opportunities, and a custom
/// object for rewards.
const fn salesforce(table: Table) -> Columns {
    match table {
        Table::Advocates => &[
            ("Customer_ID__c", Field("customer_id")),
            ("Referral_Code__c", Field("code")),
            ("Referral_Link__c", Field("link")),
            ("Referral_Clicks__c", Field("clicks")),
            ("Referred_Sign_Ups__c", Field("signups")),
            ("Referred_Purchases__c", Field("purchases")),
            ("Referral_Rewards_Pending__c", Field("pending")),
            ("Referral_Rewards_Approved__c", Field("approved")),
            ("Referral_Earnings__c", Field("earned")),
        ],
        Table::Conversions => &[
            ("Name", Field("order_id")),
            ("StageName", Field("stage")),
            ("CloseDate", Field("day")),
            ("Amount", Field("remaining")),
            ("CurrencyIsoCode", Field("currency")),
            ("Order_ID__c", Field("order_id")),
            ("Customer_ID__c", Field("customer_id")),
            ("Referred_By__c", Field("advocate_id")),
            ("Referral_Reason__c", Field("reason")),
        ],
        Table::Rewards => &[
            ("Name", Field("reward_id")),
            ("Reward_ID__c", Field("reward_id")),
            ("Customer_ID__c", Field("customer_id")),
            ("Order_ID__c", Field("order_id")),
            ("Reward_For__c", Field("for")),
            ("Reward_Kind__c", Field("kind")),
            ("Reward_Amount__c", Field("amount")),
            ("CurrencyIsoCode", Field("currency")),
            ("Reward_Percent__c", Field("percent")),
            ("Reward_Quantity__c", Field("quantity")),
            ("Reward_Status__c", Field("status")),
            ("Reward_Reason__c", Field("reason")),
            ("Reward_Since__c", Field("since")),
            ("Reward_Reference__c", Field("reference")),
        ],
    }
}

/// Labels of fields: contacts by the unique field `Customer ID`, deals, and a custom module for rewards.
const fn zoho(table: Table) -> Columns {
    match table {
        Table::Advocates => &[
            ("Customer ID", Field("customer_id")),
            ("Referral Code", Field("code")),
            ("Referral Link", Field("link")),
            ("Referral Clicks", Field("clicks")),
            ("Referred Sign-ups", Field("signups")),
            ("Referred Purchases", Field("purchases")),
            ("Rewards Pending", Field("pending")),
            ("Rewards Approved", Field("approved")),
            ("Referral Earnings", Field("earned")),
        ],
        Table::Conversions => &[
            ("Deal Name", Field("order_id")),
            ("Stage", Field("stage")),
            ("Closing Date", Field("day")),
            ("Amount", Field("remaining")),
            ("Currency", Field("currency")),
            ("Customer ID", Field("customer_id")),
            ("Referred By", Field("advocate_id")),
            ("Referral Reason", Field("reason")),
        ],
        Table::Rewards => &[
            ("Reward Name", Field("reward_id")),
            ("Customer ID", Field("customer_id")),
            ("Order ID", Field("order_id")),
            ("Reward For", Field("for")),
            ("Reward Kind", Field("kind")),
            ("Reward Amount", Field("amount")),
            ("Currency", Field("currency")),
            ("Reward Percent", Field("percent")),
            ("Reward Quantity", Field("quantity")),
            ("Reward Status", Field("status")),
            ("Reward Reason", Field("reason")),
            ("Reward Since", Field("since")),
            ("Reward Reference", Field("reference")),
        ],
    }
}

/// How a table is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub table: Table,
    pub format: Format,
    pub locale: Locale,
    pub columns: ColumnSet,
}

impl Layout {
    fn dialect(self) -> Dialect {
        Dialect { locale: self.locale, rfc3339: self.columns != ColumnSet::Default }
    }

    /// What the first page begins with.
    pub fn head(self) -> String {
        let names: Vec<&str> = match columns(self.table, self.columns) {
            None => fields(self.table).to_vec(),
            Some(columns) => columns.iter().map(|(name, _)| *name).collect(),
        };
        match self.format {
            Format::Csv => self.dialect().head(names.into_iter()),
            Format::Jsonl => String::new(),
        }
    }

    pub fn row(self, row: &Row) -> String {
        let find = |field: &str| {
            let found = row.iter().find(|(name, _)| *name == field);
            found.map_or(Cell::Empty, |(_, cell)| cell.clone())
        };
        let cells: Vec<(&str, Cell)> = match columns(self.table, self.columns) {
            None => fields(self.table).iter().map(|name| (*name, find(name))).collect(),
            Some(columns) => columns
                .iter()
                .map(|(name, source)| match source {
                    Field(field) => (*name, find(field)),
                    Fixed(word) => (*name, Cell::Word((*word).to_owned())),
                })
                .collect(),
        };
        match self.format {
            Format::Csv => self.dialect().row(cells.iter().map(|(_, cell)| cell)),
            Format::Jsonl => json_line(cells.iter().map(|(name, cell)| (*name, cell))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Fields that only column sets use.
    const DERIVED: [&str; 2] = ["stage", "day"];

    #[test]
    fn every_column_has_a_name_of_its_own_and_a_field_there_is() {
        for table in Table::ALL {
            let known: BTreeSet<&str> = fields(*table).iter().chain(&DERIVED).copied().collect();
            for set in ColumnSet::ALL {
                let Some(columns) = columns(*table, *set) else { continue };
                let names: BTreeSet<&str> = columns.iter().map(|(name, _)| *name).collect();
                assert_eq!(names.len(), columns.len(), "{set} {table}");
                for (name, source) in columns {
                    let is_known = matches!(source, Field(field) if known.contains(field));
                    assert!(is_known || matches!(source, Fixed(_)), "{set} {table}: {name}");
                }
            }
        }
    }

    #[test]
    fn a_row_is_written_under_the_names_of_its_reader() {
        let day = "2026-11-22T08:00:00Z".parse::<crate::time::Instant>().unwrap().day();
        let row = vec![
            ("day", Cell::Day(day)),
            ("order_id", Cell::Text("A;1".to_owned())),
            ("remaining", Cell::Money(3990, "EUR".parse().unwrap())),
            ("stage", Cell::Word("Closed Won".to_owned())),
        ];
        let layout = Layout {
            table: Table::Conversions,
            format: Format::Csv,
            locale: Locale::En,
            columns: ColumnSet::Zoho,
        };
        let written = format!("{}{}", layout.head(), layout.row(&row));
        let expected = "Deal Name,Stage,Closing Date,Amount,Currency,Customer ID,Referred By,Referral Reason\r\n\
                        \"A;1\",Closed Won,2026-11-22,39.90,,,,\r\n";
        assert_eq!(written, expected);
        let default = Layout { columns: ColumnSet::Default, locale: Locale::De, ..layout };
        let line = default.row(&row);
        assert_eq!(line, "\"A;1\";;;;39,90;;;;;;;;\r\n");
        let jsonl = Layout { format: Format::Jsonl, ..layout };
        assert_eq!(jsonl.head(), "");
        assert!(jsonl.row(&row).contains("\"Amount_minor\":3990"), "{}", jsonl.row(&row));
    }
}
