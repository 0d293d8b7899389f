//! An input folder, runs over it, and what they left.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

/// A model whose translations are nonsense.
pub(crate) const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiny-marian");

/// A folder with an `in` to translate and an `out` to translate to.
pub(crate) struct Workplace {
    pub(crate) folder: TempDir,
}

impl Workplace {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        Self { folder }
    }

    /// Puts a file into the input.
    pub(crate) fn input(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.folder.path().join("in").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A run over `in` with more arguments.
    pub(crate) fn command(&self, output: &str, arguments: &[&str]) -> Command {
        self.command_of(&["batch"], output, arguments)
    }

    /// The same for another command over `in`.
    pub(crate) fn command_of(&self, names: &[&str], output: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tarjoman"));
        command.args(names).args(["in", "-o", output, "--model", MODEL]).args(arguments);
        // No more is asked of the model than needed: one greedy attempt at a few tokens.
        for (argument, value) in [("--beam", "1"), ("--max-tokens", "8")] {
            if !arguments.contains(&argument) {
                command.args([argument, value]);
            }
        }
        command.args(["--max-attempts", "1", "--threads", "1"]);
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, output: &str, arguments: &[&str]) -> Output {
        self.command(output, arguments).output().unwrap()
    }

    pub(crate) fn start(&self, output: &str, arguments: &[&str]) -> Child {
        let mut command = self.command(output, arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub(crate) fn report(&self, output: &str) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tarjoman"));
        let output = command.args(["batch", "report", "--json", output]).current_dir(&self.folder).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// A number from the journal.
    pub(crate) fn journal(&self, output: &str, query: &str) -> i64 {
        let journal = Connection::open(self.path(output).join("journal.sqlite")).unwrap();
        journal.query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// The locators and reasons in the sidecar.
    pub(crate) fn errors(&self, output: &str) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.path(output).join("errors.jsonl")).unwrap();
        let text_of = |value: &Value| value.as_str().unwrap().to_owned();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|line| (text_of(&line["locator"]), text_of(&line["reason"])))
            .collect()
    }

    /// All files that a run wrote, but for the journal.
    pub(crate) fn outputs(&self, output: &str) -> BTreeMap<String, Vec<u8>> {
        let root = self.path(output);
        let files = walkdir::WalkDir::new(&root).into_iter().map(Result::unwrap);
        let files = files.filter(|entry| entry.file_type().is_file()).filter_map(|entry| {
            let name = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            (!name.starts_with("journal.")).then(|| (name, std::fs::read(entry.path()).unwrap()))
        });
        files.collect()
    }
}

pub(crate) fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A short article, different for each number.
pub(crate) fn article(number: usize) -> String {
    let [first, second] =
        ["دولت", "مجلس", "شهرداری", "دانشگاه", "وزارت", "بانک", "ارتش"].repeat(2)[number % 7..][..2]
    else {
        unreachable!()
    };
    format!("خبر شماره {number}\n\n{first} روز گذشته بیانیه داد. {second} آن را {number} بار خواند.\n")
}
