//! The real binary, in a temporary directory. Nothing here depends on what the built-in model says.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const ARTICLE: &str = "خبر کوتاه\n\nدولت بیانیه داد. مردم شنیدند.\r\n\r\n  هوا خوب است؟ بله.\n";

#[test]
fn text_keeps_the_separators_between_paragraphs() {
    let output = tarjoman(&["translate", "-q"], ARTICLE);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let parts: Vec<&str> = text.split("\r\n\r\n  ").collect();
    assert_eq!(parts.len(), 2, "{text:?}");
    assert_eq!(parts[0].split("\n\n").count(), 2, "{text:?}");
    assert!(parts[1].ends_with('\n'), "{text:?}");
}

#[test]
fn jsonl_accounts_for_every_byte_of_the_source() {
    let output = tarjoman(&["translate", "-q", "--format", "jsonl", "--beam", "2", "--n-best", "2"], ARTICLE);
    let events = json_lines(&output.stdout);
    assert_eq!(events[0]["event"], "start");
    assert_eq!(events[0]["options"]["beam_size"], 2);
    assert_eq!(events[0]["paragraphs"], 3);
    assert_eq!(events[0]["sentences"], 5);
    let mut rebuilt = String::new();
    for paragraph in &events[1..4] {
        assert_eq!(paragraph["event"], "paragraph");
        rebuilt += paragraph["separator"].as_str().unwrap();
        rebuilt += slice(ARTICLE, &paragraph["source_span"]);
        assert_eq!(paragraph["source_text"], slice(ARTICLE, &paragraph["source_span"]));
        let sentences = paragraph["sentences"].as_array().unwrap();
        let text = paragraph["text"].as_str().unwrap();
        let targets: Vec<&str> =
            sentences.iter().map(|sentence| slice(text, &sentence["target_span"])).collect();
        assert_eq!(targets.join(" "), text);
    }
    assert_eq!(events[4]["event"], "summary");
    rebuilt += events[4]["trailing_separator"].as_str().unwrap();
    assert_eq!(rebuilt, ARTICLE);
}

#[test]
fn bilingual_shows_every_source_sentence_once() {
    let output = tarjoman(&["translate", "-q", "--format", "bilingual"], ARTICLE);
    let text = String::from_utf8(output.stdout).unwrap();
    for sentence in ["خبر کوتاه", "دولت بیانیه داد.", "مردم شنیدند.", "هوا خوب است؟", "بله."]
    {
        assert_eq!(text.lines().filter(|line| *line == sentence).count(), 1, "{text}");
    }
}

#[test]
fn lines_are_translated_one_for_one() {
    let output = tarjoman(&["translate", "-q", "--lines", "--beam", "1"], "سلام. خوبی؟\n\nهوا خوب است\n");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text:?}");
    assert!(!lines[0].is_empty() && lines[1].is_empty() && !lines[2].is_empty(), "{text:?}");
    assert!(tarjoman(&["translate", "-q", "--lines"], "").stdout.is_empty());
}

#[test]
fn a_file_is_written_whole_and_statistics_beside_it() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("in.txt"), ARTICLE).unwrap();
    let arguments = ["translate", "in.txt", "-o", "out.txt", "--stats", "stats.json", "--threads", "1"];
    let output = command(&arguments).current_dir(&folder).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    let written = std::fs::read_to_string(folder.path().join("out.txt")).unwrap();
    assert_eq!(written.as_bytes(), tarjoman(&["translate", "-q"], ARTICLE).stdout);
    let stats: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("stats.json")).unwrap()).unwrap();
    assert_eq!(stats["sentences"], 5);
    assert!(
        stats["source_tokens"].as_u64().unwrap() > 5 && stats["target_tokens"].as_u64().unwrap() > 5,
        "{stats}"
    );
    assert!(stats["seconds"]["decode"].as_f64().unwrap() > 0.0, "{stats}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3, "no temporary file is left");
}

