//! Keeps the bounded tables bounded, a few rows in each commit that adds to them.

use rusqlite::Connection;
use steward_engine::row::{Write, WriteBatch};

use crate::error::StoreError;
use crate::limits::{MAX_EVENTS, MAX_LOADED_PREIMAGES, PREIMAGE_KEEP_MS, PRUNE_ROWS_PER_COMMIT};

/// Prunes what the batch makes due. Time is the batch's own, so that it is the same on replay.
pub(crate) fn prune(db: &Connection, batch: &WriteBatch) -> Result<(), StoreError> {
    let (mut events, mut last_event) = (0, 0);
    let (mut preimages, mut newest_ms) = (0, 0);
    for (_, write) in batch.iter() {
        match write {
            Write::Event(event) => {
                events += 1;
                last_event = last_event.max(event.number);
            }
            Write::Preimage { learned_ms, .. } => {
                preimages += 1;
                newest_ms = newest_ms.max(*learned_ms);
            }
            _ => {}
        }
    }
    if last_event > MAX_EVENTS {
        db.prepare_cached(
            "DELETE FROM event WHERE number IN (
                 SELECT number FROM event WHERE number <= ?1 ORDER BY number LIMIT ?2)",
        )?
        .execute([(last_event - MAX_EVENTS).cast_signed(), rows(events)])?;
    }
    if newest_ms > PREIMAGE_KEEP_MS {
        db.prepare_cached(
            "DELETE FROM preimage WHERE learned_ms < ?1 AND number IN (
                 SELECT number FROM preimage
                 WHERE number <= (SELECT max(number) FROM preimage) - ?2
                 ORDER BY number LIMIT ?3)",
        )?
        .execute([
            (newest_ms - PREIMAGE_KEEP_MS).cast_signed(),
            MAX_LOADED_PREIMAGES.cast_signed(),
            rows(preimages),
        ])?;
    }
    Ok(())
}

fn rows(added: u64) -> i64 {
    PRUNE_ROWS_PER_COMMIT.max(added.saturating_mul(2)).cast_signed()
}
