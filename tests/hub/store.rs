//! What is fetched, what isn't, and what the store knows of it.

use std::fs;

use tarjoman::hub::{Manifest, ModelChoice, ModelName, Store};

use super::server::{COMMIT, Fault, sha256};
use super::{Case, files, names};

#[tokio::test]
async fn a_repository_is_fetched_and_recorded_with_the_digests_of_the_hub() {
    let mut case = Case::new().await;
    case.settings.token = Some("hf_secret".into());
    let pulled = case.pull("o/n").await.unwrap();
    assert_eq!(pulled.folder, case.stored("o--n"));
    let kept = ["card.json", "config.json", "manifest.json", "model.safetensors", "source.spm", "vocab.json"];
    assert_eq!(names(&pulled.folder), kept, "the model's files, and nothing else");

    let manifest = Manifest::read(&pulled.folder).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.licence.as_str()), ("o/n", "apache-2.0"));
    assert_eq!((manifest.origin.revision.as_str(), manifest.origin.commit.as_str()), ("main", COMMIT));
    assert_eq!(manifest.licence_accepted, None);
    for (name, contents) in files().iter().filter(|(name, _)| name != "README.md") {
        let record = manifest.files.iter().find(|file| file.name == *name).unwrap();
        assert_eq!((record.size, &record.sha256), (contents.len() as u64, &sha256(contents)));
        assert_eq!(&fs::read(pulled.folder.join(name)).unwrap(), contents);
    }
    assert_eq!(names(&case.stored(".partial")), ["o--n.lock"]);

    let shown = case.server.seen("");
    assert!(shown.iter().any(|seen| seen.on_cdn));
    for seen in shown {
        assert_eq!(seen.authorization.is_some(), !seen.on_cdn, "the token is for the Hub alone: {seen:?}");
    }
}

#[tokio::test]
async fn what_is_there_and_sound_is_not_fetched_again() {
    let case = Case::new().await;
    assert!(!case.pull("o/n").await.unwrap().was_there);
    assert!(case.pull("o/n").await.unwrap().was_there);
    assert_eq!(case.server.served("model.safetensors"), 1);
}

#[tokio::test]
async fn of_a_spoilt_model_only_the_spoilt_file_is_fetched_again() {
    let case = Case::new().await;
    let folder = case.pull("o/n").await.unwrap().folder;
    fs::write(folder.join("vocab.json"), "{}").unwrap();
    assert!(!case.pull("o/n").await.unwrap().was_there);
    assert_eq!((case.server.served("model.safetensors"), case.server.served("vocab.json")), (1, 2));
    assert_eq!(fs::read(folder.join("vocab.json")).unwrap(), files()[3].1);
}

#[tokio::test]
async fn files_of_hugging_face_s_own_cache_are_used_if_they_are_sound() {
    let case = Case::new().await;
    let blobs = case.settings.hugging_face_cache.join("models--o--n/blobs");
    fs::create_dir_all(&blobs).unwrap();
    let (weights, pieces) = (&files()[1].1, &files()[2].1);
    fs::write(blobs.join(sha256(weights)), weights).unwrap();
    fs::write(blobs.join(sha256(pieces)), "spoilt").unwrap();
    let folder = case.pull("o/n").await.unwrap().folder;
    assert_eq!((case.server.served("model.safetensors"), case.server.served("source.spm")), (0, 1));
    assert_eq!(&fs::read(folder.join("source.spm")).unwrap(), pieces);
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    let case = Case::new().await;
    case.server.fault("model.safetensors", Fault::Broken(2_000_000));
    let folder = case.pull("o/n").await.unwrap().folder;
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), files()[1].1);
    let seen = case.server.seen(&sha256(&files()[1].1));
    assert_eq!(seen.len(), 2);
    let from = seen[1].range.as_deref().unwrap().strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap();
    assert!((1..=2_000_000).contains(&from.parse().unwrap()), "{from}");
    assert!(seen[1].if_range.as_deref().unwrap().starts_with("\"cdn-"));
}

#[tokio::test]
async fn the_next_run_goes_on_too_even_if_ranges_are_ignored() {
    for ignored in [false, true] {
        let mut case = Case::new().await;
        case.settings.retries.attempts = 1;
        case.server.fault("model.safetensors", Fault::Short(1_000_000));
        let error = case.refusal("o/n").await;
        assert!(
            error.contains("ended after 1000000 of 3000000 bytes") && error.contains("goes on"),
            "{error}"
        );
        if ignored {
            case.server.fault("model.safetensors", Fault::Whole);
        }
        let folder = case.pull("o/n").await.unwrap().folder;
        assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), files()[1].1);
        let seen = case.server.seen(&sha256(&files()[1].1));
        assert_eq!(seen.last().unwrap().range.as_deref(), Some("bytes=1000000-"));
        assert_eq!(case.server.served("config.json"), 1, "what was complete isn't fetched again");
    }
}

#[tokio::test]
async fn a_server_that_cannot_go_on_starts_over() {
    // On the CDN, and on the Hub itself.
    for answers in ["model.safetensors", "hub:model.safetensors"] {
        let case = Case::new().await;
        case.server.fault("model.safetensors", Fault::Broken(1_000_000));
        case.server.fault("hub:model.safetensors", Fault::Headers(&[]));
        case.server.fault(answers, Fault::Status(416, &[]));
        let folder = case.pull("o/n").await.unwrap().folder;
        assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), files()[1].1);
        assert_eq!(case.server.seen(&sha256(&files()[1].1)).last().unwrap().range, None);
    }
}

