//! API keys: who may call, and how much of a minute each may take.
//!
//! A key has 256 random bits, so its SHA-256 can't be turned back by trying, and a slow hash would only slow the
//! service down; the file of hashes is of no use to whoever reads it.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, Quota};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::{Error, Result};

/// What a key starts with, so that one which has got where it shouldn't be is recognised.
const PREFIX: &str = "tarjoman_";
/// Bytes of a key that are random.
const RANDOM_BYTES: usize = 32;
/// The longest name.
const MAX_NAME_BYTES: usize = 64;
const FORM: &str = "write name:hash, or name:hash:requests=60,characters=100000 with limits a minute, as `tarjoman keys new` prints";

/// The keys of a file, read again on demand. Clones share them.
#[derive(Clone)]
pub struct Keys {
    path: Arc<Path>,
    keys: Arc<ArcSwap<Vec<Arc<Key>>>>,
}

/// A key that has just been made. Only here is it told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What the client sends.
    pub key: String,
    /// The line of the keys' file.
    pub line: String,
}

/// What the service knows of a key.
pub(super) struct Key {
    name: String,
    hash: [u8; 32],
    requests: Option<Rate>,
    characters: Option<Rate>,
}

/// So many of something a minute: all at once after a minute's rest.
struct Rate {
    a_minute: NonZeroU32,
    limiter: DefaultDirectRateLimiter,
}

impl NewKey {
    /// Makes a key for `name`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a name that the file can't hold; [`Error::Io`] when the system has no random
    /// numbers.
    pub fn new(name: &str) -> Result<Self> {
        if !is_name(name) {
            let remedy = "use 1 to 64 of a to z, A to Z, 0 to 9, '.', '_' and '-'";
            return Err(Error::invalid("NAME", format!("{name:?} can't name a key"), remedy));
        }
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(|error| Error::Io {
            path: "the system's random numbers".into(),
            message: error.to_string(),
        })?;
        let key = format!("{PREFIX}{}", hex::encode(random));
        let line = format!("{name}:{}", hex::encode(hash(&key)));
        Ok(Self { key, line })
    }
}

