use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until},
};

/// What a provider allows. A limit that is not given is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests in a second. A batch is one.
    pub requests_per_second: Option<u32>,
    /// Requests that wait for their answer at the same time.
    pub max_in_flight: Option<u32>,
}

/// Holds requests back until they are within the limits.
#[derive(Debug)]
pub(super) struct Gate {
    in_flight: Semaphore,
    /// The time between two requests.
    apart: Duration,
    next: Mutex<Instant>,
}

impl Gate {
    pub(super) fn new(limits: Limits) -> Self {
        let most = limits.max_in_flight.map_or(Semaphore::MAX_PERMITS, |most| most.max(1) as usize);
        let apart = limits
            .requests_per_second
            .map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Self { in_flight: Semaphore::new(most), apart, next: Mutex::new(Instant::now()) }
    }

    /// Waits for a request's turn. It counts as under way until what is returned is dropped.
    pub(super) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        let permit = self.in_flight.acquire().await.ok();
        if !self.apart.is_zero() {
            sleep_until(self.turn(Instant::now())).await;
        }
        permit
    }

    /// When a request that came at `now` may go.
    fn turn(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(now);
        *next = turn + self.apart;
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn requests_are_kept_apart_and_a_pause_saves_up_nothing() {
        let gate = Gate::new(Limits { requests_per_second: Some(10), max_in_flight: None });
        let (now, apart) = (Instant::now() + Duration::from_secs(1), Duration::from_millis(100));
        assert_eq!([now, now, now].map(|now| gate.turn(now)), [now, now + apart, now + apart * 2]);
        let later = now + Duration::from_secs(9);
        assert_eq!([later, later].map(|now| gate.turn(now)), [later, later + apart]);
    }

    #[tokio::test]
    async fn no_more_are_under_way_than_are_allowed() {
        let gate = Gate::new(Limits { requests_per_second: None, max_in_flight: Some(2) });
        let one = gate.enter().await;
        let _two = gate.enter().await;
        assert!(gate.enter().now_or_never().is_none());
        drop(one);
        assert!(gate.enter().now_or_never().is_some());
    }
}
