//! Mozilla's students from its Remote Settings.

use std::fs;

use serde_json::json;

use super::server::{Fault, Server, sha256};
use super::{Case, names};

const STUDENT: &str = "mozilla-faen-tiny";

async fn case() -> Case {
    let files = ["model.faen.intgemm.alphas.bin.gz", "lex.50.50.faen.s2t.bin.gz", "vocab.faen.spm.gz"];
    let case = Case::with(files.map(|name| (name.to_owned(), name.repeat(1000).into())).into(), None).await;
    case.server.list_records(|_| {});
    case
}

#[tokio::test]
async fn a_student_is_fetched_and_kept_as_mozilla_serves_it() {
    let mut case = case().await;
    case.settings.token = Some("hf_secret".into());
    let pulled = case.pull(STUDENT).await.unwrap();
    let kept = [
        "card.json",
        "lex.50.50.faen.s2t.bin.gz",
        "manifest.json",
        "model.faen.intgemm.alphas.bin.gz",
        "vocab.faen.spm.gz",
    ];
    assert_eq!(names(&pulled.folder), kept);
    let vocabulary = "vocab.faen.spm.gz".repeat(1000).into_bytes();
    assert_eq!(fs::read(pulled.folder.join("vocab.faen.spm.gz")).unwrap(), vocabulary);
    assert!(pulled.manifest.files.iter().any(|file| file.sha256 == sha256(&vocabulary)));
    assert_eq!(
        (pulled.manifest.licence.as_str(), pulled.manifest.origin.commit.as_str()),
        ("MPL-2.0", "1.0")
    );
    assert!(
        case.server.seen("").iter().all(|seen| seen.authorization.is_none()),
        "the token is for the Hub alone"
    );
    assert!(case.pull(STUDENT).await.unwrap().was_there);
}

#[tokio::test]
async fn a_student_that_is_not_what_its_record_says_is_refused() {
    let case = case().await;
    case.server.fault("vocab.faen.spm.gz", Fault::Flipped);
    let error = case.refusal(STUDENT).await;
    assert!(error.contains("vocab.faen.spm.gz: has the SHA-256"), "{error}");
}

#[tokio::test]
async fn a_broken_download_of_a_student_goes_on() {
    let case = case().await;
    case.server.fault("vocab.faen.spm.gz", Fault::Broken(9_000));
    case.server.fault("records", Fault::Status(503, &[("retry-after", "0")]));
    case.pull(STUDENT).await.unwrap();
    assert_eq!(case.server.served_by_hash("vocab.faen.spm.gz"), 2);
}

#[tokio::test]
async fn an_incomplete_or_hostile_list_is_refused() {
    type Spoil = fn(&mut serde_json::Value);
    let cases: [(Spoil, &str); 6] = [
        (|record| record["toLang"] = json!("de"), "has no complete fa-en tiny model"),
        (|record| record["fileType"] = json!("lex"), "has no complete fa-en tiny model"),
        (|record| record["attachment"]["filename"] = json!("../../x"), "can't lie in a model's folder"),
        (|record| record["attachment"]["location"] = json!("http://127.0.0.1:1/x"), "no place on its server"),
        (|record| record["attachment"]["size"] = json!(u64::MAX), "needs"),
        (|record| record["attachment"]["size"] = json!("many"), "isn't as expected"),
    ];
    for (spoil, problem) in cases {
        let case = case().await;
        case.server.list_records(spoil);
        let error = case.refusal(STUDENT).await;
        assert!(error.contains(problem), "{error}");
    }
    let case = case().await;
    case.server.fault("records", Fault::Text(b"{\"data\": [\xff"));
    assert!(case.refusal(STUDENT).await.contains("isn't as expected"));
}

impl Server {
    fn served_by_hash(&self, name: &str) -> usize {
        self.seen(&sha256(&name.repeat(1000).into_bytes())).len()
    }
}
