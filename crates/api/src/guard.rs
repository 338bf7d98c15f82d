//! The bounds of requests: how many at a time, and for how long.

use std::sync::Arc;
use std::time::Duration;
use steward_engine::Code;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Bounds one group of routes.
#[derive(Clone)]
pub(crate) struct Guard {
    room: Arc<Semaphore>,
    timeout: Duration,
}

impl Guard {
    /// Allows at most `requests` at a time, each for `timeout` at most.
    pub(crate) fn new(requests: usize, timeout: Duration) -> Self {
        Self { room: Arc::new(Semaphore::new(requests)), timeout }
    }
}

/// Runs the request if there is room, and gives it up when its time is over.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Ok(_permit) = guard.room.try_acquire() else {
        return ApiError::of(Code::TooManyRequests, "too many requests are being answered")
            .into_response();
    };
    tokio::time::timeout(guard.timeout, next.run(request)).await.unwrap_or_else(|_| {
        // What was asked may still happen: the caller must look, not assume.
        ApiError::of(Code::Timeout, "the node did not answer in time").into_response()
    })
}
