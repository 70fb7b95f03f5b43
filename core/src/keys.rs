//! The three secrets of a deployment and every key that follows from them, so that no store holds
//! a secret. What the keys sign is in [`crate::code`], [`crate::click_token`] and
//! [`crate::identity_token`]; what they seal in [`crate::seal`].
//!
//! Keys are derived by HKDF-SHA256 (RFC 5869). A label is a list of length-prefixed parts that
//! names the purpose, the program and the generation, so no two purposes can share a key.

use std::fmt;
use std::net::IpAddr;

use hkdf::Hkdf;
use sha2::Sha256;

use crate::ids::{
    CustomerId, CustomerPseudonym, Digest, EventId, Hint, HintPseudonym, OrderId, OrderNumber,
    OrderPseudonym, ProgramId,
};
use crate::mac::{Mac, MacKey, label, same_text};
use crate::reward::Label;
use crate::text;
use crate::time::Day;
use crate::values::one_word::folded;
use crate::webhook::WebhookSecret;

/// The shortest secret taken, in bytes.
const SECRET_BYTES: usize = 32;

/// Which Worker secret is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretName {
    SigningKeys,
    MerchantKey,
    PseudonymKey,
}

/// What is wrong with it; never its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretFlaw {
    Empty,
    /// An entry of the list is not `kid:base64url`.
    Entry,
    /// A kid is not a number from 0 to 15.
    Kid,
    DuplicateKid(u8),
    Encoding,
    TooShort {
        bytes: usize,
    },
}

/// A secret the Worker cannot start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretsError {
    pub secret: SecretName,
    pub flaw: SecretFlaw,
}

impl fmt::Display for SecretsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.secret {
            SecretName::SigningKeys => "SIGNING_KEYS ",
            SecretName::MerchantKey => "MERCHANT_KEY ",
            SecretName::PseudonymKey => "PSEUDONYM_KEY ",
        })?;
        match self.flaw {
            SecretFlaw::Empty => f.write_str("is missing or empty"),
            SecretFlaw::Entry => {
                f.write_str("must be a list like 0:base64url,1:base64url; an entry has no kid")
            }
            SecretFlaw::Kid => f.write_str("has a kid that is not a number from 0 to 15"),
            SecretFlaw::DuplicateKid(kid) => write!(f, "lists kid {kid} twice"),
            SecretFlaw::Encoding => f.write_str("must be base64url without padding (RFC 4648)"),
            SecretFlaw::TooShort { bytes } => {
                write!(f, "must be at least {SECRET_BYTES} bytes before base64url, not {bytes}")
            }
        }
    }
}

impl std::error::Error for SecretsError {}

/// Why an API or operator key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyProblem {
    Missing,
    Malformed,
    WrongSignature,
    /// Made here once, and taken back.
    Revoked,
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the key is missing; send it as Authorization: Bearer sk_…",
            Self::Malformed => {
                "the key is malformed; a server key reads sk_{program}_{generation}_{32 characters}, an operator key op_{generation}_{32 characters}"
            }
            Self::WrongSignature => "the key is not one this service made",
            Self::Revoked => "the key was revoked",
        })
    }
}

impl std::error::Error for KeyProblem {}

/// The parsed Worker secrets.
#[derive(Clone)]
pub struct Secrets {
    /// The first listed signs, all verify.
    signer: SigningRoot,
    verifiers: Vec<SigningRoot>,
    merchant: Hkdf<Sha256>,
    pseudonym: Hkdf<Sha256>,
    limits: MacKey,
    operator_generation: u32,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads `SIGNING_KEYS` (`kid:base64url,kid:base64url`), `MERCHANT_KEY` and `PSEUDONYM_KEY`
    /// (each base64url).
    pub fn parse(signing: &str, merchant: &str, pseudonym: &str) -> Result<Self, SecretsError> {
        let in_secret = |secret| move |flaw| SecretsError { secret, flaw };
        let (signer, verifiers) =
            signing_roots(signing).map_err(in_secret(SecretName::SigningKeys))?;
        let pseudonym = root(pseudonym).map_err(in_secret(SecretName::PseudonymKey))?;
        Ok(Self {
            signer,
            verifiers,
            merchant: root(merchant).map_err(in_secret(SecretName::MerchantKey))?,
            limits: mac_key(&pseudonym, &[b"limits"]),
            pseudonym,
            operator_generation: 1,
        })
    }