impl Keys {
    /// The keys of the file at `path`: a line `name:hash[:limits]` for each; blank lines and those that start with
    /// `#` are none.
    ///
    /// # Errors
    /// [`Error::Config`] that names the line.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self> {
        let path: Arc<Path> = path.into().into();
        let keys = Arc::new(ArcSwap::from_pointee(read(&path, &[])?));
        Ok(Self { path, keys })
    }

    /// The number of keys.
    pub fn count(&self) -> usize {
        self.keys.load().len()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file again. A key that is there still, under the same name and limits, keeps what it has used of
    /// its minute. After an error the keys are as before.
    pub(super) fn reload(&self) -> Result<()> {
        let keys = read(&self.path, &self.keys.load())?;
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// The key that `presented` is. It takes the same time for every key that is none, whatever it has in common
    /// with one that is.
    pub(super) fn find(&self, presented: &str) -> Option<Arc<Key>> {
        let keys = self.keys.load();
        let hash = hash(presented);
        // One past the last is none.
        let mut found = keys.len() as u64;
        for (index, key) in (0..).zip(keys.iter()) {
            let same: Choice = key.hash.ct_eq(&hash);
            found = u64::conditional_select(&found, &index, same);
        }
        usize::try_from(found).ok().and_then(|index| keys.get(index)).cloned()
    }
}

impl Key {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes an article of `characters` from the key's minute.
    ///
    /// # Errors
    /// [`Error::Overloaded`] with the time after which there will be enough, [`Error::InvalidArgument`] when there
    /// never will be.
    pub(super) fn charge(&self, characters: u32) -> Result<()> {
        // An article that is refused for its characters has been a request all the same.
        if let Some(Err(refused)) = self.requests.as_ref().map(|rate| rate.take(1)) {
            return Err(self.refusal("requests", 1, refused));
        }
        match self.characters.as_ref().map(|rate| rate.take(characters)) {
            Some(Err(refused)) => Err(self.refusal("characters", characters, refused)),
            _ => Ok(()),
        }
    }

    fn refusal(&self, what: &str, wanted: u32, refused: Refusal) -> Error {
        match refused {
            Refusal::For(retry_after) => {
                let problem = format!("the key {:?} has used its {what} of this minute", self.name);
                Error::Overloaded { problem, retry_after }
            }
            Refusal::Always(most) => {
                let problem =
                    format!("{wanted} {what} are more than the {most} that the key may send a minute");
                Error::invalid("text", problem, "send it in parts, or ask for a larger limit")
            }
        }
    }
}

/// Why a rate has nothing left.
#[derive(Clone, Copy)]
enum Refusal {
    /// Until the time has passed.
    For(Duration),
    /// It's more than a whole minute's.
    Always(NonZeroU32),
}

impl Rate {
    fn new(a_minute: NonZeroU32) -> Self {
        Self { a_minute, limiter: DefaultDirectRateLimiter::direct(Quota::per_minute(a_minute)) }
    }

    fn take(&self, count: u32) -> Result<(), Refusal> {
        let Some(count) = NonZeroU32::new(count) else { return Ok(()) };
        match self.limiter.check_n(count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(Refusal::For(not_until.wait_time_from(self.limiter.clock().now()))),
            Err(_) => Err(Refusal::Always(self.a_minute)),
        }
    }
}

fn read(path: &Path, before: &[Arc<Key>]) -> Result<Vec<Arc<Key>>> {
    let refused = |place: String, problem: String, remedy: &str| Error::Config {
        place,
        problem,
        remedy: remedy.into(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        let problem = format!("can't be read: {error}");
        refused(path.display().to_string(), problem, "check auth.keys_file and the file's owner")
    })?;
    let mut names = HashSet::new();
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = || format!("{}, line {number}", path.display());
        // What the line says stays out of the message: it might be a key that was written where its hash belongs.
        let key = parse(line).map_err(|problem| refused(place(), problem, FORM))?;
        if !names.insert(key.name.clone()) {
            let problem = format!("the name {:?} is taken by an earlier line", key.name);
            return Err(refused(place(), problem, "give each key its own"));
        }
        let kept = before.iter().find(|kept| kept.says_the_same(&key)).cloned();
        keys.push(kept.unwrap_or_else(|| Arc::new(key)));
    }
    Ok(keys)
}

fn parse(line: &str) -> Result<Key, String> {
    let mut parts = line.splitn(3, ':');
    let name = parts.next().filter(|name| is_name(name)).ok_or("the name can't be used")?.to_owned();
    let mut hash = [0; 32];
    let text = parts.next().ok_or("the hash is missing")?;
    hex::decode_to_slice(text, &mut hash).map_err(|_| "the hash isn't 64 hexadecimal digits")?;
    let mut key = Key { name, hash, requests: None, characters: None };
    for limit in parts.next().into_iter().flat_map(|limits| limits.split(',')) {
        let (what, number) = limit.split_once('=').ok_or("a limit has no number")?;
        let rate = number.trim().parse().map_err(|_| "a limit isn't a number above 0")?;
        let place = match what.trim() {
            "requests" => &mut key.requests,
            "characters" => &mut key.characters,
            _ => return Err("a limit is neither of requests nor of characters".into()),
        };
        if place.replace(Rate::new(rate)).is_some() {
            return Err("a limit is set twice".into());
        }
    }
    Ok(key)
}

impl Key {
    fn says_the_same(&self, other: &Self) -> bool {
        let limits =
            |key: &Self| [&key.requests, &key.characters].map(|rate| rate.as_ref().map(|rate| rate.a_minute));
        self.name == other.name && self.hash == other.hash && limits(self) == limits(other)
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.chars().all(allowed)
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Result<(tempfile::NamedTempFile, Keys)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let keys = Keys::load(file.path())?;
        Ok((file, keys))
    }

