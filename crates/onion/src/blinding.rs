//! Route blinding (BOLT 4) as a forwarding node sees it: path keys, the data that the recipient
//! encrypted for us, and the amount and expiry that follow from it.

use bitcoin::secp256k1::{PublicKey, SECP256K1, Scalar};
use chacha20_poly1305::poly1305::Poly1305;
use steward_wire::codec::{Reader, TlvStream};
use steward_wire::{Identity, NodeId};

use crate::keys::{self, KeyType};
use crate::payload::{self, NextHop};

/// A path key together with the secret that we share with the path's creator through it.
pub(crate) struct PathSecret {
    path_key: PublicKey,
    shared_secret: [u8; 32],
}

/// The instructions of a blinded path for a forwarding node.
pub(crate) struct BlindedForward {
    pub(crate) next: NextHop,
    pub(crate) amt_to_forward_msat: u64,
    pub(crate) outgoing_cltv_expiry: u32,
    pub(crate) next_path_key: PublicKey,
}

/// The recipient's data, decrypted.
pub(crate) enum RecipientData {
    /// The data are instructions for a forwarding node.
    Relay(Vec<u8>),
    /// The data were sealed with our own receive key: it is a hop of a path that we made, so the
    /// payment ends with us.
    OwnPath,
}

/// The error for recipient data that break their format. The node may not say why.
pub(crate) struct BadBlinding;

impl PathSecret {
    /// Computes the secret behind `path_key` for this node.
    pub(crate) fn new(node: &dyn Identity, path_key: PublicKey) -> Self {
        Self { path_key, shared_secret: node.ecdh(&path_key) }
    }

    /// Computes the secret that our blinded node id shares with the holder of `point`'s key. The
    /// onion is encrypted to that id, whose private key is ours times a tweak: the tweak can as
    /// well be put on the point, and the key stays where it is.
    pub(crate) fn blinded_ecdh(&self, node: &dyn Identity, point: &PublicKey) -> Option<[u8; 32]> {
        let tweak = keys::derive(KeyType::BlindedNodeId, &self.shared_secret);
        let tweaked = point.mul_tweak(SECP256K1, &Scalar::from_be_bytes(tweak).ok()?).ok()?;
        Some(node.ecdh(&tweaked))
    }

    /// Decrypts recipient data; `own_key` is the key with which we seal our own paths.
    pub(crate) fn open(&self, data: &[u8], own_key: &[u8; 32]) -> Option<RecipientData> {
        let (sealed, tag) = data.split_last_chunk::<16>()?;
        let rho = keys::derive(KeyType::Rho, &self.shared_secret);
        // The first 64 bytes of the stream are the one-time key of the authenticator (RFC 8439).
        let mut plain = vec![0; 64];
        plain.extend_from_slice(sealed);
        keys::xor_stream(&rho, &mut plain);
        let mac_key: [u8; 32] = *plain.first_chunk()?;
        if keys::constant_time_eq(&tag_of(mac_key, sealed, None), tag) {
            return Some(RecipientData::Relay(plain.split_off(64)));
        }
        keys::constant_time_eq(&tag_of(mac_key, sealed, Some(own_key)), tag)
            .then_some(RecipientData::OwnPath)
    }

    /// Decides what to do with an HTLC, given the decrypted recipient data.
    pub(crate) fn forward(
        &self,
        data: &[u8],
        amount_msat: u64,
        cltv_expiry: u32,
    ) -> Result<BlindedForward, BadBlinding> {
        let data = EncryptedData::parse(data).ok_or(BadBlinding)?;
        if data.constraints.is_some_and(|limits| limits.forbid(amount_msat, cltv_expiry)) {
            return Err(BadBlinding);
        }
        let relay = data.relay.ok_or(BadBlinding)?;
        let next_path_key = match data.next_path_key_override {
            Some(path_key) => path_key,
            None => keys::next_point(&self.path_key, &self.shared_secret).ok_or(BadBlinding)?,
        };
        Ok(BlindedForward {
            next: data.next.ok_or(BadBlinding)?,
            amt_to_forward_msat: relay.amt_to_forward_msat(amount_msat).ok_or(BadBlinding)?,
            outgoing_cltv_expiry: cltv_expiry
                .checked_sub(u32::from(relay.cltv_expiry_delta))
                .ok_or(BadBlinding)?,
            next_path_key,
        })
    }
}

