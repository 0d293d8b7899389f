//! Settings: where they come from, and which are refused.

use std::process::Output;

use tempfile::TempDir;

use crate::process::tarjoman;

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn every_setting_is_printed_with_its_origin() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("t.toml");
    std::fs::write(&file, "[limits]\nconnections = 7\nmessage_bytes = 8\n\n[log]\nformat = \"json\"\n")
        .unwrap();
    let mut command = tarjoman(&["serve", "--print-config", "--listen", "127.0.0.1:9", "--insecure"]);
    command.args(["--set", "limits.article_bytes=9"]).env("TARJOMAN_CONFIG", &file);
    command.env("TARJOMAN_LIMITS_MESSAGE_BYTES", "80").env("TARJOMAN_LIMITS_ARTICLE_BYTES", "90");
    let printed = printed(&command.output().unwrap());
    let file = file.display();
    for line in [
        "listen = \"127.0.0.1:9\"  # --listen".to_owned(),
        "insecure = true  # --insecure".to_owned(),
        "article_bytes = 9  # --set".to_owned(),
        "message_bytes = 80  # TARJOMAN_LIMITS_MESSAGE_BYTES".to_owned(),
        format!("connections = 7  # {file}"),
        format!("format = \"json\"  # {file}"),
        "drain_timeout_seconds = 30  # default".to_owned(),
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line} isn't in\n{printed}");
    }
}

#[test]
fn what_is_printed_can_be_read_again() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("t.toml");
    let first = printed(&tarjoman(&["serve", "--print-config", "--threads", "3"]).output().unwrap());
    std::fs::write(&file, &first).unwrap();
    let again = tarjoman(&["serve", "--print-config", "--config", file.to_str().unwrap()]).output().unwrap();
    let values = |text: &str| {
        text.lines().map(|line| line.split("  # ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(values(&first), values(&printed(&again)));
}

#[test]
fn settings_that_cannot_be_used_end_with_their_name_and_the_exit_code_of_wrong_usage() {
    let cases: [(&[&str], &str); 11] = [
        (&["--listen", "0.0.0.0:0"], "--insecure"),
        (&["--listen", "[::]:0"], "--insecure"),
        (&["--set", "limits.conections=1"], "limits.connections"),
        (&["--set", "limits.connections"], "KEY=VALUE"),
        (&["--set", "limits.connections=0"], "limits.connections (from --set)"),
        (&["--threads", "two"], "model.threads (from --threads)"),
        (&["--precision", "f33"], "model.precision"),
        (&["--set", "auth.keys_file=/no/such/file"], "/no/such/file"),
        (&["--config", "/no/such/file"], "/no/such/file"),
        (&["--otlp-endpoint", "localhost:4317"], "traces.endpoint (from --otlp-endpoint)"),
        (&["--set", "traces.one_in=0"], "traces.one_in"),
    ];
    for (arguments, words) in cases {
        let output = tarjoman(&["serve"]).args(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
    let output = tarjoman(&["serve"]).env("TARJOMAN_LIMITS_CONECTIONS", "1").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("TARJOMAN_LIMITS_CONNECTIONS"), "{output:?}");
}

#[test]
fn a_new_key_and_its_line_are_printed_and_only_the_key_is_secret() {
    let output = tarjoman(&["keys", "new", "web", "--requests", "60"]).output().unwrap();
    let printed = printed(&output);
    let [key, line] = printed.lines().collect::<Vec<_>>()[..] else { panic!("{printed}") };
    assert!(key.starts_with("tarjoman_") && key.len() == 9 + 64, "{key}");
    assert!(line.starts_with("web:") && line.ends_with(":requests=60"), "{line}");
    assert!(!line.contains(key.trim_start_matches("tarjoman_")), "{line}");
    let refused = tarjoman(&["keys", "new", "a b"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}
