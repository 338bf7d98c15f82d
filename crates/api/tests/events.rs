//! The event stream: what is stored, then what happens, without gap or duplicate.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{EVENT_BUFFER, Server, code, server};
use serde_json::Value;

/// The longest wait, which is more than any machine needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A subscriber that reads whole events off the socket.
struct Subscriber {
    reader: BufReader<TcpStream>,
    /// The time limit: keep-alive comments would otherwise let a failing test wait without end.
    deadline: Instant,
}

fn subscribe(server: &Server, query: &str, header: &str) -> Subscriber {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET /v1/events{query} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{header}\r\n",
        server.token
    )
    .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut subscriber = Subscriber { reader: BufReader::new(stream), deadline };
    assert_eq!(subscriber.line().unwrap(), "HTTP/1.1 200 OK");
    while !subscriber.line().unwrap().is_empty() {}
    subscriber
}

impl Subscriber {
    /// Returns the next event; `None` at the end of the stream.
    fn line(&mut self) -> Option<String> {
        assert!(Instant::now() < self.deadline, "the event did not come");
        let mut line = String::new();
        let read = self.reader.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// Returns the number of the next event; `None` at the end of the stream.
    fn next(&mut self) -> Option<u64> {
        let mut id = None;
        loop {
            let line = self.line()?;
            if let Some(number) = line.strip_prefix("id: ") {
                id = number.parse().ok();
            }
            if let Some(data) = line.strip_prefix("data: ") {
                let data: Value = serde_json::from_str(data).unwrap();
                assert_eq!(data["number"].as_u64(), id);
                assert_eq!(data["type"], "channel_overridden");
                return id;
            }
        }
    }

    fn take(&mut self, count: usize) -> Vec<u64> {
        (0..count).map(|_| self.next().unwrap()).collect()
    }
}

#[test]
fn a_subscriber_hears_what_happens_from_now_on() {
    let server = server();
    server.node.happens(1);
    let mut subscriber = subscribe(&server, "", "");
    server.node.happens(2);
    server.node.happens(3);
    assert_eq!(subscriber.take(2), [2, 3]);
}

#[test]
fn what_was_missed_comes_first_then_what_happens() {
    let server = server();
    (1..=5).for_each(|number| server.node.happens(number));
    for (query, header) in [("?after=2", ""), ("", "last-event-id: 2\r\n")] {
        let mut subscriber = subscribe(&server, query, header);
        assert_eq!(subscriber.take(3), [3, 4, 5]);
    }
    let mut subscriber = subscribe(&server, "?after=0", "last-event-id: 4\r\n");
    server.node.happens(6);
    assert_eq!(subscriber.take(2), [5, 6]);
}

#[test]
fn more_than_one_page_is_read_from_the_store() {
    let server = server();
    (1..=600).for_each(|number| server.node.store_event(number));
    let mut subscriber = subscribe(&server, "?after=0", "");
    assert_eq!(subscriber.take(600), (1..=600).collect::<Vec<_>>());
}

#[test]
fn what_the_live_stream_has_lost_is_found_in_the_store() {
    let server = server();
    server.node.happens(1);
    let mut subscriber = subscribe(&server, "?after=0", "");
    assert_eq!(subscriber.next(), Some(1));
    // As after a lag: of many events only the last is told.
    let last = 1 + 4 * EVENT_BUFFER as u64;
    (2..=last).for_each(|number| server.node.store_event(number));
    let _ = server.node.events.send(common::event(last));
    assert_eq!(subscriber.take(last as usize - 1), (2..=last).collect::<Vec<_>>());
}

#[test]
fn a_burst_larger_than_the_buffer_loses_nothing() {
    let server = server();
    let mut subscriber = subscribe(&server, "?after=0", "");
    let last = 20 * EVENT_BUFFER as u64;
    (1..=last).for_each(|number| server.node.happens(number));
    assert_eq!(subscriber.take(last as usize), (1..=last).collect::<Vec<_>>());
}

#[test]
fn an_event_told_twice_is_given_once() {
    let server = server();
    let mut subscriber = subscribe(&server, "?after=0", "");
    server.node.happens(1);
    let _ = server.node.events.send(common::event(1));
    server.node.happens(2);
    assert_eq!(subscriber.take(2), [1, 2]);
}

#[test]
fn the_stream_ends_when_the_node_stops() {
    let mut server = server();
    let mut subscriber = subscribe(&server, "", "");
    server.stop();
    assert_eq!(subscriber.next(), None);
}

#[test]
fn there_are_only_so_many_subscribers() {
    let server = server();
    let subscribers: Vec<_> =
        (0..steward_api::limits::MAX_SUBSCRIBERS).map(|_| subscribe(&server, "", "")).collect();
    let (status, body) = server.get("/v1/events");
    assert_eq!((status, code(&body)), (503, "too_many_subscribers"));
    drop(subscribers);
}

#[test]
fn an_id_that_is_no_number_is_refused() {
    let server = server();
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let token = &server.token;
    write!(
        stream,
        "GET /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nlast-event-id: x\r\n\r\n"
    )
    .unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), "HTTP/1.1 400 Bad Request");
}