    /// The only generation of the operator key that counts; 1 where nothing else is said.
    #[must_use]
    pub fn with_operator_generation(self, generation: u32) -> Self {
        Self { operator_generation: generation, ..self }
    }

    /// The key of a merchant's server: `sk_{program}_{generation}_{mac}`.
    pub fn api_key(&self, program: &ProgramId, generation: u32) -> String {
        self.program_text::<20>("sk", "api key", program, generation)
    }

    /// Reads and checks an API key; whether its generation is revoked is for the caller to know.
    pub fn check_api_key(&self, key: &str) -> Result<(ProgramId, u32), KeyProblem> {
        if key.is_empty() {
            return Err(KeyProblem::Missing);
        }
        let (program, generation) = api_key_parts(key).ok_or(KeyProblem::Malformed)?;
        same(key, &self.api_key(&program, generation))?;
        Ok((program, generation))
    }

    /// The key of whoever runs this deployment: `op_{generation}_{mac}`.
    pub fn operator_key(&self, generation: u32) -> String {
        let mac: [u8; 20] = derive(&self.merchant, &[b"operator key", &generation.to_be_bytes()]);
        format!("op_{generation}_{}", text::base32(&mac))
    }

    /// Reads and checks an operator key.
    pub fn check_operator_key(&self, key: &str) -> Result<(), KeyProblem> {
        if key.is_empty() {
            return Err(KeyProblem::Missing);
        }
        let generation = operator_key_generation(key).ok_or(KeyProblem::Malformed)?;
        same(key, &self.operator_key(generation))?;
        if generation == self.operator_generation { Ok(()) } else { Err(KeyProblem::Revoked) }
    }

    /// The secret a merchant signs identity tokens with. The HMAC key is the ASCII of this text.
    pub fn identity_secret(&self, program: &ProgramId, generation: u32) -> String {
        self.program_text::<32>("is", "identity secret", program, generation)
    }

    /// The secret a merchant's templates sign with. The HMAC key is the ASCII of this text.
    pub fn template_secret(&self, program: &ProgramId, generation: u32) -> String {
        self.program_text::<32>("ts", "template secret", program, generation)
    }

    /// The secret with which a merchant's pages sign conversions. The HMAC key is the ASCII of this
    /// text.
    pub fn conversion_secret(&self, program: &ProgramId, generation: u32) -> String {
        self.program_text::<32>("cs", "conversion secret", program, generation)
    }

    /// The secret that signs the webhooks to one endpoint of a program.
    pub fn webhook_secret(
        &self,
        program: &ProgramId,
        endpoint: Digest,
        generation: u32,
    ) -> WebhookSecret {
        let name = program.as_str().as_bytes();
        let parts = [b"webhook secret", name, &endpoint.0, &generation.to_be_bytes()];
        WebhookSecret(derive(&self.merchant, &parts))
    }

    /// What a rate limiter counts by, so that it never learns an address or a customer.
    pub fn limit_key(&self, parts: &[&[u8]]) -> [u8; 10] {
        self.limits.of(parts).bytes()
    }

    /// Derives all keys of one program, once.
    pub fn program(&self, program: &ProgramId) -> ProgramKeys {
        let name = program.as_str().as_bytes();
        ProgramKeys {
            program: program.clone(),
            signer: self.signer.key(program),
            verifiers: self.verifiers.iter().map(|root| root.key(program)).collect(),
            pseudonym: mac_key(&self.pseudonym, &[b"pseudonym", name]),
            visitor: mac_key(&self.pseudonym, &[b"visitor", name]),
            seal: derive(&self.pseudonym, &[b"seal", name]),
        }
    }

