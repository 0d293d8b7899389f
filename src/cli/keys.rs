//! `keys`.

use super::args::KeysCommand;
use super::failure::{Failure, Outcome, print};
use crate::server::NewKey;

/// Makes a key and prints it, and on a line of its own what the service is to know of it.
pub(super) fn run(command: &KeysCommand) -> Result<Outcome, Failure> {
    let KeysCommand::New { name, requests, characters } = command;
    let limits: Vec<String> = [("requests", requests), ("characters", characters)]
        .into_iter()
        .filter_map(|(what, limit)| limit.map(|limit| format!("{what}={limit}")))
        .collect();
    let NewKey { key, mut line } = NewKey::new(name)?;
    if !limits.is_empty() {
        line = format!("{line}:{}", limits.join(","));
    }
    print(format!("{key}\n{line}\n").as_bytes())?;
    Ok(Outcome::Done)
}
