//! Writes that wait for company: no action depends on them yet, and the next batch with an action
//! takes them along for the price of one commit.

use std::time::{Duration, Instant};

use steward_engine::{Action, WriteBatch};

use crate::limits::{MAX_COMMIT_DELAY, MAX_DELAYED_ROWS};

/// The writes that wait. A crash that loses them loses only what nothing outside has seen.
#[derive(Debug, Default)]
pub(crate) struct Delay {
    writes: WriteBatch,
    /// The latest moment of their commit.
    due: Option<Instant>,
}

/// What becomes of a batch.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// There is nothing to commit.
    Nothing,
    /// It waits, for so long at most.
    Wait(Duration),
    /// It is committed, with all that waited.
    Commit(WriteBatch, Vec<Action>),
}

impl Delay {
    /// Takes the next batch.
    pub(crate) fn add(
        &mut self,
        writes: WriteBatch,
        actions: Vec<Action>,
        now: Instant,
    ) -> Verdict {
        self.writes.merge(writes);
        if self.writes.is_empty() && actions.is_empty() {
            return Verdict::Nothing;
        }
        let due = *self.due.get_or_insert(now + MAX_COMMIT_DELAY);
        let left = due.saturating_duration_since(now);
        if actions.is_empty() && !left.is_zero() && self.writes.len() <= MAX_DELAYED_ROWS {
            return Verdict::Wait(left);
        }
        Verdict::Commit(self.take(), actions)
    }

    /// Returns the writes that wait. The node is about to end.
    pub(crate) fn take(&mut self) -> WriteBatch {
        self.due = None;
        std::mem::take(&mut self.writes)
    }
}

#[cfg(test)]
mod tests {
    use steward_engine::row::{Row, RowKey};
    use steward_wire::Preimage;

    use super::*;

    /// A batch with one row for each of these numbers.
    fn batch(numbers: std::ops::Range<usize>) -> WriteBatch {
        let mut batch = WriteBatch::default();
        for number in numbers {
            let mut preimage = [0; 32];
            preimage[..8].copy_from_slice(&number.to_be_bytes());
            batch.put(Row::Preimage { preimage: Preimage(preimage), learned_ms: 0 });
        }
        batch
    }

    fn keys(batch: &WriteBatch) -> Vec<RowKey> {
        batch.iter().map(|(key, _)| key.clone()).collect()
    }

    #[test]
    fn what_no_action_depends_on_waits_for_the_next_action_but_not_for_long() {
        let (mut delay, start) = (Delay::default(), Instant::now());
        assert!(matches!(delay.add(batch(0..0), Vec::new(), start), Verdict::Nothing));
        assert!(matches!(
            delay.add(batch(0..1), Vec::new(), start),
            Verdict::Wait(left) if left == MAX_COMMIT_DELAY
        ));
        let later = start + MAX_COMMIT_DELAY / 2;
        let Verdict::Commit(writes, actions) =
            delay.add(batch(1..2), vec![Action::AskChain], later)
        else {
            panic!("an action waits for nothing");
        };
        assert_eq!((keys(&writes), actions.len()), (keys(&batch(0..2)), 1));
        assert!(matches!(delay.add(batch(2..3), Vec::new(), later), Verdict::Wait(_)));
        // Nothing new comes, and its time is over.
        let due = later + MAX_COMMIT_DELAY;
        let Verdict::Commit(writes, actions) = delay.add(batch(0..0), Vec::new(), due) else {
            panic!("it waits too long");
        };
        assert_eq!((keys(&writes), actions.len()), (keys(&batch(2..3)), 0));
        assert!(matches!(delay.add(batch(0..0), Vec::new(), due), Verdict::Nothing));
    }

    #[test]
    fn many_rows_do_not_wait() {
        let (mut delay, now) = (Delay::default(), Instant::now());
        assert!(matches!(delay.add(batch(0..MAX_DELAYED_ROWS), Vec::new(), now), Verdict::Wait(_)));
        let rest = batch(MAX_DELAYED_ROWS..MAX_DELAYED_ROWS + 1);
        assert!(matches!(delay.add(rest, Vec::new(), now), Verdict::Commit(..)));
        assert!(delay.take().is_empty());
    }

    #[test]
    fn the_later_row_of_a_key_is_the_one_that_is_committed() {
        let (mut delay, now) = (Delay::default(), Instant::now());
        delay.add(batch(0..1), Vec::new(), now);
        let key = keys(&batch(0..1)).remove(0);
        let mut deletes = WriteBatch::default();
        deletes.delete(key);
        delay.add(deletes, Vec::new(), now);
        assert!(delay.take().puts().next().is_none());
    }
}
