//! Events in JSON.

use serde::{Deserialize, Serialize};
use steward_engine::event::{self, EventKind as Kind};
use steward_wire::onchain::preimage_scripts;
use steward_wire::{LinkId, NodeId, Preimage};
use utoipa::ToSchema;

use super::channel::{Role, Suspension};

/// An event that an operator or a wallet wants to know of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// The number, which counts up by one: a missing one is an event that is no longer kept.
    pub number: u64,
    /// The time of the event.
    pub time_ms: u64,
    /// The kind of event, with its details.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The kind of event, with its details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// Both sides signed a first state.
    ChannelOpened {
        /// The other side.
        peer_id: String,
        /// The channel; absent if it was told by a version that did not say.
        channel_id: Option<String>,
        /// Our side.
        role: Role,
        /// The amount that the channel holds.
        capacity_msat: u64,
    },
    /// A host refused, or the opening went wrong.
    ChannelOpeningFailed {
        /// The other side.
        peer_id: String,
        /// The channel; absent if it was told by a version that did not say.
        channel_id: Option<String>,
        /// A sentence.
        reason: String,
    },
    /// A channel was suspended: no new payments until a person acts.
    ChannelSuspended {
        /// The other side.
        peer_id: String,
        /// The channel; absent if it was told by a version that did not say.
        channel_id: Option<String>,
        /// The reason, and the side that suspended it.
        suspension: Suspension,
    },
    /// The host proposes a fresh balance; the client must decide.
    OverrideProposed {
        /// The host.
        peer_id: String,
        /// The channel; absent if it was told by a version that did not say.
        channel_id: Option<String>,
        /// The balance that would be ours.
        our_balance_msat: u64,
    },
    /// A suspended channel goes on.
    ChannelOverridden {
        /// The other side.
        peer_id: String,
        /// The channel; absent if it was told by a version that did not say.
        channel_id: Option<String>,
    },
    /// Our operator forgot a channel in which neither side had anything.
    ChannelForgotten {
        /// The other side.
        peer_id: String,
        /// The channel; absent if it was told by a version that did not say.
        channel_id: Option<String>,
        /// Our side.
        role: Role,
    },
    /// The host does not give the capacity we asked for; the request is withdrawn.
    ResizeRefused {
        /// The host.
        peer_id: String,
        /// The channel; absent if it was told by a version that did not say.
        channel_id: Option<String>,
        /// The host's words.
        reason: String,
    },
    /// The capacity changed.
    ChannelResized {
        /// The other side.
        peer_id: String,
        /// The channel; absent if it was told by a version that did not say.
        channel_id: Option<String>,
        /// The amount that the channel holds now.
        capacity_msat: u64,
    },
    /// A payment came in.
    InvoicePaid {
        /// The payment hash.
        payment_hash: String,
        /// The amount that came in.
        received_msat: u64,
    },
    /// A payment went out.
    PaymentSent {
        /// The payment hash.
        payment_hash: String,
        /// The proof of payment.
        preimage: String,
        /// The amount that the payee got.
        amount_msat: u64,
        /// The fees on top.
        fee_msat: u64,
    },
    /// A payment ended without effect.
    PaymentFailed {
        /// The payment hash.
        payment_hash: String,
        /// The code of the reason: stable, snake_case.
        code: String,
        /// A sentence that says why.
        message: String,
    },
    /// The preimage of an incoming HTLC was shown, its expiry comes close, and the peer has not
    /// signed: publish it on chain.
    PreimageAtRisk {
        /// The other side.
        peer_id: String,
        /// The channel; absent if it was told by a version that did not say.
        channel_id: Option<String>,
        /// The preimage, 64 hexadecimal digits. Old events lack it.
        preimage: Option<String>,
        /// The output script that publishes it, with any value, in hexadecimal digits.
        script_pubkey: Option<String>,
        /// The block height at which the HTLC expires.
        cltv_expiry: u32,
    },
    /// The machine's wall clock was set, or the machine was stopped without counting it.
    ClockJumped {
        /// The size of the jump; negative: back.
        by_ms: i64,
    },
}

