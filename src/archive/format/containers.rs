//! Zip and tar: each entry is a document of its own, in the format that its name tells. The copy has the same entries in the
//! same order; one that can't be used or has no translation is left out.

use std::cell::Cell;
use std::io::{self, Read, Seek, Write};
use std::path::{Component, Path};
use std::rc::Rc;

use tar::{Archive, Builder, EntryType, Header};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::detect::Kind;
use super::guard::Guarded;
use super::{Context, Input, Outcome, Output, ReadSeek, Stop, Written, rewrite};

/// Tells what an entry is by its name.
type PartOf = fn(&str) -> Kind;

/// Copies a zip. Where `part` tells what its entries are, it is a document in parts, none of which may be missing: one
/// without a translation stays as it is.
pub(super) fn zip(
    locator: &str,
    input: Input<'_>,
    output: Output<'_>,
    part: Option<PartOf>,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    let mut held;
    let input: &mut dyn ReadSeek = match input {
        Input::File(file) => file,
        stream @ Input::Stream(_) => {
            held = cx.spool();
            io::copy(&mut stream.reader(), &mut held)?;
            &mut held
        }
    };
    let mut archive =
        ZipArchive::new(input).map_err(|error| Stop::unusable(format!("isn't a whole zip: {error}")))?;
    let mut writer = match output {
        Output::Nowhere(_) => None,
        Output::File(file) => Some(ZipWriter::new(file)),
    };
    for index in 0..archive.len() {
        let mut entry = match archive.by_index(index) {
            Ok(entry) => entry,
            Err(error) => {
                cx.visitor.unusable(&format!("{locator}!entry {index}"), error.to_string())?;
                continue;
            }
        };
        let name = match entry.name() {
            Ok(name) => name.into_owned(),
            Err(error) => {
                cx.visitor.unusable(&format!("{locator}!entry {index}"), error.to_string())?;
                continue;
            }
        };
        let inner = format!("{locator}!{name}");
        if let Err(reason) = safe(&name, entry.is_symlink()) {
            cx.visitor.unusable(&inner, reason)?;
            continue;
        }
        let mut options = SimpleFileOptions::default()
            .compression_method(match entry.compression() {
                CompressionMethod::Stored => CompressionMethod::Stored,
                _ => CompressionMethod::Deflated,
            })
            .large_file(entry.size() >= u64::from(u32::MAX) / 2);
        if let Some(time) = entry.last_modified() {
            options = options.last_modified_time(time);
        }
        if let Some(mode) = entry.unix_mode() {
            options = options.unix_permissions(mode & 0o777);
        }
        if entry.is_dir() {
            if let Some(writer) = &mut writer {
                writer.add_directory(name, options).map_err(io::Error::from)?;
            }
            continue;
        }
        let packed = Rc::new(Cell::new(entry.compressed_size()));
        let guarded = Guarded::new(&mut entry, packed, &cx.budget);
        let kind = part.map(|part| part(&name));
        let copy = copied(&inner, Box::new(guarded), kind, writer.is_none(), cx)?;
        drop(entry);
        match (&mut writer, copy) {
            (Some(writer), Some(mut copy)) => {
                writer.start_file(name, options).map_err(io::Error::from)?;
                io::copy(&mut copy, writer)?;
            }
            (Some(writer), None) if part.is_some() => {
                let entry = archive.by_index_raw(index).map_err(io::Error::from)?;
                writer.raw_copy_file(entry).map_err(io::Error::from)?;
            }
            _ => {}
        }
    }
    if let Some(writer) = writer {
        writer.finish().map_err(io::Error::from)?;
    }
    Ok(Written::Whole)
}

/// Copies a tar.
pub(super) fn tar(
    locator: &str,
    input: Input<'_>,
    output: Output<'_>,
    cx: &mut Context<'_>,
) -> Outcome<Written> {
    let is_scan = matches!(output, Output::Nowhere(_));
    let mut output = output;
    let mut builder = Builder::new(output.writer());
    let mut archive = Archive::new(input.reader());
    for entry in archive.entries()? {
        let entry = entry?;
        let mut header = entry.header().clone();
        let path = entry.path().map(|path| path.to_string_lossy().into_owned());
        let (name, kind) = (path?, header.entry_type());
        let inner = format!("{locator}!{name}");
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        if let Err(reason) = safe(&name, is_link) {
            cx.visitor.unusable(&inner, reason)?;
        } else if kind.is_dir() {
            if !is_scan {
                append(&mut builder, &mut header, &name, 0, io::empty())?;
            }
        } else if !(kind.is_file() || kind == EntryType::Continuous) {
            cx.visitor.unusable(&inner, "is no plain file".into())?;
        } else if let Some(mut copy) = copied(&inner, Box::new(entry), None, is_scan, cx)? {
            let size = copy.seek(io::SeekFrom::End(0))?;
            copy.rewind()?;
            append(&mut builder, &mut header, &name, size, copy)?;
        }
    }
    if !is_scan {
        builder.finish()?;
    }
    Ok(Written::Whole)
}

fn append(
    builder: &mut Builder<impl Write>,
    header: &mut Header,
    name: &str,
    size: u64,
    bytes: impl Read,
) -> io::Result<()> {
    header.set_size(size);
    builder.append_data(header, name, bytes)
}

/// The copy of an entry, whose name tells its format where `kind` doesn't; `None` while scanning, and for one that can't be
/// used or has no translation.
fn copied(
    locator: &str,
    entry: Box<dyn Read + '_>,
    kind: Option<Kind>,
    is_scan: bool,
    cx: &mut Context<'_>,
) -> Outcome<Option<tempfile::SpooledTempFile>> {
    let mut copy = cx.spool();
    let output = if is_scan { Output::Nowhere(io::empty()) } else { Output::File(&mut copy) };
    let entry = Input::Stream(entry);
    let ended = match kind {
        Some(kind) => kind.rewrite(locator, entry, output, cx),
        None => rewrite(locator, entry, output, cx),
    };
    match ended {
        Ok(Written::Whole) if !is_scan => {
            copy.rewind()?;
            Ok(Some(copy))
        }
        Ok(_) => Ok(None),
        Err(Stop::Unusable(reason)) if cx.budget.is_spent() => Err(Stop::Unusable(reason)),
        Err(Stop::Unusable(reason)) => {
            cx.visitor.unusable(locator, reason)?;
            Ok(None)
        }
        Err(stop) => Err(stop),
    }
}

/// Whether whoever unpacks an entry of this name stays in the folder that they unpack to.
fn safe(name: &str, is_link: bool) -> Result<(), String> {
    if is_link {
        return Err("is a link, which is left out".into());
    }
    let stays = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    let drive = name.as_bytes().get(1) == Some(&b':');
    if drive || name.contains(['\\', '\0']) || name.is_empty() || !Path::new(name).components().all(stays) {
        return Err("has a path that leads out of the archive, and is left out".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
