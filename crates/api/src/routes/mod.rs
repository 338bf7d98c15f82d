//! One module per resource; here: which routes there are, and what their handlers share.

mod channels;
mod events;
mod evidence;
mod invoices;
mod node;
mod operator;
mod payments;
mod peers;

use steward_store::{History, StoreError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Duration, Instant, timeout_at};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use crate::document::Errors;
use crate::error::ApiError;
use crate::server::Shared;

/// All of them, to be described.
pub(crate) fn all() -> OpenApiRouter<Shared> {
    quick().merge(waiting()).merge(streams())
}

/// Answered at once.
pub(crate) fn quick() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(node::status))
        .routes(routes!(node::metrics))
        .routes(routes!(node::forwards))
        .routes(routes!(node::stop))
        .routes(routes!(channels::list))
        .routes(routes!(channels::show, channels::forget))
        .routes(routes!(operator::suspend))
        .routes(routes!(evidence::list))
        .routes(routes!(evidence::show))
        .routes(routes!(operator::propose_override))
        .routes(routes!(operator::accept_override))
        .routes(routes!(operator::submit_preimage))
        .routes(routes!(peers::list))
        .routes(routes!(peers::forget))
        .routes(routes!(invoices::list, invoices::create))
        .routes(routes!(invoices::show))
        .routes(routes!(invoices::decode))
        .routes(routes!(payments::list))
}

/// Answered when something has happened, or a time the caller chose is over.
pub(crate) fn waiting() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(channels::invoke))
        .routes(routes!(peers::connect))
        .routes(routes!(operator::resize))
        .routes(routes!(payments::pay))
        .routes(routes!(payments::show))
        .routes(routes!(payments::keysend))
        .routes(routes!(node::backup))
}

/// Answered for as long as the caller listens.
pub(crate) fn streams() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(events::stream))
}

/// Asks the store on a thread that may block.
async fn read<T, F>(shared: &Shared, question: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: FnOnce(&dyn History) -> Result<T, StoreError> + Send + 'static,
{
    let history = shared.backend.history();
    match tokio::task::spawn_blocking(move || question(&*history)).await {
        Ok(answer) => answer.map_err(ApiError::from),
        Err(_) => Err(bug("reading the store failed")),
    }
}

/// The engine gave an answer to another question, or a thread is gone.
fn bug(message: &str) -> ApiError {
    ApiError::of("bug", message)
}

/// Waits until an event of interest arrives, or time is over, or events were missed, or the node
/// stops: in any case it is time to look again. Subscribe before what causes the event.
async fn wait_for_event<T>(
    shared: &Shared,
    events: &mut Receiver<steward_engine::Event>,
    wait: Duration,
    mut interest: impl FnMut(&steward_engine::EventKind) -> Option<T>,
) -> Option<T> {
    let deadline = Instant::now() + wait;
    let mut closing = shared.closing.clone();
    loop {
        let event = tokio::select! {
            event = timeout_at(deadline, events.recv()) => event,
            _ = closing.changed() => return None,
        };
        match event {
            Ok(Ok(event)) => {
                if let Some(found) = interest(&event.kind) {
                    return Some(found);
                }
            }
            Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) | Err(_) => return None,
        }
    }
}
