//! Nothing is lost or done twice, however a run ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::time::Duration;

use crate::archive::{FILES, fill, texts};
use crate::common::{Workplace, article, words};

/// Kills runs at random moments until one ends by itself, and returns how many were killed.
fn killed_and_resumed(workplace: &Workplace, output: &str, arguments: &[&str], seed: u64) -> usize {
    let mut random = seed;
    for kills in 0.. {
        let mut run = workplace.start(output, arguments);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Later ones live longer, so that there is an end.
        let life = Duration::from_millis((10 + (random >> 33) % 90) * (1 + kills as u64 / 8));
        let (stderr, finished) = (run.stderr.take().unwrap(), std::sync::mpsc::channel());
        let watcher = std::thread::spawn(move || {
            // Ends with the process.
            let lines: Vec<_> = BufReader::new(stderr).lines().map_while(Result::ok).collect();
            let _ = finished.0.send(());
            lines.join("\n")
        });
        if finished.1.recv_timeout(life).is_ok() {
            let words = watcher.join().unwrap();
            assert!(run.wait().unwrap().success(), "{words}");
            return kills;
        }
        run.kill().unwrap();
        run.wait().unwrap();
        watcher.join().unwrap();
        assert!(half_written(workplace, output).is_empty(), "{:?}", half_written(workplace, output));
    }
    unreachable!()
}

/// Files under the names of outputs that end before their end.
fn half_written(workplace: &Workplace, output: &str) -> Vec<String> {
    let ends = |name: &str, bytes: &[u8]| match name.rsplit_once('.').map(|(_, extension)| extension) {
        _ if name.starts_with(".scratch") => true,
        Some("txt") => !bytes.is_empty(),
        Some("jsonl" | "csv" | "srt") => bytes.is_empty() || bytes.ends_with(b"\n"),
        Some("parquet") => bytes.ends_with(b"PAR1"),
        _ => true,
    };
    if !workplace.path(output).exists() {
        // The run was killed before it wrote anything.
        return Vec::new();
    }
    let outputs = workplace.outputs(output);
    outputs.iter().filter(|(name, bytes)| !ends(name, bytes)).map(|(name, _)| name.clone()).collect()
}

fn is_the_same_through_kills(count: usize, arguments: &[&str], seed: u64) {
    let workplace = Workplace::new();
    fill(&workplace, count);
    let output = workplace.run("undisturbed", arguments);
    assert!(output.status.success(), "{}", words(&output));
    let kills = killed_and_resumed(&workplace, "disturbed", arguments, seed);
    println!("killed {kills} times");
    assert!(kills > 2, "killed {kills} times only");
    let (expected, found) = (workplace.outputs("undisturbed"), workplace.outputs("disturbed"));
    assert!(expected.keys().eq(found.keys()), "{:?}\n{:?}", expected.keys(), found.keys());
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "{name} differs");
    }
    assert_eq!(expected.len(), 2 * (count + FILES) + 1, "each file, its export, and the sidecar");
    let report = workplace.report("disturbed");
    assert_eq!(report["totals"]["articles"], texts(count) + count as u64);
    assert_eq!(report["totals"]["texts"], texts(count), "what is said twice is translated once");
    assert_eq!(report["totals"]["files_written"], count + FILES);
    let attempts = workplace.journal("disturbed", "SELECT max(attempts) FROM translation");
    assert_eq!(attempts, 1, "nothing that was finished is done again");
}

#[test]
fn a_killed_run_goes_on_to_the_same_result() {
    is_the_same_through_kills(25, &["--export", "jsonl"], 7);
}

/// In each of fourteen formats and packings.
#[test]
#[ignore = "takes half an hour: cargo test --release --test batch -- --ignored --nocapture twenty_thousand"]
fn twenty_thousand_articles_through_kills() {
    is_the_same_through_kills(20_000, &["--export", "jsonl", "--max-tokens", "1"], 20);
}

/// Starts a run and waits until its first file is written.
fn started(workplace: &Workplace, arguments: &[&str]) -> Child {
    let mut run = workplace.start("out", arguments);
    wait_for(&mut run, || workplace.path("out/translated").exists());
    run
}

