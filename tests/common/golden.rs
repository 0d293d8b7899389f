//! The references' answers, as the scripts in `tests/golden` wrote them down.

use std::path::{Path, PathBuf};

/// What a reference says of a line.
pub(crate) struct Golden {
    pub(crate) score: f32,
    pub(crate) ids: Vec<u32>,
}

/// The answers in a file, one a line: the score, then the ids.
pub(crate) fn golden(path: &str) -> Vec<Golden> {
    let parse = |line: &str| {
        let (score, rest) = line.split_once(' ').unwrap();
        Golden { score: score.parse().unwrap(), ids: ids(rest) }
    };
    read(path).lines().map(parse).collect()
}

/// The ids of a line.
pub(crate) fn ids(line: &str) -> Vec<u32> {
    line.split(' ').map(|id| id.parse().unwrap()).collect()
}

/// A file of the project.
pub(crate) fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
