//! Peels our layer off an incoming HTLC's onion: the HTLC is to be forwarded, is ours, or is
//! refused with the right failure. Fees, expiry distances and channel policy are up to the caller.

use bitcoin::secp256k1::PublicKey;
use steward_wire::{Identity, PaymentHash, ShortChannelId};

use crate::blinding::{BadBlinding, PathSecret, RecipientData};
use crate::failure::{Failure, code};
use crate::keys;
use crate::limits::ONION_BYTES;
use crate::payload::{Defect, NextHop, Payload, tlv};
use crate::sphinx::{Layer, Packet};

/// An HTLC, as its `update_add_htlc` says.
#[derive(Clone, Copy, Debug)]
pub struct IncomingHtlc<'a> {
    /// The `onion_routing_packet`.
    pub onion: &'a [u8; ONION_BYTES],
    /// The `payment_hash`.
    pub payment_hash: PaymentHash,
    /// The `amount_msat`.
    pub amount_msat: u64,
    /// The `cltv_expiry`, a height.
    pub cltv_expiry: u32,
    /// The `path_key`, if we are inside a blinded path.
    pub path_key: Option<PublicKey>,
}

/// The content of one peeled layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeled {
    /// The secret shared with the sender; failures and attribution data are made with it.
    pub shared_secret: [u8; 32],
    /// The instruction of this layer.
    pub hop: Hop,
}

/// The two things that a layer can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// The HTLC goes to the next node.
    Forward(Forward),
    /// The HTLC ends here: call [`crate::receive()`].
    Final,
}

/// The next node of an HTLC, and the HTLC that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The outgoing channel or node.
    pub next: NextHop,
    /// The `amount_msat` of the outgoing HTLC. In a blinded path BOLT 4 rounds it up, so that what
    /// is left for us can be one millisatoshi short of the fee.
    pub amt_to_forward_msat: u64,
    /// The `cltv_expiry` of the outgoing HTLC, a height.
    pub outgoing_cltv_expiry: u32,
    /// The `onion_routing_packet` of the outgoing HTLC.
    pub onion: Box<[u8; ONION_BYTES]>,
    /// The `path_key` of the outgoing HTLC.
    pub next_path_key: Option<PublicKey>,
    /// Our place in a blinded path: it decides how failures from this hop and from downstream are
    /// encoded.
    pub blinding: Blinding,
}

/// Our place with respect to a blinded path. It decides how failures are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blinding {
    /// We are not in a blinded path.
    None,
    /// We are its first node: every failure becomes an encrypted `invalid_onion_blinding`.
    Introduction,
    /// We are inside: every failure becomes `update_fail_malformed_htlc` with
    /// `invalid_onion_blinding`.
    Inside,
}

/// The message by which an HTLC must be failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeelError {
    /// The answer is `update_fail_malformed_htlc`.
    #[error("malformed onion (0x{code:04x})")]
    Malformed {
        /// The `failure_code`.
        code: u16,
        /// The `sha256_of_onion`.
        sha256_of_onion: [u8; 32],
    },
    /// The answer is `update_fail_htlc`, with a reason from [`crate::build_failure`].
    #[error("{failure}")]
    Failure {
        /// The secret to build the failure with.
        shared_secret: [u8; 32],
        /// The reason for the refusal.
        failure: Failure,
    },
}

impl Forward {
    /// Returns the channel named, or `None` if the next hop is named by node id.
    pub fn scid(&self) -> Option<ShortChannelId> {
        match self.next {
            NextHop::Channel(scid) => Some(scid),
            NextHop::Node(_) => None,
        }
    }
}

impl Blinding {
    /// Returns true if failures lose their meaning: those of downstream are replaced, not wrapped.
    pub fn is_blinded(self) -> bool {
        self != Self::None
    }

