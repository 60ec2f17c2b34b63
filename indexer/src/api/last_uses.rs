use crate::store::{Store, StoreError};
use std::{
    collections::HashMap,
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

    /// Writes down what was noted since the last time. Until that is done it stays noted: a write
    /// that fails, or is given up half way, loses nothing.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn write_down(&self, store: &impl Store) -> Result<(), StoreError> {
        let written = self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if written.is_empty() {
            return Ok(());
        }
        let uses: Vec<(Uuid, u64)> = written.iter().map(|(key, at)| (*key, *at)).collect();
        store.note_uses(&uses).await?;
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        // Meanwhile some may have been used again.
        noted.retain(|key, at| written.get(key) != Some(at));
        Ok(())
    }
}
