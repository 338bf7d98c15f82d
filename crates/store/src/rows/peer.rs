//! Table `peer`: the nodes that we keep a connection to.

use steward_engine::row::{LocalIdentity, PeerRow, Row};
use steward_wire::codec::put_list;
use steward_wire::{DecodeError, Framing, NodeId};

use super::blob::{VERSION, decode, put_text, text};
use super::channel::{identity, identity_code};
use super::column::{Columns, Value, values};
use super::{LiveId, Table, Write};
use crate::error::StoreError;

/// The table `peer`.
pub(crate) struct Peers;

impl Write for Peers {
    const NAME: &'static str = "peer";
    const PUT: &'static str =
        "INSERT INTO peer (peer, identity, addresses, framing) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (peer, identity) DO UPDATE SET
             addresses = excluded.addresses, framing = excluded.framing";
    const DELETE: Option<&'static str> = Some("DELETE FROM peer WHERE peer = ?1 AND identity = ?2");
    type Put<'a> = &'a PeerRow;
    type Key = (NodeId, LocalIdentity);

    fn values(row: Self::Put<'_>) -> Vec<Value<'_>> {
        values![
            &row.peer.0,
            identity_code(row.identity),
            encode_addresses(&row.addresses),
            row.framing.map(framing_code),
        ]
        .into()
    }

    fn key((peer, identity): Self::Key) -> Vec<Value<'static>> {
        values![peer.0.to_vec(), identity_code(identity)].into()
    }

    fn name((peer, identity): Self::Key) -> String {
        format!("{peer}, {identity:?}")
    }

    fn live_id((peer, identity): Self::Key) -> Option<LiveId> {
        Some(LiveId::new(6, &peer.0, u64::from(identity_code(identity))))
    }

    fn live_content(row: Self::Put<'_>) -> Option<Vec<u8>> {
        let mut bytes = row.peer.0.to_vec();
        bytes.push(identity_code(row.identity));
        bytes.extend(encode_addresses(&row.addresses));
        bytes.extend(row.framing.map(framing_code));
        Some(bytes)
    }
}

impl Table for Peers {
    const SELECT: &'static str = "SELECT peer, identity, addresses, framing FROM peer";
    type Read = PeerRow;

    fn read(c: &mut Columns<'_>) -> Result<PeerRow, StoreError> {
        Ok(PeerRow {
            peer: c.node()?,
            identity: c.code(identity)?,
            addresses: c.blob(decode_addresses)?,
            framing: c.optional_code(framing)?,
        })
    }

    fn whole(row: PeerRow) -> Option<Row> {
        Some(Row::Peer(row))
    }
}

/// Writes the blob of a list of addresses.
pub fn encode_addresses(addresses: &[String]) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_list(&mut out, addresses, |address, out| put_text(out, address));
    out
}

/// Reads [`encode_addresses`]'s blob.
///
/// # Errors
/// Fails if it is not one.
pub fn decode_addresses(blob: &[u8]) -> Result<Vec<String>, DecodeError> {
    decode(blob, |reader| reader.list(1, text))
}

fn framing_code(framing: Framing) -> u8 {
    match framing {
        Framing::Modern => 1,
        Framing::Legacy => 2,
    }
}

/// Reads [`framing_code`].
fn framing(code: i64) -> Option<Framing> {
    match code {
        1 => Some(Framing::Modern),
        2 => Some(Framing::Legacy),
        _ => None,
    }
}
