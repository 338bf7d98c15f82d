//! The operator's decisions: `steward channel suspend`, `override`, `accept-override`, `resize`,
//! and `steward preimage`.

use std::io::{self, BufRead, IsTerminal, Read};
use steward_engine::Code;

use serde::Serialize;
use steward_api::model::{
    AcceptOverride, Channel, ChannelDetails, EvidenceDetails, ProposeOverride, ResizeChannel,
    SubmitPreimage, SubmittedPreimage,
};

use super::Context;
use super::channel::channel_path;
use crate::amount::Amount;
use crate::cli::ProposedBalance;
use crate::failure::Failure;
use crate::limits::{MAX_ANSWER_TO_QUESTION_BYTES, MAX_OPENING_WAIT};
use crate::render;

pub(super) fn suspend(context: &Context, peer_id: &str) -> Result<(), Failure> {
    post(context, peer_id, "suspend", &serde_json::json!({}))
}

pub(super) fn propose_override(
    context: &Context,
    peer_id: &str,
    balance: ProposedBalance,
    yes: bool,
) -> Result<(), Failure> {
    if let Some(number) = balance.as_proved.filter(|_| !yes) {
        confirm_proved(context, peer_id, number)?;
    }
    let request = ProposeOverride {
        our_balance_msat: balance.our_balance.map(|amount| amount.msat),
        client_balance_msat: balance.client_balance.map(|amount| amount.msat),
        as_proved: balance.as_proved,
    };
    post(context, peer_id, "override", &request)?;
    context.output.progress("The channel goes on when the client accepts this balance.");
    Ok(())
}

/// Says what would be proposed, and asks the person at the terminal.
fn confirm_proved(context: &Context, peer_id: &str, number: u64) -> Result<(), Failure> {
    let client = context.client()?;
    let kept: EvidenceDetails = client.get(&format!("/v1/evidence/{number}"), &[])?;
    let ours: ChannelDetails = client.get(&channel_path(peer_id)?, &[])?;
    // What cannot be used is refused by the daemon, with its reason.
    let Some(state) = &kept.state else { return Ok(()) };
    let plan = render::proved_override(number, state, &ours.channel);
    let is_asked = !context.output.is_json() && io::stdin().is_terminal();
    if is_asked {
        context.output.progress(&format!("{plan}\nType yes to propose that:"));
        let mut answer = String::new();
        let read = io::stdin().lock().take(MAX_ANSWER_TO_QUESTION_BYTES).read_line(&mut answer);
        read.map_err(|error| Failure::io("standard input", &error))?;
        if answer.trim() == "yes" {
            return Ok(());
        }
    }
    let hint =
        format!("to propose it: steward channel override {peer_id} --as-proved {number} --yes");
    Err(Failure::new(Code::NotConfirmed, plan, hint))
}

/// Accepts an override. The number is the confirmation: without it the proposal is only shown.
pub(super) fn accept_override(
    context: &Context,
    peer_id: &str,
    our_balance: Option<Amount>,
) -> Result<(), Failure> {
    let Some(our_balance) = our_balance else {
        let details: ChannelDetails = context.client()?.get(&channel_path(peer_id)?, &[])?;
        return Err(not_confirmed(&details.channel));
    };
    let request = AcceptOverride { our_balance_msat: our_balance.msat };
    post(context, peer_id, "accept-override", &request)
}

pub(super) fn resize(context: &Context, peer_id: &str, capacity: Amount) -> Result<(), Failure> {
    context.output.progress("asking the host for a larger channel...");
    let wait_ms = u64::try_from(MAX_OPENING_WAIT.as_millis()).ok();
    let request = ResizeChannel { capacity_msat: capacity.msat, wait_ms };
    let path = format!("{}/resize", channel_path(peer_id)?);
    let details: ChannelDetails = context.client()?.post_for(&path, &request, MAX_OPENING_WAIT)?;
    let capacity_msat = details.channel.balances.as_ref().map(|balances| balances.capacity_msat);
    if capacity_msat.is_none_or(|capacity_msat| capacity_msat < request.capacity_msat) {
        context.output.progress("The host has not signed yet; the daemon keeps asking.");
    }
    context.output.answer(&details, render::channel_details)
}

pub(super) fn preimage(context: &Context, preimage: String) -> Result<(), Failure> {
    let submitted: SubmittedPreimage =
        context.client()?.post("/v1/preimages", &SubmitPreimage { preimage })?;
    context.output.answer(&submitted, |submitted| {
        format!("used: every HTLC with the payment hash {} is claimed", submitted.payment_hash)
    })
}

fn post(
    context: &Context,
    peer_id: &str,
    what: &str,
    request: &impl Serialize,
) -> Result<(), Failure> {
    let path = format!("{}/{what}", channel_path(peer_id)?);
    let details: ChannelDetails = context.client()?.post(&path, request)?;
    context.output.answer(&details, render::channel_details)
}

fn not_confirmed(channel: &Channel) -> Failure {
    let channel_id = &channel.channel_id;
    let Some(proposed_msat) = channel.override_balance_msat else {
        return Failure::new(
            Code::NoOverride,
            "the host proposes no balance for this channel",
            "the host does so with `steward channel override`, once the channel is suspended",
        );
    };
    let signed = match &channel.balances {
        Some(balances) => Amount::from_msat(balances.local_balance_msat).to_string(),
        None => "nothing".to_owned(),
    };
    Failure::new(
        Code::NotConfirmed,
        format!(
            "the host proposes a balance of {} for us; both signed {signed} before, and that \
             would be replaced for good",
            Amount::from_msat(proposed_msat)
        ),
        format!(
            "to accept it: steward channel accept-override {channel_id} --our-balance {proposed_msat}msat"
        ),
    )
}
