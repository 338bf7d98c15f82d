//! Errors as JSON, with the status code that [`crate::codes`] names.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use steward_engine::error::Blame;
use steward_store::StoreError;
use utoipa::ToSchema;

use crate::codes;

/// What every answer that is no success says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    /// Stable, snake_case: for programs. docs/errors.md lists them.
    pub code: String,
    /// One sentence: for people.
    pub message: String,
    /// What to do about it.
    #[schema(min_length = 1)]
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

impl ApiError {
    /// An error of this code: its status and, if `hint` is empty, its hint are those of
    /// [`codes::CODES`]. A code that is not listed there is a bug and answered as one.
    pub fn new(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::with(code, StatusCode::INTERNAL_SERVER_ERROR, message.into(), hint.into())
    }

    /// An error of this code, with the hint of [`codes::CODES`].
    pub fn of(code: &str, message: impl Into<String>) -> Self {
        Self::new(code, message, "")
    }

    fn with(code: &str, unlisted: StatusCode, message: String, hint: String) -> Self {
        let listed = codes::find(code);
        let status = listed.and_then(|listed| StatusCode::from_u16(listed.status).ok());
        let hint = match listed {
            Some(listed) if hint.is_empty() => listed.hint.to_owned(),
            None if hint.is_empty() => "see the log".to_owned(),
            _ => hint,
        };
        let body = ErrorBody { code: code.to_owned(), message, hint };
        Self { status: status.unwrap_or(unlisted), body }
    }
}

impl From<steward_engine::Error> for ApiError {
    fn from(error: steward_engine::Error) -> Self {
        let unlisted = match error.blame {
            Blame::BadRequest => StatusCode::UNPROCESSABLE_ENTITY,
            Blame::PeerMisbehaved | Blame::PeerIncompatible => StatusCode::BAD_GATEWAY,
            Blame::Refused => StatusCode::CONFLICT,
            Blame::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Blame::OurFault => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::with(error.code, unlisted, error.message, error.hint)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::new(error.code(), error.to_string(), error.hint())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}