    /// Encodes `failure`, whether ours or downstream's, for the HTLC with `onion`.
    pub fn reject(
        self,
        onion: &[u8; ONION_BYTES],
        shared_secret: [u8; 32],
        failure: Failure,
    ) -> PeelError {
        match self {
            Self::None => PeelError::Failure { shared_secret, failure },
            Self::Introduction => {
                let failure = Failure::invalid_onion_blinding(keys::sha256(onion));
                PeelError::Failure { shared_secret, failure }
            }
            Self::Inside => PeelError::Malformed {
                code: code::INVALID_ONION_BLINDING,
                sha256_of_onion: keys::sha256(onion),
            },
        }
    }
}

/// Peels our layer off `htlc`'s onion, as this node of ours.
///
/// Errors say how the HTLC must be failed. A final layer is checked for authenticity only;
/// [`crate::receive()`] checks the rest.
pub fn peel(node: &dyn Identity, htlc: &IncomingHtlc<'_>) -> Result<Peeled, PeelError> {
    let opened = Opened::new(node, htlc)?;
    if opened.layer.is_final() {
        return Ok(Peeled { shared_secret: opened.shared_secret, hop: Hop::Final });
    }
    let hop = opened.forward(node)?;
    Ok(Peeled { shared_secret: opened.shared_secret, hop })
}

/// An authentic onion with our layer decrypted.
pub(crate) struct Opened<'a> {
    htlc: &'a IncomingHtlc<'a>,
    pub(crate) shared_secret: [u8; 32],
    pub(crate) layer: Layer,
    ephemeral: PublicKey,
    path: Option<PathSecret>,
}

impl<'a> Opened<'a> {
    pub(crate) fn new(node: &dyn Identity, htlc: &'a IncomingHtlc<'a>) -> Result<Self, PeelError> {
        let packet = Packet::parse(htlc.onion).map_err(|code| malformed(htlc, code))?;
        let path = htlc.path_key.map(|path_key| PathSecret::new(node, path_key));
        let shared_secret = match &path {
            None => node.ecdh(&packet.ephemeral),
            Some(path) => path
                .blinded_ecdh(node, &packet.ephemeral)
                .ok_or_else(|| malformed(htlc, code::INVALID_ONION_BLINDING))?,
        };
        if !packet.is_authentic(&shared_secret, &htlc.payment_hash) {
            return Err(malformed(htlc, code::INVALID_ONION_HMAC));
        }
        let layer = packet.decrypt(&shared_secret).map_err(|_| {
            let blinding = outer_blinding(htlc);
            blinding.reject(htlc.onion, shared_secret, Failure::invalid_onion_payload(0, 0))
        })?;
        Ok(Self { htlc, shared_secret, layer, ephemeral: packet.ephemeral, path })
    }

    fn forward(&self, node: &dyn Identity) -> Result<Hop, PeelError> {
        let payload = self.payload()?;
        match (&self.path, payload.current_path_key) {
            (None, None) => self.clear_forward(&payload).map(Hop::Forward),
            (Some(path), None) => self.blinded_forward(node, path, &payload, Blinding::Inside),
            (None, Some(path_key)) => {
                let path = PathSecret::new(node, path_key);
                self.blinded_forward(node, &path, &payload, Blinding::Introduction)
            }
            // An honest sender never makes an onion with a path key both inside and outside.
            (Some(_), Some(_)) => Err(self.bad_blinding(Blinding::Inside)),
        }
    }