    #[test]
    fn a_new_key_opens_and_its_neighbours_do_not() {
        let [a, b] = ["a", "b"].map(|name| NewKey::new(name).unwrap());
        let text = format!("# keys\n\n{}\n  {}:requests=1  \n", a.line, b.line);
        let (_file, keys) = keys(&text).unwrap();
        assert_eq!(keys.find(&a.key).unwrap().name(), "a");
        assert_eq!(keys.find(&b.key).unwrap().name(), "b");
        for none in ["", &a.key[1..], &a.key.to_uppercase(), &a.line, &NewKey::new("a").unwrap().key] {
            assert!(keys.find(none).is_none(), "{none}");
        }
    }

    #[test]
    fn a_bad_line_is_named_and_never_quoted() {
        let good = NewKey::new("a").unwrap();
        let hash = good.line.split_once(':').unwrap().1;
        for line in [
            "no-hash".to_owned(),
            format!("a:{}", good.key),
            format!("name with blanks:{hash}"),
            format!(":{hash}"),
            format!("a:{}", &hash[1..]),
            format!("a:{hash}:requests"),
            format!("a:{hash}:requests=0"),
            format!("a:{hash}:requests=-1"),
            format!("a:{hash}:words=3"),
            format!("a:{hash}:requests=1,requests=2"),
        ] {
            let error = keys(&format!("# one\n{line}\n")).err().unwrap().to_string();
            assert!(error.contains("line 2") && !error.contains(&good.key), "{error}");
        }
        let twice = format!("{}\n{}\n", good.line, NewKey::new("a").unwrap().line);
        assert!(keys(&twice).err().unwrap().to_string().contains("line 2"));
    }

    #[test]
    fn a_name_that_the_file_cannot_hold_gets_no_key() {
        for name in ["", "a b", "a:b", "#a", "نام", &"x".repeat(65)] {
            NewKey::new(name).unwrap_err();
        }
    }

    #[test]
    fn a_spent_limit_tells_when_there_is_more_and_a_larger_article_that_there_never_is() {
        let new = NewKey::new("a").unwrap();
        let (_file, keys) = keys(&format!("{}:characters=600,requests=4", new.line)).unwrap();
        let key = keys.find(&new.key).unwrap();
        assert!(matches!(key.charge(601), Err(Error::InvalidArgument { field: "text", .. })));
        key.charge(600).unwrap();
        match key.charge(100) {
            // A sixth of a minute's characters takes a sixth of a minute.
            Err(Error::Overloaded { retry_after, .. }) => {
                assert!((9..=10).contains(&retry_after.as_secs()), "{retry_after:?}");
            }
            other => panic!("{other:?}"),
        }
        key.charge(0).unwrap();
        assert!(matches!(key.charge(0), Err(Error::Overloaded { .. })), "the fifth request of a minute");
    }

    #[test]
    fn reloading_keeps_what_a_key_has_used_and_a_bad_file_changes_nothing() {
        let [a, b] = ["a", "b"].map(|name| NewKey::new(name).unwrap());
        let line = format!("{}:requests=1", a.line);
        let (file, keys) = keys(&line).unwrap();
        keys.find(&a.key).unwrap().charge(1).unwrap();

        std::fs::write(file.path(), format!("{line}\n{}", b.line)).unwrap();
        keys.reload().unwrap();
        assert!(keys.find(&b.key).is_some());
        keys.find(&a.key).unwrap().charge(1).unwrap_err();

        std::fs::write(file.path(), "nonsense").unwrap();
        keys.reload().unwrap_err();
        assert_eq!(keys.count(), 2);

        std::fs::write(file.path(), &b.line).unwrap();
        keys.reload().unwrap();
        assert!(keys.find(&a.key).is_none());
    }
}
