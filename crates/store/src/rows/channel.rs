//! Table `channel`: a row for each channel, read whole at each start.

use steward_engine::row::{ChannelRow, LocalIdentity, Row};
use steward_hosted::{Phase, Role};
use steward_wire::{LinkId, ShortChannelId};

use super::column::{Columns, Value, values};
use super::{LiveId, Table, Write};
use crate::error::StoreError;

/// The table `channel`.
pub(crate) struct Channels;

impl Write for Channels {
    const NAME: &'static str = "channel";
    const PUT: &'static str =
        "INSERT INTO channel (link, peer, identity, role, phase, short_channel_id,
             local_balance_msat, remote_balance_msat, record)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (link) DO UPDATE SET role = excluded.role, phase = excluded.phase,
             short_channel_id = excluded.short_channel_id,
             local_balance_msat = excluded.local_balance_msat,
             remote_balance_msat = excluded.remote_balance_msat, record = excluded.record";
    const DELETE: Option<&'static str> = Some("DELETE FROM channel WHERE link = ?1");
    type Put<'a> = &'a ChannelRow;
    type Key = LinkId;

    fn values(row: Self::Put<'_>) -> Vec<Value<'_>> {
        values![
            &row.link.0,
            &row.peer.0,
            identity_code(row.identity),
            role_code(row.role),
            phase_code(row.phase),
            row.short_channel_id.0,
            row.local_balance_msat,
            row.remote_balance_msat,
            row.record.as_slice(),
        ]
        .into()
    }

    fn key(link: Self::Key) -> Vec<Value<'static>> {
        values![link.0.to_vec()].into()
    }

    fn numbers(row: Self::Put<'_>) -> Vec<u64> {
        vec![row.local_balance_msat, row.remote_balance_msat]
    }

    fn name(link: Self::Key) -> String {
        link.to_string()
    }

    fn live_id(link: Self::Key) -> Option<LiveId> {
        Some(LiveId::new(1, &link.0, 0))
    }

    fn live_content(row: Self::Put<'_>) -> Option<Vec<u8>> {
        let mut bytes = [row.link.0.as_slice(), &row.peer.0].concat();
        bytes.extend([identity_code(row.identity), role_code(row.role), phase_code(row.phase)]);
        for number in [row.short_channel_id.0, row.local_balance_msat, row.remote_balance_msat] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(&row.record);
        Some(bytes)
    }
}

impl Table for Channels {
    const SELECT: &'static str = "SELECT link, peer, identity, role, phase, short_channel_id,
        local_balance_msat, remote_balance_msat, record FROM channel";
    type Read = ChannelRow;

    fn read(c: &mut Columns<'_>) -> Result<ChannelRow, StoreError> {
        Ok(ChannelRow {
            link: c.link()?,
            peer: c.node()?,
            identity: c.code(identity)?,
            role: c.code(role)?,
            phase: c.code(phase)?,
            short_channel_id: ShortChannelId(c.bits()?),
            local_balance_msat: c.number()?,
            remote_balance_msat: c.number()?,
            record: c.bytes()?.to_vec(),
        })
    }

    fn whole(row: ChannelRow) -> Option<Row> {
        Some(Row::Channel(row))
    }
}

/// Returns the number under which a [`LocalIdentity`] is stored.
pub(super) fn identity_code(identity: LocalIdentity) -> u8 {
    match identity {
        LocalIdentity::Node => 1,
        LocalIdentity::PerHost => 2,
    }
}

/// Reads [`identity_code`].
pub(super) fn identity(code: i64) -> Option<LocalIdentity> {
    match code {
        1 => Some(LocalIdentity::Node),
        2 => Some(LocalIdentity::PerHost),
        _ => None,
    }
}

/// Returns the number under which a [`Role`] is stored.
pub(super) fn role_code(role: Role) -> u8 {
    match role {
        Role::Host => 1,
        Role::Client => 2,
    }
}

/// Reads [`role_code`].
pub(super) fn role(code: i64) -> Option<Role> {
    match code {
        1 => Some(Role::Host),
        2 => Some(Role::Client),
        _ => None,
    }
}

fn phase_code(phase: Phase) -> u8 {
    match phase {
        Phase::Opening => 1,
        Phase::Offline => 2,
        Phase::Syncing => 3,
        Phase::Active => 4,
        Phase::Suspended => 5,
    }
}

/// Reads [`phase_code`].
fn phase(code: i64) -> Option<Phase> {
    match code {
        1 => Some(Phase::Opening),
        2 => Some(Phase::Offline),
        3 => Some(Phase::Syncing),
        4 => Some(Phase::Active),
        5 => Some(Phase::Suspended),
        _ => None,
    }
}
