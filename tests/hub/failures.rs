//! What can go wrong, and what the user is told to do about it.

use std::fs;
use std::os::unix::fs::symlink;

use super::server::{COMMIT, Fault};
use super::{Case, files};

#[tokio::test]
async fn passing_trouble_is_waited_out() {
    let case = Case::new().await;
    for (what, fault) in [
        ("revision", Fault::Status(503, &[])),
        ("tree", Fault::Status(502, &[])),
        ("hub:model.safetensors", Fault::Status(429, &[("retry-after", "0")])),
        ("model.safetensors", Fault::Status(504, &[])),
        // An address that was signed too long ago.
        ("source.spm", Fault::Status(403, &[])),
        ("config.json", Fault::Broken(1)),
    ] {
        case.server.fault(what, fault);
    }
    case.pull("o/n").await.unwrap();
    let told = case.told.lock().unwrap();
    let pauses: Vec<_> = told.iter().filter(|told| told.starts_with("Retrying")).collect();
    assert_eq!(pauses.len(), 6, "{pauses:#?}");
    assert!(pauses.iter().any(|told| told.contains("pause: 0ns")), "as long as the server asks: {pauses:#?}");
}

#[tokio::test]
async fn trouble_that_stays_is_told_in_the_end() {
    let case = Case::new().await;
    for _ in 0..3 {
        case.server.fault("model.safetensors", Fault::Status(500, &[]));
    }
    let error = case.refusal("o/n").await;
    assert!(error.contains("model.safetensors: the server is in trouble (500"), "{error}");
    assert_eq!(case.server.served("model.safetensors"), 3);
}

#[tokio::test]
async fn a_server_that_asks_for_an_hour_is_not_waited_for() {
    let case = Case::new().await;
    for what in ["revision", "hub:model.safetensors"] {
        case.server.fault(what, Fault::Status(429, &[("retry-after", "3600")]));
        let error = case.refusal("o/n").await;
        assert!(error.contains("in 3600 s") && error.contains("HF_TOKEN"), "{error}");
    }
}

#[tokio::test]
async fn refusals_say_how_to_get_in() {
    let mut case = Case::new().await;
    let error = case.refusal("no/such").await;
    assert!(error.contains("no such repository, or it is private") && error.contains("HF_TOKEN"), "{error}");
    let gated = Fault::Status(401, &[("x-error-code", "GatedRepo")]);
    case.server.fault("revision", gated.clone());
    let error = case.refusal("o/n").await;
    assert!(error.contains(&format!("ask for access at {}/o/n", case.server.hub)), "{error}");
    case.settings.token = Some("hf_x".into());
    case.server.fault("hub:model.safetensors", Fault::Status(403, &[("x-error-code", "GatedRepo")]));
    let error = case.refusal("o/n").await;
    assert!(error.contains("token in HF_TOKEN has no access") && error.contains("/o/n"), "{error}");
    case.server.fault("revision", Fault::Status(404, &[]));
    let error = case.refusal("o/n").await;
    assert!(error.contains("o/n@main: there is no such thing (404"), "{error}");
}

#[tokio::test]
async fn a_revision_without_a_file_of_the_catalogue_is_refused_by_its_name() {
    let case = Case::new().await;
    let error = case.refusal("m2m100_418M").await;
    assert!(error.contains("has no file pytorch_model.bin"), "{error}");
}

#[tokio::test]
async fn files_that_are_not_what_the_hub_says_never_get_into_the_store() {
    let cases = [
        ("model.safetensors", Fault::Flipped, "has the SHA-256"),
        ("config.json", Fault::Flipped, "has the git object name"),
        ("model.safetensors", Fault::Long, "goes on after the 3000000 bytes"),
        ("model.safetensors", Fault::OtherLength, "is 3000001 bytes, and the file is listed with 3000000"),
    ];
    for (name, fault, problem) in cases {
        let case = Case::new().await;
        case.server.fault(name, fault);
        let error = case.refusal("o/n").await;
        assert!(error.starts_with(&format!("{name}: ")) && error.contains(problem), "{error}");
        let part = case.stored(&format!(".partial/o--n+{COMMIT}/{name}.part"));
        assert!(!part.exists(), "{problem}: it would be gone on with");
        case.pull("o/n").await.unwrap();
    }
}

#[tokio::test]
async fn a_hub_that_contradicts_itself_is_not_believed() {
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[("x-linked-size", "7")], "isn't the one that it lists"),
        (&[("x-repo-commit", "0000000000000000000000000000000000000000")], "isn't the one that it lists"),
        (&[("x-linked-etag", "\"none\"")], "has no digest"),
        (&[("x-linked-etag", "\u{e9}")], "has no digest"),
    ];
    for (headers, problem) in cases {
        let case = Case::new().await;
        for _ in 0..3 {
            case.server.fault("hub:model.safetensors", Fault::Headers(headers));
        }
        let error = case.refusal("o/n").await;
        assert!(error.contains(problem), "{error}");
    }
    let case = Case::new().await;
    let other = &[("etag", "\"ce013625030ba8dba906f756967f9e9ca394464a\"")];
    for _ in 0..3 {
        case.server.fault("hub:config.json", Fault::Headers(other));
    }
    assert!(case.refusal("o/n").await.contains("isn't the one that it lists"));
}

