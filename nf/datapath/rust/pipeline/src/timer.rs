//! Time lifetimes: one thread sleeps until the next one ends.

use crate::events::Events;
use crate::sa::Common;
use crate::sync::lock;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Anything with an SA's common part.
pub(crate) trait HasCommon: Send + Sync {
    fn common(&self) -> &Common;
}

impl HasCommon for crate::sa::InboundSa {
    fn common(&self) -> &Common {
        &self.common
    }
}

impl HasCommon for crate::sa::OutboundSa {
    fn common(&self) -> &Common {
        &self.common
    }
}

#[derive(Default)]
struct Deadlines {
    /// By (when, SA, hard): an SA that is removed takes its deadlines with it, so the map is never larger than the SAs.
    waiting: BTreeMap<(Instant, u64, bool), Arc<dyn HasCommon>>,
    stopped: bool,
}

#[derive(Default)]
pub(crate) struct Timer {
    deadlines: Mutex<Deadlines>,
    changed: Condvar,
}

fn keys(common: &Common) -> impl Iterator<Item = (Instant, u64, bool)> {
    let at = |time: Option<_>, hard| Some((common.installed.checked_add(time?)?, common.id, hard));
    [at(common.lifetime.soft_time, false), at(common.lifetime.hard_time, true)].into_iter().flatten()
}

impl Timer {
    pub(crate) fn add(&self, sa: &Arc<dyn HasCommon>) {
        let mut deadlines = lock(&self.deadlines);
        for key in keys(sa.common()) {
            deadlines.waiting.insert(key, sa.clone());
        }
        drop(deadlines);
        self.changed.notify_one();
    }

    pub(crate) fn remove(&self, common: &Common) {
        let mut deadlines = lock(&self.deadlines);
        for key in keys(common) {
            deadlines.waiting.remove(&key);
        }
    }

    pub(crate) fn stop(&self) {
        let mut deadlines = lock(&self.deadlines);
        deadlines.stopped = true;
        deadlines.waiting.clear();
        drop(deadlines);
        self.changed.notify_all();
    }

    /// The thread's life.
    pub(crate) fn run(&self, events: &Events) {
        let mut deadlines = lock(&self.deadlines);
        while !deadlines.stopped {
            let now = Instant::now();
            while let Some(first) = deadlines.waiting.first_entry().filter(|entry| entry.key().0 <= now) {
                let ((_, _, hard), sa) = first.remove_entry();
                if hard {
                    sa.common().hard_expire(events);
                } else {
                    sa.common().soft_expire(events);
                }
            }
            deadlines = match deadlines.waiting.first_key_value().map(|(key, _)| key.0) {
                None => self.changed.wait(deadlines).unwrap_or_else(PoisonError::into_inner),
                Some(next) => {
                    let wait = next.saturating_duration_since(now);
                    self.changed.wait_timeout(deadlines, wait).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}
