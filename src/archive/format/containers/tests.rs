use std::io::Cursor;

use super::*;
use crate::archive::format::ReadOptions;
use crate::archive::format::detect::Packing;
use crate::archive::format::testing::{Shout, rewritten};

const ENTRIES: [(&str, &[u8]); 5] = [
    ("news/a.txt", "سلام x".as_bytes()),
    ("news/b.jsonl", b"{\"text\": \"y\"}\n{}\n"),
    ("news/c.jpg", b"\xff\xd8"),
    ("news/d.txt", b"\0"),
    ("e.jsonl.gz", b"no gzip"),
];

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_directory("news", SimpleFileOptions::default()).unwrap();
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tarred(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        // The library itself refuses to write some names.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn unzipped(bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let count = archive.len();
    let entry = |index| {
        let mut entry = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.name().unwrap().into_owned(), bytes)
    };
    (0..count).map(entry).collect()
}

fn untarred(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = Archive::new(bytes);
    let entry = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
    };
    archive.entries().unwrap().map(entry).collect()
}

fn check(name: &str, entries: &[(String, Vec<u8>)], visitor: &Shout) {
    let expected: [(&str, &[u8]); 3] = [
        ("news/a.txt", "سلام X".as_bytes()),
        ("news/b.jsonl", b"{\"text\": \"Y\"}\n{}\n"),
        ("news/c.jpg", b"\xff\xd8"),
    ];
    let found: Vec<_> = entries
        .iter()
        .filter(|(name, _)| name != "news/")
        .map(|(name, bytes)| (name.as_str(), &**bytes))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(visitor.locators, [format!("{name}!news/a.txt"), format!("{name}!news/b.jsonl:1")]);
    let problems: Vec<_> =
        visitor.problems.iter().map(|problem| problem.split(": ").next().unwrap().to_owned()).collect();
    assert_eq!(
        problems,
        ["news/b.jsonl:2", "news/d.txt", "e.jsonl.gz"].map(|entry| format!("{name}!{entry}"))
    );
}

#[test]
fn each_entry_is_a_document_and_a_bad_one_is_left_out() {
    let (output, visitor) = rewritten("a.zip", &zipped(&ENTRIES), &ReadOptions::default());
    let entries = unzipped(output.unwrap());
    assert_eq!(entries[0].0, "news/", "folders stay");
    check("a.zip", &entries, &visitor);
    let (output, visitor) = rewritten("a.tar", &tarred(&ENTRIES), &ReadOptions::default());
    check("a.tar", &untarred(&output.unwrap()), &visitor);
}

#[test]
fn packed_tars_come_back_packed() {
    for (name, pack) in
        [("a.tar.gz", Packing::Gzip), ("a.tgz", Packing::Gzip), ("a.tar.zst", Packing::Zstandard)]
    {
        let mut packed = Vec::new();
        pack.pack(&*tarred(&ENTRIES), &mut packed).unwrap();
        let (output, visitor) = rewritten(name, &packed, &ReadOptions::default());
        let mut unpacked = Vec::new();
        let output = output.unwrap();
        match pack {
            Packing::Gzip => flate2::read::GzDecoder::new(&*output).read_to_end(&mut unpacked).unwrap(),
            Packing::Zstandard => zstd::stream::copy_decode(&*output, &mut unpacked).map(|()| 0).unwrap(),
        };
        check(name, &untarred(&unpacked), &visitor);
        let (output, visitor) = rewritten(name, &packed[..packed.len() - 20], &ReadOptions::default());
        assert!(output.is_none(), "a truncated one has no copy");
        assert!(visitor.problems.last().unwrap().starts_with(name), "{:?}", visitor.problems);
    }
}

#[test]
fn unsafe_paths_and_links_are_left_out() {
    let names = ["../a.txt", "/etc/a.txt", "x/../../a.txt", "C:a.txt", "..\\a.txt", "ok/./a.txt"];
    let entries = names.map(|name| (name, &b"x"[..]));
    let (output, visitor) = rewritten("a.zip", &zipped(&entries), &ReadOptions::default());
    assert_eq!(unzipped(output.unwrap()).len(), 2);
    assert_eq!(visitor.problems.len(), 5, "{:?}", visitor.problems);
    let (output, visitor) = rewritten("a.tar", &tarred(&entries), &ReadOptions::default());
    assert_eq!(untarred(&output.unwrap()).len(), 1);
    assert_eq!(visitor.problems.len(), 5, "{:?}", visitor.problems);

    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "a.txt", "/etc/passwd").unwrap();
    let (output, visitor) = rewritten("a.tar", &builder.into_inner().unwrap(), &ReadOptions::default());
    assert!(untarred(&output.unwrap()).is_empty());
    assert!(visitor.problems[0].contains("link"), "{:?}", visitor.problems);
}