    fn program_text<const N: usize>(
        &self,
        prefix: &str,
        purpose: &str,
        program: &ProgramId,
        generation: u32,
    ) -> String {
        let label = [purpose.as_bytes(), program.as_str().as_bytes(), &generation.to_be_bytes()];
        let bytes: [u8; N] = derive(&self.merchant, &label);
        format!("{prefix}_{program}_{generation}_{}", text::base32(&bytes))
    }
}

/// One entry of `SIGNING_KEYS`.
#[derive(Clone)]
struct SigningRoot {
    kid: u8,
    root: Hkdf<Sha256>,
}

impl SigningRoot {
    fn key(&self, program: &ProgramId) -> SigningKey {
        let name = program.as_str().as_bytes();
        SigningKey { kid: self.kid, key: mac_key(&self.root, &[b"signature", name]) }
    }
}

/// What signs codes and click tokens of one program.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pub kid: u8,
    key: MacKey,
}

impl SigningKey {
    /// The tag over `body`. `purpose` keeps one kind of token from being taken for another.
    /// 64 bits: forging is an online-only attack (NIST SP 800-107 discourages fewer).
    pub fn tag(&self, purpose: &str, program: &ProgramId, body: &[u8]) -> Mac<8> {
        let parts = [purpose.as_bytes(), program.as_str().as_bytes(), body];
        self.key.of(&parts).cut()
    }
}

/// The keys of one program. Two programs share no key, so what one signed, sealed or named means
/// nothing to the other.
#[derive(Clone)]
pub struct ProgramKeys {
    program: ProgramId,
    signer: SigningKey,
    /// Keys that no longer, or not yet, sign.
    verifiers: Vec<SigningKey>,
    pseudonym: MacKey,
    visitor: MacKey,
    /// AES-256-SIV takes two keys of 32 bytes.
    pub(crate) seal: [u8; 64],
}

impl fmt::Debug for ProgramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgramKeys").field("program", &self.program).finish_non_exhaustive()
    }
}

impl ProgramKeys {
    pub fn program(&self) -> &ProgramId {
        &self.program
    }

    pub fn customer(&self, id: &CustomerId) -> CustomerPseudonym {
        CustomerPseudonym(self.pseudonym(&[b"customer", id.as_str().as_bytes()]))
    }

    pub fn order(&self, id: &OrderId) -> OrderPseudonym {
        OrderPseudonym(self.pseudonym(&[b"order", id.as_str().as_bytes()]))
    }

    /// An order by the number people see, however they write it.
    pub fn order_number(&self, number: &OrderNumber) -> OrderPseudonym {
        let word = folded(number.as_str());
        OrderPseudonym(self.pseudonym(&[b"order number", word.as_bytes()]))
    }

    pub fn hint(&self, hint: &Hint) -> HintPseudonym {
        HintPseudonym(self.pseudonym(&[b"hint", &hint.0]))
    }

    /// An event's name. Event ids are unique within their order only, so both are in it.
    pub fn event(&self, order: &OrderId, event: &EventId) -> Digest {
        let parts = [b"event".as_slice(), order.as_str().as_bytes(), event.as_str().as_bytes()];
        Digest(self.pseudonym(&parts))
    }

    /// A pool of coupons, by its name.
    pub fn pool(&self, name: &Label) -> Digest {
        Digest(self.pseudonym(&[b"pool", name.as_str().as_bytes()]))
    }

    /// A digest of normalised content. Keyed, so that content is not guessed from its digest.
    pub fn digest(&self, content: &[u8]) -> Digest {
        Digest(self.pseudonym(&[b"digest", content]))
    }

    /// Tells visitors apart within one day; tomorrow the same visitor has another value. A home
    /// changes the lower half of its IPv6 address at will, so only the network part counts.
    pub fn visitor(&self, day: Day, address: &str, agent: &str) -> [u8; 6] {
        let day = day.start().seconds().to_be_bytes();
        let network = network(address);
        self.visitor.of(&[&day, &network, agent.as_bytes()]).bytes()
    }

