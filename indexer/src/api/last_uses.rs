use crate::store::{Store, StoreError};
use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
};
use uuid::Uuid;

/// When keys were last used. Requests note it here and wait for nothing; somebody writes it down now
/// and then. What was noted since is lost in a crash.
#[derive(Debug, Default)]
pub struct LastUses {
    noted: Mutex<HashMap<Uuid, u64>>,
}

impl LastUses {
    /// The key was used at `now`, in Unix seconds.
    pub(super) fn note(&self, key: Uuid, now: u64) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let last = noted.entry(key).or_default();
        *last = now.max(*last);
    }

    /// Writes down what was noted since the last time. Where that fails, it is noted again.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn write_down(&self, store: &impl Store) -> Result<(), StoreError> {
        let noted = mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        if noted.is_empty() {
            return Ok(());
        }
        let uses: Vec<(Uuid, u64)> = noted.into_iter().collect();
        let outcome = store.note_uses(&uses).await;
        if outcome.is_err() {
            for (key, at) in uses {
                self.note(key, at);
            }
        }
        outcome
    }
}
