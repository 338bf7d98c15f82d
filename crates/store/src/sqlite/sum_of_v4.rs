//! The sum of the live rows as versions 3 and 4 kept it. Their rows are checked before they become
//! rows of version 5: a database that a copy tore apart must not be made to fit. Never changes.

use bitcoin::hashes::siphash24;
use rusqlite::{Connection, Row};
use steward_wire::codec::put_var_bigsize;

use super::own::own;
use crate::error::StoreError;
use crate::rows::setting::LIVE_ROWS;

/// The tables that were live, in the columns that their marks were made of. The first letter of each
/// column says how it went in: `f` as it is, `v` behind its length, `n` as 8 bytes, `s` as 4, `b` as
/// one, and nothing at all if it was null.
const LIVE: &[(u8, &str)] = &[
    (
        1,
        "SELECT peer AS f, role AS b, phase AS b, short_channel_id AS n, local_balance_msat AS n,
             remote_balance_msat AS n, record AS f FROM channel",
    ),
    (2, "SELECT peer AS f, htlc_id AS n, origin AS f FROM htlc_origin"),
    (3, "SELECT peer AS f, htlc_id AS n, settlement AS f FROM outbox"),
    (
        4,
        "SELECT payment_hash AS f, destination AS f, amount_msat AS n, fee_msat AS n,
             max_fee_msat AS n, created_ms AS n, bolt11 AS v, coalesce(failure_code, '') AS v
         FROM payment WHERE status = 1",
    ),
    (
        5,
        "SELECT payment_hash AS f, part AS s, peer AS f, amount_msat AS n, fee_msat AS n,
             session_key AS f, path AS f FROM payment_part WHERE status = 1",
    ),
    (6, "SELECT peer AS f, is_host AS b, addresses AS f, framing AS b FROM peer"),
];

/// Refuses rows of several moments. An empty sum is one of a version before 3 and proves nothing.
pub(crate) fn check(db: &Connection) -> Result<(), StoreError> {
    let stored = own(db, LIVE_ROWS)?;
    let (key, expected) = match (stored.len(), stored.split_first_chunk::<16>()) {
        (0, _) => return Ok(()),
        (16, _) => ([0; 16], stored.as_slice()),
        (32, Some((key, rest))) => (*key, rest),
        _ => return Err(StoreError::Torn),
    };
    let (mut rows, mut sum) = (0u64, 0u64);
    for (table, sql) in LIVE {
        let mut statement = db.prepare(sql)?;
        let hows: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            rows = rows.wrapping_add(1);
            sum = sum.wrapping_add(mark(key, *table, &hows, row)?);
        }
    }
    let found = (u128::from(rows) << 64 | u128::from(sum)).to_be_bytes();
    if expected == found { Ok(()) } else { Err(StoreError::Torn) }
}

fn mark(key: [u8; 16], table: u8, hows: &[String], row: &Row<'_>) -> rusqlite::Result<u64> {
    let mut bytes = vec![table];
    for (column, how) in hows.iter().enumerate() {
        let number = || row.get::<_, Option<i64>>(column);
        match how.as_str() {
            "f" => bytes.extend(row.get::<_, Vec<u8>>(column)?),
            "v" => put_var_bigsize(&mut bytes, row.get::<_, String>(column)?.as_bytes()),
            "n" => bytes.extend(number()?.iter().flat_map(|n| n.to_be_bytes())),
            "s" => bytes.extend(number()?.iter().flat_map(|n| n.to_be_bytes()).skip(4)),
            _ => bytes.extend(number()?.iter().flat_map(|n| n.to_be_bytes()).skip(7)),
        }
    }
    let (front, back) = key.split_at(8);
    let [k0, k1] =
        [front, back].map(|half| u64::from_be_bytes(half.try_into().unwrap_or_default()));
    Ok(siphash24::Hash::hash_with_keys(k0, k1, &bytes).as_u64())
}
