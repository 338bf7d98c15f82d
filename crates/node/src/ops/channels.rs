//! Channels: the operations that list, show and open them, and an operator's decisions about one.

use steward_engine::command::{ChannelInfo, ChannelRef};
use steward_engine::limits::MAX_CHANNELS_PER_PAGE;
use steward_engine::row::LocalIdentity;
use steward_engine::{Code, Error, EventKind};
use steward_hosted::Phase;
use steward_p2p::PeerAddress;
use steward_wire::{ErrorCode, ErrorText, NodeId, Preimage};

use super::ask;
use super::operations::Operations;
use super::wait::Wait;

impl Operations {
    /// Lists all channels, in the order of their ids. The engine is asked for a page at a time, and
    /// does other work between: each channel is shown as it stood when its page was asked for.
    ///
    /// # Errors
    /// Fails as [`super::plumbing::Plumbing::command`].
    pub async fn channels(&self) -> Result<Vec<ChannelInfo>, Error> {
        let mut channels = Vec::new();
        loop {
            let after = channels.last().map(|last: &ChannelInfo| last.link);
            let page = self.ask(ask::list_channels(after)).await?;
            let is_last = page.len() < MAX_CHANNELS_PER_PAGE;
            channels.extend(page);
            if is_last {
                return Ok(channels);
            }
        }
    }

    /// Returns one channel, with the state both sides signed.
    ///
    /// # Errors
    /// `unknown_channel`, or as [`super::plumbing::Plumbing::command`].
    pub async fn channel(&self, channel: impl Into<ChannelRef>) -> Result<Box<ChannelInfo>, Error> {
        self.ask(ask::show_channel(channel.into())).await
    }

    /// Opens a hosted channel with a host, as client, or resumes the opening, and waits until both
    /// have signed. Returns the channel as it stands: opening, if the time was too short. `identity`
    /// is our key in the channel, for good.
    ///
    /// # Errors
    /// `opening_failed` with the host's reason; as [`super::plumbing::Plumbing::reach`], and nothing
    /// is left behind; or as [`super::plumbing::Plumbing::command`].
    pub async fn open_channel(
        &self,
        host: NodeId,
        address: PeerAddress,
        identity: LocalIdentity,
        secret: Vec<u8>,
        wait: impl Into<Wait>,
    ) -> Result<Box<ChannelInfo>, Error> {
        let wait = wait.into();
        let has_secret = !secret.is_empty();
        let mut events = self.subscribe();
        let invoke = ask::invoke_channel(host, &address, identity, secret);
        let info = self.reach_and_ask((host, &address), identity, invoke).await?;
        if info.phase != Phase::Opening || wait.is_zero() {
            return Ok(info);
        }
        let this = Some(info.link);
        let outcome = wait.event(&mut events, |kind| match kind {
            EventKind::ChannelOpened { link, .. } if *link == this => Some(Ok(())),
            EventKind::ChannelOpeningFailed { link, reason, .. } if *link == this => {
                Some(Err(opening_failed(reason, has_secret)))
            }
            _ => None,
        });
        outcome.await.transpose()?;
        self.channel(info.link).await
    }

    /// Asks our host for a larger capacity, as client, and waits until it has signed. Returns the
    /// channel as it stands: with its old capacity if the host has not answered in time, or is
    /// away; it is asked when it is back.
    ///
    /// # Errors
    /// `resize_refused`, `resize_failed` if the channel was suspended instead, or as
    /// [`super::plumbing::Plumbing::command`].
    pub async fn resize(
        &self,
        channel: impl Into<ChannelRef>,
        new_capacity_sat: u64,
        wait: impl Into<Wait>,
    ) -> Result<Box<ChannelInfo>, Error> {
        let wait = wait.into();
        let mut events = self.subscribe();
        let info = self.ask(ask::resize_channel(channel.into(), new_capacity_sat)).await?;
        if info.phase != Phase::Active || wait.is_zero() {
            return Ok(info);
        }
        let this = Some(info.link);
        let outcome = wait.event(&mut events, |kind| match kind {
            EventKind::ChannelResized { link, .. } if *link == this => Some(Ok(())),
            EventKind::ResizeRefused { link, reason, .. } if *link == this => {
                let text = format!("the host refused: {reason}");
                Some(Err(Error::new(Code::ResizeRefused, text)))
            }
            EventKind::ChannelSuspended { link, suspension, .. } if *link == this => {
                let text = format!("the channel was suspended instead: {}", suspension.text);
                Some(Err(Error::new(Code::ResizeFailed, text)))
            }
            _ => None,
        });
        outcome.await.transpose()?;
        self.channel(info.link).await
    }