impl EventKind {
    /// The name, as in `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ChannelOpened { .. } => "channel_opened",
            Self::ChannelOpeningFailed { .. } => "channel_opening_failed",
            Self::ChannelSuspended { .. } => "channel_suspended",
            Self::OverrideProposed { .. } => "override_proposed",
            Self::ChannelOverridden { .. } => "channel_overridden",
            Self::ChannelForgotten { .. } => "channel_forgotten",
            Self::ResizeRefused { .. } => "resize_refused",
            Self::ChannelResized { .. } => "channel_resized",
            Self::InvoicePaid { .. } => "invoice_paid",
            Self::PaymentSent { .. } => "payment_sent",
            Self::PaymentFailed { .. } => "payment_failed",
            Self::PreimageAtRisk { .. } => "preimage_at_risk",
            Self::ClockJumped { .. } => "clock_jumped",
        }
    }
}

impl From<&event::Event> for Event {
    fn from(event: &event::Event) -> Self {
        Self { number: event.number, time_ms: event.time_ms, kind: EventKind::from(&event.kind) }
    }
}

impl From<&Kind> for EventKind {
    fn from(kind: &Kind) -> Self {
        match kind {
            Kind::ChannelOpened { peer, link, role, capacity_msat } => Self::ChannelOpened {
                peer_id: peer.to_string(),
                channel_id: name(link),
                role: (*role).into(),
                capacity_msat: *capacity_msat,
            },
            Kind::ChannelOpeningFailed { peer, link, reason } => Self::ChannelOpeningFailed {
                peer_id: peer.to_string(),
                channel_id: name(link),
                reason: reason.clone(),
            },
            Kind::ChannelSuspended { peer, link, suspension } => Self::ChannelSuspended {
                peer_id: peer.to_string(),
                channel_id: name(link),
                suspension: suspension.into(),
            },
            Kind::OverrideProposed { peer, link, our_balance_msat } => Self::OverrideProposed {
                peer_id: peer.to_string(),
                channel_id: name(link),
                our_balance_msat: *our_balance_msat,
            },
            Kind::ChannelOverridden { peer, link } => {
                Self::ChannelOverridden { peer_id: peer.to_string(), channel_id: name(link) }
            }
            Kind::ChannelForgotten { peer, link, role } => Self::ChannelForgotten {
                peer_id: peer.to_string(),
                channel_id: name(link),
                role: (*role).into(),
            },
            Kind::ResizeRefused { peer, link, reason } => Self::ResizeRefused {
                peer_id: peer.to_string(),
                channel_id: name(link),
                reason: reason.clone(),
            },
            Kind::ChannelResized { peer, link, capacity_msat } => Self::ChannelResized {
                peer_id: peer.to_string(),
                channel_id: name(link),
                capacity_msat: *capacity_msat,
            },
            Kind::InvoicePaid { payment_hash, received_msat } => Self::InvoicePaid {
                payment_hash: payment_hash.to_string(),
                received_msat: *received_msat,
            },
            Kind::PaymentSent { payment_hash, preimage, amount_msat, fee_msat } => {
                Self::PaymentSent {
                    payment_hash: payment_hash.to_string(),
                    preimage: preimage.to_string(),
                    amount_msat: *amount_msat,
                    fee_msat: *fee_msat,
                }
            }
            Kind::PaymentFailed { payment_hash, code, message } => Self::PaymentFailed {
                payment_hash: payment_hash.to_string(),
                code: code.clone(),
                message: message.clone(),
            },
            Kind::PreimageAtRisk { peer, link, preimage, cltv_expiry } => {
                preimage_at_risk(peer, name(link), preimage.as_ref(), *cltv_expiry)
            }
            Kind::ClockJumped { by_ms } => Self::ClockJumped { by_ms: *by_ms },
        }
    }
}

fn preimage_at_risk(
    peer: &NodeId,
    channel_id: Option<String>,
    preimage: Option<&Preimage>,
    cltv_expiry: u32,
) -> EventKind {
    let scripts = preimage.map(|preimage| preimage_scripts(&[*preimage])).unwrap_or_default();
    EventKind::PreimageAtRisk {
        peer_id: peer.to_string(),
        channel_id,
        preimage: preimage.map(ToString::to_string),
        script_pubkey: scripts.first().map(|script| script.to_hex_string()),
        cltv_expiry,
    }
}

fn name(link: &Option<LinkId>) -> Option<String> {
    link.map(|link| link.to_string())
}
