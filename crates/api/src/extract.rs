//! Bodies, queries and ids as handlers want them. What the document does not describe was refused
//! before (`strict`).

use std::time::Duration;
use steward_engine::Code;
use steward_engine::command::ChannelRef;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use steward_store::{Cursor, PageRequest};
use steward_wire::{LinkId, NodeId, PaymentHash};

use crate::error::{ApiError, ErrorBody};
use crate::limits::{DEFAULT_PAGE_ROWS, MAX_PAGE_ROWS, MAX_WAIT_MS};

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

/// A query.
pub(crate) struct Query<T>(pub(crate) T);

/// A node id in the path.
pub(crate) struct PathNodeId(pub(crate) NodeId);

/// A channel in the path: its id, or the node id of its other side.
pub(crate) struct PathChannel(pub(crate) ChannelRef);

/// A number in the path.
pub(crate) struct PathNumber(pub(crate) u64);

/// A payment hash in the path.
pub(crate) struct PathPaymentHash(pub(crate) PaymentHash);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let unfit = || ApiError::of(Code::BadField, "the body is not what this request takes");
        let bytes = Bytes::from_request(request, state).await.map_err(|_| unfit())?;
        serde_json::from_slice(&bytes).map(Self).map_err(|_| unfit())
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|_| ApiError::of(Code::BadQuery, "the query is not what this request takes"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathNodeId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        node_id(&path_segment(parts, state).await?).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathChannel {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = path_segment(parts, state).await?;
        match text.parse::<LinkId>() {
            Ok(link) => Ok(Self(link.into())),
            // Of another length it is no node id either.
            Err(_) if text.len() != 2 * size_of::<NodeId>() => {
                let text = "a channel is named by its id, of 64 hexadecimal digits, or by the \
                            other side's node id, of 66";
                Err(ApiError::of(Code::BadNodeId, text))
            }
            Err(_) => node_id(&text).map(|peer| Self(peer.into())),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathPaymentHash {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = path_segment(parts, state).await?;
        text.parse().map(Self).map_err(|_| {
            ApiError::of(Code::BadPaymentHash, "a payment hash has 64 hexadecimal digits")
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathNumber {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = path_segment(parts, state).await?;
        let number = text.parse().ok().filter(|_| text.bytes().all(|c| c.is_ascii_digit()));
        number.map(Self).ok_or_else(|| ApiError::of(Code::BadNumber, "this is no number of a row"))
    }
}

/// Reads a node id.
pub(crate) fn node_id(text: &str) -> Result<NodeId, ApiError> {
    let id: NodeId =
        text.parse().ok().filter(|_| text.starts_with("02") || text.starts_with("03")).ok_or_else(
            || {
                let text = "a node id has 66 hexadecimal digits and begins with 02 or 03";
                ApiError::of(Code::BadNodeId, text)
            },
        )?;
    if id.public_key().is_none() {
        let text = "these digits have the form of a node id, but are no public key";
        return Err(ApiError::of(Code::NotAPublicKey, text));
    }
    Ok(id)
}

/// Reads a node and where it listens, `node_id@host:port`; without a port it is 9735.
pub(crate) fn node_address(text: &str) -> Result<(NodeId, steward_p2p::PeerAddress), ApiError> {
    let malformed = |message: String| ApiError::of(Code::BadNodeAddress, message);
    let (id, address) = text
        .split_once('@')
        .ok_or_else(|| malformed("the address of the node is missing".to_owned()))?;
    let address: steward_p2p::PeerAddress =
        address.trim().parse().map_err(|error| malformed(format!("{address}: {error}")))?;
    Ok((node_id(id.trim())?, address))
}

/// Reads an invoice that the caller was given.
pub(crate) fn invoice(text: &str) -> Result<steward_invoice::Invoice, ApiError> {
    steward_invoice::pasted::read(text)
        .map_err(|error| ApiError::new(Code::BadInvoice, error.to_string(), error.hint()))
}

/// Looks at `node_id@host:port` before anything is asked of a node.
///
/// # Errors
/// `bad_node_address`, with what is wrong with it.
pub fn check_node_address(text: &str) -> Result<(), ErrorBody> {
    node_address(text).map(drop).map_err(ErrorBody::from)
}

/// Returns which part of a list is asked for.
pub(crate) fn page(limit: Option<usize>, before: Option<u64>) -> Result<PageRequest, ApiError> {
    let limit = limit.unwrap_or(DEFAULT_PAGE_ROWS);
    if !(1..=MAX_PAGE_ROWS).contains(&limit) {
        let text = format!("a page has 1 to {MAX_PAGE_ROWS} rows, not {limit}");
        return Err(ApiError::of(Code::BadLimit, text));
    }
    Ok(PageRequest { before: before.map(Cursor), limit })
}

/// Returns how long to wait.
pub(crate) fn wait(wait_ms: Option<u64>, default_ms: u64) -> Result<Duration, ApiError> {
    let wait_ms = wait_ms.unwrap_or(default_ms);
    if wait_ms > MAX_WAIT_MS {
        let text = format!("a caller may wait {MAX_WAIT_MS} ms at most");
        return Err(ApiError::of(Code::BadWait, text));
    }
    Ok(Duration::from_millis(wait_ms))
}

async fn path_segment<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, ApiError> {
    Path::<String>::from_request_parts(parts, state)
        .await
        .map(|Path(text)| text)
        .map_err(|_| ApiError::of(Code::BadPath, "the path is not UTF-8"))
}
