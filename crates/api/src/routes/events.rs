//! The stream of events: first what is stored, then what happens, without gap or duplicate.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use steward_engine::Code;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::answers::Errors;
use crate::error::ApiError;
use crate::extract::Query;
use crate::limits::{EVENT_PAGE_ROWS, KEEP_ALIVE_MS, MAX_NUMBER};
use crate::model::{Event, EventsQuery};
use crate::state::Shared;

/// Streams everything that happens, as server-sent events: `id` is the event's number, `event` its
/// type,
/// `data` its JSON. A client that lost the connection goes on where it was with `Last-Event-ID`.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The last event already known.")),
    responses((status = 200, content_type = "text/event-stream", body = Event), Errors))]
pub(crate) async fn stream(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, ApiError> {
    let after = last_event_id(&headers)?.or(query.after);
    let permit = Arc::clone(&shared.subscribers).try_acquire_owned().map_err(|_| {
        ApiError::of(Code::TooManySubscribers, "too many programs listen to events")
    })?;
    let subscription = Subscription {
        // Before the store is asked: what happens meanwhile is in both, never in neither.
        live: shared.node.subscribe(),
        shared,
        last: after,
        is_behind: after.is_some(),
        ready: VecDeque::new(),
        _permit: permit,
    };
    let events = stream::unfold(subscription, |mut subscription| async move {
        let event = subscription.next().await?;
        Some((Ok(to_sse(&event)), subscription))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_millis(KEEP_ALIVE_MS))))
}

/// One subscriber.
struct Subscription {
    shared: Shared,
    live: Receiver<steward_engine::Event>,
    /// The number of the last event given; `None`: none yet, and none of the past is wanted.
    last: Option<u64>,
    /// The store has, or may have, events after `last`.
    is_behind: bool,
    /// The events read from the store and not given yet.
    ready: VecDeque<steward_engine::Event>,
    _permit: OwnedSemaphorePermit,
}

impl Subscription {
    /// Returns the next event; `None` ends the stream.
    async fn next(&mut self) -> Option<steward_engine::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.last = Some(event.number);
                return Some(event);
            }
            if self.is_behind {
                self.read_store().await?;
                continue;
            }
            let event = self.receive().await?;
            match self.last {
                Some(last) if event.number <= last => {}
                // Some were missed. What was told is durable: the store has them all.
                Some(last) if event.number > last.saturating_add(1) => self.is_behind = true,
                _ => self.ready.push_back(event),
            }
        }
    }

    async fn read_store(&mut self) -> Option<()> {
        let after = self.last.unwrap_or(0);
        let events = self.shared.node.events_after(after, EVENT_PAGE_ROWS).await.ok()?;
        self.is_behind = events.len() == EVENT_PAGE_ROWS;
        self.ready.extend(events);
        Some(())
    }

    /// Returns the next event as it happens; one that was missed makes us read the store.
    async fn receive(&mut self) -> Option<steward_engine::Event> {
        tokio::select! {
            event = self.live.recv() => match event {
                Ok(event) => Some(event),
                Err(RecvError::Lagged(missed)) => {
                    let event = self.live.recv().await.ok()?;
                    let last_before = event.number.saturating_sub(missed.saturating_add(1));
                    self.last.get_or_insert(last_before);
                    Some(event)
                }
                Err(RecvError::Closed) => None,
            },
            _ = self.shared.closing.changed() => None,
        }
    }
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    number.filter(|number| *number <= MAX_NUMBER).map(Some).ok_or_else(|| {
        ApiError::of(Code::BadLastEventId, "Last-Event-ID is not the number of an event")
    })
}

fn to_sse(event: &steward_engine::Event) -> sse::Event {
    let event = Event::from(event);
    // Strings and numbers always have a JSON form.
    let data = serde_json::to_string(&event).unwrap_or_default();
    sse::Event::default().id(event.number.to_string()).event(event.kind.name()).data(data)
}
