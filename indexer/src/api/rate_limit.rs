use super::error::{ApiError, Code};
use governor::clock::{Clock, QuantaInstant};
use governor::{
    Quota, RateLimiter, clock::DefaultClock, middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use std::num::NonZeroU32;
use uuid::Uuid;

/// How many requests each key may make. A key that was silent for a while may make as many at once as
/// it may make in a second.
#[derive(Debug)]
pub(super) struct RateLimit {
    limiter:
        RateLimiter<Uuid, HashMapStateStore<Uuid>, DefaultClock, NoOpMiddleware<QuantaInstant>>,
}

impl RateLimit {
    /// `requests` a second.
    pub(super) fn per_second(requests: NonZeroU32) -> Self {
        Self { limiter: RateLimiter::hashmap(Quota::per_second(requests)) }
    }

    /// Counts a request of `key`; refuses it where there were too many.
    pub(super) fn count(&self, key: Uuid) -> Result<(), ApiError> {
        self.limiter.check_key(&key).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            // Whole seconds, one at least.
            let seconds = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
            ApiError::new(Code::RateLimited).retry_after(seconds.max(1))
        })
    }
}
