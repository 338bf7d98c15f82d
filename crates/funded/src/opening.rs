//! From `open_channel` to `funding_signed`, as the side that does not fund (BOLT 2, "Channel
//! Establishment v1").

use bitcoin::OutPoint;
use bitcoin::secp256k1::PublicKey;
use steward_wire::{
    AcceptChannel, CHANNEL_FLAG_ANNOUNCE, ChannelId, ChannelMessage, FundingCreated, FundingSigned,
    NodeId, OpenChannel, WireError,
};

use crate::bolt3::{Basepoints, Contents, Format, Parameters, Shachain, Side, SideTerms};
use crate::io::{Env, Output};
use crate::ledger::{Ledger, View};
use crate::limits::{
    MAX_ACCEPTED_HTLCS, MAX_DUST_LIMIT_SAT, MAX_FEERATE_PER_KW, MAX_FUNDING_SAT,
    MAX_TO_SELF_DELAY_BLOCKS, MIN_ACCEPTED_HTLCS, MIN_DUST_LIMIT_SAT, MIN_FEERATE_PER_KW,
};
use crate::live::{Funding, Live, LocalCommitment, RemoteCommitments, Shutdown};
use crate::rows;
use crate::shutdown::is_allowed_script;

/// `option_static_remotekey` and `option_anchors`, both even: the one type of channel we accept.
pub const CHANNEL_TYPE: [u8; 3] = [0x40, 0x10, 0x00];

/// The terms on which we accept a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptTerms {
    /// The smallest channel, in satoshi.
    pub min_funding_sat: u64,
    /// The largest channel, in satoshi.
    pub max_funding_sat: u64,
    /// Our dust limit, in satoshi.
    pub dust_limit_sat: u64,
    /// The delay that we put on the peer's own outputs, in blocks: our time to punish.
    pub to_self_delay: u16,
    /// The most HTLCs that the peer may have in flight.
    pub max_accepted_htlcs: u16,
    /// The smallest HTLC that we accept, in millisatoshi.
    pub htlc_minimum_msat: u64,
    /// The confirmations after which we use the channel; at least one.
    pub minimum_depth: u32,
    /// The script of ours to which a cooperative close pays.
    pub shutdown_script: Vec<u8>,
    /// Tells whether the channel may be announced.
    pub may_announce: bool,
}

/// The reason why an offer is refused: a sentence for the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub &'static str);

/// An accepted offer whose funding output is not known. It ends with the connection, and nothing of
/// it is durable.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) peer: NodeId,
    pub(crate) temporary_id: ChannelId,
    keys_id: u64,
    funding_sat: u64,
    push_msat: u64,
    feerate_per_kw: u32,
    local: SideTerms,
    remote: SideTerms,
    first_point: PublicKey,
    is_announced: bool,
    minimum_depth: u32,
}

impl Opening {
    /// Accepts an offer, or says why not.
    pub(crate) fn accept(
        env: &Env<'_>,
        terms: &AcceptTerms,
        peer: NodeId,
        keys_id: u64,
        offer: &OpenChannel,
    ) -> Result<(Self, AcceptChannel), Refusal> {
        steward_wire::invariant!(
            is_allowed_script(&terms.shutdown_script),
            "a close must be able to pay to our own script"
        );
        let (remote, first_point) = check_offer(env, terms, offer)?;
        let basepoints = env.signer.basepoints();
        let reserve_sat = (offer.funding_sat / 100)
            .max(1_000)
            .max(terms.dust_limit_sat)
            .max(offer.dust_limit_sat);
        let local = SideTerms {
            basepoints,
            dust_limit_sat: terms.dust_limit_sat,
            to_self_delay: terms.to_self_delay,
            max_in_flight_msat: offer.funding_sat.saturating_mul(1_000),
            max_accepted_htlcs: terms.max_accepted_htlcs.min(MAX_ACCEPTED_HTLCS),
            htlc_minimum_msat: terms.htlc_minimum_msat,
            reserve_sat,
            shutdown_script: terms.shutdown_script.clone(),
        };
        let point = env.signer.point(0).map_err(|_| Refusal("our signer does not answer"))?;
        let minimum_depth = terms.minimum_depth.max(1);
        let opening = Self {
            peer,
            temporary_id: offer.temporary_channel_id,
            keys_id,
            funding_sat: offer.funding_sat,
            push_msat: offer.push_msat,
            feerate_per_kw: offer.feerate_per_kw,
            remote,
            first_point,
            is_announced: offer.channel_flags & CHANNEL_FLAG_ANNOUNCE != 0,
            minimum_depth,
            local,
        };
        opening.check_balances()?;
        let accept = opening.accept_message(point);
        Ok((opening, accept))
    }

