//! What is sent stays as it is: every message reads from its fixture and writes it again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use passalong_core::webhook::{Deliveries, Replayed, Webhook, WebhookMessage, Webhooks};
use passalong_core::wire::{
    AliasChosen, Clock, Codes, ConversionAnswer, ConversionStory, CronReport, CustomerExport,
    Erased, EventKept, FoundClaims, Health, IdentityIssued, KeyGeneration, KeysRevoked, Me, Offer,
    OfferAnswer, Pool, PoolUpload, Problem, Rewards, ShopwareRegistered, SignedAnswer,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn same<T: Serialize + DeserializeOwned>(fixture: &Value) {
    let message: T = serde_json::from_value(fixture.clone()).unwrap();
    let written = serde_json::to_value(&message).unwrap();
    assert_eq!(&written, fixture, "{}", std::any::type_name::<T>());
}

fn file(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_message_is_written_as_pinned() {
    same::<Me>(&file(include_str!("../fixtures/wire/me.json")));
    same::<Offer>(&file(include_str!("../fixtures/wire/offer.json")));
    same::<ConversionAnswer>(&file(include_str!("../fixtures/wire/conversion_answer.json")));
    same::<ConversionStory>(&file(include_str!("../fixtures/wire/conversion_story.json")));
    same::<CustomerExport>(&file(include_str!("../fixtures/wire/customer_export.json")));
    same::<Problem>(&file(include_str!("../fixtures/wire/problem.json")));
    let small = file(include_str!("../fixtures/wire/small.json"));
    same::<Codes>(&small["codes"]);
    same::<AliasChosen>(&small["alias_chosen"]);
    same::<OfferAnswer>(&small["offer_answer"]);
    same::<ConversionAnswer>(&small["event_answer"]);
    same::<FoundClaims>(&small["found_claims"]);
    same::<EventKept>(&small["event_kept"]);
    same::<PoolUpload>(&small["pool_upload"]);
    same::<Pool>(&small["pool"]);
    same::<Erased>(&small["erased"]);
    same::<Health>(&small["health"]);
    same::<Clock>(&small["clock"]);
    same::<CronReport>(&small["cron_report"]);
    same::<Rewards>(&small["rewards"]);
    same::<Rewards>(&small["owed"]);
    same::<KeyGeneration>(&small["key_generation"]);
    same::<KeysRevoked>(&small["keys_revoked"]);
    same::<IdentityIssued>(&small["identity_issued"]);
    same::<ShopwareRegistered>(&small["shopware_registered"]);
    same::<SignedAnswer>(&small["signed_answer"]);
    let webhooks = file(include_str!("../fixtures/wire/webhooks.json"));
    same::<Webhooks>(&webhooks["webhooks"]);
    same::<Webhook>(&webhooks["webhook"]);
    same::<Deliveries>(&webhooks["deliveries"]);
    same::<Replayed>(&webhooks["replayed"]);
    same::<WebhookMessage>(&webhooks["message"]);
}
