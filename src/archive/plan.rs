//! The files that the inputs of a run name.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::{Error, Result};

/// Files, folders and patterns to translate.
#[derive(Debug, Clone)]
pub struct Inputs {
    roots: Vec<Root>,
    /// The output folder, which isn't read even where it lies in an input.
    output: PathBuf,
}

#[derive(Debug, Clone)]
enum Root {
    Path(PathBuf),
    /// A pattern, and its longest leading part without wildcards.
    Pattern {
        pattern: String,
        base: PathBuf,
    },
}

/// A file to translate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it is called in the output: a relative path with `/` between its parts.
    pub(super) name: String,
}

/// A file that can't be translated, and why.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) name: String,
    pub(super) reason: String,
}

impl Inputs {
    /// The inputs as a user names them: a path, or a pattern such as `news/**/*.txt`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for one that names nothing.
    pub fn new(inputs: &[String], output: &Path) -> Result<Self> {
        let roots = inputs.iter().map(|input| Root::parse(input)).collect::<Result<Vec<_>>>()?;
        let output = full(output)?;
        for (root, input) in roots.iter().zip(inputs) {
            if full(root.folder())? == output {
                return Err(Error::invalid(
                    "output",
                    format!("is where the input {input:?} is read from"),
                    "write to another folder",
                ));
            }
        }
        Ok(Self { roots, output })
    }

    /// The files in a fixed order, read from the file system as they are asked for.
    pub(super) fn files(&self) -> impl Iterator<Item = Result<Source, Unusable>> + '_ {
        self.roots.iter().flat_map(move |root| match root {
            Root::Path(path) => self.under(path, path.parent().unwrap_or(Path::new(""))),
            Root::Pattern { pattern, base } => {
                let matches = glob::glob(pattern).into_iter().flatten();
                let is_within = full(base).is_ok_and(|base| base.starts_with(&self.output));
                Box::new(matches.flat_map(move |found| match found {
                    Ok(path) if !is_within && self.has_output(&path) => Box::new(std::iter::empty()),
                    Ok(path) => self.under(&path, base),
                    Err(error) => unusable(error.path(), error.error()),
                }))
            }
        })
    }

    /// The size of all files together in bytes, as far as it can be told.
    pub(super) fn bytes(&self) -> u64 {
        let size = |source: Source| std::fs::metadata(source.path).map_or(0, |file| file.len());
        self.files().flatten().map(size).sum()
    }

    /// The file at `path`, or the files in the folder there, named from `base` on.
    fn under<'a>(&'a self, path: &Path, base: &Path) -> Files<'a> {
        let base = base.to_owned();
        let walk = WalkDir::new(path).sort_by_file_name();
        // A file that a user names may be a link; what a folder holds of them isn't followed.
        let walk = walk.follow_root_links(true).into_iter();
        let is_output = |path: &Path| path.canonicalize().is_ok_and(|path| path == self.output);
        let walk = walk.filter_entry(move |entry| !entry.file_type().is_dir() || !is_output(entry.path()));
        Box::new(walk.filter_map(move |entry| match entry {
            Ok(entry) if entry.file_type().is_dir() => None,
            Ok(entry) => Some(source(entry.path(), &base, entry.depth() > 0 && entry.path_is_symlink())),
            Err(error) => {
                let name = error.path().map_or_else(String::new, |path| path.display().to_string());
                let reason =
                    error.into_io_error().map_or("links in a circle".into(), |error| error.to_string());
                Some(Err(Unusable { name, reason }))
            }
        }))
    }

    /// Whether a path is the output folder or in it.
    fn has_output(&self, path: &Path) -> bool {
        path.canonicalize().is_ok_and(|path| path.starts_with(&self.output))
    }
}

type Files<'a> = Box<dyn Iterator<Item = Result<Source, Unusable>> + 'a>;

fn unusable<'a>(path: &Path, reason: &std::io::Error) -> Files<'a> {
    Box::new(std::iter::once(Err(Unusable { name: path.display().to_string(), reason: reason.to_string() })))
}

fn source(path: &Path, base: &Path, is_link: bool) -> Result<Source, Unusable> {
    let relative = path.strip_prefix(base).unwrap_or(path);
    let refused = |reason: &str| Unusable { name: path.display().to_string(), reason: reason.into() };
    if is_link {
        return Err(refused("is a link; name what it points to as an input"));
    }
    if !path.is_file() {
        return Err(refused("is no plain file"));
    }
    match relative.to_str() {
        Some(name) => Ok(Source { path: path.to_owned(), name: name.replace('\\', "/") }),
        None => Err(refused("has a name that isn't UTF-8; rename it")),
    }
}

