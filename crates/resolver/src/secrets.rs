//! The secrets with which the remote side revoked its commitments, as BOLT 3 keeps them: by how many
//! zero bits their index ends with, one each. A secret gives all those whose index differs only in
//! these bits.

use lightning::ln::chan_utils::build_commitment_secret;

use crate::encoding::Bytes;
use crate::ldk_values::ldk_number;
use crate::limits::{COMMITMENT_NUMBERS, MAX_SECRETS};
use crate::not_defendable::NotDefendable;
use crate::record::RevocationSecret;

/// Where an empty place is, in LDK's bytes.
const NOWHERE: u64 = COMMITMENT_NUMBERS;

/// The secrets by their place.
pub(crate) struct Secrets([Option<(u64, [u8; 32])>; MAX_SECRETS]);

impl Secrets {
    /// Takes the secrets of all commitments up to `newest`, or of none.
    pub(crate) fn new(
        secrets: &[RevocationSecret],
        newest: Option<u64>,
    ) -> Result<Self, NotDefendable> {
        let mut places = [None; MAX_SECRETS];
        for one in secrets {
            let index = ldk_number(one.number);
            let Some(place) = places.get_mut(place_of(index)) else {
                // A number over 48 bits; `check` has refused it.
                return Err(NotDefendable::Limit { what: "commitments" });
            };
            if place.replace((index, one.secret)).is_some() {
                return Err(NotDefendable::Secrets);
            }
        }
        let secrets = Self(places);
        secrets.fit_each_other()?;
        secrets.reach(newest)?;
        Ok(secrets)
    }

    fn known(&self) -> impl Iterator<Item = (u64, [u8; 32])> {
        self.0.iter().flatten().copied()
    }

    /// Checks each secret that follows from another one.
    fn fit_each_other(&self) -> Result<(), NotDefendable> {
        for (index, secret) in self.known() {
            let free = free_bits(index);
            let others = self.known().filter(|(other, _)| *other != index);
            for (other, expected) in others.filter(|(other, _)| other & !free == index) {
                if build_commitment_secret(&secret, other & free) != expected {
                    return Err(NotDefendable::Secrets);
                }
            }
        }
        Ok(())
    }

    /// Checks that the secret of every commitment up to `newest` is known or follows.
    fn reach(&self, newest: Option<u64>) -> Result<(), NotDefendable> {
        let Some(newest) = newest else {
            return match self.known().next() {
                None => Ok(()),
                Some((index, _)) => {
                    Err(NotDefendable::SecretOfUnrevoked { number: ldk_number(index) })
                }
            };
        };
        let lowest = ldk_number(newest);
        if let Some((index, _)) = self.known().find(|(index, _)| *index < lowest) {
            return Err(NotDefendable::SecretOfUnrevoked { number: ldk_number(index) });
        }
        // From the newest commitment to the first, in steps of what one secret gives.
        let mut index = lowest;
        while index < COMMITMENT_NUMBERS {
            let gives = |(known, _): &(u64, [u8; 32])| index & !free_bits(*known) == *known;
            let Some((known, _)) =
                self.known().filter(gives).max_by_key(|(known, _)| free_bits(*known))
            else {
                return Err(NotDefendable::SecretMissing { number: ldk_number(index) });
            };
            index = (known | free_bits(known)).saturating_add(1);
        }
        Ok(())
    }

    /// Writes LDK's `CounterpartyCommitmentSecrets`.
    pub(crate) fn write(&self, bytes: &mut Bytes) {
        for place in &self.0 {
            let (index, secret) = place.unwrap_or((NOWHERE, [0; 32]));
            bytes.raw(&secret).put(&index);
        }
        bytes.tlvs(&[]);
    }
}

fn place_of(index: u64) -> usize {
    index.trailing_zeros().min(48) as usize
}

/// Returns the bits that are free in the indices which follow from a secret.
fn free_bits(index: u64) -> u64 {
    (1_u64 << place_of(index)) - 1
}
