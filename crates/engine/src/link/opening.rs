//! The conditions under which a peer may open a channel with us (docs/protocol.md sections 3.2 and
//! 9.2).

use bitcoin::hashes::{Hash, sha256};
use steward_hosted::Channel;
use steward_htlc::LinkInput;
use steward_wire::{
    ChannelId, ErrorCode, InvokeHostedChannel, LinkId, Message, NodeId, ShortChannelId, WireError,
};

use crate::context::Context;
use crate::face::io::{ConnId, Level};
use crate::face::limits::{COST_OF_REFUSAL, MAX_FORGOTTEN_CLIENTS};
use crate::face::row::{ForgottenClient, Row};
use crate::link::forgotten::Forgotten;
use crate::link::links::Links;
use crate::link::quotas::{Quotas, network_prefix};
use crate::step::{Invocation, NewLink, Step};

const SCRIPT_TAKEN: &str = "the refund script belongs to another channel of this host";

/// The openings of the last hour and those under way, and the clients never to be admitted again.
pub(crate) struct Openings {
    quotas: Quotas,
    /// Clients whose used channels were forgotten. We signed states for them that would be worth
    /// money again if they were let in.
    forgotten: Forgotten,
}

impl Openings {
    /// As found at start.
    pub(crate) fn resume(forgotten: &[ForgottenClient]) -> Self {
        Self { quotas: Quotas::default(), forgotten: Forgotten::new(forgotten) }
    }

    /// A peer asks for a channel.
    pub(crate) fn invoked(&mut self, cx: &mut Context, links: &Links, asked: Invocation) {
        if links.get(&asked.link).is_some() {
            return self.invoked_again(cx, links, asked);
        }
        let prefix = match self.admit(cx, links, &asked) {
            Ok(prefix) => prefix,
            Err(reason) => return refuse(cx, asked.conn, asked.link, asked.peer, reason),
        };
        let Invocation { conn, link, peer, invoke, .. } = asked;
        let host = &cx.config().host;
        let mut channel = Channel::host(cx.node_id(), peer, host.offer.clone());
        channel.allow_adoption(host.adopt_lost_state.contains(&peer));
        self.quotas.begin(link, prefix);
        let wanted_script = Some(invoke.refund_scriptpubkey.clone());
        cx.push(Step::Open(Box::new(NewLink { channel, local: None, wanted_script })));
        cx.push(Step::Connect(link, conn));
        push_invoke(cx, link, invoke);
    }

    /// A peer asks for the channel that it has, or is opening.
    fn invoked_again(&self, cx: &mut Context, links: &Links, asked: Invocation) {
        let Invocation { conn, link, peer, invoke, .. } = asked;
        let current = links.get(&link).filter(|entry| entry.conn() == Some(conn));
        let Some(entry) = current.filter(|entry| entry.is_host()) else {
            let text = "invoke_hosted_channel from our own host, or on another identity";
            return cx.log(Level::Warn, "unexpected_invoke", peer, text);
        };
        if !entry.is_open() {
            let script = &invoke.refund_scriptpubkey;
            if !links.is_script_free(script) || self.forgotten.has(&peer, script) {
                return refuse(cx, conn, link, peer, SCRIPT_TAKEN);
            }
            cx.push(Step::WantScript(link, script.clone()));
        }
        push_invoke(cx, link, invoke);
    }

    /// Of two openings with one refund script the one that is signed first has it. True if that was
    /// another one, which may have been forgotten since.
    pub(crate) fn is_outrun(&self, links: &Links, link: &LinkId) -> bool {
        links
            .wanted_script(link)
            .is_some_and(|mark| links.has_script(&mark) || self.forgotten.has_script(&mark))
    }

    /// Refuses an opening that lost its refund script to another one.
    pub(crate) fn outrun(&self, cx: &mut Context, conn: ConnId, link: LinkId, peer: NodeId) {
        cx.push(Step::ForgetOpening(link));
        refuse(cx, conn, link, peer, SCRIPT_TAKEN);
    }

