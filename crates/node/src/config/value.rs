//! One configuration value, as it is read from TOML or from text, and shown; its meaning is not
//! known here.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use bitcoin::Network;
use steward_chain::{network_name, parse_network};
use steward_p2p::PeerAddress;
use steward_wire::NodeId;
use toml::Value;

/// The kind of a key's value, for reading it from the environment and for help texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A file or directory; a relative one in a file is relative to that file.
    Path,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// Several words; in the environment and in flags separated by commas, or written as in the
    /// file: `["one", "two"]`, or `[]` for none.
    List,
}

impl Kind {
    /// Returns the value that `text`, of an environment variable or a flag, stands for; `is_secret`
    /// ones are taken to the last character.
    pub(super) fn parse_text(self, text: &str, is_secret: bool) -> Result<Value, String> {
        let text = if is_secret { text } else { text.trim() };
        let as_text = || Value::String(text.to_owned());
        Ok(match self {
            Self::Text | Self::Path => as_text(),
            Self::Integer => {
                text.replace('_', "").parse().map_or_else(|_| as_text(), Value::Integer)
            }
            Self::Boolean => text.parse().map_or_else(|_| as_text(), Value::Boolean),
            Self::List if is_secret => secret_list(text)?,
            Self::List => written_list(text).unwrap_or_else(|| {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
            }),
        })
    }
}

/// Reads one secret as it is, or several as a list. A comma may be part of a secret, or stand
/// between two: taken wrongly, it would open the door to a client that knows a half.
fn secret_list(text: &str) -> Result<Value, String> {
    if let Some(list) = written_list(text) {
        return Ok(list);
    }
    if text.is_empty() {
        return Err("it is empty: leave it unset, or write [] for no secret".to_owned());
    }
    if text.contains(',') || text.trim_start().starts_with('[') {
        return Err(
            "is that one secret or several? Write a list: [\"one, with a comma\"] or [\"one\", \"two\"]"
                .to_owned(),
        );
    }
    Ok(Value::Array(vec![Value::String(text.to_owned())]))
}

/// Reads a list as a TOML file has it.
fn written_list(text: &str) -> Option<Value> {
    if !text.trim_start().starts_with('[') {
        return None;
    }
    let mut table: toml::Table = format!("list = {text}").parse().ok()?;
    table.remove("list").filter(|list| list.is_array() && table.is_empty())
}

/// Text that debug output does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

/// A type that a configuration key can have.
pub(super) trait Setting: Sized {
    const KIND: Kind;

    /// Reads a value; the error says what was expected.
    fn read(value: &Value) -> Result<Self, String>;

    /// Returns the value as TOML; `None` if it is not set.
    fn show(&self) -> Option<Value>;
}

impl Setting for bool {
    const KIND: Kind = Kind::Boolean;

    fn read(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| expected("true or false", value))
    }

    fn show(&self) -> Option<Value> {
        Some(Value::Boolean(*self))
    }
}

macro_rules! unsigned_setting {
    ($($unsigned:ty),+) => {$(
        impl Setting for $unsigned {
            const KIND: Kind = Kind::Integer;

            fn read(value: &Value) -> Result<Self, String> {
                // TOML's numbers are signed, so i64's limit is u64's as well.
                let most = i64::try_from(Self::MAX).unwrap_or(i64::MAX);
                let number = value.as_integer().and_then(|number| Self::try_from(number).ok());
                number.ok_or_else(|| expected(&format!("a number from 0 to {most}"), value))
            }

            fn show(&self) -> Option<Value> {
                Some(Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX)))
            }
        }
    )+};
}
unsigned_setting!(u16, u32, u64);

macro_rules! text_setting {
    ($($type:ty, $kind:expr, $what:literal, $read:expr, $show:expr;)+) => {$(
        impl Setting for $type {
            const KIND: Kind = $kind;

            fn read(value: &Value) -> Result<Self, String> {
                let text = value.as_str().ok_or_else(|| expected($what, value))?;
                let read: fn(&str) -> Option<Self> = $read;
                read(text).ok_or_else(|| expected($what, value))
            }

            fn show(&self) -> Option<Value> {
                let show: fn(&Self) -> String = $show;
                Some(Value::String(show(self)))
            }
        }
    )+};
}
text_setting! {
    String, Kind::Text, "text",
        |text| Some(text.to_owned()), |value| value.clone();
    Secret, Kind::Text, "text",
        |text| Some(Secret(text.to_owned())), |value| value.0.clone();
    PathBuf, Kind::Path, "a path",
        |text| (!text.is_empty()).then(|| text.into()), |value| value.display().to_string();
    SocketAddr, Kind::Text, "an address such as 127.0.0.1:9735 or [::1]:9735",
        |text| text.parse().ok(), |value| value.to_string();
    PeerAddress, Kind::Text, "host:port",
        |text| text.parse().ok(), |value| value.to_string();
    NodeId, Kind::Text, "a node id, 66 hex digits",
        |text| text.parse().ok(), |value| value.to_string();
    Network, Kind::Text, "mainnet (`bitcoin` is the same), testnet, testnet4, signet or regtest",
        |text| parse_network(text).ok(), |value| network_name(*value).to_owned();
}

impl<T: Setting> Setting for Vec<T> {
    const KIND: Kind = Kind::List;

    fn read(value: &Value) -> Result<Self, String> {
        let items = value.as_array().ok_or_else(|| expected("a list", value))?;
        items.iter().map(T::read).collect()
    }

    fn show(&self) -> Option<Value> {
        Some(Value::Array(self.iter().filter_map(T::show).collect()))
    }
}

/// `None` is a key that is not set. In the environment and in flags that is an empty value.
impl<T: Setting> Setting for Option<T> {
    const KIND: Kind = T::KIND;

    fn read(value: &Value) -> Result<Self, String> {
        match value.as_str() {
            Some("") => Ok(None),
            _ => T::read(value).map(Some),
        }
    }

    fn show(&self) -> Option<Value> {
        self.as_ref().and_then(T::show)
    }
}

fn expected(what: &str, found: &Value) -> String {
    format!("expected {what}, found {found}")
}
