//! All connections of the API, a bounded number of them. Those on which the token has not been
//! shown are strangers: when there are too many the oldest has to go, so that a new one, which
//! may be the operator's, always finds a place.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::limits::{MAX_CONNECTIONS, MAX_STRANGERS_PER_ADDRESS};

/// All connections.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<Seats>>);

#[derive(Default)]
struct Seats {
    last: u64,
    /// Oldest first.
    taken: BTreeMap<u64, Taken>,
}

struct Taken {
    from: Option<IpAddr>,
    known: Known,
    /// Dropped when the connection has to go.
    _stay: oneshot::Sender<()>,
}

/// Tells whether the token was shown on a connection. Each of its requests carries it.
#[derive(Clone, Default)]
pub(crate) struct Known(Arc<AtomicBool>);

/// One connection's place. It is given back when it is dropped.
pub(crate) struct Seat {
    number: u64,
    pub(crate) known: Known,
    /// Ends when the connection has to go.
    pub(crate) gone: oneshot::Receiver<()>,
    seats: Connections,
}

impl Known {
    /// Notes that the token was shown.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connections {
    /// Makes room, and gives a place to a connection that just came, from this address if it has
    /// one.
    pub(crate) fn seat(&self, from: Option<IpAddr>) -> Seat {
        let mut seats = self.lock();
        seats.last += 1;
        let number = seats.last;
        let known = Known::default();
        let (stay, gone) = oneshot::channel();
        seats.taken.insert(number, Taken { from, known: known.clone(), _stay: stay });
        seats.make_room(from);
        Seat { number, known, gone, seats: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seats {
    fn make_room(&mut self, from: Option<IpAddr>) {
        let strangers = || self.taken.iter().filter(|(_, taken)| !taken.known.get());
        let of_address = || strangers().filter(|(_, taken)| taken.from == from);
        let oldest = if of_address().count() > MAX_STRANGERS_PER_ADDRESS {
            of_address().next()
        } else if self.taken.len() > MAX_CONNECTIONS {
            // If all others are the operator's own, the newest is the only stranger.
            strangers().next()
        } else {
            None
        };
        if let Some(number) = oldest.map(|(number, _)| *number) {
            self.taken.remove(&number);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_gone(seat: &mut Seat) -> bool {
        seat.gone.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    fn address(n: usize) -> Option<IpAddr> {
        Some(IpAddr::from(u32::try_from(n).unwrap().to_be_bytes()))
    }

    #[test]
    fn the_oldest_stranger_of_an_address_makes_room_for_the_newest() {
        let connections = Connections::default();
        let mut other = connections.seat(address(2));
        let mut seats: Vec<Seat> =
            (0..=MAX_STRANGERS_PER_ADDRESS).map(|_| connections.seat(address(1))).collect();
        assert!(is_gone(&mut seats[0]) && !is_gone(&mut seats[1]));
        assert!(!is_gone(seats.last_mut().unwrap()) && !is_gone(&mut other));
    }

    #[test]
    fn a_connection_that_has_shown_the_token_stays() {
        let connections = Connections::default();
        let mut ours = connections.seat(address(0));
        ours.known.set();
        let mut strangers: Vec<Seat> =
            (0..2 * MAX_CONNECTIONS).map(|n| connections.seat(address(n))).collect();
        assert!(!is_gone(&mut ours));
        let left = strangers.iter_mut().filter_map(|seat| (!is_gone(seat)).then_some(()));
        assert_eq!(left.count(), MAX_CONNECTIONS - 1);
    }

    #[test]
    fn if_all_connections_are_the_operators_one_more_finds_no_place() {
        let connections = Connections::default();
        let mut ours: Vec<Seat> =
            (0..MAX_CONNECTIONS).map(|n| connections.seat(address(n))).collect();
        ours.iter().for_each(|seat| seat.known.set());
        assert!(is_gone(&mut connections.seat(address(0))));
        assert!(!ours.iter_mut().any(is_gone));
        ours.pop();
        assert!(!is_gone(&mut connections.seat(address(0))), "a place that was left is free");
    }
}
