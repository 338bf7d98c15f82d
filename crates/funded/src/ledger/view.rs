//! What each commitment holds, by the stages of its HTLCs.

use steward_htlc::Settlement;
use steward_wire::{UpdateAddHtlc, impossible, invariant};

use super::{Ledger, OurStage, TheirStage};
use crate::bolt3::{CommitmentHtlc, Contents, HtlcKey, Side};

/// A commitment, by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// Ours, which we can publish.
    LocalCurrent,
    /// Ours that the peer signs next.
    LocalNext,
    /// Ours as the peer may count on it: what we have removed and signed is gone.
    PeerBest,
    /// The peer's that it has not revoked.
    RemoteCurrent,
    /// The peer's that we have signed, while it has not revoked the one before it.
    RemotePending,
    /// No commitment: every HTLC that is on its way stands in it, so that neither side has less in
    /// any commitment.
    Worst,
}

/// The stages in which an HTLC stands in a commitment: from the first to before the second.
struct Present<S> {
    from: Option<S>,
    until: Option<S>,
}

impl<S: Ord> Present<S> {
    fn of(from: S, until: S) -> Self {
        Self { from: Some(from), until: Some(until) }
    }

    fn place(&self, stage: &S) -> Place {
        if self.from.as_ref().is_some_and(|from| stage < from) {
            return Place::NotYet;
        }
        let is_removed = self.until.as_ref().is_some_and(|until| stage >= until);
        if is_removed { Place::Removed } else { Place::Present }
    }
}

enum Place {
    NotYet,
    Present,
    Removed,
}

impl View {
    fn ours(self) -> Present<OurStage> {
        match self {
            Self::LocalCurrent => Present::of(OurStage::Committed, OurStage::RemoveRevoked),
            Self::LocalNext | Self::PeerBest => {
                Present::of(OurStage::Acked, OurStage::RemoveReceived)
            }
            Self::RemoteCurrent => Present { from: Some(OurStage::Acked), until: None },
            Self::RemotePending => Present { from: None, until: Some(OurStage::RemoveSigned) },
            Self::Worst => Present { from: None, until: None },
        }
    }

    fn theirs(self) -> Present<TheirStage> {
        match self {
            Self::LocalCurrent => Present { from: Some(TheirStage::Revoked), until: None },
            Self::LocalNext => Present { from: None, until: Some(TheirStage::RemoveAcked) },
            Self::PeerBest => Present { from: None, until: Some(TheirStage::RemoveSigned) },
            Self::RemoteCurrent => Present::of(TheirStage::Committed, TheirStage::RemoveAcked),
            Self::RemotePending => Present::of(TheirStage::Signed, TheirStage::RemoveSigned),
            Self::Worst => Present { from: None, until: None },
        }
    }
}

impl Ledger {
    /// Returns what a commitment holds.
    pub(crate) fn contents(&self, view: View) -> Contents {
        let (contents, is_paid) = self.sum(view);
        // What the peer has not signed may be more than it has. The worst view counts money twice
        // that comes back to a side and is offered again.
        let may_be_short = matches!(view, View::LocalNext | View::PeerBest | View::Worst);
        if !is_paid && !may_be_short {
            impossible!("an HTLC was let in that its side cannot pay");
        }
        contents
    }

    /// Returns true if each side can pay for its HTLCs in our next commitment.
    pub(crate) fn is_next_paid(&self) -> bool {
        self.sum(View::LocalNext).1
    }

    /// Returns true if every commitment can be paid and makes up the capacity.
    pub(crate) fn is_balanced(&self, capacity_msat: u64) -> bool {
        let views = [View::LocalCurrent, View::RemoteCurrent, View::RemotePending];
        views.into_iter().all(|view| {
            let (contents, is_paid) = self.sum(view);
            is_paid && contents.total_msat() == Some(capacity_msat)
        })
    }

    fn sum(&self, view: View) -> (Contents, bool) {
        let mut sums = Sums {
            local: self.local_msat,
            remote: self.remote_msat,
            is_paid: true,
            htlcs: Vec::new(),
        };
        let (ours, theirs) = (view.ours(), view.theirs());
        // Ours come first: the peer may offer at once what it has claimed of them.
        for htlc in self.ours.values() {
            sums.add(Side::Local, &htlc.add, &ours.place(&htlc.stage), htlc.removal.as_ref());
        }
        for htlc in self.theirs.values() {
            sums.add(Side::Remote, &htlc.add, &theirs.place(&htlc.stage), htlc.answer.as_ref());
        }
        let contents = Contents {
            local_msat: sums.local,
            remote_msat: sums.remote,
            feerate_per_kw: self.feerate(view),
            htlcs: sums.htlcs,
        };
        (contents, sums.is_paid)
    }

    /// Checks rule 6 in every commitment: balances and HTLCs make up the capacity.
    pub(crate) fn check(&self, capacity_msat: u64) {
        invariant!(self.is_balanced(capacity_msat), "a commitment is not of {capacity_msat} msat");
    }

    fn feerate(&self, view: View) -> u32 {
        let rates = &self.feerates;
        let newest = match view {
            View::RemoteCurrent => None,
            View::RemotePending => rates.signed,
            View::LocalCurrent => rates.revoked.or(rates.signed),
            View::LocalNext | View::PeerBest => rates.received.or(rates.revoked).or(rates.signed),
            View::Worst => {
                [rates.received, rates.revoked, rates.signed].into_iter().flatten().max()
            }
        };
        match view {
            View::Worst => newest.unwrap_or_default().max(rates.committed),
            _ => newest.unwrap_or(rates.committed),
        }
    }
}

struct Sums {
    local: u64,
    remote: u64,
    /// False once a side cannot pay for an HTLC.
    is_paid: bool,
    htlcs: Vec<CommitmentHtlc>,
}

impl Sums {
    fn add(
        &mut self,
        offered_by: Side,
        add: &UpdateAddHtlc,
        place: &Place,
        removal: Option<&Settlement>,
    ) {
        let is_fulfilled = matches!(removal, Some(Settlement::Fulfill { .. }));
        let (from, to) = match offered_by {
            Side::Local => (&mut self.local, &mut self.remote),
            Side::Remote => (&mut self.remote, &mut self.local),
        };
        match place {
            Place::NotYet => {}
            Place::Removed if !is_fulfilled => {}
            Place::Removed => {
                self.is_paid &= *from >= add.amount_msat;
                *from = from.saturating_sub(add.amount_msat);
                *to = to.saturating_add(add.amount_msat);
            }
            Place::Present => {
                self.is_paid &= *from >= add.amount_msat;
                *from = from.saturating_sub(add.amount_msat);
                self.htlcs.push(CommitmentHtlc {
                    key: HtlcKey { offered_by, id: add.id },
                    amount_msat: add.amount_msat,
                    payment_hash: add.payment_hash,
                    cltv_expiry: add.cltv_expiry,
                });
            }
        }
    }
}
