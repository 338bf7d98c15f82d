//! Looks at a row before it is stored: its key and content must agree, its numbers must fit.

use steward_engine::row::{ForgottenClient, HtlcKey, RowKey, Write};
use steward_wire::NodeId;
use steward_wire::limits::MAX_MSAT;

use crate::error::StoreError;

/// Names settings that belong to the store itself.
pub(crate) const NETWORK: &str = "network";
pub(crate) const NODE_ID: &str = "node_id";
/// The sum of the live rows (`sqlite::live`).
pub(crate) const LIVE_ROWS: &str = "live_rows";
/// Name of the setting that the engine finds in its snapshot.
pub(crate) const HEIGHT: &str = "height";
/// Setting: blocks up to this height were searched for published preimages.
pub(crate) const SEARCHED_HEIGHT: &str = "searched_height";
/// Setting: clients whose used channels were forgotten, one after the other: id and script hash.
pub(crate) const FORGOTTEN_CLIENTS: &str = "forgotten_clients";

/// Columns are signed: numbers that are compared or added, and the engine's own counters, must
/// stay below this.
const MAX_INTEGER: u64 = MAX_MSAT;

/// Refuses a row that contradicts itself. Whatever gets here was checked before by the engine:
/// a refusal is a bug, and better found before it is on disk.
pub(crate) fn check(key: &RowKey, write: &Write) -> Result<(), StoreError> {
    match problem(key, write) {
        None => Ok(()),
        Some(reason) => Err(StoreError::BadRow { table: table(key), key: key_text(key), reason }),
    }
}

/// The table a row belongs to.
pub(crate) fn table(key: &RowKey) -> &'static str {
    match key {
        RowKey::Channel(_) => "channel",
        RowKey::Origin(_) => "htlc_origin",
        RowKey::Outbox(_) => "outbox",
        RowKey::Preimage(_) => "preimage",
        RowKey::Payment(_) => "payment",
        RowKey::Part(..) => "payment_part",
        RowKey::Invoice(_) | RowKey::InvoiceFailure(_) => "invoice",
        RowKey::Forward(_) => "forward",
        RowKey::Evidence(_) => "evidence",
        RowKey::Event(_) => "event",
        RowKey::Peer(_) => "peer",
        RowKey::Setting(_) => "setting",
    }
}

/// A row's key, for people.
pub(crate) fn key_text(key: &RowKey) -> String {
    match key {
        RowKey::Channel(peer) | RowKey::Peer(peer) => peer.to_string(),
        RowKey::Origin(HtlcKey { peer, id })
        | RowKey::Outbox(HtlcKey { peer, id })
        | RowKey::Forward(HtlcKey { peer, id }) => format!("{peer}, {id}"),
        RowKey::Preimage(hash)
        | RowKey::Payment(hash)
        | RowKey::Invoice(hash)
        | RowKey::InvoiceFailure(hash) => hash.to_string(),
        RowKey::Part(hash, part) => format!("{hash}, {part}"),
        RowKey::Evidence(number) | RowKey::Event(number) => number.to_string(),
        RowKey::Setting(name) => (*name).to_owned(),
    }
}

/// What is in the setting of forgotten clients; `None` if it is something else.
pub(crate) fn forgotten_clients(value: &[u8]) -> Option<Vec<ForgottenClient>> {
    let (clients, rest) = value.as_chunks::<65>();
    let client = |bytes: &[u8; 65]| {
        let (peer, hash) = bytes.split_first_chunk::<33>()?;
        Some(ForgottenClient { peer: NodeId(*peer), refund_script_hash: hash.try_into().ok()? })
    };
    rest.is_empty().then(|| clients.iter().map(client).collect()).flatten()
}

fn problem(key: &RowKey, write: &Write) -> Option<&'static str> {
    const OTHER_KEY: &str = "the row has another key than the write";
    let (same_key, numbers) = match (key, write) {
        (RowKey::Setting(NETWORK | NODE_ID | LIVE_ROWS), _) => {
            return Some("this setting is the store's own");
        }
        (_, Write::Delete) => return None,
        (RowKey::Channel(peer), Write::Channel(row)) => {
            (row.peer == *peer, vec![row.local_balance_msat, row.remote_balance_msat])
        }
        (RowKey::Origin(_), Write::Origin(_)) | (RowKey::Outbox(_), Write::Outbox(_)) => {
            (true, vec![])
        }
        (RowKey::Preimage(hash), Write::Preimage { preimage, learned_ms }) => {
            (preimage.hash() == *hash, vec![*learned_ms])
        }
        (RowKey::Payment(hash), Write::Payment(row)) => (
            row.payment_hash == *hash,
            vec![
                row.amount_msat,
                row.fee_msat,
                row.max_fee_msat,
                row.created_ms,
                row.ended_ms.unwrap_or(0),
            ],
        ),
        (RowKey::Part(hash, part), Write::Part(row)) => {
            (row.payment_hash == *hash && row.part == *part, vec![row.amount_msat, row.fee_msat])
        }
        (RowKey::Invoice(hash), Write::Invoice(row)) => (
            row.payment_hash == *hash,
            vec![
                row.amount_msat.unwrap_or(0),
                row.received_msat,
                row.created_ms,
                row.expires_ms,
                row.paid_ms.unwrap_or(0),
            ],
        ),
        (RowKey::InvoiceFailure(_), Write::InvoiceFailure { .. }) => (true, vec![]),
        (RowKey::Forward(incoming), Write::Forward(row)) => {
            (row.incoming == *incoming, vec![row.amount_in_msat, row.amount_out_msat, row.ended_ms])
        }
        (RowKey::Evidence(number), Write::Evidence(row)) => (true, vec![*number, row.time_ms]),
        (RowKey::Event(number), Write::Event(row)) => {
            (row.number == *number, vec![*number, row.time_ms])
        }
        (RowKey::Peer(peer), Write::Peer(row)) => (row.peer == *peer, vec![]),
        (RowKey::Setting(HEIGHT | SEARCHED_HEIGHT), Write::Setting(value)) if value.len() != 4 => {
            return Some("the height takes four bytes");
        }
        (RowKey::Setting(FORGOTTEN_CLIENTS), Write::Setting(value))
            if forgotten_clients(value).is_none() =>
        {
            return Some("these are no forgotten clients");
        }
        (RowKey::Setting(_), Write::Setting(_)) => (true, vec![]),
        _ => return Some("the write is of another table than its key"),
    };
    if !same_key {
        return Some(OTHER_KEY);
    }
    numbers.iter().any(|number| *number >= MAX_INTEGER).then_some("a number is 2^63 or more")
}
