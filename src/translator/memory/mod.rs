//! The translation memory: a sentence that has been translated isn't translated again, whichever article it is in.
//!
//! It is asked in three steps: what was translated of late is in memory, within a budget of bytes; what is being
//! translated is waited for; and what an earlier run translated is in a file, if there is one. Only what was translated
//! to its end is kept.
//!
//! - this file: the three steps
//! - `key`: what a translation depends on
//! - `store`: the file

mod key;
mod store;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::sentence::SentenceTranslation;
use crate::Result;
use crate::engine::Priority;
pub(super) use key::Key;
use store::Store;

/// What a remembered sentence takes beside its texts, in bytes: about that of its record and its place in the tables.
const OVERHEAD: usize = 256;
/// What an average sentence takes, in bytes: where there is room for few, the tables needn't be large.
const USUAL: u64 = 512;

/// How much is remembered, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryOptions {
    /// Bytes of sentences in memory.
    pub bytes: u64,
    /// The SQLite file of those that outlast the process.
    pub file: Option<PathBuf>,
    /// The most bytes that the file may have, about; the oldest sentences make room.
    pub file_bytes: u64,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self { bytes: 64 << 20, file: None, file_bytes: 4 << 30 }
    }
}

/// What a memory has been asked so far, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryStats {
    /// Sentences that were in memory.
    pub recent: u64,
    /// Sentences that were being translated at the time.
    pub joined: u64,
    /// Sentences that were in the file.
    pub stored: u64,
    /// Sentences that were translated.
    pub missed: u64,
    /// Bytes in memory.
    pub bytes: u64,
}

/// The sentences that a [`Translator`](super::Translator) remembers.
pub struct Memory {
    recent: Cache<Key, Arc<SentenceTranslation>, Bytes>,
    under_way: Mutex<UnderWay>,
    store: Option<Store>,
    asked: Counters,
}

/// Sentences that are being translated. Whoever waits for one drives it, so that one who stops waiting, or reads slowly,
/// holds nobody else back; once nobody waits, the work is dropped. One who is urgent doesn't wait for what another, who
/// isn't, has begun.
#[derive(Default)]
struct UnderWay {
    works: HashMap<(Key, Priority), (u64, WeakShared<Work>)>,
    /// The number of the next one.
    next: u64,
}

type Work = BoxFuture<'static, Result<Arc<SentenceTranslation>>>;

#[derive(Default)]
struct Counters {
    recent: AtomicU64,
    joined: AtomicU64,
    stored: AtomicU64,
    missed: AtomicU64,
}

impl Memory {
    /// An empty memory, or one that goes on with the file.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the file can't be used.
    pub fn open(options: &MemoryOptions) -> Result<Self> {
        let sentences = usize::try_from(options.bytes / USUAL).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        let store = options.file.as_ref().map(|path| Store::open(path, options.file_bytes)).transpose()?;
        Ok(Self {
            recent: Cache::with_weighter(sentences, options.bytes, Bytes),
            under_way: Mutex::default(),
            store,
            asked: Counters::default(),
        })
    }

    /// What it has been asked so far.
    pub fn stats(&self) -> MemoryStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MemoryStats {
            recent: load(&self.asked.recent),
            joined: load(&self.asked.joined),
            stored: load(&self.asked.stored),
            missed: load(&self.asked.missed),
            bytes: self.recent.weight(),
        }
    }

    /// The translation that is remembered under `key`, or else what `translate` makes of it.
    ///
    /// # Errors
    /// Those of `translate`; all who wait for it get them, and nobody after them.
    pub(super) async fn translation<F>(
        self: &Arc<Self>,
        key: Key,
        priority: Priority,
        translate: F,
    ) -> Result<Arc<SentenceTranslation>>
    where
        F: Future<Output = Result<SentenceTranslation>> + Send + 'static,
    {
        match self.find_or_start(key, priority, translate) {
            Found::Recent(translation) => Ok(translation),
            Found::UnderWay(work) => work.await,
        }
    }

    fn find_or_start<F>(self: &Arc<Self>, key: Key, priority: Priority, translate: F) -> Found
    where
        F: Future<Output = Result<SentenceTranslation>> + Send + 'static,
    {
        let mut under_way = self.under_way();
        // What has come to its end is recent before it stops being under way.
        if let Some(translation) = self.recent.get(&key) {
            self.asked.recent.fetch_add(1, Ordering::Relaxed);
            return Found::Recent(translation);
        }
        if let Some(work) = under_way.find(key, priority) {
            self.asked.joined.fetch_add(1, Ordering::Relaxed);
            return Found::UnderWay(work);
        }
        let number = under_way.next;
        under_way.next += 1;
        let place = (key, priority);
        let ending = Ending { memory: Arc::clone(self), place, number };
        let work = async move {
            let ending = ending;
            ending.memory.translate(key, translate).await
        };
        let work = work.boxed().shared();
        if let Some(weak) = work.downgrade() {
            under_way.works.insert(place, (number, weak));
        }
        Found::UnderWay(work)
    }

    async fn translate(
        &self,
        key: Key,
        translate: impl Future<Output = Result<SentenceTranslation>>,
    ) -> Result<Arc<SentenceTranslation>> {
        let stored = match &self.store {
            Some(store) => store.get(key).await,
            None => None,
        };
        if let Some(translation) = stored {
            self.asked.stored.fetch_add(1, Ordering::Relaxed);
            let translation = Arc::new(translation);
            self.recent.insert(key, Arc::clone(&translation));
            return Ok(translation);
        }
        self.asked.missed.fetch_add(1, Ordering::Relaxed);
        let translation = Arc::new(translate.await?);
        self.recent.insert(key, Arc::clone(&translation));
        // The file has no details, which few ask for.
        if let Some(store) = &self.store
            && translation.details.is_empty()
        {
            store.put(key, Arc::clone(&translation));
        }
        Ok(translation)
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        // A table of what is under way is whole between any two of its changes.
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    /// The work that one of this priority may wait for.
    fn find(&self, key: Key, priority: Priority) -> Option<Shared<Work>> {
        let find = |priority| self.works.get(&(key, priority)).and_then(|(_, work)| work.upgrade());
        match priority {
            Priority::Interactive => find(Priority::Interactive),
            Priority::Batch => find(Priority::Interactive).or_else(|| find(Priority::Batch)),
        }
    }
}

enum Found {
    Recent(Arc<SentenceTranslation>),
    UnderWay(Shared<Work>),
}

/// Takes a work off the list when it ends or is dropped.
struct Ending {
    memory: Arc<Memory>,
    place: (Key, Priority),
    number: u64,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut under_way = self.memory.under_way();
        // The next one may have begun already.
        if under_way.works.get(&self.place).is_some_and(|(number, _)| *number == self.number) {
            under_way.works.remove(&self.place);
        }
    }
}

/// Sentences weigh their bytes.
#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<SentenceTranslation>> for Bytes {
    fn weight(&self, _: &Key, translation: &Arc<SentenceTranslation>) -> u64 {
        let SentenceTranslation { text, alternatives, details, .. } = &**translation;
        let alternatives: usize =
            alternatives.iter().map(|other| size_of_val(other) + other.text.len()).sum();
        let details = size_of_val(&*details.alignment) + size_of_val(&*details.token_scores);
        (OVERHEAD + text.len() + alternatives + details) as u64
    }
}

#[cfg(test)]
mod tests;
