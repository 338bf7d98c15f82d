//! Commands about peers: those that we connect to, and those that become our hosts.

use std::collections::BTreeSet;

use steward_hosted::Channel;
use steward_wire::{LinkId, NodeId, ShortChannelId};

use crate::context::Context;
use crate::face::code::Code;
use crate::face::command::PeerInfo;
use crate::face::error::Error;
use crate::face::row::LocalIdentity;
use crate::link::connections::Connections;
use crate::link::links::Links;
use crate::link::peer_book::{IDENTITIES, PeerKey};
use crate::step::{NewLink, Step};

/// A channel to open with a host, or an opening to resume.
pub(crate) struct Invoke {
    pub(crate) host: NodeId,
    pub(crate) addresses: Vec<String>,
    /// Our key in the channel, for good.
    pub(crate) identity: LocalIdentity,
    pub(crate) secret: Vec<u8>,
}

/// Opens a channel with a host, or resumes the opening.
pub(crate) fn invoke_channel(
    cx: &mut Context,
    links: &Links,
    connections: &mut Connections,
    asked: Invoke,
) -> Result<LinkId, Error> {
    let Invoke { host, addresses, identity, secret } = asked;
    check_other_node(cx, &host)?;
    let signer = cx.towards_host(&host, identity);
    let local = signer.as_ref().map_or(cx.node_id(), |signer| signer.node_id());
    let link = LinkId::hosted(&local, &host);
    if let Some(known) = links.get(&link) {
        if known.is_host() {
            let text = "this node is our client under this key: it has a channel with us already";
            return Err(Error::new(Code::AlreadyOurClient, text));
        }
        connections.keep(cx, (host, identity), addresses);
        return Ok(link);
    }
    if !cx.tip().is_known() {
        return Err(Error::new(Code::ChainUnknown, "the block height is not known yet"));
    }
    let scid = ShortChannelId::of_pair(&local, &host);
    if links.by_scid(scid).is_some() {
        let text = "another channel has the same short channel id";
        return Err(Error::new(Code::ScidCollision, text));
    }
    let refund_scriptpubkey = cx.signer().refund_scriptpubkey(&host, identity);
    let channel = Channel::client(local, host, refund_scriptpubkey, secret);
    cx.push(Step::Open(Box::new(NewLink { channel, local: signer, wanted_script: None })));
    connections.keep(cx, (host, identity), addresses);
    if let Some(conn) = connections.between(host, local) {
        cx.push(Step::Connect(link, conn));
    }
    Ok(link)
}

/// Keeps a connection to a peer.
pub(crate) fn connect(
    cx: &mut Context,
    connections: &mut Connections,
    peer: NodeId,
    addresses: Vec<String>,
) -> Result<(), Error> {
    check_other_node(cx, &peer)?;
    // A host that we know under a key of its own alone is met under that key.
    let is_kept = |identity| connections.book().has(&(peer, identity));
    let identity = match is_kept(LocalIdentity::PerHost) && !is_kept(LocalIdentity::Node) {
        true => LocalIdentity::PerHost,
        false => LocalIdentity::Node,
    };
    connections.keep(cx, (peer, identity), addresses);
    Ok(())
}

/// No longer keeps a connection to a peer.
pub(crate) fn forget_peer(
    cx: &mut Context,
    links: &Links,
    connections: &mut Connections,
    peer: NodeId,
) -> Result<(), Error> {
    let kept: Vec<LocalIdentity> = IDENTITIES
        .into_iter()
        .filter(|identity| connections.book().has(&(peer, *identity)))
        .collect();
    if kept.is_empty() {
        return Err(Error::new(Code::UnknownPeer, "we keep no connection to this node"));
    }
    if links.with_peer(&peer).any(|(_, entry)| !entry.is_host()) {
        return Err(Error::new(Code::PeerIsHost, "this node is our host"));
    }
    for identity in kept {
        let local = cx.local_towards(&peer, identity);
        connections.drop_peer(cx, peer, local);
    }
    Ok(())
}

/// Refuses our own id, and ids that no node can have.
pub(crate) fn check_other_node(cx: &Context, id: &NodeId) -> Result<(), Error> {
    if *id == cx.node_id() {
        return Err(Error::new(Code::OwnNode, "this node is our own"));
    }
    if id.public_key().is_none() {
        return Err(Error::new(Code::NotAPublicKey, "no node can have this id"));
    }
    Ok(())
}

/// Connected and wanted peers.
pub(crate) fn list_peers(cx: &Context, connections: &Connections) -> Vec<PeerInfo> {
    let mut peers: Vec<PeerInfo> = connections.list().collect();
    let key = |info: &PeerInfo| (info.peer, cx.identity_of(&info.local));
    let connected: BTreeSet<PeerKey> = peers.iter().map(key).collect();
    let rows = connections.book().iter();
    let wanted = rows.filter(|row| !connected.contains(&(row.peer, row.identity)));
    peers.extend(wanted.map(|row| PeerInfo {
        peer: row.peer,
        local: cx.local_towards(&row.peer, row.identity),
        connected: false,
        inbound: false,
        addresses: connections.book().addresses_to_try(&(row.peer, row.identity)),
        framing: None,
        supports_hosted_channels: false,
    }));
    peers
}