#[test]
fn a_bomb_is_left_out_and_the_rest_goes_on() {
    let bomb = vec![b'a'; 40 << 20];
    let entries: [(&str, &[u8]); 2] = [("bomb.jpg", &bomb), ("a.txt", b"x")];
    let (output, visitor) = rewritten("a.zip", &zipped(&entries), &ReadOptions::default());
    let names: Vec<_> = unzipped(output.unwrap()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["news/", "a.txt"]);
    assert!(
        visitor.problems[0].starts_with("a.zip!bomb.jpg: unpacks to more than 200"),
        "{:?}",
        visitor.problems
    );
}

/// A bomb can be many streams that are harmless one by one.
#[test]
fn entries_are_no_more_together_than_one_may_be() {
    let entry = vec![b'a'; 15 << 20];
    let names: Vec<_> = (0..30).map(|number| format!("{number}.jpg")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), &*entry)).collect();
    let (output, visitor) = rewritten("a.zip", &zipped(&entries), &ReadOptions::default());
    assert!(output.is_none());
    assert!(
        visitor.problems.len() == 1 && visitor.problems[0].contains("bomb"),
        "nothing is read once it is known: {:?}",
        visitor.problems
    );
}

#[test]
fn containers_in_containers_are_read_up_to_a_depth() {
    let mut archive = zipped(&[("a.txt", b"x")]);
    for _ in 0..6 {
        archive = tarred(&[("a.zip", &archive)]);
        archive = zipped(&[("a.tar", &archive)]);
        let (output, visitor) = rewritten("a.zip", &archive, &ReadOptions::default());
        assert!(output.is_some());
        let is_read = visitor.texts == ["x"];
        assert_ne!(is_read, visitor.problems.iter().any(|problem| problem.contains("deep")));
    }
    let (_, visitor) = rewritten("a.zip", &archive, &ReadOptions::default());
    assert!(visitor.texts.is_empty(), "the last are too deep");
}

#[test]
fn a_corrupted_zip_is_told() {
    let mut bytes = zipped(&ENTRIES);
    let (output, visitor) = rewritten("a.zip", &bytes[..bytes.len() / 2], &ReadOptions::default());
    assert!(output.is_none() && visitor.problems[0].contains("isn't a whole zip"), "{:?}", visitor.problems);
    // Within the first entry's data: its checksum is wrong then.
    let place = bytes.windows(10).position(|bytes| bytes == b"news/a.txt").unwrap() + 14;
    bytes[place] ^= 0x55;
    let (output, visitor) = rewritten("a.zip", &bytes, &ReadOptions::default());
    assert!(output.is_some());
    assert!(visitor.problems[0].starts_with("a.zip!news/a.txt"), "{:?}", visitor.problems);
}

#[test]
fn a_document_in_parts_keeps_all_of_them() {
    let chapter = "<html xmlns=\"http://www.w3.org/1999/xhtml\"><body><p>سلام x</p></body></html>";
    let package = "<package><dc:title>کتاب y</dc:title><dc:language>fa</dc:language></package>";
    let entries: [(&str, &[u8]); 4] = [
        ("mimetype", b"application/epub+zip"),
        ("c1.xhtml", chapter.as_bytes()),
        ("c2.xhtml", b"\0"),
        ("content.opf", package.as_bytes()),
    ];
    let (output, visitor) = rewritten("a.epub", &zipped(&entries), &ReadOptions::default());
    let entries = unzipped(output.unwrap());
    let found: Vec<_> = entries[1..].iter().map(|(name, bytes)| (name.as_str(), &**bytes)).collect();
    let package = package.replace(" y", " Y");
    assert_eq!(found[0], ("mimetype", &b"application/epub+zip"[..]));
    assert_eq!(found[1].1, chapter.replace("سلام x", "سلام X").as_bytes());
    assert_eq!(found[2], ("c2.xhtml", &b"\0"[..]));
    assert_eq!(found[3].1, package.replace(">fa<", ">en<").as_bytes());
    assert_eq!(visitor.problems.len(), 1, "{:?}", visitor.problems);
    assert_eq!(visitor.texts, ["سلام x", "کتاب y"]);
}

#[test]
fn a_word_document_is_translated_in_its_parts() {
    let document = "<w:document><w:p><w:r><w:t>سلام x</w:t></w:r></w:p></w:document>";
    let entries: [(&str, &[u8]); 3] = [
        ("word/document.xml", document.as_bytes()),
        ("word/header1.xml", document.as_bytes()),
        ("word/styles.xml", document.as_bytes()),
    ];
    let (output, visitor) = rewritten("a.docx", &zipped(&entries), &ReadOptions::default());
    assert_eq!(visitor.locators, ["a.docx!word/document.xml", "a.docx!word/header1.xml"]);
    let entries = unzipped(output.unwrap());
    assert!(String::from_utf8_lossy(&entries[1].1).contains("سلام X"));
    assert_eq!(entries[3].1, document.as_bytes());
}
