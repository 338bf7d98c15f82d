//! Bodies, queries and ids as handlers want them; what cannot be used is refused in our own words.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use steward_store::{Cursor, PageRequest};
use steward_wire::{NodeId, PaymentHash};

use crate::error::ApiError;
use crate::limits::{DEFAULT_PAGE_ROWS, MAX_BODY_BYTES, MAX_PAGE_ROWS, MAX_WAIT_MS};

/// A JSON body, whatever its content type says.
pub(crate) struct Body<T>(pub(crate) T);

/// A query.
pub(crate) struct Query<T>(pub(crate) T);

/// A node id in the path.
pub(crate) struct PathNodeId(pub(crate) NodeId);

/// A payment hash in the path.
pub(crate) struct PathPaymentHash(pub(crate) PaymentHash);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(unreadable_body)?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let (code, what) = match error.classify() {
                serde_json::error::Category::Data => ("bad_field", "the body does not fit"),
                _ => ("bad_json", "the body is not JSON"),
            };
            ApiError::bad_request(code, format!("{what}: {error}"), SEE_OPENAPI)
        })
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|error| ApiError::bad_request("bad_query", error.body_text(), SEE_OPENAPI))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathNodeId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        node_id(&path_segment(parts, state).await?).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathPaymentHash {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = path_segment(parts, state).await?;
        text.parse().map(Self).map_err(|_| {
            ApiError::bad_request(
                "bad_payment_hash",
                "a payment hash has 64 hexadecimal digits",
                "`steward payments` and `steward invoice list` show them",
            )
        })
    }
}

const SEE_OPENAPI: &str = "/openapi.json describes every request";

/// A node id.
pub(crate) fn node_id(text: &str) -> Result<NodeId, ApiError> {
    let id: Option<NodeId> = text.parse().ok();
    id.filter(|id| id.public_key().is_some()).ok_or_else(|| {
        ApiError::bad_request(
            "bad_node_id",
            "a node id is a public key of 66 hexadecimal digits that begins with 02 or 03",
            "`steward status` on the other node shows it",
        )
    })
}

/// A node and where it listens, `node_id@host:port`.
pub(crate) fn node_address(text: &str) -> Result<(NodeId, String), ApiError> {
    let malformed = |message: String| {
        ApiError::bad_request("bad_node_address", message, "write node_id@host:port")
    };
    let (id, address) = text
        .split_once('@')
        .ok_or_else(|| malformed("the address of the node is missing".to_owned()))?;
    let address: steward_p2p::PeerAddress =
        address.trim().parse().map_err(|error| malformed(format!("{address}: {error}")))?;
    Ok((node_id(id.trim())?, address.to_string()))
}

/// Which part of a list.
pub(crate) fn page(limit: Option<usize>, before: Option<u64>) -> Result<PageRequest, ApiError> {
    let limit = limit.unwrap_or(DEFAULT_PAGE_ROWS);
    if !(1..=MAX_PAGE_ROWS).contains(&limit) {
        return Err(ApiError::bad_request(
            "bad_limit",
            format!("a page has 1 to {MAX_PAGE_ROWS} rows, not {limit}"),
            "ask for the next page with `before`",
        ));
    }
    Ok(PageRequest { before: before.map(Cursor), limit })
}

/// How long to wait.
pub(crate) fn wait(wait_ms: Option<u64>, default_ms: u64) -> Result<Duration, ApiError> {
    let wait_ms = wait_ms.unwrap_or(default_ms);
    if wait_ms > MAX_WAIT_MS {
        return Err(ApiError::bad_request(
            "bad_wait",
            format!("nobody may wait longer than {MAX_WAIT_MS} ms"),
            "wait less, and ask again",
        ));
    }
    Ok(Duration::from_millis(wait_ms))
}

async fn path_segment<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, ApiError> {
    Path::<String>::from_request_parts(parts, state)
        .await
        .map(|Path(text)| text)
        .map_err(|error| ApiError::bad_request("bad_path", error.body_text(), SEE_OPENAPI))
}

fn unreadable_body(rejection: BytesRejection) -> ApiError {
    match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
            ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!("the body is longer than {MAX_BODY_BYTES} bytes"),
                SEE_OPENAPI,
            )
        }
        other => ApiError::bad_request("bad_body", other.body_text(), ""),
    }
}
