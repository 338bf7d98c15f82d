//! One layer of an onion packet: check it, decrypt it, and build the packet for the next hop (BOLT
//! 4 "Onion Decryption"). The payload is read in `payload`.

use bitcoin::secp256k1::PublicKey;
use steward_wire::PaymentHash;
use steward_wire::codec::Reader;

use crate::failure::code;
use crate::keys::{self, KeyType};
use crate::limits::{HOP_PAYLOADS_BYTES, ONION_BYTES};

/// The parts of an onion packet, with its ephemeral key parsed.
pub(crate) struct Packet<'a> {
    pub(crate) ephemeral: PublicKey,
    hop_payloads: &'a [u8; HOP_PAYLOADS_BYTES],
    hmac: &'a [u8; 32],
}

/// A decrypted layer of an onion, with the payload of this hop in it.
pub(crate) struct Layer {
    plain: Box<[u8; 2 * HOP_PAYLOADS_BYTES]>,
    /// The place of the payload in `plain`.
    start: usize,
    end: usize,
}

/// The error for a layer into which its first length or its HMAC does not fit.
pub(crate) struct BrokenLayer;

impl<'a> Packet<'a> {
    /// Splits a packet. The error is the BADONION code to answer with.
    pub(crate) fn parse(onion: &'a [u8; ONION_BYTES]) -> Result<Self, u16> {
        let [version, rest @ ..] = onion;
        if *version != 0 {
            return Err(code::INVALID_ONION_VERSION);
        }
        let (key, rest) = rest.split_first_chunk::<33>().ok_or(code::INVALID_ONION_KEY)?;
        let (hop_payloads, hmac) = rest.split_first_chunk().ok_or(code::INVALID_ONION_HMAC)?;
        let hmac = hmac.first_chunk().ok_or(code::INVALID_ONION_HMAC)?;
        let ephemeral = PublicKey::from_slice(key).map_err(|_| code::INVALID_ONION_KEY)?;
        Ok(Self { ephemeral, hop_payloads, hmac })
    }

    /// Returns true if the packet is what the sender made, for this payment.
    pub(crate) fn is_authentic(
        &self,
        shared_secret: &[u8; 32],
        payment_hash: &PaymentHash,
    ) -> bool {
        let mu = keys::derive(KeyType::Mu, shared_secret);
        let expected = keys::hmac(&mu, &[self.hop_payloads, &payment_hash.0]);
        keys::constant_time_eq(&expected, self.hmac)
    }

    /// Decrypts our layer. The packet must be authentic.
    pub(crate) fn decrypt(&self, shared_secret: &[u8; 32]) -> Result<Layer, BrokenLayer> {
        let mut plain = Box::new([0u8; 2 * HOP_PAYLOADS_BYTES]);
        plain.iter_mut().zip(self.hop_payloads).for_each(|(to, from)| *to = *from);
        keys::xor_stream(&keys::derive(KeyType::Rho, shared_secret), plain.as_mut_slice());
        let (start, end) = payload_bounds(plain.as_slice()).ok_or(BrokenLayer)?;
        Ok(Layer { plain, start, end })
    }
}

/// Finds the payload's range. Payload and HMAC must lie in the part that came with the packet.
fn payload_bounds(plain: &[u8]) -> Option<(usize, usize)> {
    let mut reader = Reader::new(plain.get(..HOP_PAYLOADS_BYTES)?);
    let length = usize::try_from(reader.bigsize().ok()?).ok()?;
    // Length 0 was the legacy format, and 1 is reserved.
    if length < 2 {
        return None;
    }
    let start = HOP_PAYLOADS_BYTES.checked_sub(reader.rest().len())?;
    let end = start.checked_add(length)?;
    (end.checked_add(32)? <= HOP_PAYLOADS_BYTES).then_some((start, end))
}

impl Layer {
    /// Returns our payload, without its length.
    pub(crate) fn payload(&self) -> &[u8] {
        self.plain.get(self.start..self.end).unwrap_or_default()
    }

    /// Returns how many bytes of the layer come before the payload.
    pub(crate) fn payload_offset(&self) -> usize {
        self.start
    }

    /// Returns true if no hop comes after us: the next HMAC is zero.
    pub(crate) fn is_final(&self) -> bool {
        self.after_payload().iter().take(32).all(|byte| *byte == 0)
    }

    /// Builds the packet for the next hop, which sees `ephemeral`.
    pub(crate) fn next_packet(&self, ephemeral: &PublicKey) -> Box<[u8; ONION_BYTES]> {
        let (hmac, hop_payloads) = self.after_payload().split_at_checked(32).unwrap_or_default();
        let mut packet = Box::new([0u8; ONION_BYTES]);
        let parts = [0u8]
            .into_iter()
            .chain(ephemeral.serialize())
            .chain(hop_payloads.iter().copied().take(HOP_PAYLOADS_BYTES))
            .chain(hmac.iter().copied());
        packet.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        packet
    }

    fn after_payload(&self) -> &[u8] {
        self.plain.get(self.end..).unwrap_or_default()
    }
}
