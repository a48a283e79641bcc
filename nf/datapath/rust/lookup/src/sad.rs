//! The inbound half of the SAD: an SA by its SPI.

use std::collections::HashMap;
use std::collections::hash_map::Entry as MapEntry;
use std::sync::{Arc, PoisonError, RwLock};

const SHARDS: usize = 64;

type Shard<T> = RwLock<HashMap<(u32, u32), Arc<T>>>;

/// SAs by (domain, SPI). The table is cut into shards, so that installing one SA makes readers of one shard wait for one
/// insertion, and never for a copy of the table.
pub struct Sad<T> {
    shards: Vec<Shard<T>>,
}

impl<T> Default for Sad<T> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::new(HashMap::new())).collect() }
    }
}

impl<T> Sad<T> {
    fn shard(&self, spi: u32) -> &Shard<T> {
        &self.shards[(spi ^ (spi >> 16)) as usize % SHARDS] // our own SPIs are random in their low bits
    }

    /// Add an SA; false when its SPI is taken in that domain.
    pub fn insert(&self, domain: u32, spi: u32, sa: Arc<T>) -> bool {
        match self.shard(spi).write().unwrap_or_else(PoisonError::into_inner).entry((domain, spi)) {
            MapEntry::Occupied(_) => false,
            MapEntry::Vacant(place) => {
                place.insert(sa);
                true
            }
        }
    }

    /// Take an SA away.
    pub fn remove(&self, domain: u32, spi: u32) -> Option<Arc<T>> {
        self.shard(spi).write().unwrap_or_else(PoisonError::into_inner).remove(&(domain, spi))
    }

    /// Find an SA.
    pub fn get(&self, domain: u32, spi: u32) -> Option<Arc<T>> {
        self.shard(spi).read().unwrap_or_else(PoisonError::into_inner).get(&(domain, spi)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_spi_is_taken_once_in_a_domain() {
        let sad = Sad::default();
        assert!(sad.insert(1, 7, Arc::new("a")));
        assert!(!sad.insert(1, 7, Arc::new("b")));
        assert!(sad.insert(2, 7, Arc::new("c")));
        assert_eq!(sad.get(1, 7).as_deref(), Some(&"a"));
        assert_eq!(sad.remove(1, 7).as_deref(), Some(&"a"));
        assert_eq!(sad.get(1, 7), None);
        assert_eq!(sad.get(2, 7).as_deref(), Some(&"c"));
    }
}
