//! Table `peer`: the nodes that we keep a connection to.

use steward_engine::row::{PeerRow, Row};
use steward_wire::codec::put_list;
use steward_wire::{DecodeError, Framing, NodeId};

use super::blob::{VERSION, decode, put_text, text};
use super::column::{Columns, Value, values};
use super::{LiveId, Table, Write};
use crate::error::StoreError;

/// The table.
pub(crate) struct Peers;

impl Write for Peers {
    const NAME: &'static str = "peer";
    const PUT: &'static str =
        "INSERT INTO peer (peer, is_host, addresses, framing) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (peer) DO UPDATE SET is_host = excluded.is_host,
             addresses = excluded.addresses, framing = excluded.framing";
    const DELETE: Option<&'static str> = Some("DELETE FROM peer WHERE peer = ?1");
    type Put<'a> = &'a PeerRow;
    type Key = NodeId;

    fn values(row: Self::Put<'_>) -> Vec<Value<'_>> {
        values![
            &row.peer.0,
            row.is_host,
            encode_addresses(&row.addresses),
            row.framing.map(framing_code),
        ]
        .into()
    }

    fn key(peer: Self::Key) -> Vec<Value<'static>> {
        values![peer.0.to_vec()].into()
    }

    fn name(peer: Self::Key) -> String {
        peer.to_string()
    }

    fn live_id(peer: Self::Key) -> Option<LiveId> {
        Some(LiveId::new(6, &peer.0, 0))
    }

    /// Without a framing the bytes are those of version 3, whose sum must still add up.
    fn live_content(row: Self::Put<'_>) -> Option<Vec<u8>> {
        let mut bytes = row.peer.0.to_vec();
        bytes.push(u8::from(row.is_host));
        bytes.extend(encode_addresses(&row.addresses));
        bytes.extend(row.framing.map(framing_code));
        Some(bytes)
    }
}

impl Table for Peers {
    const SELECT: &'static str = "SELECT peer, is_host, addresses, framing FROM peer";
    type Read = PeerRow;

    fn read(c: &mut Columns<'_>) -> Result<PeerRow, StoreError> {
        Ok(PeerRow {
            peer: c.node()?,
            is_host: c.flag()?,
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
/// If it is not one.
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