    /// Suspends a channel, for both sides: no new HTLCs until an override.
    ///
    /// # Errors
    /// `unknown_channel`, or as [`super::plumbing::Plumbing::command`].
    pub async fn suspend(&self, channel: impl Into<ChannelRef>) -> Result<Box<ChannelInfo>, Error> {
        self.ask(ask::suspend_channel(channel.into())).await
    }

    /// Proposes a fresh state for a suspended channel, as host: this balance is ours, the rest is
    /// the client's, and nothing is in flight.
    ///
    /// # Errors
    /// Fails with the reason why the engine does not propose it, or as
    /// [`super::plumbing::Plumbing::command`].
    pub async fn propose_override(
        &self,
        channel: impl Into<ChannelRef>,
        balance: OverrideBalance,
    ) -> Result<Box<ChannelInfo>, Error> {
        let channel = channel.into();
        let our_balance_msat = match balance {
            OverrideBalance::Ours(our_balance_msat) => our_balance_msat,
            OverrideBalance::Clients(client_balance_msat) => {
                self.rest_of_capacity_msat(channel, client_balance_msat).await?
            }
            OverrideBalance::AsProvedBy(evidence) => {
                self.proved_balance_msat(channel, evidence).await?
            }
        };
        self.ask(ask::propose_override(channel, our_balance_msat)).await
    }

    /// Accepts the fresh state that our host proposes for a suspended channel, as client, if it
    /// gives us this balance.
    ///
    /// # Errors
    /// `override_differs` and others, or as [`super::plumbing::Plumbing::command`].
    pub async fn accept_override(
        &self,
        channel: impl Into<ChannelRef>,
        our_balance_msat: u64,
    ) -> Result<Box<ChannelInfo>, Error> {
        self.ask(ask::accept_override(channel.into(), our_balance_msat)).await
    }

    /// Forgets a channel in which neither side has a balance.
    ///
    /// # Errors
    /// Fails with the reason why it is kept, or as [`super::plumbing::Plumbing::command`].
    pub async fn forget_channel(&self, channel: impl Into<ChannelRef>) -> Result<(), Error> {
        self.ask(ask::forget_channel(channel.into())).await
    }

    /// Hands in a preimage that was learned elsewhere. It fulfills the HTLCs that wait for it.
    ///
    /// # Errors
    /// Fails as [`super::plumbing::Plumbing::command`].
    pub async fn submit_preimage(&self, preimage: Preimage) -> Result<(), Error> {
        self.ask(ask::submit_preimage(preimage)).await
    }

    async fn rest_of_capacity_msat(&self, channel: ChannelRef, msat: u64) -> Result<u64, Error> {
        let channel = self.channel(channel).await?;
        let capacity_msat = channel.summary.as_ref().map(|summary| summary.capacity_msat);
        let capacity_msat = capacity_msat.ok_or_else(|| {
            Error::new(Code::ChannelNotOpen, "the channel has no signed state yet")
        })?;
        capacity_msat.checked_sub(msat).ok_or_else(|| {
            Error::new(Code::BalanceTooHigh, "the balance is more than the channel holds")
        })
    }
}

/// The balance that an override gives, as an operator states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverrideBalance {
    /// Our balance, in millisatoshi.
    Ours(u64),
    /// The client's balance, in millisatoshi.
    Clients(u64),
    /// The balance that the evidence of this number proves.
    AsProvedBy(u64),
}

fn opening_failed(reason: &str, has_secret: bool) -> Error {
    let said = ErrorText::parse(reason.as_bytes());
    let is_bare = said.code == Some(ErrorCode::ChannelDenied) && !said.text.trim().contains(' ');
    // Hosts that are not Steward's say no more than "channel denied" to a secret they do not like.
    let may_be_the_secret = reason.to_ascii_lowercase().contains("secret") || is_bare;
    let hint = if reason.contains("block day") {
        // Code 0001: the heights of the two sides are days apart.
        "the two sides see other block heights: look with the doctor at our own clock and \
         chain source; if they are right, the host's are not"
    } else if may_be_the_secret && has_secret {
        "the secret sent was not accepted: ask the host for the right one, and name it again (`secret`; \
         on the command line --secret-file FILE, or --secret)"
    } else if may_be_the_secret {
        "no secret was sent: ask the host for one, and name it (`secret`; on the command line \
         --secret-file FILE, or --secret)"
    } else if reason.contains("has forgotten") {
        "a host never lets a client in again whose channel it has forgotten: use another host, or a \
         wallet with another seed"
    } else {
        ""
    };
    let message = format!("the channel was not opened: {reason}");
    Error::new(Code::OpeningFailed, message).hint(hint)
}