/// Moving the finished file into place once put a file where a device had been.
#[test]
fn an_output_that_is_no_plain_file_stays_what_it_is() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("target.txt"), "old").unwrap();
    std::os::unix::fs::symlink("target.txt", path("link")).unwrap();
    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    let expected = tarjoman(&["translate", "-q"], ARTICLE).stdout;

    let output = run(command(&["translate", "-q", "-o", "link"]).current_dir(&folder), ARTICLE);
    assert!(output.status.success(), "{output:?}");
    assert!(path("link").is_symlink());
    assert_eq!(std::fs::read(path("target.txt")).unwrap(), expected);

    let mut reader = Command::new("cat").arg(path("pipe")).stdout(Stdio::piped()).spawn().unwrap();
    let output = run(command(&["translate", "-q", "-o", "pipe"]).current_dir(&folder), ARTICLE);
    if path("pipe").is_file() {
        // Nobody will ever write to the pipe that it waits for.
        reader.kill().unwrap();
    }
    assert_eq!(reader.wait_with_output().unwrap().stdout, expected, "{output:?}");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_failed_translation_leaves_the_old_output() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("out.txt"), "old").unwrap();
    let arguments = ["translate", "-o", "out.txt", "--require-persian"];
    let output = run(command(&arguments).current_dir(&folder), "This isn't a Persian sentence.\n");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--require-persian"), "{output:?}");
    assert_eq!(std::fs::read(folder.path().join("out.txt")).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_blank_line_is_no_sentence_in_the_statistics() {
    let folder = TempDir::new().unwrap();
    let arguments = ["translate", "-q", "--lines", "--beam", "1", "--stats", "stats.json"];
    let output = run(command(&arguments).current_dir(&folder), "\u{feff}سلام\r\n\r\n  \r\nهوا خوب است");
    let text = String::from_utf8(output.stdout).unwrap();
    let blank: Vec<bool> = text.lines().map(str::is_empty).collect();
    assert_eq!(blank, [false, true, true, false], "{text:?}");
    let stats = std::fs::read(folder.path().join("stats.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&stats).unwrap()["sentences"], 2);
}

#[test]
fn text_without_anything_visible_is_nothing_to_translate() {
    for text in ["", " \n\t\r\n", "\u{feff}", "\u{200c}\n\u{200f}"] {
        let output = tarjoman(&["translate"], text);
        assert_eq!(output.status.code(), Some(1), "{text:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("nothing to translate"), "{output:?}");
        assert!(output.stdout.is_empty(), "{text:?}");
    }
}

#[test]
fn split_prints_spans_of_the_source() {
    let output = tarjoman(&["split", "--normalized"], ARTICLE);
    let sentences = json_lines(&output.stdout);
    assert_eq!(sentences.len(), 5);
    for sentence in sentences {
        let (start, end) = (sentence["start"].as_u64().unwrap(), sentence["end"].as_u64().unwrap());
        assert_eq!(sentence["text"], ARTICLE[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()]);
        assert!(!sentence["normalized"].as_str().unwrap().is_empty());
    }
}

#[test]
fn bad_input_is_refused_with_its_reason_and_exit_code() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("latin1.txt"), b"caf\xe9").unwrap();
    std::fs::create_dir(folder.path().join("empty-model")).unwrap();
    let cases: [(&[&str], i32, &str); 10] = [
        (&["translate", "latin1.txt"], 1, "UTF-8 from byte 3"),
        (&["translate", "no-such-file"], 1, "no-such-file"),
        (&["translate", "-"], 1, "nothing to translate"),
        (&["translate", "--model", "no-such-model"], 1, "no-such-model"),
        (&["translate", "--model", "empty-model"], 1, "config.json"),
        (&["translate", "--beam", "0"], 2, "--beam"),
        (&["translate", "--n-best", "9"], 2, "--n-best"),
        (&["translate", "--max-tokens", "0"], 2, "--max-tokens"),
        (&["translate", "--precision", "int3"], 2, "precision"),
        (&["translate", "--server", "http://127.0.0.1:1"], 1, "127.0.0.1:1"),
    ];
    for (arguments, code, reason) in cases {
        let input = if arguments.len() == 2 { "  \n" } else { ARTICLE };
        let output = run(command(arguments).current_dir(&folder), input);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {words}");
        assert!(words.contains(reason), "{arguments:?}: {words}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_spoilt_model_folder_is_refused_by_the_file_at_fault() {
    type Spoil = fn(Vec<u8>) -> Vec<u8>;
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/fa-en-mini");
    let truncated: Spoil = |bytes| bytes[..bytes.len() / 2].to_vec();
    let other_shape: Spoil = |bytes| {
        let mut config: Value = serde_json::from_slice(&bytes).unwrap();
        config["encoder_ffn_dim"] = (config["encoder_ffn_dim"].as_u64().unwrap() + 1).into();
        config.to_string().into_bytes()
    };
    let cases: [(&str, Spoil, &str); 5] = [
        ("model.safetensors", truncated, "model.safetensors"),
        ("config.json", truncated, "config.json"),
        ("config.json", other_shape, "configuration promises"),
        ("source.spm", truncated, "source.spm"),
        ("vocab.json", truncated, "vocab.json"),
    ];
    for (file, spoil, reason) in cases {
        let folder = TempDir::new().unwrap();
        for name in ["config.json", "model.safetensors", "source.spm", "vocab.json"] {
            std::fs::copy(model.join(name), folder.path().join(name)).unwrap();
        }
        let path = folder.path().join(file);
        std::fs::write(&path, spoil(std::fs::read(&path).unwrap())).unwrap();
        let output = tarjoman(&["translate", "--model", folder.path().to_str().unwrap()], ARTICLE);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{file}: {words}");
        assert!(words.contains(reason), "{file}: {words}");
    }
}

#[test]
fn a_shortlist_is_learnt_used_and_only_for_the_model_that_it_is_of() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("text.fa");
    std::fs::write(&text, "دولت بیانیه داد.\n\nمردم شنیدند.\nهوا خوب است؟\n").unwrap();
    let (text, list) = (text.to_str().unwrap(), folder.path().join("shortlist.bin"));
    let list = list.to_str().unwrap();
    let learnt = tarjoman(&["shortlist", text, "-o", list], "");
    assert!(learnt.status.success(), "{learnt:?}");
    assert!(String::from_utf8_lossy(&learnt.stderr).contains("3 lines"), "{learnt:?}");
    // What it was learnt from has all its words in it.
    let translate = |more: &[&str]| {
        let output = tarjoman(&[&["translate", "-q", "--lines", "--beam", "1", text], more].concat(), "");
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    assert_eq!(translate(&["--shortlist", list]), translate(&[]));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (model, reason) in [
        ("tests/golden/tiny-marian", "source tokens, but the model has"),
        ("tests/golden/tiny-t5", "isn't for the family t5"),
    ] {
        let model = root.join(model);
        let refused =
            tarjoman(&["translate", text, "--shortlist", list, "--model", model.to_str().unwrap()], "");
        let problem = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && problem.contains(reason), "{problem}");
    }
    assert!(!tarjoman(&["shortlist", "-", "-o", list], "\n").status.success());
}

#[test]
fn strict_tells_flagged_sentences_by_the_exit_code() {
    let foreign = "This is an English sentence, not a Persian one.\n";
    assert_eq!(tarjoman(&["translate", "-q"], foreign).status.code(), Some(0));
    let output = tarjoman(&["translate", "--strict"], foreign);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("wrong language"));
    assert_eq!(tarjoman(&["translate", "--require-persian"], foreign).status.code(), Some(1));
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    let mut child =
        command(&["translate", "-q"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(ARTICLE.repeat(20).as_bytes()).unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    drop(output);
    assert!(child.wait().unwrap().success());
}

/// `eprintln` panics where nobody reads standard error.
#[test]
fn notes_and_errors_that_nobody_reads_are_no_panic() {
    for (input, code) in [(ARTICLE, 0), ("", 1)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = command(&["translate"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(writer)
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}

#[test]
fn a_server_translates_as_the_command_line_does() {
    let mut server = command(&["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut told = Vec::new();
    let address = log.find_map(|line| {
        told.push(line.clone());
        Some(line.strip_prefix("listening on ")?.to_owned())
    });
    let url = format!("http://{}", address.unwrap_or_else(|| panic!("{told:?}")));
    let remote = tarjoman(&["translate", "--server", &url], ARTICLE);
    let local = tarjoman(&["translate"], ARTICLE);
    let stopped = Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert!(server.wait().unwrap().success(), "a server that is told to stop ends in order");
    assert!(remote.status.success(), "{remote:?}");
    assert_eq!(remote.stdout, local.stdout);
}

#[test]
fn awkward_text_is_translated_with_every_sentence_accounted_for() {
    let long_sentence = "این جمله بسیار بلند است و ".repeat(400);
    for text in [
        "متن\0با\u{7}نویسه\u{1b}[0mهای کنترل.",
        "او گفت: «این پایان است. برویم",
        "\u{202b}متن English در میان \u{202c}متن.",
        "😂😂 خبر 🇮🇷 خوب!",
        "中文句子。Ελληνικά.",
        long_sentence.as_str(),
    ] {
        let output =
            tarjoman(&["translate", "-q", "--format", "jsonl", "--beam", "1", "--max-attempts", "1"], text);
        assert!(output.status.success(), "{text:.40}: {output:?}");
        let events = json_lines(&output.stdout);
        let sentences: usize =
            events.iter().filter_map(|event| event["sentences"].as_array()).map(Vec::len).sum();
        assert_eq!(events[0]["sentences"], sentences, "{text:.40}");
    }
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let output = tarjoman(&["completions", shell], "");
        assert!(String::from_utf8_lossy(&output.stdout).contains("translate"), "{shell}");
    }
}

#[test]
fn the_built_in_model_is_listed() {
    let models: Value = serde_json::from_slice(&tarjoman(&["models", "list", "--json"], "").stdout).unwrap();
    assert_eq!(models[0]["digest"].as_str().unwrap().len(), 64);
    assert_eq!(models[0]["source_language"], "fa");
    assert_eq!(models[0]["state"], "built in");
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tarjoman"));
    // The models of whoever runs the tests are none of theirs.
    command.args(arguments).env("TARJOMAN_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/no-models"));
    command
}

fn tarjoman(arguments: &[&str], input: &str) -> Output {
    run(&mut command(arguments), input)
}

fn run(command: &mut Command, input: &str) -> Output {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that fails early doesn't read its input.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn json_lines(bytes: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    BufReader::new(bytes).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn slice<'a>(text: &'a str, span: &Value) -> &'a str {
    let at = |name: &str| usize::try_from(span[name].as_u64().unwrap()).unwrap();
    &text[at("start")..at("end")]
}