    fn accept_message(&self, point: PublicKey) -> AcceptChannel {
        let local = &self.local;
        AcceptChannel {
            temporary_channel_id: self.temporary_id,
            dust_limit_sat: local.dust_limit_sat,
            max_htlc_value_in_flight_msat: local.max_in_flight_msat,
            channel_reserve_sat: local.reserve_sat,
            htlc_minimum_msat: local.htlc_minimum_msat,
            minimum_depth: self.minimum_depth,
            to_self_delay: local.to_self_delay,
            max_accepted_htlcs: local.max_accepted_htlcs,
            funding_pubkey: local.basepoints.funding.into(),
            revocation_basepoint: local.basepoints.revocation.into(),
            payment_basepoint: local.basepoints.payment.into(),
            delayed_payment_basepoint: local.basepoints.delayed_payment.into(),
            htlc_basepoint: local.basepoints.htlc.into(),
            first_per_commitment_point: point.into(),
            tlvs: OpenChannel::tlvs(&local.shutdown_script, &CHANNEL_TYPE),
        }
    }

    fn ledger(&self) -> Option<Ledger> {
        let capacity_msat = self.funding_sat.checked_mul(1_000)?;
        let remote_msat = capacity_msat.checked_sub(self.push_msat)?;
        Some(Ledger::new(self.push_msat, remote_msat, self.feerate_per_kw))
    }

    fn check_balances(&self) -> Result<(), Refusal> {
        let ledger = self.ledger().ok_or(Refusal("push_msat exceeds the funding"))?;
        let Contents { local_msat, remote_msat, .. } = ledger.contents(View::LocalCurrent);
        let format = Format::Anchors;
        let fee_sat = format.commitment_fee_sat(self.feerate_per_kw, 0);
        let cost_msat = fee_sat.saturating_add(format.anchors_sat()).saturating_mul(1_000);
        if remote_msat < cost_msat {
            return Err(Refusal("the funder cannot pay for the first commitment"));
        }
        let is_below =
            |balance_msat: u64, reserve_sat: u64| balance_msat <= reserve_sat.saturating_mul(1_000);
        if is_below(local_msat, self.remote.reserve_sat)
            && is_below(remote_msat.saturating_sub(cost_msat), self.local.reserve_sat)
        {
            return Err(Refusal("both balances are below the reserve"));
        }
        Ok(())
    }

    /// The peer has made the funding transaction: checks its signature and signs the peer's first
    /// commitment. From here on the channel is remembered.
    pub(crate) fn on_funding_created(
        &self,
        env: &Env<'_>,
        message: &FundingCreated,
    ) -> Result<(Box<Live>, Vec<Output>), &'static str> {
        let parameters = self.parameters(message);
        let Some(ledger) = self.ledger() else {
            steward_wire::impossible!("the balances were checked when the offer was accepted");
            return Err("the balances do not fit the funding");
        };
        let live = Box::new(Live {
            peer: self.peer,
            keys_id: self.keys_id,
            parameters,
            is_announced: self.is_announced,
            minimum_depth: self.minimum_depth,
            opened_height: env.height,
            ledger,
            local: LocalCommitment {
                number: 0,
                signature: message.signature,
                htlc_signatures: Vec::new(),
            },
            remote: RemoteCommitments {
                number: 0,
                point: self.first_point,
                next_point: None,
                pending: None,
                secrets: Shachain::default(),
            },
            funding: Funding::default(),
            peer_policy: None,
            shutdown: Shutdown::default(),
            closing: None,
            is_unproven: false,
        });
        let contents = live.contents(View::LocalCurrent);
        let point = env.signer.point(0).map_err(|_| "our signer does not answer")?;
        live.commitment(Side::Local, 0, point, &contents)
            .build()
            .verify(&live.parameters, Side::Local, &message.signature, &[])
            .map_err(|_| "funding_created has a wrong signature")?;
        let theirs = live.contents(View::RemoteCurrent);
        let built = live.remote_current(&theirs).build();
        let (signature, _) = env
            .signer
            .sign_commitment(&live.parameters, &built)
            .map_err(|_| "our signer does not answer")?;
        let row = rows::archive_row(&self.first_point, &built, &theirs);
        let signed =
            FundingSigned { channel_id: live.parameters.channel_id(), signature, tlvs: Vec::new() };
        let out = vec![
            Output::Archive { number: 0, row },
            Output::Watch {
                outpoint: live.parameters.funding,
                script: live.parameters.funding_script(),
            },
            Output::Send(ChannelMessage::FundingSigned(signed)),
            Output::Link(steward_htlc::LinkEvent::Changed),
        ];
        Ok((live, out))
    }

    fn parameters(&self, message: &FundingCreated) -> Parameters {
        Parameters {
            format: Format::Anchors,
            funding: OutPoint {
                txid: message.funding_txid,
                vout: u32::from(message.funding_output_index),
            },
            funding_sat: self.funding_sat,
            funder: Side::Remote,
            local: self.local.clone(),
            remote: self.remote.clone(),
        }
    }

    pub(crate) fn error(&self, text: &str) -> ChannelMessage {
        ChannelMessage::Error(WireError {
            channel_id: self.temporary_id,
            data: text.as_bytes().to_vec(),
            tlvs: Vec::new(),
        })
    }
}

