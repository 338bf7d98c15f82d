//! The routes, what every request passes through, and serving them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use steward_engine::Code;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use serde_json::Value;
use steward_node::Operations;
use tokio::sync::{Notify, Semaphore, watch};
use utoipa_axum::router::OpenApiRouter;

use crate::auth::{Token, require_token};
use crate::document::document;
use crate::error::ApiError;
use crate::guard::{Guard, guard};
use crate::limits::{
    MAX_BODY_BYTES, MAX_QUICK_REQUESTS, MAX_SUBSCRIBERS, MAX_WAIT_MS, MAX_WAITING_REQUESTS,
    REQUEST_TIMEOUT_MS, SHUTDOWN_GRACE_MS,
};
use crate::listener::Listener;
use crate::routes;
use crate::serving::serve;
use crate::state::Shared;
use crate::strict::{Rules, strict};

/// The API of one node.
///
/// ```no_run
/// # async fn run(node: steward_node::NodeHandle) -> std::io::Result<()> {
/// # let data_dir = std::path::Path::new("/var/lib/steward");
/// use steward_api::{Api, Token};
///
/// let token = Token::load_or_create(data_dir).map_err(std::io::Error::other)?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9737").await?;
/// let stop = async { let _ = tokio::signal::ctrl_c().await; };
/// Api::new(&node, token).serve(listener, stop).await;
/// # Ok(())
/// # }
/// ```
pub struct Api {
    router: Router,
    closing: watch::Sender<()>,
    stop: Arc<Notify>,
}

impl Api {
    /// Makes the API of `node`, for callers with this `token`.
    pub fn new(node: &Operations, token: Token) -> Self {
        let (closing, is_closing) = watch::channel(());
        let subscribers = Arc::new(Semaphore::new(MAX_SUBSCRIBERS));
        let stop = Arc::new(Notify::new());
        let shared = Shared {
            node: node.clone(),
            subscribers,
            closing: is_closing,
            stop: Arc::clone(&stop),
        };
        // A document that cannot be written describes nothing, and nothing is checked: a bug that
        // every test of the API would show.
        let document = document().unwrap_or_default();
        let router = routes(&document)
            .fallback(unknown_path)
            .method_not_allowed_fallback(wrong_method)
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(from_fn_with_state(token, require_token))
            .with_state(shared)
            .merge(Router::new().route("/openapi.json", get(openapi(&document))))
            .layer(map_response(no_store));
        Self { router, closing, stop }
    }

    /// Ends when a caller asks the node to stop.
    pub fn stop_requested(&self) -> impl Future<Output = ()> + Send + use<> {
        let stop = Arc::clone(&self.stop);
        async move { stop.notified().await }
    }

    /// Serves until `stop` ends. Event streams are then closed, other requests get
    /// [`SHUTDOWN_GRACE_MS`] to end.
    pub async fn serve(
        self,
        listener: impl Into<Listener>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) {
        let (stopped, is_stopped) = watch::channel(false);
        let closing = self.closing;
        let give_up = async move {
            stop.await;
            drop(closing);
            stopped.send_replace(true);
            tokio::time::sleep(Duration::from_millis(SHUTDOWN_GRACE_MS)).await;
        };
        tokio::select! {
            () = serve(listener.into(), self.router, is_stopped) => {}
            () = give_up => {}
        }
    }
}

/// The OpenAPI document, as served at `/openapi.json`.
///
/// # Errors
/// If it cannot be written as JSON: a bug.
pub fn openapi_json() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&document()?)
}

/// Puts what bounds requests, then the check against the document, before the handlers.
fn routes(document: &Value) -> Router<Shared> {
    let quick = Duration::from_millis(REQUEST_TIMEOUT_MS);
    let waiting = Duration::from_millis(REQUEST_TIMEOUT_MS + MAX_WAIT_MS);
    let quick = from_fn_with_state(Guard::new(MAX_QUICK_REQUESTS, quick), guard);
    let waiting = from_fn_with_state(Guard::new(MAX_WAITING_REQUESTS, waiting), guard);
    let strict = from_fn_with_state(Rules::of(document), strict);
    OpenApiRouter::new()
        .merge(routes::quick().route_layer(strict.clone()).route_layer(quick))
        .merge(routes::waiting().route_layer(strict.clone()).route_layer(waiting))
        .merge(routes::streams().route_layer(strict))
        .into()
}

/// Serves the document without a token: so it is written once, and an answer is no work.
fn openapi<S>(document: &Value) -> MethodRouter<S, Infallible>
where
    S: Clone + Send + Sync + 'static,
{
    let text = Bytes::from(document.to_string());
    get(async move || ([(header::CONTENT_TYPE, "application/json")], text.clone()))
}

async fn unknown_path() -> ApiError {
    ApiError::of(Code::UnknownPath, "there is nothing at this path")
}

async fn wrong_method() -> ApiError {
    ApiError::of(Code::WrongMethod, "this path is not asked in this way")
}

/// Keeps answers out of caches: balances are for the caller alone.
async fn no_store(mut response: Response) -> Response {
    let value = axum::http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(axum::http::header::CACHE_CONTROL, value);
    response
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use serde_json::json;
    use tower_service::Service as _;

    use super::*;

    /// Anyone who reaches the port may ask for it, without limit.
    #[tokio::test]
    async fn the_document_is_written_once_and_not_for_each_request() {
        let mut served = openapi::<()>(&json!({"openapi": "3.1.0"})).with_state(());
        let mut answers = Vec::new();
        for _ in 0..2 {
            let answer = served.call(Request::new(Body::empty())).await.unwrap();
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
            answers.push(to_bytes(answer.into_body(), 1024).await.unwrap());
        }
        assert_eq!(answers[0], r#"{"openapi":"3.1.0"}"#);
        assert_eq!(answers[0].as_ptr(), answers[1].as_ptr(), "the same bytes");
    }
}
