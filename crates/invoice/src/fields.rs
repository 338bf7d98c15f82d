//! The tagged fields (BOLT 11 "Tagged Fields"), written in the shortest form or not.
//!
//! Of two fields of a kind the first counts, except where the second could mislead a payer: two
//! payment hashes, two payment secrets, or a description and a hash are refused.

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Address, Network, PubkeyHash, ScriptHash, WitnessProgram, WitnessVersion};
use steward_wire::PaymentHash;

use crate::error::ParseError;
use crate::hint::{self, HintHop};
use crate::limits::MAX_EXPIRY_S;
use crate::{Description, groups};

/// The types of BOLT 11, each the value of a bech32 character.
mod tag {
    pub(super) const PAYMENT_HASH: u8 = 1;
    pub(super) const ROUTE_HINT: u8 = 3;
    pub(super) const FEATURES: u8 = 5;
    pub(super) const EXPIRY: u8 = 6;
    pub(super) const FALLBACK: u8 = 9;
    pub(super) const DESCRIPTION: u8 = 13;
    pub(super) const PAYMENT_SECRET: u8 = 16;
    pub(super) const PAYEE: u8 = 19;
    /// The type of bLIP 39.
    pub(super) const BLINDED_PATH: u8 = 20;
    pub(super) const DESCRIPTION_HASH: u8 = 23;
    pub(super) const MIN_FINAL_CLTV_EXPIRY_DELTA: u8 = 24;
    pub(super) const METADATA: u8 = 27;
}

/// The values of the fields. Unknown fields, and those of a length that they cannot have, are
/// skipped.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    pub(crate) payment_hash: Option<PaymentHash>,
    pub(crate) payment_secret: Option<[u8; 32]>,
    pub(crate) description: Option<Description>,
    pub(crate) payee: Option<PublicKey>,
    pub(crate) expiry_s: Option<u64>,
    pub(crate) min_final_cltv_expiry_delta: Option<u32>,
    pub(crate) hints: Vec<Vec<HintHop>>,
    pub(crate) features: Option<&'a [u8]>,
    pub(crate) metadata: Option<Vec<u8>>,
    pub(crate) fallback_addresses: Vec<String>,
    pub(crate) has_blinded_paths: bool,
}

impl<'a> Fields<'a> {
    /// Reads everything between the time and the signature.
    pub(crate) fn read(mut data: &'a [u8], network: Network) -> Result<Self, ParseError> {
        let mut fields = Self::default();
        while let [tag, len_high, len_low, rest @ ..] = data {
            let len = usize::from(*len_high) * 32 + usize::from(*len_low);
            let (field, rest) = rest.split_at_checked(len).ok_or(CUT_OFF)?;
            fields.take(*tag, field, network)?;
            data = rest;
        }
        if data.is_empty() { Ok(fields) } else { Err(CUT_OFF) }
    }

    fn take(&mut self, tag: u8, data: &'a [u8], network: Network) -> Result<(), ParseError> {
        match tag {
            tag::PAYMENT_HASH => {
                once(&mut self.payment_hash, groups::array(data).map(PaymentHash), "payment hash")?;
            }
            tag::PAYMENT_SECRET => {
                once(&mut self.payment_secret, groups::array(data), "payment secret")?;
            }
            tag::DESCRIPTION => self.describe(Description::Text(text(data)?))?,
            tag::DESCRIPTION_HASH => {
                if let Some(hash) = groups::array(data) {
                    self.describe(Description::Hash(hash))?;
                }
            }
            tag::PAYEE => first(&mut self.payee, payee(data)?),
            tag::EXPIRY => first(&mut self.expiry_s, Some(expiry_s(data))),
            tag::MIN_FINAL_CLTV_EXPIRY_DELTA => {
                let blocks = groups::number(data).and_then(|number| u32::try_from(number).ok());
                let blocks = blocks.ok_or(ParseError::BadExpiryDelta)?;
                first(&mut self.min_final_cltv_expiry_delta, Some(blocks));
            }
            tag::ROUTE_HINT => self.hints.extend(hint::read(&groups::bytes(data))?),
            tag::FEATURES => first(&mut self.features, Some(data)),
            tag::METADATA => first(&mut self.metadata, Some(groups::bytes(data))),
            tag::FALLBACK => self.fallback_addresses.extend(fallback_address(data, network)),
            tag::BLINDED_PATH => self.has_blinded_paths = true,
            _ => {}
        }
        Ok(())
    }

    fn describe(&mut self, new: Description) -> Result<(), ParseError> {
        match (&self.description, &new) {
            (Some(Description::Text(_)), Description::Hash(_))
            | (Some(Description::Hash(_)), Description::Text(_)) => {
                return Err(ParseError::BothDescriptions);
            }
            _ => first(&mut self.description, Some(new)),
        }
        Ok(())
    }
}

/// The groups of a payee's key. One group more would still be 33 bytes.
const PAYEE_GROUPS: usize = 53;
const CUT_OFF: ParseError = ParseError::Malformed("a field is cut off");

fn first<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

fn once<T>(slot: &mut Option<T>, value: Option<T>, name: &'static str) -> Result<(), ParseError> {
    if slot.is_some() && value.is_some() {
        return Err(ParseError::Duplicate(name));
    }
    first(slot, value);
    Ok(())
}

fn text(data: &[u8]) -> Result<String, ParseError> {
    String::from_utf8(groups::bytes(data))
        .map_err(|_| ParseError::Malformed("its description is not UTF-8"))
}

fn payee(data: &[u8]) -> Result<Option<PublicKey>, ParseError> {
    let Some(bytes) = groups::array::<33>(data).filter(|_| data.len() == PAYEE_GROUPS) else {
        return Ok(None);
    };
    PublicKey::from_slice(&bytes).map(Some).map_err(|_| ParseError::BadPayee)
}

/// Reads an expiry. A longer one than [`MAX_EXPIRY_S`] is read as that.
fn expiry_s(data: &[u8]) -> u64 {
    groups::number(data).unwrap_or(MAX_EXPIRY_S).min(MAX_EXPIRY_S)
}

/// Reads an address. Returns `None` if it is not one: nothing that is paid over Lightning depends
/// on it.
fn fallback_address(data: &[u8], network: Network) -> Option<String> {
    let (version, program) = data.split_first()?;
    let program = groups::bytes(program);
    let address = match version {
        17 => Address::p2pkh(PubkeyHash::from_slice(&program).ok()?, network),
        18 => Address::p2sh_from_hash(ScriptHash::from_slice(&program).ok()?, network),
        version => {
            let version = WitnessVersion::try_from(*version).ok()?;
            let program = WitnessProgram::new(version, &program).ok()?;
            Address::from_witness_program(program, network)
        }
    };
    Some(address.to_string())
}
