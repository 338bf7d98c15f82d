//! Keeps the bounded tables bounded, a few rows in each commit that adds to them.

use steward_engine::row::{Row, WriteBatch};

use super::Sql;
use crate::error::StoreError;
use crate::limits::{
    EVENTS_PRUNED_AT_ONCE, KEEP_FAILED_FORWARDS, MAX_EVENTS, MAX_LOADED_PREIMAGES,
    PREIMAGE_KEEP_MS, PRUNE_ROWS_PER_COMMIT,
};
use crate::rows::column::values;

/// Prunes what the batch makes due. Time is the batch's own, so that it is the same on replay.
pub(crate) fn prune(db: &dyn Sql, batch: &WriteBatch) -> Result<(), StoreError> {
    let (mut events, mut last_event) = (0, 0);
    let (mut preimages, mut newest_ms) = (0, 0);
    let mut forwards = 0;
    for row in batch.puts() {
        match row {
            Row::Event(event) => {
                events += 1;
                last_event = last_event.max(event.number);
            }
            Row::Preimage { learned_ms, .. } => {
                preimages += 1;
                newest_ms = newest_ms.max(*learned_ms);
            }
            Row::Forward(_) => forwards += 1,
            _ => {}
        }
    }
    if forwards > 0 {
        prune_failed_forwards(db, forwards)?;
    }
    let last_pruned = last_pruned_event(last_event);
    if last_pruned > 0 {
        db.run(
            "DELETE FROM event WHERE number IN (
                 SELECT number FROM event WHERE number <= ?1 ORDER BY number LIMIT ?2)",
            &values![last_pruned, rows(events).max(EVENTS_PRUNED_AT_ONCE)],
        )?;
    }
    if newest_ms > PREIMAGE_KEEP_MS {
        db.run(
            "DELETE FROM preimage WHERE learned_ms < ?1 AND number IN (
                 SELECT number FROM preimage
                 WHERE number <= (SELECT max(number) FROM preimage) - ?2
                 ORDER BY number LIMIT ?3)",
            &values![newest_ms - PREIMAGE_KEEP_MS, MAX_LOADED_PREIMAGES, rows(preimages)],
        )?;
    }
    Ok(())
}

/// Returns the newest event that goes once `last` is stored; 0 if none does.
pub(crate) fn last_pruned_event(last: u64) -> u64 {
    let steps = last / EVENTS_PRUNED_AT_ONCE;
    (steps * EVENTS_PRUNED_AT_ONCE).saturating_sub(MAX_EVENTS)
}

/// Looks once at the rows that fall behind the newest, as they do: those that were paid stay, and
/// no commit looks at them again.
fn prune_failed_forwards(db: &dyn Sql, added: u64) -> Result<(), StoreError> {
    db.run(
        "DELETE FROM forward WHERE fulfilled = 0 AND number IN (
             SELECT number FROM forward
             WHERE number <= (SELECT max(number) FROM forward) - ?1
             ORDER BY number DESC LIMIT ?2)",
        &values![KEEP_FAILED_FORWARDS, rows(added)],
    )?;
    Ok(())
}

fn rows(added: u64) -> u64 {
    PRUNE_ROWS_PER_COMMIT.max(added.saturating_mul(2))
}