fn wait_for(run: &mut Child, mut is_there: impl FnMut() -> bool) {
    while !is_there() {
        assert!(run.try_wait().unwrap().is_none(), "it ended before");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn interrupt(run: &Child) {
    assert!(Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());
}

#[test]
fn an_interrupted_run_finishes_what_is_under_way_and_can_go_on() {
    let workplace = Workplace::new();
    fill(&workplace, 20);
    let run = started(&workplace, &["--in-flight", "4"]);
    interrupt(&run);
    let ended = run.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", words(&ended));
    assert!(words(&ended).contains("run the same command again"), "{}", words(&ended));
    let done = workplace.report("out")["totals"]["texts"].as_u64().unwrap();
    let pending = workplace.journal("out", "SELECT count(*) FROM translation WHERE state = 'pending'");
    assert!(done > 0 && done < texts(20), "{done}");
    assert_eq!(pending, 0, "what was begun is finished");
    let output = workplace.run("out", &[]);
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(workplace.report("out")["totals"]["texts"], texts(20));
}

#[test]
fn a_second_signal_ends_a_run_at_once() {
    let workplace = Workplace::new();
    workplace.input("a.txt", article(1));
    workplace.input("b.txt", (0..20_000).map(article).collect::<String>());
    let mut run = started(&workplace, &[]);
    interrupt(&run);
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("another signal ends at once")));
    interrupt(&run);
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert!(!lines.any(|line| line.contains("go on")), "it takes no leave");
    assert_eq!(workplace.report("out")["totals"]["texts"], 1, "the article under way isn't waited for");
}

/// The limit on a file's size stands for a full disk: writing fails, here in the journal, there in an output.
#[test]
fn a_full_disk_ends_a_run_and_room_lets_it_go_on() {
    let workplace = Workplace::new();
    fill(&workplace, 10);
    let large = (0..4000).map(article).collect::<String>();
    workplace.input("large.jpg", &large);
    let arguments = ["--export", "jsonl,parquet"];
    let output = workplace.run("undisturbed", &arguments);
    assert!(output.status.success(), "{}", words(&output));
    for blocks in ["64", "200", "400"] {
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -f \"$0\" && trap '' XFSZ && exec \"$@\"", blocks]);
        let run = workplace.command("full", &arguments);
        limited.arg(run.get_program()).args(run.get_args()).current_dir(workplace.folder.path());
        let output = limited.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", words(&output));
        assert!(half_written(&workplace, "full").is_empty());
    }
    assert_eq!(workplace.journal("full", "SELECT count(*) FROM source WHERE state = 'unusable'"), 0);
    let output = workplace.run("full", &arguments);
    assert!(output.status.success(), "{}", words(&output));
    assert!(workplace.outputs("full") == workplace.outputs("undisturbed"));
}

#[test]
fn a_finished_run_has_nothing_to_do_until_a_file_changes() {
    let workplace = Workplace::new();
    fill(&workplace, 3);
    let translated = |name: &str| std::fs::metadata(workplace.path("out/translated/in").join(name)).unwrap();
    let written = |name: &str| translated(name).modified().unwrap();
    assert!(workplace.run("out", &[]).status.success());
    let before = (written("texts/00000.txt"), written("records.jsonl"));
    workplace.input("texts/00000.txt", article(99));
    assert!(workplace.run("out", &[]).status.success());
    assert!(written("texts/00000.txt") > before.0);
    assert_eq!(written("records.jsonl"), before.1);
    assert_eq!(workplace.report("out")["totals"]["texts"], texts(3) + 1);
    // An output that is gone is written again, and nothing translated for it.
    std::fs::remove_file(workplace.path("out/translated/in/records.jsonl")).unwrap();
    assert!(workplace.run("out", &[]).status.success());
    assert!(written("records.jsonl") > before.1);
    assert_eq!(workplace.report("out")["totals"]["texts"], texts(3) + 1);
    let before = written("texts/00001.txt");
    assert!(workplace.run("out", &["--restart"]).status.success());
    assert!(written("texts/00001.txt") > before, "asked to, it does everything again");
    assert_eq!(workplace.report("out")["totals"]["texts"], texts(3));
}

#[test]
fn a_change_of_options_is_noticed() {
    let workplace = Workplace::new();
    fill(&workplace, 2);
    assert!(workplace.run("out", &[]).status.success());
    let changed = ["--beam", "2"];
    let output = workplace.run("out", &changed);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        words(&output).contains("--on-change") && words(&output).contains("beam_size"),
        "{}",
        words(&output)
    );

    workplace.input("texts/new.txt", article(500));
    assert!(workplace.run("out", &[&changed[..], &["--on-change", "keep"]].concat()).status.success());
    let translated = |report: &serde_json::Value| {
        let models = report["models"].as_array().unwrap();
        models.iter().map(|used| used["texts"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(translated(&workplace.report("out")), [texts(2), 1]);
    assert!(workplace.run("out", &["--on-change", "restart"]).status.success());
    assert_eq!(translated(&workplace.report("out")), [texts(2) + 1]);
}

#[test]
fn only_one_run_writes_to_a_folder_and_others_may_watch() {
    let workplace = Workplace::new();
    fill(&workplace, 100);
    let mut run = workplace.start("out", &[]);
    wait_for(&mut run, || workplace.path("out/journal.sqlite").exists());
    let output = workplace.run("out", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).contains("another run"), "{}", words(&output));
    run.kill().unwrap();
    run.wait().unwrap();
}
