//! Table `setting`: the engine's settings, and the store's own.

use steward_engine::row::{ForgottenClient, Row, Setting, SettingName};
use steward_wire::NodeId;

use super::column::{Columns, Value, values};
use super::{Table, Write};
use crate::error::StoreError;

/// The store's own settings: the owner of the database, and the sum of its live rows.
pub(crate) const NETWORK: &str = "network";
pub(crate) const NODE_ID: &str = "node_id";
pub(crate) const LIVE_ROWS: &str = "live_rows";

/// The table `setting`.
pub(crate) struct Settings;

impl Write for Settings {
    const NAME: &'static str = "setting";
    const PUT: &'static str = "INSERT INTO setting (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    const DELETE: Option<&'static str> = Some("DELETE FROM setting WHERE name = ?1");
    type Put<'a> = &'a Setting;
    type Key = SettingName;

    fn values(setting: Self::Put<'_>) -> Vec<Value<'_>> {
        values![column(setting.name()), encode(setting)].into()
    }

    fn key(name: Self::Key) -> Vec<Value<'static>> {
        values![column(name)].into()
    }

    fn name(name: Self::Key) -> String {
        column(name).to_owned()
    }
}

impl Table for Settings {
    const SELECT: &'static str = "SELECT name, value FROM setting";
    /// The setting; `None`: the store's own.
    type Read = Option<Setting>;

    fn read(c: &mut Columns<'_>) -> Result<Option<Setting>, StoreError> {
        let (name, value) = (c.text()?, c.bytes()?);
        let height = || match value.try_into() {
            Ok(bytes) => Ok(u32::from_be_bytes(bytes)),
            Err(_) => Err(c.error("the height takes four bytes")),
        };
        Ok(Some(match name.as_str() {
            "height" => Setting::Height(height()?),
            "searched_height" => Setting::SearchedHeight(height()?),
            "forgotten_clients" => {
                let clients = decode_clients(value);
                let clients = clients.ok_or_else(|| c.error("these are no forgotten clients"))?;
                Setting::ForgottenClients(clients)
            }
            _ => return Ok(None),
        }))
    }

    fn whole(setting: Option<Setting>) -> Option<Row> {
        setting.map(Row::Setting)
    }
}

/// Returns the values that set one of the store's own.
pub(crate) fn put_own<'a>(name: &'a str, value: &'a [u8]) -> [Value<'a>; 2] {
    [name.into(), value.into()]
}

fn column(name: SettingName) -> &'static str {
    match name {
        SettingName::Height => "height",
        SettingName::SearchedHeight => "searched_height",
        SettingName::ForgottenClients => "forgotten_clients",
    }
}

fn encode(setting: &Setting) -> Vec<u8> {
    match setting {
        Setting::Height(height) | Setting::SearchedHeight(height) => height.to_be_bytes().to_vec(),
        // The ids and script hashes stand one after the other.
        Setting::ForgottenClients(clients) => clients
            .iter()
            .flat_map(|client| client.peer.0.into_iter().chain(client.refund_script_hash))
            .collect(),
    }
}

fn decode_clients(value: &[u8]) -> Option<Vec<ForgottenClient>> {
    let (clients, rest) = value.as_chunks::<65>();
    let client = |bytes: &[u8; 65]| {
        let (peer, hash) = bytes.split_first_chunk::<33>()?;
        Some(ForgottenClient { peer: NodeId(*peer), refund_script_hash: hash.try_into().ok()? })
    };
    rest.is_empty().then(|| clients.iter().map(client).collect()).flatten()
}