/// Computes the Poly1305 tag of ChaCha20-Poly1305 (RFC 8439) with no associated data; or, with
/// `own_key`, of LDK's variant for paths that a node makes for itself, which appends the key after
/// the data.
fn tag_of(mac_key: [u8; 32], sealed: &[u8], own_key: Option<&[u8; 32]>) -> [u8; 16] {
    let length = (sealed.len() as u64).to_le_bytes();
    let mut mac = Poly1305::new(mac_key);
    mac.input(sealed);
    let padding = sealed.len().next_multiple_of(16).saturating_sub(sealed.len());
    mac.input([0u8; 16].get(..padding).unwrap_or_default());
    match own_key {
        None => {
            mac.input(&0u64.to_le_bytes());
            mac.input(&length);
        }
        Some(key) => {
            mac.input(key);
            mac.input(&length);
            mac.input(&(key.len() as u64).to_le_bytes());
        }
    }
    mac.tag()
}

/// The `encrypted_data_tlv` of a forwarding node.
#[derive(Default)]
struct EncryptedData {
    next: Option<NextHop>,
    next_path_key_override: Option<PublicKey>,
    relay: Option<PaymentRelay>,
    constraints: Option<PaymentConstraints>,
}

#[derive(Clone, Copy)]
struct PaymentRelay {
    cltv_expiry_delta: u16,
    fee_proportional_millionths: u32,
    fee_base_msat: u32,
}

#[derive(Clone, Copy)]
struct PaymentConstraints {
    max_cltv_expiry: u32,
    htlc_minimum_msat: u64,
}

impl EncryptedData {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut data = Self::default();
        for record in TlvStream::new(bytes) {
            let (tlv_type, value) = record.ok()?;
            data.field(tlv_type, value)?;
        }
        Some(data)
    }

    fn field(&mut self, tlv_type: u64, value: &[u8]) -> Option<()> {
        match tlv_type {
            2 => self.next = Some(NextHop::Channel(payload::scid(value)?)),
            // It has exactly one of scid and node id.
            4 if self.next.is_some() => return None,
            4 => self.next = Some(NextHop::Node(NodeId::from(PublicKey::from_slice(value).ok()?))),
            // `path_id` is the recipient's mark for itself, and we are not the recipient.
            6 => {}
            8 => self.next_path_key_override = Some(PublicKey::from_slice(value).ok()?),
            10 => self.relay = Some(PaymentRelay::parse(value)?),
            12 => self.constraints = Some(PaymentConstraints::parse(value)?),
            // `allowed_features`: no feature is defined, so any bit is unknown.
            14 if value.iter().any(|byte| *byte != 0) => return None,
            14 => {}
            unknown if unknown % 2 == 0 => return None,
            _ => {}
        }
        Some(())
    }
}

impl PaymentRelay {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        Some(Self {
            cltv_expiry_delta: reader.u16().ok()?,
            fee_proportional_millionths: reader.u32().ok()?,
            fee_base_msat: payload::truncated_u32(reader.rest())?,
        })
    }

    /// Applies BOLT 4's formula. Returns `None` if the amount does not cover the fee and anything
    /// to forward.
    fn amt_to_forward_msat(self, amount_msat: u64) -> Option<u64> {
        let after_base = u128::from(amount_msat.checked_sub(u64::from(self.fee_base_msat))?);
        let rate = 1_000_000 + u128::from(self.fee_proportional_millionths);
        let amount = (after_base * 1_000_000).div_ceil(rate);
        u64::try_from(amount).ok().filter(|amount_msat| *amount_msat > 0)
    }
}

impl PaymentConstraints {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        Some(Self {
            max_cltv_expiry: reader.u32().ok()?,
            htlc_minimum_msat: payload::truncated_u64(reader.rest())?,
        })
    }

    fn forbid(self, amount_msat: u64, cltv_expiry: u32) -> bool {
        cltv_expiry > self.max_cltv_expiry || amount_msat < self.htlc_minimum_msat
    }
}
