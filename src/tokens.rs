//! Signed tokens (JWT, RFC 7519) of an issuer whose public keys lie in a file (JWKS, RFC 7517): an
//! alternative to the keys of the data directory where an organisation has a service that signs people in.
//!
//! The claim `scope` says the role as `latentdb.read`, `latentdb.write` or `latentdb.admin`, among other
//! words; `latentdb_collections`, a list of names, limits it to those collections.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{AlgorithmFamily, DecodingKey, Validation, decode, decode_header};
use parking_lot::Mutex;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::keys::{Grant, Role};
use crate::stamp::{Stamp, stamp_of};

/// Clocks may differ by so many seconds.
const LEEWAY: u64 = 30;
/// Scopes, the strongest first.
const SCOPES: [(&str, Role); 3] = [
    ("latentdb.admin", Role::Admin),
    ("latentdb.write", Role::Write),
    ("latentdb.read", Role::Read),
];

/// Whose tokens are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// The claim `iss`.
    pub issuer: String,
    /// The claim `aud`, or one of its entries.
    pub audience: String,
    /// File of the issuer's public keys, a JWKS; read again when it changes.
    pub keys: PathBuf,
}

/// A token that holds, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Who has it (`sub`), and what they may do.
    pub grant: Grant,
    /// The end of its time.
    pub expires: SystemTime,
}

/// The tokens of an issuer, checked against keys that are read again when their file has changed.
pub struct WatchedTokens {
    rules: TokenRules,
    seen: Mutex<Seen>,
}

struct Seen {
    stamp: Stamp,
    keys: Arc<JwkSet>,
}

#[derive(Deserialize)]
struct Claims {
    // Its absence is told apart by the rules.
    #[serde(default)]
    exp: u64,
    #[serde(default)]
    sub: String,
    #[serde(default)]
    scope: String,
    latentdb_collections: Option<BTreeSet<String>>,
}

impl WatchedTokens {
    /// Those of an issuer.
    ///
    /// # Errors
    /// `InvalidArgument` where the file is no JWKS, or has no key that signs with a private one.
    pub fn open(rules: TokenRules) -> Result<Self> {
        let stamp = stamp_of(&fs::metadata(&rules.keys).map_err(|error| unread(&rules, error))?)?;
        let keys = Arc::new(read(&rules)?);
        let seen = Mutex::new(Seen { stamp, keys });
        Ok(Self { rules, seen })
    }

    /// Who has a token, if it is one of the issuer's for this audience, is signed by one of its keys and has
    /// not expired.
    ///
    /// # Errors
    /// Why not, without what the token says.
    pub fn check(&self, token: &str) -> std::result::Result<Token, &'static str> {
        let header =
            decode_header(token).map_err(|_| "the authorization is no key and no token")?;
        let keys = self.keys();
        let candidates = keys.keys.iter().filter(|key| match &header.kid {
            Some(kid) => key.common.key_id.as_ref() == Some(kid),
            None => true,
        });
        let mut why = "the token is signed by no key of the issuer";
        for key in candidates {
            let Ok(key) = DecodingKey::from_jwk(key) else {
                continue;
            };
            if key.family() == AlgorithmFamily::Hmac {
                continue;
            }
            let mut rules = Validation::new_for_family(key.family());
            rules.leeway = LEEWAY;
            rules.validate_nbf = true;
            rules.set_issuer(&[&self.rules.issuer]);
            rules.set_audience(&[&self.rules.audience]);
            rules.set_required_spec_claims(&["exp", "iss", "aud"]);
            match decode::<Claims>(token, &key, &rules) {
                Ok(found) => return granted(found.claims),
                Err(error) => why = reason(error.kind(), why),
            }
        }
        Err(why)
    }

    /// The issuer's keys. A file that cannot be read any more leaves those that were read.
    fn keys(&self) -> Arc<JwkSet> {
        let mut seen = self.seen.lock();
        let stamp = fs::metadata(&self.rules.keys).map_err(Error::from);
        match stamp.and_then(|file| stamp_of(&file)) {
            Ok(stamp) if stamp == seen.stamp => {}
            Ok(stamp) => {
                match read(&self.rules) {
                    Ok(keys) => seen.keys = Arc::new(keys),
                    Err(error) => tracing::error!(%error, "the former keys stay in use"),
                }
                seen.stamp = stamp;
            }
            Err(error) => tracing::error!(%error, "the former keys stay in use"),
        }
        seen.keys.clone()
    }
}

fn unread(rules: &TokenRules, error: impl std::fmt::Display) -> Error {
    Error::invalid("jwt_keys", format!("{}: {error}", rules.keys.display()))
}

fn read(rules: &TokenRules) -> Result<JwkSet> {
    let text = fs::read_to_string(&rules.keys).map_err(|error| unread(rules, error))?;
    let keys: JwkSet = serde_json::from_str(&text).map_err(|error| unread(rules, error))?;
    let is_public =
        |key| DecodingKey::from_jwk(key).is_ok_and(|key| key.family() != AlgorithmFamily::Hmac);
    match keys.keys.iter().any(is_public) {
        true => Ok(keys),
        false => Err(unread(
            rules,
            "has no public key; keys of RSA, of an elliptic curve and of Ed25519 are accepted",
        )),
    }
}

fn granted(claims: Claims) -> std::result::Result<Token, &'static str> {
    let role = SCOPES.iter().find(|(scope, _)| {
        let mut scopes = claims.scope.split_ascii_whitespace();
        scopes.any(|own| own == *scope)
    });
    let Some((_, role)) = role else {
        return Err(
            "the scope of the token has none of latentdb.read, latentdb.write, latentdb.admin",
        );
    };
    let collections = claims.latentdb_collections;
    if collections.as_ref().is_some_and(BTreeSet::is_empty) {
        return Err("the token is for no collection (latentdb_collections is empty)");
    }
    let lasts = Duration::from_secs(claims.exp.saturating_add(LEEWAY));
    let expires = SystemTime::UNIX_EPOCH.checked_add(lasts);
    Ok(Token {
        grant: Grant {
            name: claims.sub,
            role: *role,
            collections: collections.unwrap_or_default(),
        },
        expires: expires.ok_or("the exp of the token is no time")?,
    })
}

fn reason(kind: &jsonwebtoken::errors::ErrorKind, or: &'static str) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token does not hold yet",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::InvalidIssuer => "the token is of another issuer",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks exp, iss or aud",
        _ => or,
    }
}
