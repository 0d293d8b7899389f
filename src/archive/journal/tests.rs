use super::*;
use crate::review::Flag;
use crate::translation::FlagCount;

const FILE: Fingerprint<'static> = Fingerprint { size: 5, modified: 7, layout: "plain", output_exists: true };

fn journal() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let config =
        Config { model: "m".into(), digest: "d".into(), precision: "f32".into(), options: "{}".into() };
    journal.set_config(&config).unwrap();
    (folder, journal)
}

fn source(name: &str) -> Source {
    Source { path: format!("/in/{name}").into(), name: name.into() }
}

fn open(journal: &Journal, name: &str, run: i64) -> i64 {
    match journal.begin_source(&source(name), &FILE, run).unwrap() {
        Begun::Open(opened) => opened.id,
        other => panic!("{other:?}"),
    }
}

fn done(hash: Hash) -> Outcome {
    let flag_counts = vec![FlagCount { flag: Flag::Empty, sentences: 1 }];
    let summary =
        ArticleSummary { sentences: 3, flagged_sentences: 1, flag_counts, ..ArticleSummary::default() };
    Outcome { hash, attempts: 1, result: Ok(Done { translation: Translation::default(), summary }) }
}

#[test]
fn a_text_is_taken_up_once_in_a_run_and_again_in_the_next_until_it_is_done() {
    let (_folder, mut journal) = journal();
    let run = journal.begin_run().unwrap();
    assert!(journal.claim(&[1; 32], run).unwrap());
    assert!(!journal.claim(&[1; 32], run).unwrap(), "it is under way");
    let next = journal.begin_run().unwrap();
    assert!(next > run);
    assert!(journal.claim(&[1; 32], next).unwrap(), "the run that had it is gone");
    journal.finish(&[done([1; 32])]).unwrap();
    assert!(!journal.claim(&[1; 32], journal.begin_run().unwrap()).unwrap(), "it is done");
    assert!(matches!(journal.state(&[1; 32]).unwrap(), State::Done(..)));
    assert!(matches!(journal.state(&[2; 32]).unwrap(), State::Pending));
}

#[test]
fn a_finished_file_is_read_again_only_where_something_changed() {
    let (_folder, journal) = journal();
    let id = open(&journal, "a", 1);
    journal.close_source(id, true).unwrap();
    let begin = |file: Fingerprint<'_>, run| journal.begin_source(&source("a"), &file, run).unwrap();
    assert!(matches!(begin(FILE, 2), Begun::Finished));
    for changed in [
        Fingerprint { size: 6, ..FILE },
        Fingerprint { modified: 8, ..FILE },
        Fingerprint { layout: "other", ..FILE },
        Fingerprint { output_exists: false, ..FILE },
    ] {
        assert!(matches!(begin(changed, 2), Begun::Open(_)));
        assert!(matches!(begin(FILE, 2), Begun::Open(_)), "it is open until it is closed");
        journal.close_source(id, true).unwrap();
    }
}

#[test]
fn two_files_of_a_run_cannot_have_one_name() {
    let (_folder, journal) = journal();
    open(&journal, "a", 1);
    let other = Source { path: "/other/a".into(), name: "a".into() };
    assert!(matches!(journal.begin_source(&other, &FILE, 1).unwrap(), Begun::NameTaken));
    assert!(matches!(journal.begin_source(&other, &FILE, 2).unwrap(), Begun::Open(_)));
}

#[test]
fn what_failed_is_told_and_tried_again_on_demand() {
    let (_folder, mut journal) = journal();
    let id = open(&journal, "a", 1);
    journal.add_article(id, 0, "a:1", &[1; 32], None).unwrap();
    journal.add_article(id, 1, "a:2", &[2; 32], Some("windows-1256")).unwrap();
    journal.add_article(id, 2, "a:4", &[1; 32], None).unwrap();
    journal.add_problem(Some(id), "a:3", "has no text").unwrap();
    assert!(journal.claim(&[1; 32], 1).unwrap() && journal.claim(&[2; 32], 1).unwrap());
    let failed = Outcome { hash: [2; 32], attempts: 3, result: Err("inference failed".into()) };
    journal.finish(&[done([1; 32]), failed]).unwrap();
    journal.close_source(id, true).unwrap();

    let report = journal.report(10).unwrap();
    let totals = &report.totals;
    assert_eq!((totals.articles, totals.translated, totals.failed, totals.texts), (3, 2, 1, 1));
    assert_eq!((totals.sentences, totals.flagged_sentences, totals.problems), (3, 1, 1));
    let failures: Vec<_> = report.failed.iter().map(|failed| failed.locator.as_str()).collect();
    assert_eq!(failures, ["a:3", "a:2"]);
    assert_eq!(report.flags["empty"], 1);
    assert_eq!(report.encodings["windows-1256"], 1);
    assert_eq!(report.slowest[0].locator, "a:1");

    assert!(!journal.claim(&[2; 32], 2).unwrap());
    journal.retry_failed().unwrap();
    assert!(journal.claim(&[2; 32], 2).unwrap());
    open(&journal, "a", 2);
    assert_eq!(journal.totals().unwrap().problems, 0, "they are noted anew");
}

#[test]
fn a_journal_of_another_version_and_a_missing_one_are_refused() {
    let (folder, journal) = journal();
    journal.connection.pragma_update(None, "user_version", 99).unwrap();
    let message = |result: Result<Journal>| result.err().unwrap().to_string();
    assert!(message(Journal::open(folder.path())).contains("another version"));
    assert!(message(Journal::read(Path::new("/nowhere"))).contains("no journal"));
}
