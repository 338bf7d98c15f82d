//! Serves connections: accepts them, bounds how long anything on them may take, ends them.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

use crate::connections::{Connections, Known, Seat};
use crate::limits::{ACCEPT_RETRY_MS, HEAD_TIMEOUT_MS, MAX_HEAD_BYTES};
use crate::listener::{Accepted, Listener};

const HEAD_TIMEOUT: Duration = Duration::from_millis(HEAD_TIMEOUT_MS);

/// Serves until `closing` becomes true, then until the last connection has ended: each ends with
/// its request under way, idle ones at once.
pub(crate) async fn serve(listener: Listener, router: Router, mut closing: watch::Receiver<bool>) {
    let connections = Connections::default();
    let mut tasks = JoinSet::new();
    let is_closing = closing.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((accepted, from)) => {
                    let seat = connections.seat(from);
                    let (router, closing) = (router.clone(), is_closing.clone());
                    tasks.spawn(run(accepted, from, seat, router, closing));
                }
                // No descriptors left, or the connection is gone already.
                Err(error) => {
                    tracing::warn!(%error, "the API cannot accept a connection");
                    sleep(Duration::from_millis(ACCEPT_RETRY_MS)).await;
                }
            },
            Some(_) = tasks.join_next() => {}
            () = closes(&mut closing) => break,
        }
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

async fn run(
    accepted: Accepted,
    from: Option<IpAddr>,
    seat: Seat,
    router: Router,
    closing: watch::Receiver<bool>,
) {
    match accepted {
        Accepted::Tcp(stream) => speak(stream, seat, router, closing).await,
        Accepted::Unix(stream) => speak(stream, seat, router, closing).await,
        Accepted::Tls(stream, acceptor) => {
            match timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => speak(stream, seat, router, closing).await,
                Ok(Err(error)) => tracing::debug!(?from, %error, "no TLS with the API"),
                Err(_) => tracing::debug!(?from, "no TLS with the API: too slow"),
            }
        }
    }
}

/// Speaks HTTP/1.1 until either side ends it, its place is needed, or the API closes.
async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    mut seat: Seat,
    router: Router,
    mut closing: watch::Receiver<bool>,
) {
    let known = seat.known.clone();
    let service = service_fn(move |request| answer(router.clone(), known.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Also bounds how long a connection may be idle between two requests.
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // Whatever was wrong with it is over with it.
        _ = &mut connection => return,
        _ = &mut seat.gone => return,
        () = closes(&mut closing) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        _ = &mut seat.gone => {}
    }
}

async fn closes(closing: &mut watch::Receiver<bool>) {
    // Without its sender there is no server left either.
    let _ = closing.wait_for(|closing| *closing).await;
}

async fn answer(
    mut router: Router,
    known: Known,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(known);
    router.call(request).await
}
