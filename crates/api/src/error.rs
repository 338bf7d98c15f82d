//! Errors as JSON, and which status code says whose fault they are.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use steward_engine::error::Blame;
use steward_store::StoreError;
use utoipa::ToSchema;

/// What every answer that is no success says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// Stable, snake_case: for programs.
    pub code: String,
    /// One sentence: for people.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

/// An error on its way to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// Whose fault it is, in HTTP's words.
    pub status: StatusCode,
    /// What is said.
    pub body: ErrorBody,
}

/// Errors that say that the very thing asked for does not exist.
const NOT_FOUND_CODES: [&str; 4] =
    ["unknown_channel", "unknown_payment", "unknown_invoice", "unknown_path"];

impl ApiError {
    /// An error of the API's own.
    pub fn new(
        status: StatusCode,
        code: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let body = ErrorBody { code: code.to_owned(), message: message.into(), hint: hint.into() };
        Self { status, body }
    }

    /// The caller gave something that cannot be used.
    pub fn bad_request(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message, hint)
    }

    /// What was asked for does not exist.
    pub fn not_found(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message, hint)
    }

    /// Not now; try later.
    pub fn unavailable(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message, hint)
    }
}

impl From<steward_engine::Error> for ApiError {
    fn from(error: steward_engine::Error) -> Self {
        let status = match error.blame {
            _ if NOT_FOUND_CODES.contains(&error.code) => StatusCode::NOT_FOUND,
            Blame::BadRequest => StatusCode::BAD_REQUEST,
            Blame::PeerMisbehaved | Blame::PeerIncompatible => StatusCode::BAD_GATEWAY,
            Blame::Refused => StatusCode::CONFLICT,
            Blame::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Blame::OurFault => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.code, error.message, error.hint)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.code(), error.to_string(), error.hint())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}
