//! Looks at a row before it is stored: its numbers must fit.

use steward_engine::row::{ForgottenClient, HtlcKey, Row, RowKey};
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

/// Refuses a row that does not fit. Whatever gets here was checked before by the engine: a refusal
/// is a bug, and better found before it is on disk.
pub(crate) fn check(key: &RowKey, row: Option<&Row>) -> Result<(), StoreError> {
    match problem(key, row) {
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

fn problem(key: &RowKey, row: Option<&Row>) -> Option<&'static str> {
    if matches!(key, RowKey::Setting(NETWORK | NODE_ID | LIVE_ROWS)) {
        return Some("this setting is the store's own");
    }
    let numbers = match row? {
        Row::Channel(row) => vec![row.local_balance_msat, row.remote_balance_msat],
        Row::Preimage { learned_ms, .. } => vec![*learned_ms],
        Row::Payment(row) => vec![
            row.amount_msat,
            row.fee_msat,
            row.max_fee_msat,
            row.created_ms,
            row.ended_ms.unwrap_or(0),
        ],
        Row::Part(row) => vec![row.amount_msat, row.fee_msat],
        Row::Invoice(row) => vec![
            row.amount_msat.unwrap_or(0),
            row.received_msat,
            row.created_ms,
            row.expires_ms,
            row.paid_ms.unwrap_or(0),
        ],
        Row::Forward(row) => vec![row.amount_in_msat, row.amount_out_msat, row.ended_ms],
        Row::Evidence(number, row) => vec![*number, row.time_ms],
        Row::Event(row) => vec![row.number, row.time_ms],
        Row::Setting(HEIGHT | SEARCHED_HEIGHT, value) if value.len() != 4 => {
            return Some("the height takes four bytes");
        }
        Row::Setting(FORGOTTEN_CLIENTS, value) if forgotten_clients(value).is_none() => {
            return Some("these are no forgotten clients");
        }
        Row::Origin(..)
        | Row::Outbox(..)
        | Row::InvoiceFailure { .. }
        | Row::Peer(_)
        | Row::Setting(..) => vec![],
    };
    numbers.iter().any(|number| *number >= MAX_INTEGER).then_some("a number is 2^63 or more")
}
