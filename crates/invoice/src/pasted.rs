//! What people paste where an invoice is asked for: a URI with an invoice in it, an invoice broken
//! by a mail, or something else, which the error then names.

use crate::error::ParseError;
use crate::limits::MAX_PASTED_CHARS;
use crate::parse::{Invoice, parse};

/// The reason why a text has no invoice to be paid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasteError {
    /// The text is something else that people pay with.
    #[error("this is {0}; Steward pays BOLT11 invoices only")]
    Other(Other),
    /// The text is a `bitcoin:` URI that demands a parameter that we do not know (BIP 21, `req-`).
    #[error("this payment request demands `{0}`, which Steward does not know")]
    Demands(String),
    /// The text has two invoices, and it is not clear which one is meant.
    #[error("this payment request has more than one Lightning invoice")]
    Ambiguous,
    /// The text has an invoice, and this is wrong with it.
    #[error(transparent)]
    Invoice(#[from] ParseError),
}

/// A text that is not an invoice, by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// A BOLT 12 offer, `lno1...`.
    Offer,
    /// A BOLT 12 invoice or invoice request, `lni1...` or `lnr1...`.
    Bolt12,
    /// An LNURL, `lnurl1...` or `lnurlp://...`.
    Lnurl,
    /// A lightning address, `name@host`.
    LightningAddress,
    /// An address on the chain, or a URI with nothing else.
    OnChain,
    /// The address of a node, `node_id@host:port`.
    Node,
    /// A node id alone.
    NodeId,
}

impl PasteError {
    /// Returns the advice for the user, which depends on the text given.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Other(other) => other.hint(),
            Self::Demands(_) => "ask the payee for the Lightning invoice alone",
            Self::Ambiguous => "ask the payee which is meant, and copy that invoice alone",
            Self::Invoice(error) => error.hint(),
        }
    }
}

impl Other {
    fn hint(self) -> &'static str {
        match self {
            Self::Offer | Self::Bolt12 => {
                "Steward does not pay BOLT12: ask the payee for a BOLT11 invoice"
            }
            Self::Lnurl => {
                "an LNURL only tells where a wallet fetches an invoice, which Steward does not do: ask \
                 the payee for the invoice"
            }
            Self::LightningAddress => {
                "Steward does not fetch invoices from Lightning addresses: ask its owner for an invoice"
            }
            Self::OnChain => {
                "Steward has no coins on the chain: pay the address from a wallet that has, or ask the \
                 payee for a Lightning invoice"
            }
            Self::Node | Self::NodeId => {
                "ask the node's owner for an invoice; without one `keysend` pays a node id, and \
                 `channel invoke` opens a channel with a host"
            }
        }
    }
}

impl std::fmt::Display for Other {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Offer => "a BOLT12 offer",
            Self::Bolt12 => "a BOLT12 invoice or invoice request",
            Self::Lnurl => "an LNURL",
            Self::LightningAddress => "a Lightning address",
            Self::OnChain => "an address on the chain",
            Self::Node => "a node and where it listens",
            Self::NodeId => "a node id",
        })
    }
}

/// Reads the invoice in a text: with or without a scheme, in quotes, broken by white space, among
/// invisible characters, or as part of a `bitcoin:` URI (BIP 21, BIP 321).
///
/// ```
/// # fn main() {
/// use steward_invoice::pasted::{Other, PasteError, read};
///
/// let error = read("bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4?amount=0.1").unwrap_err();
/// assert_eq!(error, PasteError::Other(Other::OnChain));
/// # }
/// ```
///
/// # Errors
/// The error names what the text is instead, or what is wrong with the invoice.
pub fn read(text: &str) -> Result<Invoice, PasteError> {
    let text = clean(text)?;
    let (scheme, rest) = split_scheme(&text);
    match scheme.as_str() {
        "bitcoin" => in_bitcoin_uri(rest),
        "lnurl" | "lnurlp" | "lnurlw" | "lnurlc" | "keyauth" => {
            Err(PasteError::Other(Other::Lnurl))
        }
        "http" | "https" => in_web_address(rest),
        // Every wallet writes this scheme; web pages write variants of it.
        "lightning" | "web+lightning" | "" => one(rest.strip_prefix("//").unwrap_or(rest)),
        _ => Err(ParseError::NotAnInvoice.into()),
    }
}

