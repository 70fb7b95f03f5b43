//! Sealing: the merchant's own ids at rest. AES-SIV (RFC 5297) without a nonce, so the same id
//! seals to the same text and a repeated write stays the same write. Only the merchant's API opens
//! what is sealed here.

use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;

use crate::keys::ProgramKeys;
use crate::text;

/// What a sealed text is. It is part of what is authenticated: one kind does not open as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    Customer,
    Order,
    /// The number of an order that people see.
    OrderNumber,
    Event,
    /// What the merchant noted when fulfilling a reward.
    Reference,
    /// A claim on an alias that its erasure still has to look after.
    Alias,
    /// A code from a pool the merchant uploaded.
    Coupon,
}

impl Sealed {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Customer => b"customer",
            Self::Order => b"order",
            Self::OrderNumber => b"order number",
            Self::Event => b"event",
            Self::Reference => b"reference",
            Self::Alias => b"alias",
            Self::Coupon => b"coupon",
        }
    }
}

impl ProgramKeys {
    /// Seals a text: base64url, 16 bytes longer than the text.
    #[allow(clippy::unreachable, reason = "only the number of parts can be wrong, and it is fixed")]
    pub fn seal(&self, kind: Sealed, text: &str) -> String {
        let sealed = self.siv().encrypt(self.associated(kind), text.as_bytes());
        let Ok(sealed) = sealed else { unreachable!("AES-SIV takes two associated parts") };
        text::base64url(&sealed)
    }

    /// Opens what [`Self::seal`] made for this kind and this program; nothing else.
    pub fn open(&self, kind: Sealed, sealed: &str) -> Option<String> {
        let bytes = text::from_base64url(sealed)?;
        let opened = self.siv().decrypt(self.associated(kind), &bytes).ok()?;
        String::from_utf8(opened).ok()
    }

    fn siv(&self) -> Aes256Siv {
        Aes256Siv::new(&self.seal.into())
    }

    fn associated(&self, kind: Sealed) -> [&[u8]; 2] {
        [kind.label(), self.program().as_str().as_bytes()]
    }
}