    /// The key that signs now.
    pub(crate) fn signer(&self) -> &SigningKey {
        &self.signer
    }

    /// The key a token names, if it is listed.
    pub(crate) fn verifier(&self, kid: u8) -> Option<&SigningKey> {
        std::iter::once(&self.signer).chain(&self.verifiers).find(|key| key.kid == kid)
    }

    fn pseudonym<const N: usize>(&self, parts: &[&[u8]]) -> [u8; N] {
        self.pseudonym.of(parts).bytes()
    }
}

#[allow(clippy::unreachable, reason = "the length is checked when this is compiled")]
fn derive<const N: usize>(root: &Hkdf<Sha256>, parts: &[&[u8]]) -> [u8; N] {
    const { assert!(N <= 255 * 32, "what HKDF-SHA256 can give") }
    let mut key = [0; N];
    if root.expand(&label(parts), &mut key).is_err() {
        unreachable!("HKDF-SHA256 gives up to 8160 bytes");
    }
    key
}

fn mac_key(root: &Hkdf<Sha256>, parts: &[&[u8]]) -> MacKey {
    MacKey::new(&derive::<32>(root, parts))
}

fn root(text: &str) -> Result<Hkdf<Sha256>, SecretFlaw> {
    if text.is_empty() {
        return Err(SecretFlaw::Empty);
    }
    let bytes = text::from_base64url(text).ok_or(SecretFlaw::Encoding)?;
    if bytes.len() < SECRET_BYTES {
        return Err(SecretFlaw::TooShort { bytes: bytes.len() });
    }
    Ok(Hkdf::new(Some(b"passalong"), &bytes))
}

fn signing_roots(text: &str) -> Result<(SigningRoot, Vec<SigningRoot>), SecretFlaw> {
    let mut entries = text.split(',').map(signing_root);
    let signer = entries.next().ok_or(SecretFlaw::Empty)??;
    let mut verifiers: Vec<SigningRoot> = Vec::new();
    for entry in entries {
        let entry = entry?;
        if std::iter::once(&signer).chain(&verifiers).any(|listed| listed.kid == entry.kid) {
            return Err(SecretFlaw::DuplicateKid(entry.kid));
        }
        verifiers.push(entry);
    }
    Ok((signer, verifiers))
}

fn signing_root(entry: &str) -> Result<SigningRoot, SecretFlaw> {
    if entry.is_empty() {
        return Err(SecretFlaw::Empty);
    }
    let (kid, key) = entry.split_once(':').ok_or(SecretFlaw::Entry)?;
    let digits = kid.bytes().all(|b| b.is_ascii_digit());
    let kid = kid.parse().ok().filter(|kid| digits && *kid < 16).ok_or(SecretFlaw::Kid)?;
    Ok(SigningRoot { kid, root: root(key)? })
}

fn api_key_parts(key: &str) -> Option<(ProgramId, u32)> {
    let mut parts = key.strip_prefix("sk_")?.split('_');
    let program = parts.next()?.parse().ok()?;
    let generation = parts.next()?.parse().ok()?;
    text::from_base32::<20>(parts.next()?)?;
    parts.next().is_none().then_some((program, generation))
}

fn operator_key_generation(key: &str) -> Option<u32> {
    let (generation, mac) = key.strip_prefix("op_")?.split_once('_')?;
    text::from_base32::<20>(mac)?;
    generation.parse().ok()
}

/// Compares the whole text, so that only the one way we write a key is accepted.
fn same(given: &str, made: &str) -> Result<(), KeyProblem> {
    if same_text(made, given) { Ok(()) } else { Err(KeyProblem::WrongSignature) }
}

/// The network an address belongs to. An IPv4 address written as IPv6 is the same address.
pub fn network(address: &str) -> Vec<u8> {
    match address.trim().parse().map(|ip: IpAddr| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => ip.octets().to_vec(),
        Ok(IpAddr::V6(ip)) => ip.octets().iter().take(8).copied().collect(),
        Err(_) => address.as_bytes().to_vec(),
    }
}
