//! The routes, what every request passes through, and serving them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, SecurityRequirement};
use utoipa_axum::router::OpenApiRouter;

use crate::auth::{Token, require_token};
use crate::backend::Backend;
use crate::error::ApiError;
use crate::guard::{Guard, guard};
use crate::limits::{
    MAX_BODY_BYTES, MAX_CONNECTIONS, MAX_QUICK_REQUESTS, MAX_SUBSCRIBERS, MAX_WAIT_MS,
    MAX_WAITING_REQUESTS, REQUEST_TIMEOUT_MS, SHUTDOWN_GRACE_MS,
};
use crate::listener::BoundedListener;
use crate::routes;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) backend: Arc<dyn Backend>,
    /// One permit per event stream.
    pub(crate) subscribers: Arc<Semaphore>,
    /// Its sender is dropped once the API stops: ends event streams and waits.
    pub(crate) closing: watch::Receiver<()>,
    /// Told when a caller asks the node to stop.
    pub(crate) stop: Arc<Notify>,
}

/// The API of one node.
///
/// ```no_run
/// # async fn run(node: impl steward_api::Backend) -> std::io::Result<()> {
/// # let data_dir = std::path::Path::new("/var/lib/steward");
/// use std::sync::Arc;
/// use steward_api::{Api, Token};
///
/// let token = Token::load_or_create(data_dir).map_err(std::io::Error::other)?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9737").await?;
/// let stop = async { let _ = tokio::signal::ctrl_c().await; };
/// Api::new(Arc::new(node), token).serve(listener, stop).await
/// # }
/// ```
pub struct Api {
    router: Router,
    closing: watch::Sender<()>,
    stop: Arc<Notify>,
}

impl Api {
    /// The API of `backend`, for those who have `token`.
    pub fn new(backend: Arc<dyn Backend>, token: Token) -> Self {
        let (closing, receiver) = watch::channel(());
        let subscribers = Arc::new(Semaphore::new(MAX_SUBSCRIBERS));
        let stop = Arc::new(Notify::new());
        let shared = Shared { backend, subscribers, closing: receiver, stop: Arc::clone(&stop) };
        let (router, document) = routes_and_document();
        let document = Arc::new(document);
        let router = router
            .fallback(unknown_path)
            .method_not_allowed_fallback(wrong_method)
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(from_fn_with_state(token, require_token))
            .with_state(shared)
            .merge(Router::new().route("/openapi.json", get(move || openapi(document))))
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
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let listener = BoundedListener::new(listener, MAX_CONNECTIONS);
        let closing = self.closing;
        let (stopped, mut is_stopped) = watch::channel(false);
        let stop = async move {
            stop.await;
            drop(closing);
            stopped.send_replace(true);
        };
        let serving = axum::serve(listener, self.router).with_graceful_shutdown(stop).into_future();
        let give_up = async move {
            // If the sender is gone, serving has ended by itself.
            if is_stopped.wait_for(|stopped| *stopped).await.is_err() {
                return std::future::pending().await;
            }
            tokio::time::sleep(Duration::from_millis(SHUTDOWN_GRACE_MS)).await;
        };
        tokio::select! {
            result = serving => result,
            () = give_up => Ok(()),
        }
    }
}

/// The OpenAPI document, as served at `/openapi.json`.
///
/// # Errors
/// If it cannot be written as JSON: a bug.
pub fn openapi_json() -> Result<String, serde_json::Error> {
    routes_and_document().1.to_pretty_json()
}

fn routes_and_document() -> (Router<Shared>, OpenApi) {
    let quick = Duration::from_millis(REQUEST_TIMEOUT_MS);
    let waiting = Duration::from_millis(REQUEST_TIMEOUT_MS + MAX_WAIT_MS);
    let quick = from_fn_with_state(Guard::new(MAX_QUICK_REQUESTS, quick), guard);
    let waiting = from_fn_with_state(Guard::new(MAX_WAITING_REQUESTS, waiting), guard);
    let (router, mut document) = OpenApiRouter::new()
        .merge(routes::quick().route_layer(quick))
        .merge(routes::waiting().route_layer(waiting))
        .merge(routes::streams())
        .split_for_parts();
    describe(&mut document);
    (router, document)
}

fn describe(document: &mut OpenApi) {
    document.info = InfoBuilder::new()
        .title("steward")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Hosted channels for Lightning. Amounts are in millisatoshi (`_msat`), times in \
             milliseconds since 1970 (`_ms`), ids in hexadecimal. Every error is \
             `{code, message, hint}`.",
        ))
        .build();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document
        .components
        .get_or_insert_default()
        .security_schemes
        .insert("token".to_owned(), bearer.into());
    let no_scopes: [&str; 0] = [];
    document.security = Some(vec![SecurityRequirement::new("token", no_scopes)]);
}

async fn openapi(document: Arc<OpenApi>) -> Response {
    Json(&*document).into_response()
}

async fn unknown_path() -> ApiError {
    ApiError::not_found(
        "unknown_path",
        "there is nothing at this path",
        "/openapi.json lists every path",
    )
}

async fn wrong_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "wrong_method",
        "this path is not asked in this way",
        "/openapi.json lists the methods of every path",
    )
}

/// Balances are nobody else's business, not even a cache's.
async fn no_store(mut response: Response) -> Response {
    let value = axum::http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(axum::http::header::CACHE_CONTROL, value);
    response
}