/// Removes white space, quotes around the text and invisible characters: no form contains them.
fn clean(text: &str) -> Result<String, ParseError> {
    if text.chars().nth(MAX_PASTED_CHARS).is_some() {
        return Err(ParseError::TooLong);
    }
    let is_unseen = |c: char| {
        matches!(c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{206f}' | '\u{feff}')
    };
    let kept = text.chars().filter(|c| !c.is_whitespace() && !c.is_control() && !is_unseen(*c));
    let kept: String = kept.collect();
    let is_quote = |c: char| "\"'`<>()[]«»‹›“”„‘’‚".contains(c);
    Ok(kept.trim_matches(is_quote).to_owned())
}

fn split_scheme(text: &str) -> (String, &str) {
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    match text.split_once(':') {
        // What follows the colon is a port, so this is no scheme.
        Some((scheme, rest)) if !scheme.is_empty() && scheme.chars().all(is_of_scheme) => {
            (scheme.to_ascii_lowercase(), rest)
        }
        _ => (String::new(), text),
    }
}

/// Reads a URI of BIP 21 or BIP 321: an address that may be missing, then parameters in any case.
fn in_bitcoin_uri(rest: &str) -> Result<Invoice, PasteError> {
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let query = query.split('#').next().unwrap_or_default();
    let (mut invoices, mut other) = (Vec::new(), Other::OnChain);
    for parameter in query.split('&') {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match key.to_ascii_lowercase().as_str() {
            "lightning" => invoices.push(percent_decoded(value)),
            "lno" => other = Other::Offer,
            key if key.starts_with("req-") => return Err(PasteError::Demands(key.to_owned())),
            _ => {}
        }
    }
    match invoices.as_slice() {
        [] if address.is_empty() && query.is_empty() => Err(ParseError::NotAnInvoice.into()),
        [] => Err(PasteError::Other(other)),
        [invoice] => one(invoice),
        _ => Err(PasteError::Ambiguous),
    }
}

/// Reads the address of a web page that carries an invoice, or an LNURL, as a parameter.
fn in_web_address(rest: &str) -> Result<Invoice, PasteError> {
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let parameter = query.split('&').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.eq_ignore_ascii_case("lightning").then(|| percent_decoded(value))
    });
    match parameter {
        Some(value) => one(&value),
        None => Err(ParseError::NotAnInvoice.into()),
    }
}

/// Reads a single item without a scheme.
fn one(text: &str) -> Result<Invoice, PasteError> {
    // Some pages write the scheme into the parameter once more.
    let text = match split_scheme(text) {
        (scheme, rest) if scheme == "lightning" => rest,
        _ => text,
    };
    match other(text) {
        Some(other) => Err(PasteError::Other(other)),
        None => Ok(parse(text)?),
    }
}

/// Returns what a text is if it is not an invoice.
fn other(text: &str) -> Option<Other> {
    let lower = text.to_ascii_lowercase();
    let starts = |prefix: &str| lower.starts_with(prefix);
    if starts("lno1") {
        return Some(Other::Offer);
    }
    if starts("lni1") || starts("lnr1") {
        return Some(Other::Bolt12);
    }
    if starts("lnurl1") {
        return Some(Other::Lnurl);
    }
    if let Some((name, host)) = lower.split_once('@') {
        let is_id = is_node_id(name);
        let is_name = !name.is_empty() && host.contains('.');
        return match (is_id, is_name) {
            (true, _) => Some(Other::Node),
            (false, true) => Some(Other::LightningAddress),
            (false, false) => None,
        };
    }
    if is_node_id(&lower) {
        return Some(Other::NodeId);
    }
    is_chain_address(text, &lower).then_some(Other::OnChain)
}

fn is_node_id(text: &str) -> bool {
    text.len() == 66 && text.bytes().all(|c| c.is_ascii_hexdigit())
}

/// Returns true if the text has the form of an address. Its checksum does not matter, because it is
/// not going to be paid.
fn is_chain_address(text: &str, lower: &str) -> bool {
    let is_alphanumeric = text.bytes().all(|c| c.is_ascii_alphanumeric());
    let is_segwit = ["bc1", "tb1", "bcrt1"].iter().any(|prefix| lower.starts_with(prefix));
    let is_base58 = (26..=35).contains(&text.len())
        && text.starts_with(['1', '3', 'm', 'n', '2'])
        && !text.contains(['0', 'O', 'I', 'l']);
    is_alphanumeric && (is_segwit || is_base58)
}

/// Decodes as RFC 3986 says. What is not an escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = escaped
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => {
                decoded.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
