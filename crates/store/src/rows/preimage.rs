//! Table `preimage`: the preimages we learned or made, until no HTLC can need them any more.

use steward_engine::row::Row;
use steward_wire::{PaymentHash, Preimage};

use super::column::{Columns, Value, values};
use super::{Table, Write};
use crate::error::StoreError;

/// The table `preimage`.
pub(crate) struct Preimages;

impl Write for Preimages {
    const NAME: &'static str = "preimage";
    /// A preimage that is learned again has a second row, and so is among the newest again.
    const PUT: &'static str = "INSERT INTO preimage (preimage, learned_ms, payment_hash)
         VALUES (?1, ?2, ?3)";
    /// Reads the whole table: nothing but a test deletes one by its hash.
    const DELETE: Option<&'static str> = Some("DELETE FROM preimage WHERE payment_hash = ?1");
    type Put<'a> = (&'a Preimage, u64);
    type Key = PaymentHash;

    fn values((preimage, learned_ms): Self::Put<'_>) -> Vec<Value<'_>> {
        values![&preimage.0, learned_ms, preimage.hash().0.to_vec()].into()
    }

    fn key(hash: Self::Key) -> Vec<Value<'static>> {
        values![hash.0.to_vec()].into()
    }

    fn numbers((_, learned_ms): Self::Put<'_>) -> Vec<u64> {
        vec![learned_ms]
    }

    fn name(hash: Self::Key) -> String {
        hash.to_string()
    }
}

impl Table for Preimages {
    const SELECT: &'static str = "SELECT payment_hash, preimage, learned_ms FROM preimage";
    type Read = (Preimage, u64);

    fn read(c: &mut Columns<'_>) -> Result<(Preimage, u64), StoreError> {
        let (hash, preimage) = (c.hash()?, c.preimage()?);
        if preimage.hash() != hash {
            return Err(c.error("the preimage has another hash"));
        }
        Ok((preimage, c.number()?))
    }

    fn whole((preimage, learned_ms): (Preimage, u64)) -> Option<Row> {
        Some(Row::Preimage { preimage, learned_ms })
    }
}
