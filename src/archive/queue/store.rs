//! Texts and outcomes in an object store: a folder that all machines see, or a bucket of S3's kind.

use std::path::Path as FilePath;
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutPayload};

use super::Job;
use crate::archive::journal::Outcome;
use crate::archive::record::{Hash, hash_of};
use crate::{Error, Result};

/// An object store.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    place: String,
}

impl Store {
    /// Opens the store at `place`: a folder, which is made where it isn't there, or `s3://BUCKET/PREFIX`, for which
    /// the environment has region and keys as other tools want them (`AWS_ACCESS_KEY_ID` and so on; `AWS_ENDPOINT`
    /// for servers other than Amazon's).
    ///
    /// # Errors
    /// [`Error::Queue`] where it can't be used.
    pub fn open(place: &str) -> Result<Self> {
        let objects = match place.strip_prefix("s3://") {
            Some(bucket) => bucket_store(bucket),
            None => folder_store(FilePath::new(place.strip_prefix("file://").unwrap_or(place))),
        };
        Ok(Self { objects: objects.map_err(|error| failed(place, &error))?, place: place.into() })
    }

    /// What it is called in messages.
    pub(in crate::archive) fn place(&self) -> &str {
        &self.place
    }

    /// Puts a text where [`Store::text`] finds it.
    pub(in crate::archive) async fn put_text(&self, text: String) -> Result<()> {
        let path = text_path(&hash_of(&text));
        self.put(&path, text.into_bytes()).await
    }

    /// A text; `None` where it isn't there.
    ///
    /// # Errors
    /// [`Error::Queue`], also for a text that isn't what its name says.
    pub(super) async fn text(&self, hash: &Hash) -> Result<Option<String>> {
        let Some(bytes) = self.get(&text_path(hash)).await? else { return Ok(None) };
        match String::from_utf8(bytes) {
            Ok(text) if hash_of(&text) == *hash => Ok(Some(text)),
            _ => Err(self.failed(&format!("holds another text under the name {}", hex::encode(hash)))),
        }
    }

    /// Whether a text is there.
    pub(in crate::archive) async fn has_text(&self, hash: &Hash) -> Result<bool> {
        match self.objects.head(&text_path(hash)).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Stores what became of a text.
    pub(super) async fn put_outcome(&self, job: &Job, outcome: &Outcome) -> Result<()> {
        let bytes = serde_json::to_vec(outcome).map_err(|error| self.failed(&error))?;
        self.put(&outcome_path(job, &outcome.hash), bytes).await
    }

    /// What became of a text; `None` as long as nothing has.
    pub(in crate::archive) async fn outcome(&self, job: &Job, hash: &Hash) -> Result<Option<Outcome>> {
        let Some(bytes) = self.get(&outcome_path(job, hash)).await? else { return Ok(None) };
        match serde_json::from_slice::<Outcome>(&bytes) {
            Ok(outcome) if outcome.hash == *hash => Ok(Some(outcome)),
            Ok(_) => Err(self.failed(&format!("holds another outcome under the name {}", hex::encode(hash)))),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Forgets what became of a text.
    pub(in crate::archive) async fn forget(&self, job: &Job, hash: &Hash) -> Result<()> {
        match self.objects.delete(&outcome_path(job, hash)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn put(&self, path: &Path, bytes: Vec<u8>) -> Result<()> {
        let put = self.objects.put(path, PutPayload::from(bytes)).await;
        put.map(drop).map_err(|error| self.failed(&error))
    }

    async fn get(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let found = match self.objects.get(path).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        failed(&self.place, error)
    }
}

fn failed(place: &str, error: &dyn std::fmt::Display) -> Error {
    let remedy = "see that the store is there and that you may read and write it";
    Error::Queue { place: place.into(), problem: error.to_string(), remedy }
}

fn bucket_store(bucket: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
    let (bucket, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
    let objects = AmazonS3Builder::from_env().with_bucket_name(bucket).build()?;
    Ok(Arc::new(PrefixStore::new(objects, Path::parse(prefix)?)))
}

fn folder_store(folder: &FilePath) -> object_store::Result<Arc<dyn ObjectStore>> {
    let failed = |error: std::io::Error| StoreError::Generic { store: "folder", source: error.into() };
    std::fs::create_dir_all(folder).map_err(failed)?;
    // An outcome that is acknowledged must survive a power cut.
    Ok(Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true)))
}

fn text_path(hash: &Hash) -> Path {
    Path::from(format!("texts/{}", spread(hash)))
}

fn outcome_path(job: &Job, hash: &Hash) -> Path {
    Path::from(format!("outcomes/{}/{}", job.key, spread(hash)))
}

/// A hash in hexadecimal, over folders that stay small.
fn spread(hash: &Hash) -> String {
    let name = hex::encode(hash);
    format!("{}/{name}", &name[..2])
}
