//! The ways a link travels. A channel is one byte inside click tokens and one word everywhere
//! else; both are stored and printed, so neither ever changes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a link was shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Channel {
    /// The plain link, without a channel in its path.
    Direct = 0,
    WhatsApp = 1,
    /// The device's own share sheet.
    Native = 2,
    Email = 3,
    Sms = 4,
    Telegram = 5,
    X = 6,
    Facebook = 7,
    LinkedIn = 8,
    Xing = 9,
    Copy = 10,
    Qr = 11,
}

/// The text names no channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelError;

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be one of")?;
        for (index, channel) in Channel::ALL.iter().enumerate() {
            write!(f, "{} {channel}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for ChannelError {}

impl Channel {
    pub const ALL: [Self; 12] = [
        Self::Direct,
        Self::WhatsApp,
        Self::Native,
        Self::Email,
        Self::Sms,
        Self::Telegram,
        Self::X,
        Self::Facebook,
        Self::LinkedIn,
        Self::Xing,
        Self::Copy,
        Self::Qr,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::WhatsApp => "whatsapp",
            Self::Native => "native",
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Telegram => "telegram",
            Self::X => "x",
            Self::Facebook => "facebook",
            Self::LinkedIn => "linkedin",
            Self::Xing => "xing",
            Self::Copy => "copy",
            Self::Qr => "qr",
        }
    }

    pub const fn byte(self) -> u8 {
        self as u8
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.byte() == byte)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Channel {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, ChannelError> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text).ok_or(ChannelError)
    }
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Channel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_keeps_its_byte_and_its_word() {
        let pinned = [
            (0, "direct"),
            (1, "whatsapp"),
            (2, "native"),
            (3, "email"),
            (4, "sms"),
            (5, "telegram"),
            (6, "x"),
            (7, "facebook"),
            (8, "linkedin"),
            (9, "xing"),
            (10, "copy"),
            (11, "qr"),
        ];
        assert_eq!(Channel::ALL.map(|channel| (channel.byte(), channel.as_str())), pinned);
        for (byte, word) in pinned {
            let channel = Channel::from_byte(byte).unwrap();
            assert_eq!(word.parse(), Ok(channel));
            let json = format!("\"{word}\"");
            assert_eq!(serde_json::to_string(&channel).unwrap(), json);
            assert_eq!(serde_json::from_str::<Channel>(&json).unwrap(), channel);
        }
    }

    #[test]
    fn what_is_no_channel_is_refused_with_the_list() {
        assert_eq!(Channel::from_byte(12), None);
        for bad in ["", "WhatsApp", "whatsapp ", "fax"] {
            assert_eq!(bad.parse::<Channel>(), Err(ChannelError), "{bad:?}");
        }
        assert!(ChannelError.to_string().starts_with("must be one of direct, whatsapp, native,"));
    }
}
