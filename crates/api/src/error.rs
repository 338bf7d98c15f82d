//! Errors as JSON, with the status of their code.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use steward_engine::{Code, Error};
use steward_store::StoreError;
use utoipa::ToSchema;

/// The body of every answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    /// The code for programs: stable, snake_case. docs/errors.md lists all codes.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// A hint what to do about it.
    #[schema(min_length = 1)]
    pub hint: String,
}

/// An error on its way to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError(pub Error);

impl ApiError {
    /// Makes an error with the hint of its code.
    pub fn of(code: Code, message: impl Into<String>) -> Self {
        Self(Error::new(code, message))
    }

    /// Makes an error with a hint of its own, or with the code's if that is empty.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self(Error::new(code, message).hint(hint))
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::new(error.code(), error.to_string(), error.hint())
    }
}

impl From<ApiError> for ErrorBody {
    fn from(ApiError(Error { code, message, hint }): ApiError) -> Self {
        Self { code: code.name().to_owned(), message, hint }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.blame().status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(ErrorBody::from(self))).into_response()
    }
}
