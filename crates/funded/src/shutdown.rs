//! The cooperative close, as the side that does not pay for it (BOLT 2, "Channel Close", with the
//! legacy negotiation of the fee).

use bitcoin::Script;
use steward_wire::{ChannelMessage, ClosingSigned, Shutdown};

use crate::bolt3::{Close, Side};
use crate::io::Output;
use crate::ledger::View;
use crate::limits::{MAX_SHUTDOWN_SCRIPT_BYTES, MAX_SIGNED_CLOSES, MIN_FEERATE_PER_KW};
use crate::live::{Live, SignedClose};
use crate::session::Stage;
use crate::step::{Fault, Step};

/// The weight of a closing transaction with two outputs of the longest scripts, less what may be
/// saved: with a fee below the relay minimum of a transaction this light, none would be relayed.
const LEAST_CLOSE_WEIGHT: u64 = 500;
/// The largest output of ours that the peer may leave out of a close as dust, in satoshi.
const MAX_OMITTED_SAT: u64 = 1_000;

impl Step<'_> {
    /// Decides to close. Told to the peer at once, or when it is connected.
    pub(crate) fn begin_shutdown(&mut self) {
        if self.live.shutdown.is_ours || self.live.closing.is_some() {
            return; // It is under way already.
        }
        self.live.shutdown.is_ours = true;
        self.changed = true;
        if self.session.stage == Stage::Synced {
            self.send_shutdown();
        }
    }

    /// Sends our `shutdown` once on each connection, if it is decided.
    pub(crate) fn send_shutdown(&mut self) {
        if !self.live.shutdown.is_ours || self.session.is_shutdown_sent {
            return; // The peer has it, or there is nothing to tell.
        }
        self.session.is_shutdown_sent = true;
        let message = Shutdown {
            channel_id: self.channel_id(),
            scriptpubkey: self.live.parameters.local.shutdown_script.clone(),
            tlvs: Vec::new(),
        };
        self.out.push(Output::Send(ChannelMessage::Shutdown(message)));
    }

    pub(crate) fn on_shutdown(&mut self, message: Shutdown) -> Result<(), Fault> {
        let script = message.scriptpubkey;
        let upfront = &self.live.parameters.remote.shutdown_script;
        if !upfront.is_empty() && *upfront != script {
            return Err(Fault::Warn("shutdown has another script than the opening"));
        }
        if !is_allowed_script(&script) {
            return Err(Fault::Warn("shutdown has a script that is not allowed"));
        }
        if self.live.shutdown.theirs.as_ref() != Some(&script) {
            if !self.live.shutdown.signed.is_empty() {
                return Err(Fault::Warn("shutdown has another script than before"));
            }
            self.live.shutdown.theirs = Some(script);
            self.changed = true;
        }
        self.begin_shutdown();
        Ok(())
    }

    pub(crate) fn on_closing_signed(&mut self, message: &ClosingSigned) -> Result<(), Fault> {
        let shutdown = &self.live.shutdown;
        let Some(remote_script) = shutdown.theirs.clone().filter(|_| shutdown.is_ours) else {
            return Err(Fault::Warn("closing_signed before shutdown"));
        };
        if !self.live.ledger.is_quiet() || self.live.remote.pending.is_some() {
            return Err(Fault::Warn("closing_signed while updates are on their way"));
        }
        let least_sat = LEAST_CLOSE_WEIGHT.saturating_mul(u64::from(MIN_FEERATE_PER_KW)) / 1_000;
        if message.fee_sat < least_sat {
            return Err(Fault::Warn("closing_signed has a fee that no node relays"));
        }
        let closes = possible_closes(self.live, &remote_script, message.fee_sat)
            .ok_or(Fault::Warn("closing_signed has a fee that its payer does not have"))?;
        let (parameters, theirs) = (&self.live.parameters, &message.signature);
        let Some(close) = closes.into_iter().find(|close| close.verify(parameters, theirs).is_ok())
        else {
            return Err(Fault::Fail("closing_signed has a wrong signature".to_owned()));
        };
        let is_known = self.live.shutdown.signed.iter().any(|signed| signed.close == close);
        if !is_known && self.live.shutdown.signed.len() >= MAX_SIGNED_CLOSES {
            return Err(Fault::Warn("closing_signed came with too many fees"));
        }
        let ours = self.env.signer.sign_close(parameters, &close)?;
        let transaction = close
            .signed(parameters, &ours, theirs)
            .map_err(|bad| Fault::Fail(format!("closing_signed: {bad}")))?;
        if !is_known {
            self.live.shutdown.signed.push(SignedClose { close, ours, theirs: *theirs });
            self.changed = true;
        }
        let answer = ClosingSigned {
            channel_id: self.channel_id(),
            fee_sat: message.fee_sat,
            signature: ours,
            tlvs: Vec::new(),
        };
        self.out.push(Output::Send(ChannelMessage::ClosingSigned(answer)));
        self.out.push(Output::PublishClose(transaction));
        Ok(())
    }
}

/// The closes with this fee that the peer may have signed: implementations differ in which small
/// output they leave out. `None` means that the payer has not got the fee.
fn possible_closes(live: &Live, remote_script: &[u8], fee_sat: u64) -> Option<Vec<Close>> {
    let contents = live.contents(View::LocalCurrent);
    let of = |side: Side| {
        let balance = contents.balance_msat(side) / 1_000;
        let is_payer = live.parameters.funder == side;
        if is_payer { balance.checked_sub(fee_sat) } else { Some(balance) }
    };
    let (to_local_sat, to_remote_sat) = (of(Side::Local)?, of(Side::Remote)?);
    let close = Close {
        to_local_sat,
        to_remote_sat,
        local_script: live.parameters.local.shutdown_script.clone(),
        remote_script: remote_script.to_vec(),
    };
    let without_ours = Close { to_local_sat: 0, ..close.clone() };
    let without_theirs = Close { to_remote_sat: 0, ..close.clone() };
    let mut closes = vec![close.clone()];
    if to_remote_sat > 0 {
        closes.push(without_theirs);
    }
    if to_local_sat > 0 && to_local_sat < MAX_OMITTED_SAT {
        closes.push(without_ours);
    }
    closes.retain(|close| close.to_local_sat > 0 || close.to_remote_sat > 0);
    Some(closes)
}

/// Tells whether a close may pay to this script: a witness program (BOLT 2, with
/// `option_shutdown_anysegwit`).
pub(crate) fn is_allowed_script(script: &[u8]) -> bool {
    let parsed = Script::from_bytes(script);
    script.len() <= MAX_SHUTDOWN_SCRIPT_BYTES
        && parsed.is_witness_program()
        && (parsed.witness_version() != Some(bitcoin::WitnessVersion::V0)
            || parsed.is_p2wpkh()
            || parsed.is_p2wsh())
}