#[tokio::test]
async fn a_part_of_a_file_that_changed_since_is_thrown_away() {
    let mut case = Case::new().await;
    case.settings.retries.attempts = 1;
    case.server.fault("model.safetensors", Fault::Short(1_000_000));
    case.refusal("o/n").await;
    case.server.change("model.safetensors", &vec![7; 3_000_000]);
    case.settings.retries.attempts = 3;
    let folder = case.pull("o/n").await.unwrap().folder;
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), vec![7; 3_000_000]);
}

#[tokio::test]
async fn licences_with_conditions_are_accepted_once_and_that_is_recorded() {
    let case = Case::with(files(), Some("cc-by-nc-4.0")).await;
    let error = case.refusal("o/n").await;
    assert!(error.contains("cc-by-nc-4.0") && error.contains("--accept-license"), "{error}");
    assert_eq!(case.server.served("model.safetensors"), 0);
    let pulled = case.pull_with("o/n", true).await.unwrap();
    assert!(pulled.manifest.licence_accepted.unwrap().starts_with("20"));
    assert!(case.pull("o/n").await.unwrap().was_there);
}

#[tokio::test]
async fn a_licence_of_the_catalogue_is_asked_for_before_anything_else() {
    let case = Case::new().await;
    for name in ["nllb-200-distilled-600M", "facebook/nllb-200-distilled-600M"] {
        let error = case.refusal(name).await;
        assert!(error.contains("CC-BY-NC-4.0") && error.contains("--accept-license"), "{error}");
    }
    assert_eq!(case.server.seen("").len(), 0);
}

#[tokio::test]
async fn a_model_that_changed_on_disk_is_not_loaded() {
    let case = Case::new().await;
    let store = Store::new(&case.settings.store);
    let folder = case.pull("o/n").await.unwrap().folder;
    let opened = |name| store.choose(Some(name)).map(|chosen| chosen.model);
    assert_eq!(opened("o/n").unwrap(), ModelChoice::Folder(folder.clone()));

    let file = fs::File::options().write(true).open(folder.join("vocab.json")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(opened("o/n").is_ok(), "another time alone is no harm");
    let before = fs::metadata(folder.join("manifest.json")).unwrap().modified().unwrap();
    assert!(opened("o/n").is_ok());
    assert_eq!(fs::metadata(folder.join("manifest.json")).unwrap().modified().unwrap(), before);

    fs::write(folder.join("vocab.json"), "{\"a\": 1}").unwrap();
    for name in ["o/n", folder.to_str().unwrap()] {
        let error = opened(name).unwrap_err().to_string();
        assert!(error.contains("vocab.json has the SHA-256") && error.contains("models pull o/n"), "{error}");
    }
    let problems = store.verify(&ModelName::parse("o/n").unwrap()).unwrap();
    assert!(problems.len() == 1 && problems[0].contains("vocab.json"), "{problems:?}");
}

#[tokio::test]
async fn a_removed_model_is_gone_with_all_that_was_fetched_of_it() {
    let mut case = Case::new().await;
    let store = Store::new(&case.settings.store);
    let name = ModelName::parse("o/n").unwrap();
    assert!(store.remove(&name).unwrap_err().to_string().contains("isn't in the store"));
    case.pull("o/n").await.unwrap();
    case.settings.retries.attempts = 1;
    case.server.change("model.safetensors", b"new");
    store.remove(&name).unwrap();
    case.server.fault("model.safetensors", Fault::Short(1));
    case.refusal("o/n").await;
    store.remove(&name).unwrap();
    assert_eq!(names(&case.settings.store), [".partial"]);
    assert_eq!(names(&case.stored(".partial")), ["o--n.lock"]);
}

#[tokio::test]
async fn the_best_model_in_the_store_is_used_when_none_is_named() {
    let mut files = files();
    files.push(("target.spm".into(), b"pieces".to_vec()));
    for name in ["model.faen.intgemm.alphas.bin", "vocab.faen.spm"] {
        files.push((name.into(), name.as_bytes().to_vec()));
    }
    let case = Case::with(files, Some("apache-2.0")).await;
    let store = Store::new(&case.settings.store);
    let notice = store.choose(None).unwrap().notice.unwrap();
    assert!(notice.contains("`tarjoman models pull mozilla-faen-tiny`"), "{notice}");

    // No published score on the test set that ranks, so it takes a user to name it.
    let unranked = "opus-mt-tc-bible-big-iir-en";
    case.pull(unranked).await.unwrap();
    let chosen = store.choose(None).unwrap();
    assert_eq!(chosen.model, ModelChoice::BuiltIn);
    assert!(chosen.notice.unwrap().contains(unranked));
    assert_eq!(store.choose(Some(unranked)).unwrap().model, ModelChoice::Folder(case.stored(unranked)));

    case.server.list_records(|_| {});
    case.pull("mozilla-faen-tiny").await.unwrap();
    let chosen = store.choose(None).unwrap();
    assert_eq!(chosen.model, ModelChoice::Folder(case.stored("mozilla-faen-tiny")));
    assert_eq!(chosen.notice, None);
}

#[tokio::test]
async fn names_are_looked_up_in_the_store_and_nowhere_else() {
    let case = Case::new().await;
    let store = Store::new(&case.settings.store);
    for name in ["o/n", "o/n@refs/pr/1", "m2m100_418M"] {
        let error = store.choose(Some(name)).unwrap_err().to_string();
        assert!(error.contains(&format!("`tarjoman models pull {name}`")), "{error}");
    }
    for name in ["no-such-model", "./no/such/folder", "/no/such/folder", "a/b/c"] {
        let error = store.choose(Some(name)).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    assert_eq!(case.server.seen("").len(), 0);
}
