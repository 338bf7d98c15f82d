//! `commitment_signed` and `revoke_and_ack`, both ways (BOLT 2, "Committing Updates So Far",
//! "Completing the Transition to the Updated State").

use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use steward_htlc::LinkEvent;
use steward_wire::{ChannelMessage, CommitmentSigned, RevokeAndAck, impossible, invariant};

use crate::bolt3::{HtlcKey, Side};
use crate::dust::is_dust_too_much;
use crate::io::{Output, RefuseReason};
use crate::ledger::{LedgerEvent, View};
use crate::limits::{MAX_COMMITMENT_NUMBER, MAX_EMPTY_COMMITMENTS};
use crate::live::{LocalCommitment, Pending};
use crate::rows;
use crate::session::Stage;
use crate::step::{Fault, Step};

impl Step<'_> {
    /// Signs the peer's next commitment, if something is owed or waits, and none of ours is
    /// unanswered.
    pub(crate) fn sign_next_commitment(&mut self) -> Result<(), Fault> {
        let live = &self.live;
        let may_sign = self.session.stage == Stage::Synced
            && live.closing.is_none()
            && live.shutdown.signed.is_empty()
            && live.remote.pending.is_none();
        let Some(point) = live.remote.next_point.filter(|_| may_sign) else {
            return Ok(()); // It waits for the peer, or the channel ends.
        };
        if !self.has_updates() && !live.ledger.owes_commitment() {
            return Ok(());
        }
        // A signer that does not answer must not find the ledger changed.
        let before = self.live.ledger.clone();
        let (outputs, waiting) = (self.out.len(), self.session.waiting.clone());
        let signed = self.sign_with(point);
        if signed.is_err() {
            self.live.ledger = before;
            self.session.waiting = waiting;
            self.out.truncate(outputs);
        }
        signed
    }

    fn sign_with(&mut self, point: PublicKey) -> Result<(), Fault> {
        let updates = self.take_updates();
        if updates.is_empty() && !self.live.ledger.owes_commitment() {
            return Ok(()); // Every waiting HTLC was refused, or waits on.
        }
        self.live.ledger.commitment_sent();
        let number = self.live.remote.number.saturating_add(1);
        let contents = self.live.contents(View::RemotePending);
        invariant!(
            contents.total_msat() == Some(self.live.parameters.capacity_msat()),
            "a commitment that is not balanced is never signed"
        );
        let commitment = self.live.commitment(Side::Remote, number, point, &contents);
        let built = commitment.build();
        let (signature, htlc_signatures) =
            self.env.signer.sign_commitment(&self.live.parameters, &built)?;
        self.out
            .push(Output::Archive { number, row: rows::archive_row(&point, &built, &contents) });
        let keys: Vec<HtlcKey> = updates.iter().map(|(key, _)| *key).collect();
        self.out.extend(updates.into_iter().map(|(_, message)| Output::Send(message)));
        let pending =
            Pending { signature, htlc_signatures, updates: keys, is_before_revocation: false };
        let message = self.commitment_message(&pending);
        self.out.push(Output::Send(message));
        self.live.remote.pending = Some(pending);
        self.session.waits_since_ms = Some(self.env.now_ms);
        self.changed = true;
        Ok(())
    }

    pub(crate) fn commitment_message(&self, pending: &Pending) -> ChannelMessage {
        ChannelMessage::CommitmentSigned(CommitmentSigned {
            channel_id: self.channel_id(),
            signature: pending.signature,
            htlc_signatures: pending.htlc_signatures.clone(),
            tlvs: CommitmentSigned::funding_txid_tlv(self.live.parameters.funding.txid),
        })
    }

    pub(crate) fn on_commitment_signed(&mut self, message: &CommitmentSigned) -> Result<(), Fault> {
        if !self.live.shutdown.signed.is_empty() {
            return Err(Fault::Warn("commitment_signed after closing_signed"));
        }
        if message.funding_txid().is_some_and(|txid| txid != self.live.parameters.funding.txid) {
            return Err(Fault::Warn("commitment_signed for another funding transaction"));
        }
        let is_empty = !self.live.ledger.expects_commitment();
        if is_empty && self.session.empty_commitments >= MAX_EMPTY_COMMITMENTS {
            return Err(Fault::Warn("commitment_signed without a change, again"));
        }
        let number = self.live.local.number.saturating_add(1);
        if number >= MAX_COMMITMENT_NUMBER {
            return Err(Fault::Fail("the channel's commitments are used up".to_owned()));
        }
        self.check_what_peer_signs()?;
        let signer = self.env.signer;
        let contents = self.live.contents(View::LocalNext);
        let commitment =
            self.live.commitment(Side::Local, number, signer.point(number)?, &contents);
        let (parameters, signatures) = (&self.live.parameters, &message.htlc_signatures);
        commitment
            .build()
            .verify(parameters, Side::Local, &message.signature, signatures)
            .map_err(|bad| Fault::Fail(format!("commitment_signed: {bad}")))?;
        let revocation = self.revocation(number)?;
        self.session.empty_commitments =
            if is_empty { self.session.empty_commitments.saturating_add(1) } else { 0 };
        self.live.ledger.commitment_received();
        self.live.local = LocalCommitment {
            number,
            signature: message.signature,
            htlc_signatures: message.htlc_signatures.clone(),
        };
        if let Some(pending) = &mut self.live.remote.pending {
            pending.is_before_revocation = true;
        }
        self.out.push(Output::Send(revocation));
        self.changed = true;
        Ok(())
    }

    /// The `revoke_and_ack` that goes with our commitment `number`: it gives up the one before.
    pub(crate) fn revocation(&self, number: u64) -> Result<ChannelMessage, Fault> {
        let Some(revoked) = number.checked_sub(1) else {
            impossible!("the first commitment revokes nothing");
            return Err(Fault::NoSigner);
        };
        let signer = self.env.signer;
        Ok(ChannelMessage::RevokeAndAck(RevokeAndAck {
            channel_id: self.channel_id(),
            per_commitment_secret: signer.revoke(revoked)?,
            next_per_commitment_point: signer.point(number.saturating_add(1))?.into(),
            tlvs: Vec::new(),
        }))
    }

    pub(crate) fn on_revoke_and_ack(&mut self, message: &RevokeAndAck) -> Result<(), Fault> {
        let remote = &mut self.live.remote;
        let (Some(_), Some(point)) = (&remote.pending, remote.next_point) else {
            return Err(Fault::Fail("revoke_and_ack for nothing".to_owned()));
        };
        let secret = SecretKey::from_slice(&message.per_commitment_secret);
        let fits = secret.is_ok_and(|secret| secret.public_key(SECP256K1) == remote.point);
        let next = message.next_per_commitment_point.public_key();
        let Some(next) = next.filter(|_| fits) else {
            return Err(Fault::Fail("revoke_and_ack has a wrong secret or point".to_owned()));
        };
        if remote.secrets.insert(message.per_commitment_secret).is_err() {
            return Err(Fault::Fail("revoke_and_ack has a secret of another chain".to_owned()));
        }
        remote.pending = None;
        remote.number = remote.number.saturating_add(1);
        remote.point = point;
        remote.next_point = Some(next);
        self.session.waits_since_ms = None;
        let events = self.live.ledger.revocation_received();
        self.changed = true;
        events.into_iter().for_each(|event| self.report(event));
        Ok(())
    }

    fn report(&mut self, event: LedgerEvent) {
        match event {
            LedgerEvent::Failed { id, failure } => {
                self.link(LinkEvent::HtlcFailed { id, failure });
            }
            LedgerEvent::Incoming(add) if is_dust_too_much(self.live, add.id) => {
                self.out.push(Output::Refuse { add, reason: RefuseReason::DustExposure });
            }
            LedgerEvent::Incoming(add) => {
                self.link(LinkEvent::HtlcIncoming { add, taken_over: false });
            }
        }
    }
}