    /// An opening ended, with a channel or without.
    pub(crate) fn ended(&mut self, link: &LinkId, is_open: bool) {
        self.quotas.end(link, is_open);
    }

    /// True if one more client can be remembered for good.
    pub(crate) fn can_forget_client(&self) -> bool {
        self.forgotten.len() < MAX_FORGOTTEN_CLIENTS
    }

    /// Never admits this client again.
    pub(crate) fn forget_client(&mut self, cx: &mut Context, client: ForgottenClient) {
        self.forgotten.insert(client);
        cx.put(Row::Setting(self.forgotten.to_setting()));
    }

    /// Checks policy and quotas, cheapest first. Nothing is stored of a refused peer. Returns the
    /// network prefix of an admitted one.
    fn admit(
        &mut self,
        cx: &Context,
        links: &Links,
        asked: &Invocation,
    ) -> Result<String, &'static str> {
        let host = &cx.config().host;
        let Invocation { peer, invoke, .. } = asked;
        if asked.local != cx.node_id() {
            return Err("this identity hosts no channels");
        }
        if *peer == cx.node_id() || peer.public_key().is_none() {
            return Err("this peer cannot have a channel with us");
        }
        if self.forgotten.has(peer, &invoke.refund_scriptpubkey) {
            return Err("this host has forgotten a channel with this id or refund script");
        }
        if !cx.tip().is_known() {
            return Err("this host does not know the chain yet, try later");
        }
        if !host.accept_new_channels {
            return Err("this host opens no new channels");
        }
        if host.require_secret && !is_one_of(&invoke.secret, &host.secrets) {
            // Both sides know which of the two it is: only a person at the client does not.
            return Err(match invoke.secret.is_empty() {
                true => "no secret was sent, and this host asks for one",
                false => "the secret that was sent is not one of this host's",
            });
        }
        if links.len() >= host.max_channels as usize {
            return Err("this host has no room for more channels");
        }
        if links.by_scid(ShortChannelId::of_pair(&cx.node_id(), peer)).is_some() {
            return Err("another channel has the same short channel id");
        }
        // A state names no client, only this script: two channels with one script would make two
        // debts of each state.
        if !links.is_script_free(&invoke.refund_scriptpubkey) {
            return Err(SCRIPT_TAKEN);
        }
        let prefix = network_prefix(&asked.address);
        self.quotas.check(cx.now_ms(), &prefix, host)?;
        Ok(prefix)
    }
}

fn push_invoke(cx: &mut Context, link: LinkId, invoke: InvokeHostedChannel) {
    let message = Message::InvokeHostedChannel(invoke);
    cx.push(Step::Drive(link, Box::new(LinkInput::Message(message))));
}

/// Names the channel that the two of the connection would have. Towards a host that would be ours
/// under a key of its own: the node's id must not show.
fn refuse(cx: &mut Context, conn: ConnId, link: LinkId, peer: NodeId, reason: &'static str) {
    cx.log(Level::Info, "opening_refused", peer, reason);
    let refusal = WireError {
        channel_id: ChannelId(link.0),
        data: ErrorCode::ChannelDenied.to_data(reason),
        tlvs: Vec::new(),
    };
    cx.push(Step::Send(conn, Box::new(Message::Error(refusal))));
    cx.push(Step::Bear(conn, COST_OF_REFUSAL));
}

/// True if `shown` is one of `secrets`, in a time that does not tell which, or how nearly.
fn is_one_of(shown: &[u8], secrets: &[Vec<u8>]) -> bool {
    let digest = |secret: &[u8]| sha256::Hash::hash(secret).to_byte_array();
    let shown = digest(shown);
    secrets.iter().fold(false, |found, secret| {
        let differing = digest(secret).iter().zip(&shown).fold(0u8, |acc, (a, b)| acc | (a ^ b));
        found | (differing == 0)
    })
}
