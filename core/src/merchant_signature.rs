//! What a merchant signs with a secret of their program: checked against the generations in use, and
//! where it is wrong, what it was probably signed with. Saying so tells nobody anything: only who
//! has a key can have signed with it.

use std::fmt;

use crate::ids::ProgramId;
use crate::keys::Secrets;
use crate::mac::hmac_sha256_of;

/// How many generations before those in use are looked at for a better answer.
const REVOKED: u32 = 3;

/// What a secret of a program signs. The HMAC key is the ASCII of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// Identity tokens.
    Identity,
    /// Template identities.
    Template,
    /// Conversions that a page reports.
    Conversion,
}

impl Signs {
    pub const ALL: [Self; 3] = [Self::Identity, Self::Template, Self::Conversion];

    /// What the secret is called where it is handed out.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity_secret",
            Self::Template => "template_secret",
            Self::Conversion => "conversion_secret",
        }
    }

    pub fn secret(self, secrets: &Secrets, program: &ProgramId, generation: u32) -> String {
        match self {
            Self::Identity => secrets.identity_secret(program, generation),
            Self::Template => secrets.template_secret(program, generation),
            Self::Conversion => secrets.conversion_secret(program, generation),
        }
    }

    /// Whether one of these generations of the secret signed this.
    pub(crate) fn check(
        self,
        (secrets, program, generations): (&Secrets, &ProgramId, &[u32]),
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureFlaw> {
        let fits = |key: &str| hmac_sha256_of(key.as_bytes(), message).fits(signature);
        let own = |generation: &u32| self.secret(secrets, program, *generation);
        if generations.iter().any(|generation| fits(&own(generation))) {
            return Ok(());
        }
        let current = generations.iter().copied().min().unwrap_or(1);
        let with_break = |generation| fits(&format!("{}\n", own(generation)));
        let instead = if generations.iter().any(with_break) {
            Some(Instead::LineBreak)
        } else if fits(&secrets.api_key(program, current)) {
            Some(Instead::Key("server_api_key"))
        } else {
            let others = Self::ALL.into_iter().filter(|other| *other != self);
            let mut others = others.filter(|other| fits(&other.secret(secrets, program, current)));
            let mut revoked = current.saturating_sub(REVOKED).max(1)..current;
            others
                .next()
                .map(|other| Instead::Key(other.name()))
                .or_else(|| revoked.find(|generation| fits(&own(generation))).map(Instead::Revoked))
        };
        Err(SignatureFlaw { right: self.name(), begins: begins(&own(&current)), instead })
    }
}

/// As much of a secret as names its kind, program and generation.
fn begins(secret: &str) -> String {
    secret.rsplit_once('_').map(|(begins, _)| format!("{begins}_")).unwrap_or_default()
}

/// What a signature should have been made with, and what it was made with where we can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureFlaw {
    /// What the right secret is called.
    pub right: &'static str,
    /// What its text begins with.
    pub begins: String,
    pub instead: Option<Instead>,
}

/// A key that is not the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// Another of the program's keys, by its name.
    Key(&'static str),
    /// The right one with the line break of the file it was read from.
    LineBreak,
    /// The right one of a generation that was revoked.
    Revoked(u32),
}

impl fmt::Display for SignatureFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let right = self.right;
        match self.instead {
            Some(Instead::Key(key)) => write!(f, "it was made with the {key}; use the {right}")?,
            Some(Instead::LineBreak) => {
                write!(f, "the {right} ends in a line break, as read from a file; cut that off")?;
            }
            Some(Instead::Revoked(generation)) => write!(
                f,
                "it was made with generation {generation} of the {right}, which was revoked; use the one handed out last"
            )?,
            None => write!(
                f,
                "it was made with another program's secret, or over another text; use the {right} of this program"
            )?,
        }
        write!(
            f,
            ". It begins {}…, and the whole of it as it was shown is the key, not decoded",
            self.begins
        )
    }
}