#[tokio::test]
async fn answers_that_make_no_sense_are_refused() {
    let cases: [(_, &[u8], _); 7] = [
        ("revision", b"<html>Please log in</html>", "o/n@main: the server's answer isn't as expected"),
        ("revision", b"{\"id\": \"o/n\", \"sha\": \"../..\"}", "names no commit"),
        ("revision", b"{\"id\": \"o/n\"}", "names no commit"),
        ("revision", b"{\"id\": \"\xff\"}", "isn't as expected"),
        ("tree", b"{}", "isn't as expected"),
        (
            "tree",
            b"[{\"type\": \"file\", \"path\": \"config.json\", \"oid\": \"\", \"size\": -1}]",
            "isn't as expected",
        ),
        ("tree", b"[]", "has no weights"),
    ];
    for (what, text, problem) in cases {
        let case = Case::new().await;
        case.server.fault(what, Fault::Text(text));
        let error = case.refusal("o/n").await;
        assert!(error.contains(problem), "{what} {text:?}: {error}");
    }
}

#[tokio::test]
async fn redirects_into_nowhere_and_for_ever_are_refused() {
    let nowhere = [("ftp://127.0.0.1/x", "away from"), ("http://", "no address")];
    for (location, problem) in nowhere {
        let case = Case::new().await;
        case.server.fault("hub:model.safetensors", Fault::Redirect(location));
        let error = case.refusal("o/n").await;
        assert!(error.contains(problem), "{error}");
    }
    let case = Case::new().await;
    for _ in 0..20 {
        case.server.fault("hub:model.safetensors", Fault::Redirect("?again"));
    }
    assert!(case.refusal("o/n").await.contains("redirected for ever"));
}

#[tokio::test]
async fn a_repository_that_moved_is_followed() {
    let case = Case::new().await;
    let moved = "/O/N/resolve/6b8bbf79697602f21b4c357dbbaa9141e38506a6/model.safetensors";
    case.server.fault("hub:model.safetensors", Fault::Redirect(moved));
    case.pull("o/n").await.unwrap();
}

#[tokio::test]
async fn names_that_would_leave_the_store_are_never_written() {
    let mut hostile = files();
    for name in ["../escaped.json", "/tmp/escaped.json", "..", "model-1-of-1/../../../escaped.safetensors"] {
        hostile.push((name.into(), b"x".to_vec()));
    }
    let case = Case::with(hostile, Some("mit")).await;
    case.pull("o/n").await.unwrap();
    assert_eq!(super::names(case.home.path()), ["store"]);
    assert_eq!(super::names(&case.settings.store), [".partial", "o--n"]);
}

#[tokio::test]
async fn too_little_space_is_told_with_the_figures_before_anything_is_fetched() {
    let mut case = Case::new().await;
    case.settings.free_space = |_| Ok(1_000_000);
    let error = case.refusal("o/n").await;
    assert!(error.contains("needs 3000016 bytes more, and 1000000 are free"), "{error}");
    assert!(error.contains("--store"), "{error}");
    assert_eq!(case.server.served("config.json"), 0);
}

#[tokio::test]
async fn a_disk_that_fills_up_is_told_as_that() {
    let case = Case::new().await;
    let staging = case.stored(&format!(".partial/o--n+{COMMIT}"));
    fs::create_dir_all(&staging).unwrap();
    symlink("/dev/full", staging.join("model.safetensors.part")).unwrap();
    let error = case.refusal("o/n").await;
    assert!(error.contains("No space left") && error.contains("free some space"), "{error}");
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_told_as_that() {
    let mut case = Case::new().await;
    fs::write(case.home.path().join("file"), "").unwrap();
    case.settings.store = case.home.path().join("file/store");
    let error = case.pull("o/n").await.unwrap_err().to_string();
    assert!(error.contains("file/store") && error.contains("--store"), "{error}");
}

#[tokio::test]
async fn nothing_is_fetched_offline() {
    let mut case = Case::new().await;
    case.settings.offline = Some("HF_HUB_OFFLINE");
    let error = case.refusal("o/n").await;
    assert!(error.contains("leave HF_HUB_OFFLINE off"), "{error}");
    assert_eq!(case.server.seen("").len(), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_without_secrets() {
    let mut case = Case::new().await;
    case.settings.hugging_face = "http://127.0.0.1:1".into();
    let error = case.refusal("o/n").await;
    assert!(error.contains("can't be reached") && error.contains("check the network"), "{error}");

    let case = Case::new().await;
    for _ in 0..3 {
        case.server.fault("source.spm", Fault::Broken(0));
    }
    let error = case.refusal("o/n").await;
    assert!(error.contains("the connection broke") && !error.contains("Signature"), "{error}");
}