impl Root {
    /// What it reads: a file, or a folder that all of it is in.
    fn folder(&self) -> &Path {
        match self {
            Self::Path(path) => path,
            Self::Pattern { base, .. } => base,
        }
    }

    fn parse(input: &str) -> Result<Self> {
        let path = Path::new(input);
        if path.exists() || path.is_symlink() {
            // So that `.` and `..` have a name too.
            let plain: PathBuf = path.components().collect();
            let named = if plain.file_name().is_some() { plain } else { absolute(path)? };
            return Ok(Self::Path(named));
        }
        let nothing = |problem: &str| {
            Error::invalid(
                "inputs",
                format!("{input:?} {problem}"),
                "name a file, a folder, or a pattern in quotation marks such as 'news/**/*.txt'",
            )
        };
        if !input.contains(['*', '?', '[']) {
            return Err(nothing("doesn't exist"));
        }
        let mut matches = glob::glob(input).map_err(|error| nothing(&format!("is no pattern: {error}")))?;
        if matches.next().is_none() {
            return Err(nothing("matches nothing"));
        }
        let is_plain =
            |part: &&std::path::Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
        let base = path.components().collect::<Vec<_>>().iter().take_while(is_plain).collect();
        Ok(Self::Pattern { pattern: input.into(), base })
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|error| failure(path, &error))
}

/// The full path of a folder that needn't be there yet.
fn full(path: &Path) -> Result<PathBuf> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let path = std::path::absolute(path).map_err(|error| failure(path, &error))?;
    let known = path.ancestors().find_map(|known| Some((known, known.canonicalize().ok()?)));
    let Some((known, full)) = known else { return Ok(path) };
    Ok(path.strip_prefix(known).map_or_else(|_| path.clone(), |rest| full.join(rest)))
}

fn failure(path: &Path, error: &std::io::Error) -> Error {
    Error::Io { path: path.to_owned(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["news/b.txt", "news/a/c.txt", "news/a/d.md", "out/old.txt"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        folder
    }

    fn names(folder: &Path, inputs: &[&str]) -> Vec<String> {
        let inputs: Vec<_> =
            inputs.iter().map(|input| folder.join(input).to_str().unwrap().to_owned()).collect();
        let inputs = Inputs::new(&inputs, &folder.join("out")).unwrap();
        inputs.files().map(|file| file.unwrap().name).collect()
    }

    #[test]
    fn a_folder_is_named_as_copying_it_would() {
        let folder = tree();
        assert_eq!(names(folder.path(), &["news"]), ["news/a/c.txt", "news/a/d.md", "news/b.txt"]);
        assert_eq!(names(folder.path(), &["news/a/c.txt", "news/b.txt"]), ["c.txt", "b.txt"]);
    }

    #[test]
    fn a_pattern_keeps_what_its_wildcards_match() {
        let folder = tree();
        assert_eq!(names(folder.path(), &["news/**/*.txt"]), ["a/c.txt", "b.txt"]);
        assert_eq!(names(folder.path(), &["ne*"]), ["news/a/c.txt", "news/a/d.md", "news/b.txt"]);
    }

    #[test]
    fn the_output_is_never_read() {
        let folder = tree();
        let name = folder.path().file_name().unwrap().to_str().unwrap().to_owned();
        let found = names(folder.path(), &["."]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|file| file.starts_with(&format!("{name}/news/"))), "{found:?}");
        assert_eq!(names(folder.path(), &["**/*.txt"]), ["news/a/c.txt", "news/b.txt"]);
    }

    #[test]
    fn links_in_folders_are_refused_and_inputs_that_are_nothing_named() {
        let folder = tree();
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("news/link.txt")).unwrap();
        let input = folder.path().join("news").to_str().unwrap().to_owned();
        let inputs = Inputs::new(&[input], folder.path()).unwrap();
        let refused: Vec<_> = inputs.files().filter_map(Result::err).collect();
        assert_eq!(refused.len(), 1);
        assert!(refused[0].name.ends_with("link.txt") && refused[0].reason.contains("link"));
        for same in ["news", "news/*"] {
            let input = folder.path().join(same).to_str().unwrap().to_owned();
            let error = Inputs::new(&[input], &folder.path().join("news/")).unwrap_err().to_string();
            assert!(error.contains("is read from"), "{error}");
        }
        for missing in ["no-such-file", "no-such-folder/*.txt", "a[", "***"] {
            let error = Inputs::new(&[missing.into()], folder.path()).unwrap_err().to_string();
            assert!(error.contains(missing), "{error}");
        }
    }
}