/// Checks what an offer says, and returns the funder's terms and first point.
fn check_offer(
    env: &Env<'_>,
    terms: &AcceptTerms,
    offer: &OpenChannel,
) -> Result<(SideTerms, PublicKey), Refusal> {
    let refuse = |is_wrong: bool, why: &'static str| {
        if is_wrong { Err(Refusal(why)) } else { Ok(()) }
    };
    refuse(offer.chain_hash != *env.chain_hash, "the channel is for another chain")?;
    let channel_type = offer.channel_type();
    refuse(
        channel_type != Some(&CHANNEL_TYPE[..]),
        "only channels of type anchors and static_remotekey are accepted",
    )?;
    let funding_sat = offer.funding_sat;
    refuse(funding_sat > MAX_FUNDING_SAT, "the funding is more than there is")?;
    refuse(funding_sat < terms.min_funding_sat, "the funding is too small")?;
    refuse(funding_sat > terms.max_funding_sat, "the funding is too large")?;
    refuse(offer.to_self_delay > MAX_TO_SELF_DELAY_BLOCKS, "to_self_delay is too long")?;
    let dust = offer.dust_limit_sat;
    refuse(dust < MIN_DUST_LIMIT_SAT, "dust_limit_satoshis is too small")?;
    refuse(dust > MAX_DUST_LIMIT_SAT, "dust_limit_satoshis is too large")?;
    let accepted = offer.max_accepted_htlcs;
    let accepts = (MIN_ACCEPTED_HTLCS..=MAX_ACCEPTED_HTLCS).contains(&accepted);
    refuse(!accepts, "max_accepted_htlcs is out of range")?;
    refuse(offer.feerate_per_kw < MIN_FEERATE_PER_KW, "feerate_per_kw is too low")?;
    refuse(offer.feerate_per_kw > MAX_FEERATE_PER_KW, "feerate_per_kw is too high")?;
    refuse(offer.channel_reserve_sat > funding_sat / 5, "channel_reserve_satoshis is too large")?;
    let reserve = offer.channel_reserve_sat;
    refuse(reserve < terms.dust_limit_sat, "channel_reserve_satoshis is below our dust limit")?;
    let in_flight = offer.max_htlc_value_in_flight_msat;
    refuse(in_flight < offer.htlc_minimum_msat, "no HTLC would fit the limits")?;
    let least = offer.htlc_minimum_msat;
    refuse(least >= funding_sat.saturating_mul(1_000), "htlc_minimum_msat is too large")?;
    let is_public = offer.channel_flags & CHANNEL_FLAG_ANNOUNCE != 0;
    refuse(is_public && !terms.may_announce, "we do not announce channels")?;
    let shutdown_script = offer.upfront_shutdown_script().unwrap_or_default().to_vec();
    let has_bad_script = !shutdown_script.is_empty() && !is_allowed_script(&shutdown_script);
    refuse(has_bad_script, "upfront_shutdown_script is not allowed")?;
    let key = |point: steward_wire::Point| {
        point.public_key().ok_or(Refusal("a key is not a valid point"))
    };
    let basepoints = Basepoints {
        funding: key(offer.funding_pubkey)?,
        revocation: key(offer.revocation_basepoint)?,
        payment: key(offer.payment_basepoint)?,
        delayed_payment: key(offer.delayed_payment_basepoint)?,
        htlc: key(offer.htlc_basepoint)?,
    };
    let remote = SideTerms {
        basepoints,
        dust_limit_sat: dust,
        to_self_delay: offer.to_self_delay,
        max_in_flight_msat: offer.max_htlc_value_in_flight_msat,
        max_accepted_htlcs: accepted,
        htlc_minimum_msat: offer.htlc_minimum_msat,
        reserve_sat: reserve,
        shutdown_script,
    };
    Ok((remote, key(offer.first_per_commitment_point)?))
}