    /// Reads the payload and refuses unknown even types.
    pub(crate) fn payload(&self) -> Result<Payload<'_>, PeelError> {
        Payload::parse(self.layer.payload()).map_err(|defect| self.defect(defect))
    }

    fn clear_forward(&self, payload: &Payload<'_>) -> Result<Forward, PeelError> {
        // Recipient data without a path key cannot be decrypted.
        if payload.encrypted_recipient_data.is_some() {
            return Err(self.missing(tlv::CURRENT_PATH_KEY));
        }
        if let Some(defect) = payload.final_only {
            return Err(self.defect(defect));
        }
        let amt_to_forward_msat =
            payload.amt_to_forward_msat.ok_or_else(|| self.missing(tlv::AMT_TO_FORWARD))?;
        let outgoing_cltv_expiry =
            payload.outgoing_cltv_expiry.ok_or_else(|| self.missing(tlv::OUTGOING_CLTV))?;
        let scid = payload.scid.ok_or_else(|| self.missing(tlv::SHORT_CHANNEL_ID))?;
        Ok(Forward {
            next: NextHop::Channel(scid),
            amt_to_forward_msat,
            outgoing_cltv_expiry,
            onion: self.next_onion()?,
            next_path_key: None,
            blinding: Blinding::None,
        })
    }

    fn blinded_forward(
        &self,
        node: &dyn Identity,
        path: &PathSecret,
        payload: &Payload<'_>,
        blinding: Blinding,
    ) -> Result<Hop, PeelError> {
        let refuse = || self.bad_blinding(blinding);
        let sealed = payload.encrypted_recipient_data.ok_or_else(refuse)?;
        let own_key = node.receive_auth_key();
        let data = match path.open(sealed, &own_key).ok_or_else(refuse)? {
            RecipientData::Relay(data) => data,
            RecipientData::OwnPath => return Ok(Hop::Final),
        };
        if payload.unblinded_only.is_some() {
            return Err(refuse());
        }
        let forward = path
            .forward(&data, self.htlc.amount_msat, self.htlc.cltv_expiry)
            .map_err(|BadBlinding| refuse())?;
        Ok(Hop::Forward(Forward {
            next: forward.next,
            amt_to_forward_msat: forward.amt_to_forward_msat,
            outgoing_cltv_expiry: forward.outgoing_cltv_expiry,
            onion: self.next_onion()?,
            next_path_key: Some(forward.next_path_key),
            blinding,
        }))
    }

    fn next_onion(&self) -> Result<Box<[u8; ONION_BYTES]>, PeelError> {
        let ephemeral = keys::next_point(&self.ephemeral, &self.shared_secret)
            .ok_or_else(|| malformed(self.htlc, code::INVALID_ONION_KEY))?;
        Ok(self.layer.next_packet(&ephemeral))
    }

    fn missing(&self, tlv_type: u64) -> PeelError {
        self.reject(outer_blinding(self.htlc), Failure::invalid_onion_payload(tlv_type, 0))
    }

    fn defect(&self, defect: Defect) -> PeelError {
        let blinding = match outer_blinding(self.htlc) {
            Blinding::None if defect.introduction && !self.layer.is_final() => {
                Blinding::Introduction
            }
            outer => outer,
        };
        let offset = self.layer.payload_offset().saturating_add(defect.offset);
        let offset = u16::try_from(offset).unwrap_or(u16::MAX);
        self.reject(blinding, Failure::invalid_onion_payload(defect.tlv_type, offset))
    }

    fn bad_blinding(&self, blinding: Blinding) -> PeelError {
        self.reject(blinding, self.invalid_onion_blinding())
    }

    pub(crate) fn invalid_onion_blinding(&self) -> Failure {
        Failure::invalid_onion_blinding(keys::sha256(self.htlc.onion))
    }

    pub(crate) fn reject(&self, blinding: Blinding, failure: Failure) -> PeelError {
        blinding.reject(self.htlc.onion, self.shared_secret, failure)
    }
}

/// Returns what is known of our place before the payload is read.
fn outer_blinding(htlc: &IncomingHtlc<'_>) -> Blinding {
    if htlc.path_key.is_some() { Blinding::Inside } else { Blinding::None }
}

/// Answers with BADONION, unless a blinded path must not show what went wrong.
fn malformed(htlc: &IncomingHtlc<'_>, bad_onion: u16) -> PeelError {
    let code = if htlc.path_key.is_some() { code::INVALID_ONION_BLINDING } else { bad_onion };
    PeelError::Malformed { code, sha256_of_onion: keys::sha256(htlc.onion) }
}
